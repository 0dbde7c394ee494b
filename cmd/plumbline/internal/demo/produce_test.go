package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/flights"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/testenv/kafkatest"
)

var start = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// events is a source of flights, one a minute.
type events struct{ n, end int }

func (e *events) Next() (flights.Event, bool) {
	if e.n == e.end {
		return flights.Event{}, false
	}
	topic := [...]string{flights.TopicPredictions, flights.TopicLabels, flights.TopicDeployments}[e.n%3]
	event := flights.Event{Topic: topic, Key: []byte("key"), Value: fmt.Appendf(nil, "event %d", e.n), At: start.Add(time.Duration(e.n) * time.Minute)}
	e.n++
	return event, true
}

func startKafka(t *testing.T, topics ingest.Topics) []string {
	t.Helper()
	brokers := kafkatest.Embedded(t).Addresses()
	want := ingest.DefaultConfig()
	want.Brokers, want.Topics, want.Partitions = brokers, topics, 1
	if err := ingest.EnsureTopics(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	return brokers
}

// Events go to the topics of the service, in order, with their own time, and
// one that is not yet due is sent by the next call, once.
func TestProducerSendsWhatIsDue(t *testing.T) {
	topics := ingest.Topics{Predictions: "apart-predictions", Labels: "apart-labels", Deployments: "apart-deployments", DeadLetters: "apart-dead"}
	brokers := startKafka(t, topics)
	const total = 2*sendBatch + 100
	p := newProducer(brokers, nil, topics, &events{end: total})
	var progress []int64
	note := func(sent int64, _ time.Time) { progress = append(progress, sent) }
	due := start.Add((sendBatch + 10) * time.Minute)
	if err := p.sendUntil(t.Context(), due, note); err != nil {
		t.Fatal(err)
	}
	if sent := p.sent.Load(); sent != sendBatch+11 {
		t.Fatalf("%d events are sent by %s, want %d", sent, due, sendBatch+11)
	}
	if err := p.sendUntil(t.Context(), start.Add(total*time.Minute), note); err != nil {
		t.Fatal(err)
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(progress) != fmt.Sprint([]int64{sendBatch, sendBatch + 11, 2*sendBatch + 11, total}) {
		t.Errorf("progress %v", progress)
	}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: brokers, Topic: "apart-labels", MaxWait: 50 * time.Millisecond, MaxBytes: 8 << 20})
	defer r.Close()
	for n := 1; n < total; n += 3 {
		m, err := r.ReadMessage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("event %d", n); string(m.Value) != want || !m.Time.Equal(start.Add(time.Duration(n)*time.Minute)) {
			t.Fatalf("read %q of %s, want %q", m.Value, m.Time, want)
		}
	}
}

func TestProducerSaysWhatKafkaSaid(t *testing.T) {
	topics := ingest.DefaultConfig().Topics
	brokers := startKafka(t, topics)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := newProducer(brokers, nil, topics, &events{end: 10})
	if err := p.sendUntil(ctx, start.Add(time.Hour), func(int64, time.Time) {}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "10 events") {
		t.Errorf("sending after the end: %v", err)
	}
	if p.sent.Load() != 0 || len(p.marks) != 0 {
		t.Error("events that Kafka did not take count as sent")
	}
	each := make(kafka.WriteErrors, 5)
	each[3] = kafka.MessageSizeTooLarge
	if err := describe(each); !errors.Is(err, kafka.MessageSizeTooLarge) || !strings.Contains(err.Error(), "1 of 5") {
		t.Errorf("one of five refused: %v", err)
	}
}

// Live ends with the demo without an error, sending or not.
func TestLiveEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := newProducer([]string{"127.0.0.1:1"}, nil, ingest.DefaultConfig().Topics, &events{})
	if err := p.live(ctx); err != nil {
		t.Error(err)
	}
}

func TestArrived(t *testing.T) {
	wall := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	at := func(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }
	p := &producer{}
	if _, ok := p.arrived(at(0)); ok {
		t.Error("an event arrived before any was sent")
	}
	// The second and third batch share a minute.
	p.mark(mark{at: at(10), wall: wall(1)})
	p.mark(mark{at: at(20), wall: wall(2)})
	p.mark(mark{at: at(20), wall: wall(3)})
	p.mark(mark{at: at(30), wall: wall(4)})
	for minute, want := range map[int]time.Time{-5: wall(1), 0: wall(1), 10: wall(1), 11: wall(2), 20: wall(2), 21: wall(4), 30: wall(4), 31: {}} {
		got, ok := p.arrived(at(minute))
		if ok == want.IsZero() || !got.Equal(want) {
			t.Errorf("minute %d arrived at %s (%v), want %s", minute, got, ok, want)
		}
	}
}
