package chaos

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/flights"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/testenv/broker"
	"github.com/plumbline-slo/plumbline/testenv/kafkatest"
)

func startKafka(t *testing.T) *broker.Broker {
	t.Helper()
	b := kafkatest.Embedded(t)
	topics := ingest.DefaultConfig()
	topics.Brokers = b.Addresses()
	if err := ingest.EnsureTopics(t.Context(), topics); err != nil {
		t.Fatal(err)
	}
	return b
}

// feed returns a feeder of n predictions to the broker.
func feed(b *broker.Broker, n int) *feeder {
	f := &feeder{writer: &kafka.Writer{Addr: kafka.TCP(b.Addresses()...), Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll, BatchSize: 100, BatchTimeout: time.Millisecond}}
	for i := range n {
		f.events = append(f.events, kafka.Message{Topic: flights.TopicPredictions, Key: fmt.Appendf(nil, "%d", i), Value: []byte("{}")})
	}
	return f
}

// The shares of every kill and the rest are all events, each once; each share is
// about as large as the others.
func TestSharesAddUp(t *testing.T) {
	b := startKafka(t)
	const events, kills = 1007, 20
	f := feed(b, events)
	for kill := range kills {
		before := f.sent
		if err := f.sendShare(t.Context(), kills-kill); err != nil {
			t.Fatal(err)
		}
		if share := f.sent - before; share < 45 || share > 50 {
			t.Errorf("share %d has %d of %d events", kill, share, events)
		}
	}
	if err := f.sendAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	ends, err := endOffsets(t.Context(), b.Addresses(), flights.TopicPredictions)
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, end := range ends {
		total += end
	}
	if len(ends) != ingest.DefaultConfig().Partitions || total != events || f.sent != events {
		t.Errorf("%d events in %d partitions, %d said to be sent, want %d", total, len(ends), f.sent, events)
	}
}

// A batch under way is a commit with an intent.
func TestIntentsStanding(t *testing.T) {
	b := startKafka(t)
	r := &run{ingest: ingest.DefaultConfig()}
	r.ingest.Brokers = b.Addresses()
	if n, err := r.intents(t.Context()); err != nil || n != 0 {
		t.Fatalf("before any commit %d intents stand, %v", n, err)
	}
	client := &kafka.Client{Addr: kafka.TCP(b.Addresses()...)}
	for partition, intent := range []string{`{"last":9}`, ""} {
		_, err := client.OffsetCommit(t.Context(), &kafka.OffsetCommitRequest{
			GroupID: ingest.DefaultConfig().Group, GenerationID: -1,
			Topics: map[string][]kafka.OffsetCommit{flights.TopicLabels: {{Partition: partition, Offset: 5, Metadata: intent}}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n, err := r.intents(t.Context()); err != nil || n != 1 {
		t.Errorf("%d intents stand, %v; want the one", n, err)
	}
}

// The configuration that chaos writes is one that the service takes.
func TestConfigurationLoads(t *testing.T) {
	r := &run{Options: Options{DedupWindow: 5, Brokers: []string{"127.0.0.1:9092", "127.0.0.1:9093"}}, dir: t.TempDir(), ingest: ingest.DefaultConfig()}
	r.useTopicsOfItsOwn()
	if err := r.writeConfig(); err != nil {
		t.Fatal(err)
	}
	cfg, err := app.Load(r.config)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.ClickHouse.DedupWindow != 5 || cfg.Web.Listen != r.web || !slices.Equal(cfg.Kafka.Brokers, r.Brokers) || !strings.HasPrefix(cfg.DataDir, r.dir) {
		t.Errorf("loaded %+v", cfg)
	}
	if shared := ingest.DefaultConfig(); cfg.Ingest.Topics != r.ingest.Topics || cfg.Ingest.Group != r.ingest.Group || cfg.Ingest.Topics == shared.Topics || cfg.Ingest.Group == shared.Group {
		t.Errorf("loaded topics %+v and group %s, want the run's own", cfg.Ingest.Topics, cfg.Ingest.Group)
	}
}

func TestWaitReady(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	if err := waitReady(t.Context(), server.URL, make(chan struct{})); err != nil || asked.Load() != 3 {
		t.Errorf("ready after %d questions, %v; want 3", asked.Load(), err)
	}
	exited := make(chan struct{})
	close(exited)
	if err := waitReady(t.Context(), "http://127.0.0.1:1", exited); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("waiting for a service that ended: %v", err)
	}
}

func TestTail(t *testing.T) {
	for _, test := range []struct {
		text string
		n    int
		want string
	}{{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "bcd"}} {
		if got := tail([]byte(test.text), test.n); string(got) != test.want {
			t.Errorf("the last %d of %q are %q, want %q", test.n, test.text, got, test.want)
		}
	}
}
