package broker_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/testenv/broker"
)

func TestAcknowledgedRecordsSurviveARestart(t *testing.T) {
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.Listen = t.TempDir(), "127.0.0.1:0"
	first := start(t, cfg)
	produce(t, first.Addresses()[0], "kept")
	first.Close()

	second := start(t, cfg)
	defer second.Close()
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: second.Addresses(), Topic: "predictions", MaxBytes: 1 << 20, MaxWait: 50 * time.Millisecond})
	defer r.Close()
	m, err := r.ReadMessage(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Value) != "kept" {
		t.Fatalf("read %q after a restart, want %q", m.Value, "kept")
	}
}

// An event of 10 MB must reach the service, which says why it is refused.
func TestLargeMessages(t *testing.T) {
	for limit, accepted := range map[int]bool{broker.DefaultConfig().MaxMessageBytes: true, 1 << 20: false} {
		cfg := broker.DefaultConfig()
		cfg.DataDir, cfg.Listen, cfg.MaxMessageBytes = t.TempDir(), "127.0.0.1:0", limit
		b := start(t, cfg)
		defer b.Close()
		err := write(t, b.Addresses()[0], strings.Repeat("x", 10_000_000))
		if accepted != (err == nil) {
			t.Errorf("10 MB with a limit of %d: %v", limit, err)
		}
		var each kafka.WriteErrors
		if !accepted && (!errors.As(err, &each) || !errors.Is(each[0], kafka.MessageSizeTooLarge)) {
			t.Errorf("10 MB with a limit of %d: %v, want Kafka's MESSAGE_TOO_LARGE", limit, err)
		}
	}
}

func TestTakenPortNamesTheSetting(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.Listen = t.TempDir(), l.Addr().String()
	b, err := broker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err == nil || !strings.Contains(err.Error(), "kafka.embedded.listen") {
		t.Fatalf("start on a taken port: %v, want an error that names kafka.embedded.listen", err)
	}
}

func TestOnlyLoopback(t *testing.T) {
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.Listen = t.TempDir(), "0.0.0.0:9092"
	if _, err := broker.New(cfg); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Fatalf("listen on every interface: %v, want a refusal", err)
	}
}

func start(t *testing.T, cfg broker.Config) *broker.Broker {
	t.Helper()
	b, err := broker.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	return b
}

func produce(t *testing.T, address, value string) {
	t.Helper()
	if err := write(t, address, value); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, address, value string) error {
	t.Helper()
	ctx := context.Background()
	client := &kafka.Client{Addr: kafka.TCP(address)}
	if _, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "predictions", NumPartitions: 1, ReplicationFactor: 1}}}); err != nil {
		t.Fatal(err)
	}
	w := &kafka.Writer{Addr: kafka.TCP(address), Topic: "predictions", RequiredAcks: kafka.RequireAll, BatchSize: 1, BatchBytes: 64 << 20, MaxAttempts: 1}
	err := w.WriteMessages(ctx, kafka.Message{Value: []byte(value)})
	return errors.Join(err, w.Close())
}
