package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// source produces a second's events at a time.
type source struct {
	cfg       ingest.Config
	rate      int
	seed      uint64
	acked     int
	writer    *kafka.Writer
	transport *kafka.Transport
}

func newSource(address string, cfg ingest.Config, rate int) *source {
	transport := &kafka.Transport{}
	return &source{cfg: cfg, rate: rate, transport: transport, writer: &kafka.Writer{
		Addr: kafka.TCP(address), Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond, BatchSize: 1000, Transport: transport,
	}}
}

// after goes on where another source ended.
func (s *source) after(o *source) *source {
	s.seed, s.acked = o.seed, o.acked
	return s
}

func (s *source) close() {
	_ = s.writer.Close() // every write has been waited for
	s.transport.CloseIdleConnections()
}

// second sends the predictions of one second with their labels, a few of them
// bad, and waits until Kafka has them, also through a broker that is coming
// back.
func (s *source) second(ctx context.Context) error {
	s.seed++
	messages, _, err := traffic.Generate(traffic.Options{
		Seed: s.seed, Model: "outage", Deploy: "d1", Predictions: s.rate, Start: time.Now().Add(-time.Minute), Span: time.Second,
		Bad: 0.01, Unlabelled: 0.5, MeanLabelDelay: time.Second,
	})
	if err != nil {
		return err
	}
	topics := map[string]string{"predictions": s.cfg.Topics.Predictions, "labels": s.cfg.Topics.Labels}
	batch := make([]kafka.Message, len(messages))
	for i, m := range messages {
		batch[i] = kafka.Message{Topic: topics[m.Topic], Key: []byte(m.Key), Value: m.Value, Time: m.Time}
	}
	for tries := 0; ; tries++ {
		err := s.writer.WriteMessages(ctx, batch...)
		if err == nil {
			s.acked += len(batch)
			return nil
		}
		if tries == 30 || ctx.Err() != nil {
			return fmt.Errorf("produce: %w", errors.Join(err, ctx.Err()))
		}
		// What a failed attempt stored is stored: the records are counted at the
		// broker, and a second delivery is an event like any other.
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}
