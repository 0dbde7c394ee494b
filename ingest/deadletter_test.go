package ingest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/deadletters"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/kafkatest"
)

// lettersOf makes the dead-letter topic by hand, as people do where the service
// may not, with a limit on the size of a request.
func lettersOf(t *testing.T, env *testenv.Env, cfg *ingest.Config, limit int) *kafka.Client {
	t.Helper()
	cfg.Partitions, cfg.DeadLetterRetention = 1, 0
	kafkatest.Create(t, env.Brokers, kafka.TopicConfig{
		Topic: cfg.Topics.DeadLetters, NumPartitions: 1, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "max.message.bytes", ConfigValue: fmt.Sprint(limit)}},
	})
	client := &kafka.Client{Addr: kafka.TCP(env.Brokers...), Transport: &kafka.Transport{}}
	if err := ingest.EnsureTopics(t.Context(), *cfg); err != nil {
		t.Fatal(err)
	}
	return client
}

// A topic that takes less than ingest asks for gets letters that are cut and say
// so; small ones of the same batch stay whole.
func TestLettersAreCutToWhatTheTopicTakes(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	lettersOf(t, env, &cfg, 4000)
	var sent []kafka.Message
	for i, size := range []int{10, 100_000, 20, 700} {
		sent = append(sent, kafka.Message{Key: fmt.Append(nil, i), Value: []byte(strings.Repeat("x", size)), Headers: []kafka.Header{{Key: "own", Value: []byte("kept")}}})
	}
	sent = append(sent, kafka.Message{Key: []byte("4"), Value: []byte(strings.Repeat("x", 900)), Headers: []kafka.Header{{Key: "own", Value: []byte(strings.Repeat("h", 5000))}}})
	send(t, env, cfg.Topics.Predictions, sent...)
	start(t, cfg, ingest.Dependencies{DB: env.DB})
	until(t, env, committedEvents, uint64(len(sent)))

	box := deadletters.DefaultConfig()
	box.Brokers, box.Topic = env.Brokers, cfg.Topics.DeadLetters
	b, err := deadletters.New(box)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	got := map[string]string{}
	err = b.Each(t.Context(), deadletters.Filter{}, func(l deadletters.Letter) error {
		n := l.Source.Offset
		if !strings.HasPrefix(string(sent[n].Value), string(l.Value)) || l.Size != len(sent[n].Value) || l.Reason != "unparsable" {
			t.Errorf("letter of %s holds %d bytes of %d: %s", l.Source, len(l.Value), l.Size, l.Reason)
		}
		got[fmt.Sprint(n)] = fmt.Sprintf("%t %s", l.Cut(), l.Lacks)
		return nil
	})
	want := map[string]string{"0": "false ", "1": "true value", "2": "false ", "3": "false ", "4": "true headers,key,value"}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("letters %v, %v, want %v", got, err, want)
	}
	// Whole again, from their source.
	var verdicts []deadletters.Verdict
	if err := b.Replay(t.Context(), deadletters.Filter{}, deadletters.Options{DryRun: true}, func(o deadletters.Outcome) { verdicts = append(verdicts, o.Verdict) }); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(verdicts, func(v deadletters.Verdict) bool { return v != deadletters.Replayed }) {
		t.Errorf("replay: %v", verdicts)
	}
}

// Where no letter fits, the partition parks and says so, and goes on when the
// topic takes letters.
func TestATopicThatTakesNoLetterParks(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	client := lettersOf(t, env, &cfg, 100)
	send(t, env, cfg.Topics.Predictions, kafka.Message{Value: []byte("no event")})
	seen := newNotices()
	start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen})
	seen.await(t, ingest.NoticeParked)
	if text := seen.text(ingest.NoticeParked); !strings.Contains(text, cfg.Topics.DeadLetters) {
		t.Errorf("the notice %q does not name the topic", text)
	}
	if n := count(t, env, committedEvents); n != 0 {
		t.Errorf("%d events are complete, and the letter is nowhere", n)
	}
	r, err := client.IncrementalAlterConfigs(t.Context(), &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: cfg.Topics.DeadLetters,
		Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "max.message.bytes", Value: "1000000", ConfigOperation: kafka.ConfigOperationSet}},
	}}})
	if err := errors.Join(err, r.Resources[0].Error); err != nil {
		t.Fatal(err)
	}
	until(t, env, committedEvents, 1)
	seen.await(t, ingest.NoticeUnparked)
	if m := letters(t, env, cfg, 1)[0]; string(m.Value) != "no event" || m.Time.Before(time.Now().Add(-time.Minute)) {
		t.Errorf("letter %s", m.Value)
	}
}
