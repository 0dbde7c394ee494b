package ingest_test

import (
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/testenv"
)

// settings asks the broker for the settings of a topic.
func settings(t *testing.T, env *testenv.Env, topic string) map[string]string {
	t.Helper()
	client := &kafka.Client{Addr: kafka.TCP(env.Brokers...), Transport: &kafka.Transport{}}
	r, err := client.DescribeConfigs(t.Context(), &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic},
	}})
	if err != nil {
		t.Fatal(err)
	}
	is := map[string]string{}
	for _, entry := range r.Resources[0].ConfigEntries {
		is[entry.ConfigName] = entry.ConfigValue
	}
	return is
}

func TestDeadLettersHaveARetentionOfTheirOwn(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	var source string
	for _, step := range []struct {
		name               string
		set                time.Duration
		retention, segment string
	}{
		{"created", 70 * time.Hour, "252000000", "36000000"},
		{"as it is", 70 * time.Hour, "252000000", "36000000"},
		{"changed", 7 * time.Hour, "25200000", "3600000"},
		{"left alone", 0, "25200000", "3600000"},
	} {
		cfg.DeadLetterRetention = step.set
		if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		// A real Kafka tells of a change a moment after it has taken it.
		eventually(t, step.name+": the settings", func() bool {
			is := settings(t, env, cfg.Topics.DeadLetters)
			return is["retention.ms"] == step.retention && is["segment.ms"] == step.segment && is["max.message.bytes"] == "1310720"
		})
		now := settings(t, env, cfg.Topics.Predictions)["retention.ms"]
		if source != "" && source != now {
			t.Errorf("%s: the retention of the predictions went from %s to %s", step.name, source, now)
		}
		source = now
	}
}

// A topic that somebody else has made gets the retention, too.
func TestForeignDeadLetterTopicGetsTheRetention(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	client := &kafka.Client{Addr: kafka.TCP(env.Brokers...), Transport: &kafka.Transport{}}
	r, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: cfg.Topics.DeadLetters, NumPartitions: 1, ReplicationFactor: 1}}})
	if err == nil {
		err = r.Errors[cfg.Topics.DeadLetters]
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg.DeadLetterRetention = 24 * time.Hour
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the retention", func() bool { return settings(t, env, cfg.Topics.DeadLetters)["retention.ms"] == "86400000" })
}
