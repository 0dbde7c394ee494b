package chaos

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/flights"
)

// feeder produces the flights' events in shares.
type feeder struct {
	writer *kafka.Writer
	events []kafka.Message // not yet sent
	sent   int
}

// newFeeder takes every event known by now, the backfill, for the topics that
// stand for the replay's.
func newFeeder(brokers []string, topics map[string]string, replay *flights.Replay, now time.Time) *feeder {
	f := &feeder{writer: &kafka.Writer{
		Addr: kafka.TCP(brokers...), Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll,
		BatchSize: 4000, BatchTimeout: 2 * time.Millisecond,
		// What takes long and is sent again is in Kafka twice.
		ReadTimeout: 5 * time.Minute, WriteTimeout: 5 * time.Minute,
	}}
	for {
		e, ok := replay.Next()
		if !ok || e.At.After(now) {
			return f
		}
		f.events = append(f.events, kafka.Message{Topic: topics[e.Topic], Key: e.Key, Value: e.Value, Time: e.At})
	}
}

// sendShare sends one of n equal shares of the rest.
func (f *feeder) sendShare(ctx context.Context, n int) error {
	return f.send(ctx, len(f.events)/(n+1))
}

// sendAll sends the rest.
func (f *feeder) sendAll(ctx context.Context) error {
	if err := f.send(ctx, len(f.events)); err != nil {
		return err
	}
	return f.writer.Close()
}

func (f *feeder) send(ctx context.Context, n int) error {
	if err := f.writer.WriteMessages(ctx, f.events[:n]...); err != nil {
		return fmt.Errorf("chaos: produce %d events: %w", n, err)
	}
	f.sent += n
	f.events = f.events[n:]
	return nil
}

// waitReady asks until the service answers that it is ready, for five minutes, or
// until it has ended.
func waitReady(ctx context.Context, url string, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		if last = askReady(ctx, url); last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last answer: %w", ctx.Err(), last)
		case <-exited:
			return errors.New("it ended")
		case <-tick.C:
		}
	}
}

func askReady(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return nil
}
