package ingest_test

import (
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/kafkatest"
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
	kafkatest.Create(t, env.Brokers, kafka.TopicConfig{Topic: cfg.Topics.DeadLetters, NumPartitions: 1, ReplicationFactor: 1})
	cfg.DeadLetterRetention = 24 * time.Hour
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the retention", func() bool { return settings(t, env, cfg.Topics.DeadLetters)["retention.ms"] == "86400000" })
}

// A name that is misspelt makes a topic: that is said, and what one replica means
// where there could be more.
func TestCreatedTopicsAreLogged(t *testing.T) {
	for _, c := range []struct {
		brokers, replication int
		warned               bool
	}{{1, 1, false}, {3, 1, true}, {3, 3, false}} {
		cfg := misspelt(t, c.brokers)
		cfg.Replication = c.replication
		for _, lines := range []int{5, 0} { // they exist the second time
			text := &safeBuffer{}
			if err := ingest.PrepareTopics(t.Context(), cfg, slog.New(slog.NewTextHandler(text, nil))); err != nil {
				t.Fatal(err)
			}
			created := regexp.MustCompile(`level=INFO msg="topic created" topic=\S+ key=ingest\.\S+ partitions=\d replication=\d`).FindAllString(text.String(), -1)
			warned := strings.Count(text.String(), "level=WARN")
			if len(created) != lines || (warned == lines) != (c.warned || lines == 0) {
				t.Errorf("%d brokers, replication %d: want %d lines: %s", c.brokers, c.replication, lines, text)
			}
			if lines > 0 && !strings.Contains(text.String(), "topic=prd-events key=ingest.topics.predictions partitions=4") {
				t.Errorf("the log does not name the key: %s", text)
			}
		}
	}
}

// misspelt returns the configuration of a Kafka that has no topic.
func misspelt(t *testing.T, brokers int) ingest.Config {
	t.Helper()
	k, err := kfake.NewCluster(kfake.NumBrokers(brokers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	cfg := ingest.DefaultConfig()
	cfg.Brokers, cfg.Topics.Predictions = k.ListenAddrs(), "prd-events"
	return cfg
}

// Where nothing may be created, a missing topic is an error with its key.
func TestMissingTopicsAreRefused(t *testing.T) {
	cfg := misspelt(t, 1)
	client := &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Transport: &kafka.Transport{}}
	var made []kafka.TopicConfig
	for _, name := range []string{"predictions", "labels", "deployments", "kpis", cfg.Topics.DeadLetters} {
		made = append(made, kafka.TopicConfig{Topic: name, NumPartitions: 1, ReplicationFactor: 1})
	}
	if _, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: made}); err != nil {
		t.Fatal(err)
	}
	cfg.CreateTopics = false
	cfg.Sources = []decode.Source{{Topic: "captrue", Format: decode.FormatSageMaker}}
	for range 2 { // asking creates none
		err := ingest.EnsureTopics(t.Context(), cfg)
		if err == nil {
			t.Fatal("missing topics are taken")
		}
		lines := strings.Split(err.Error(), "\n")
		if len(lines) != 2 || !strings.HasPrefix(lines[0], `ingest.sources[0].topic: Kafka has no topic "captrue"`) || !strings.HasPrefix(lines[1], `ingest.topics.predictions: Kafka has no topic "prd-events"`) {
			t.Errorf("%v", err)
		}
	}
	cfg.Sources, cfg.Topics.Predictions = nil, "predictions"
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Errorf("every topic is there: %v", err)
	}
}
