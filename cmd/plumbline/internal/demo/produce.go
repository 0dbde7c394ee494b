package demo

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/flights"
)

// sendBatch is how many events one round trip to Kafka carries.
const sendBatch = 4000

// producer sends the flights' events and remembers when it sent what: the
// events carry the moved time at which they became known, the page is timed by
// the wall clock at which they reached Kafka.
type producer struct {
	writer  *kafka.Writer
	replay  *flights.Replay
	pending *flights.Event // read from the replay, not yet due
	sent    atomic.Int64
	marks   []mark
}

// mark says that every event known by At had been acknowledged at Wall.
type mark struct {
	at   time.Time
	wall time.Time
}

func newProducer(brokers []string, replay *flights.Replay) *producer {
	return &producer{
		replay: replay,
		writer: &kafka.Writer{
			Addr: kafka.TCP(brokers...), Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll,
			BatchSize: sendBatch, BatchTimeout: 2 * time.Millisecond, Compression: kafka.Lz4,
		},
	}
}

func (p *producer) close() error { return p.writer.Close() }

// sendUntil sends every event known by the given time, in order, and calls
// progress after each batch.
func (p *producer) sendUntil(ctx context.Context, known time.Time, progress func(sent int64, at time.Time)) error {
	batch := make([]kafka.Message, 0, sendBatch)
	var last time.Time
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := p.writer.WriteMessages(ctx, batch...); err != nil {
			return fmt.Errorf("send %d events to Kafka: %w", len(batch), describe(err))
		}
		p.sent.Add(int64(len(batch)))
		p.marks = append(p.marks, mark{at: last, wall: time.Now()})
		batch = batch[:0]
		progress(p.sent.Load(), last)
		return nil
	}
	for {
		event, ok := p.next()
		if !ok || event.At.After(known) {
			p.unread(event, ok)
			return flush()
		}
		last = event.At
		batch = append(batch, kafka.Message{Topic: event.Topic, Key: event.Key, Value: event.Value, Time: event.At})
		if len(batch) == sendBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
}

// describe picks the first real error out of kafka-go's list of one per message.
func describe(err error) error {
	var each kafka.WriteErrors
	if errors.As(err, &each) {
		for _, e := range each {
			if e != nil {
				return fmt.Errorf("%w (%d of %d events)", e, each.Count(), len(each))
			}
		}
	}
	return err
}

func (p *producer) next() (flights.Event, bool) {
	if p.pending != nil {
		event := *p.pending
		p.pending = nil
		return event, true
	}
	return p.replay.Next()
}

func (p *producer) unread(event flights.Event, ok bool) {
	if ok {
		p.pending = &event
	}
}

// live sends each event when its time has come, until ctx is done or the
// flights end.
func (p *producer) live(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if err := p.sendUntil(ctx, now, func(int64, time.Time) {}); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
		}
	}
}

// arrived returns the wall clock at which the last of the events known by at
// had been acknowledged by Kafka.
func (p *producer) arrived(at time.Time) (time.Time, bool) {
	for _, m := range p.marks {
		if !m.at.Before(at) {
			return m.wall, true
		}
	}
	return time.Time{}, false
}
