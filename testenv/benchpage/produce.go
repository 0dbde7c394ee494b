package benchpage

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// producer sends the events of all endpoints and counts them. It is not safe for
// concurrent use.
type producer struct {
	writer    *kafka.Writer
	topic     string
	random    *rand.Rand
	endpoints []*endpoint
	n         uint64 // events made
}

func newProducer(address, topic string, seed uint64, all []*endpoint) *producer {
	return &producer{
		topic: topic, random: rand.New(rand.NewPCG(seed, 2)), endpoints: all,
		writer: &kafka.Writer{
			Addr: kafka.TCP(address), Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll,
			BatchTimeout: 2 * time.Millisecond, BatchSize: 2000, Compression: kafka.Lz4,
		},
	}
}

// event makes and counts one event.
func (p *producer) event(e *endpoint, at time.Time, bad bool, weight int) kafka.Message {
	p.n++
	e.tally.Add(at, bad, weight)
	status := "ok"
	if bad {
		status = "error"
	}
	id := strconv.FormatUint(p.n, 36)
	value := fmt.Appendf(nil, `{"prediction_id":"%s","model":"%s","deploy_hash":"d1","ts":%d,"features":{"amount":%.2f,"channel":"%s"},"score":%.4f,"predicted":%t,"latency_ms":%.1f,"status":"%s","weight":%d}`,
		id, e.model, at.UnixMilli(), math.Exp(4+p.random.NormFloat64()), [...]string{"web", "app", "shop"}[p.random.IntN(3)],
		p.random.Float64(), p.random.IntN(2) == 0, 5+20*p.random.ExpFloat64(), status, weight)
	return kafka.Message{Topic: p.topic, Key: []byte(id), Value: value, Time: at}
}

// stretch is a part of the past: from begin to end before now, an event of every
// endpoint each step.
type stretch struct{ begin, end, step time.Duration }

// past returns the stretches that fill three days, the longest window of the
// workbook's pairs, and how many requests their events stand for at a rate of an
// endpoint.
func past() []stretch {
	return []stretch{{73 * time.Hour, 6 * time.Hour, time.Minute}, {6 * time.Hour, time.Hour, 5 * time.Second}, {time.Hour, 0, time.Second}}
}

// history sends the past, with weights that make it as much traffic as the live
// one will be: all of it healthy.
func (p *producer) history(ctx context.Context, now time.Time, rate int) error {
	each := float64(rate) / float64(len(p.endpoints))
	var batch []kafka.Message
	for _, s := range past() {
		weight := max(int(math.Round(each*s.step.Seconds())), 1)
		for at := now.Add(-s.begin); at.Before(now.Add(-s.end)); at = at.Add(s.step) {
			for _, e := range p.endpoints {
				batch = append(batch, p.event(e, at, false, weight))
			}
			if len(batch) >= 8000 {
				if err := p.writer.WriteMessages(ctx, batch...); err != nil {
					return fmt.Errorf("produce the past: %w", err)
				}
				batch = batch[:0]
			}
		}
	}
	if err := p.writer.WriteMessages(ctx, batch...); err != nil {
		return fmt.Errorf("produce the past: %w", err)
	}
	return nil
}

// tick is how often live events are sent.
const tick = 10 * time.Millisecond

// live produces at a rate until ctx is done, and returns how many events it made
// a second. From when faults has been sent on, endpoints fail as they are to. An
// event is of the time at which it is made: what Kafka takes is part of what is
// measured.
func (p *producer) live(ctx context.Context, rate int, faults <-chan time.Time) (achieved float64, err error) {
	began, first := time.Now(), p.n
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var failing time.Time
	var batch []kafka.Message
	for {
		select {
		case <-ctx.Done():
			return float64(p.n-first) / time.Since(began).Seconds(), nil
		case failing = <-faults:
			faults = nil
		case <-ticker.C:
		}
		due := uint64(time.Since(began).Seconds() * float64(rate))
		batch = batch[:0]
		for p.n-first < due && len(batch) < rate {
			batch = append(batch, p.next(p.endpoints[p.n%uint64(len(p.endpoints))], time.Now(), failing))
		}
		if err := p.writer.WriteMessages(ctx, batch...); err != nil && ctx.Err() == nil {
			return 0, fmt.Errorf("produce: %w", err)
		}
	}
}

// next makes an endpoint's next event, and notes when its fault began and when it
// took it beyond.
func (p *producer) next(e *endpoint, now time.Time, failing time.Time) kafka.Message {
	share := usual
	faulty := e.fails && !failing.IsZero() && now.Sub(failing) >= e.after
	if faulty {
		share = e.depth
	}
	bad := p.random.Float64() < share
	m := p.event(e, now, bad, 1)
	if faulty && bad && e.began.IsZero() {
		e.began = now
	}
	if e.crossed.IsZero() {
		if pair, burns := e.tally.Burns(); burns {
			e.crossed, e.pair = now, pair
		}
	}
	return m
}
