package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/flights"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/dial"
)

// sendBatch is how many events one round trip to Kafka carries.
const sendBatch = 4000

// source yields events in the order in which they become known.
type source interface {
	Next() (event flights.Event, ok bool)
}

// producer sends the flights' events and remembers when it sent what: the
// events carry the moved time at which they became known, the page is timed by
// the wall clock at which they reached Kafka.
type producer struct {
	writer  *kafka.Writer
	source  source
	topics  map[string]string // of the flights' topics, the service's
	pending *flights.Event    // read from the source, not yet due
	sent    atomic.Int64

	mu    sync.Mutex // live sends while the page is timed
	marks []mark
}

// mark says that an event that became known at was the last of a batch, and
// that Kafka had acknowledged the batch by wall.
type mark struct {
	at   time.Time
	wall time.Time
}

func newProducer(brokers []string, dialer *dial.Dialer, topics ingest.Topics, from source) *producer {
	return &producer{
		source: from,
		topics: map[string]string{
			flights.TopicPredictions: topics.Predictions, flights.TopicLabels: topics.Labels, flights.TopicDeployments: topics.Deployments,
		},
		writer: &kafka.Writer{
			Addr: kafka.TCP(brokers...), Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll,
			BatchSize: sendBatch, BatchTimeout: 2 * time.Millisecond, Compression: kafka.Lz4, Transport: dialer.Transport("plumbline-demo"),
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
		p.mark(mark{at: last, wall: time.Now()})
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
		batch = append(batch, kafka.Message{Topic: p.topics[event.Topic], Key: event.Key, Value: event.Value, Time: event.At})
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
	return p.source.Next()
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

func (p *producer) mark(m mark) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marks = append(p.marks, m)
}

// arrived returns the earliest wall clock at which every event known before at,
// and some or all known at it, had been acknowledged by Kafka: a duration that
// is measured from it is not too short. It is false if none as late was sent.
func (p *producer) arrived(at time.Time) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.marks {
		if !m.at.Before(at) {
			return m.wall, true
		}
	}
	return time.Time{}, false
}
