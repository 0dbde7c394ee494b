package ingest

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// place is a topic partition.
type place struct {
	topic     string
	partition int
}

// parkings remembers which partitions are parked, beyond the generations of the
// group: a rebalance ends a worker, not what is wrong with its partition.
type parkings struct {
	mu sync.Mutex
	at map[place]bool
}

// set changes whether a partition is parked and reports whether that is news.
func (p *parkings) set(at place, parked bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at[at] == parked {
		return false
	}
	if p.at == nil {
		p.at = make(map[place]bool)
	}
	p.at[at] = parked
	return true
}

// others returns the parked partitions that are not among the given.
func (p *parkings) others(assigned map[place]bool) (others []place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at, parked := range p.at {
		if parked && !assigned[at] {
			others = append(others, at)
		}
	}
	return others
}

// parkCause reports whether an error that ended a session is one that no retry
// mends, wherever in the session it arose, and returns what people are told.
func parkCause(err error) (cause error, parks bool) {
	var parked *parkError
	if errors.As(err, &parked) {
		return parked, true
	}
	var exception *clickhouse.Exception
	return err, errors.As(err, &exception) && permanent(exception.Code)
}

// parked tells people, keeps the group membership and tries again later.
func (w *worker) parked(ctx context.Context, cause error) {
	w.i.parkings.set(w.place(), true)
	w.i.metrics.parked.WithLabelValues(w.at.Topic, strconv.Itoa(w.at.Partition)).Set(1)
	w.i.notice(ctx, NoticeParked, w.at.String(), "%s is parked, nothing of it is stored and nothing is lost: %s. It is tried again in %s.", w.at, cause, w.i.cfg.ParkRetry)
	sleep(ctx, w.i.cfg.ParkRetry)
}

func (w *worker) place() place { return place{w.at.Topic, w.at.Partition} }

// goesOn is called whenever the partition has made progress: what parked it is
// behind it.
func (w *worker) goesOn(ctx context.Context) {
	if w.i.parkings.set(w.place(), false) {
		w.i.metrics.parked.WithLabelValues(w.at.Topic, strconv.Itoa(w.at.Partition)).Set(0)
		w.i.notice(ctx, NoticeUnparked, w.at.String(), "%s goes on.", w.at)
	}
}

// handedOver tells of parked partitions that another member has got: that one
// tells of them now.
func (i *Ingester) handedOver(ctx context.Context, assigned map[place]bool) {
	for _, at := range i.parkings.others(assigned) {
		if i.parkings.set(at, false) {
			i.metrics.parked.WithLabelValues(at.topic, strconv.Itoa(at.partition)).Set(0)
			object := source{Topic: at.topic, Partition: at.partition}.String()
			i.notice(ctx, NoticeUnparked, object, "%s belongs to another member of the group now.", object)
		}
	}
}
