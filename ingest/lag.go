package ingest

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// mostWaiting is how many batches of a partition hold records that are not stored: one
// that is written, one that is ready and one that is filled.
const mostWaiting = 3

// progress is how far a partition is: what Kafka has, what was fetched, and what is
// stored. Its methods may be called by whoever reads, writes and watches.
type progress struct {
	now      func() time.Time
	lag, age prometheus.Gauge

	mu sync.Mutex
	// end, fetched and stored are the offsets after the last record in Kafka, that was
	// fetched in this session, and before which everything is stored; -1 while unknown.
	end, fetched, stored int64
	measured             time.Time // when end was learned
	// waiting are the times at which the first record of each batch that is not stored
	// was fetched, oldest first.
	waiting []time.Time
	// formerly is the oldest of them in the sessions before, until what they had fetched,
	// up to reached, is stored.
	formerly time.Time
	reached  int64
}

func newProgress(m *metrics, at source, now func() time.Time) *progress {
	partition := strconv.Itoa(at.Partition)
	return &progress{
		now: now, lag: m.lag.WithLabelValues(at.Topic, partition), age: m.age.WithLabelValues(at.Topic, partition),
		end: -1, fetched: -1, stored: -1, waiting: make([]time.Time, 0, mostWaiting),
	}
}

// restart begins a session: what the one before had fetched is fetched again.
func (p *progress) restart() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 {
		if p.formerly.IsZero() {
			p.formerly = p.waiting[0]
		}
		p.reached = max(p.reached, p.fetched)
	}
	p.waiting, p.fetched = p.waiting[:0], -1
}

// begins says that the first record of a batch was fetched. It counts as fetched, and
// as in Kafka, before the fetch that brings it is over: a session that ends within that
// one would not know up to where its records wait.
func (p *progress) begins(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, p.now())
	p.fetched = max(p.fetched, offset+1)
	if p.end >= 0 {
		p.end = max(p.end, offset+1)
	}
}

// fetches says up to where records were fetched, and where Kafka's end is.
func (p *progress) fetches(next, end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fetched, p.end, p.measured = next, end, p.now()
	p.tell()
}

// stores says that everything before an offset is stored: the oldest batch that
// waited, if there is one.
func (p *progress) stores(next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stored = next
	if len(p.waiting) > 0 {
		p.waiting = p.waiting[:copy(p.waiting, p.waiting[1:])]
	}
	p.tell()
}

// ends says where Kafka's end is, and what the group has committed.
func (p *progress) ends(end, committed int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end, p.measured, p.stored = end, p.now(), max(p.stored, committed)
	p.tell()
}

// stale reports whether the end is older than a time, and whether what is stored is known.
func (p *progress) stale(age time.Duration) (old, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now().Sub(p.measured) >= age, p.stored >= 0
}

// refresh tells the age anew.
func (p *progress) refresh() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell()
}

// tell sets the gauges.
func (p *progress) tell() {
	if len(p.waiting) == 0 {
		p.stored = max(p.stored, p.fetched) // what lies between are control records, or compacted away
	}
	if p.end >= 0 {
		p.reached = min(p.reached, p.end) // a topic that was made again begins anew
	}
	if p.stored >= p.reached {
		p.formerly = time.Time{}
	}
	if p.end >= 0 && p.stored >= 0 {
		p.lag.Set(float64(max(0, p.end-p.stored)))
	}
	switch {
	case !p.formerly.IsZero():
		p.age.Set(p.now().Sub(p.formerly).Seconds())
	case len(p.waiting) > 0:
		p.age.Set(p.now().Sub(p.waiting[0]).Seconds())
	default:
		p.age.Set(0)
	}
}

const (
	// lagEvery is how old Kafka's end of a partition may get.
	lagEvery = 5 * time.Second
	// ageEvery is how often the age of what waits is told.
	ageEvery = time.Second
)

// watchLag asks for the end of a partition that has not been fetched from for a while:
// one that is paused or parked, or that waits for a slow ClickHouse, is just the one
// whose lag people look for. Until 2026-11-23 it kept what it was before.
func (w *worker) watchLag(ctx context.Context) {
	for {
		sleep(ctx, ageEvery)
		if ctx.Err() != nil {
			return
		}
		w.progress.refresh()
		old, known := w.progress.stale(lagEvery)
		if !old {
			continue
		}
		if err := w.askLag(ctx, known); err != nil && ctx.Err() == nil {
			w.i.metrics.retries.WithLabelValues("lag").Inc()
			sleep(ctx, lagEvery-ageEvery)
		}
	}
}

// askLag learns Kafka's end of the partition, and what is stored if no session could
// say so yet: the group commits nothing else.
func (w *worker) askLag(ctx context.Context, known bool) error {
	first, end, err := w.i.coordination.bounds(ctx, w.at.Topic, w.at.Partition)
	if err != nil {
		return err
	}
	stored := int64(-1)
	if !known {
		c, err := w.i.coordination.committed(ctx, w.i.cfg.Group, w.at.Topic, w.at.Partition)
		if err != nil {
			return err
		}
		stored = max(first, c.Offset)
	}
	w.progress.ends(end, stored)
	return nil
}

// forgetLag takes the series of a partition away that may be another member's next: it
// tells its own.
func (m *metrics) forgetLag(at source) {
	m.lag.DeleteLabelValues(at.Topic, strconv.Itoa(at.Partition))
	m.age.DeleteLabelValues(at.Topic, strconv.Itoa(at.Partition))
}
