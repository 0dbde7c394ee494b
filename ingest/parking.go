package ingest

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// place is a topic partition.
type place struct {
	topic     string
	partition int
}

// parkings remembers which partitions are parked, paused or waiting, beyond the generations of the
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

// paused waits before more of a partition is read whose events are mostly bad.
// It does not count as parked: all that was read is stored or a dead letter.
func (w *worker) paused(ctx context.Context, cause *badShareError) {
	w.i.pausings.set(w.place(), true)
	w.i.metrics.paused.WithLabelValues(w.at.Topic, strconv.Itoa(w.at.Partition)).Set(1)
	w.i.notice(ctx, NoticePaused, w.at.String(), "%s is paused: %s. What was read is stored, or in %s (plumbline dlq list --topic=%s); the rest waits in Kafka. It is tried again in %s.",
		w.at, cause, w.i.cfg.Topics.DeadLetters, w.at.Topic, w.i.cfg.BadPause)
	sleep(ctx, w.i.cfg.BadPause)
}

// judge counts a stored batch and returns an error that pauses the partition if
// too many of its events are bad.
func (w *worker) judge(ctx context.Context, b *batch) error {
	w.bad.add(b)
	if err := w.bad.over(w.i.cfg.BadShare); err != nil {
		return err
	}
	if w.bad.events >= badnessLeast && w.i.pausings.set(w.place(), false) {
		w.i.metrics.paused.WithLabelValues(w.at.Topic, strconv.Itoa(w.at.Partition)).Set(0)
		w.i.notice(ctx, NoticeUnpaused, w.at.String(), "%s sends good events again.", w.at)
	}
	return nil
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

// decodes is called when the records that waited for a schema are read.
func (w *worker) decodes(ctx context.Context) {
	if w.i.waitings.set(w.place(), false) {
		w.i.notice(ctx, NoticeGoesOn, w.at.String(), "%s is decoded again.", w.at)
	}
}

// handedOver tells of partitions that were in trouble and that another member
// has got: that one tells of them now.
func (i *Ingester) handedOver(ctx context.Context, assigned map[place]bool) {
	for _, state := range []struct {
		of    *parkings
		gauge *prometheus.GaugeVec
		over  NoticeKind
	}{
		{&i.parkings, i.metrics.parked, NoticeUnparked},
		{&i.pausings, i.metrics.paused, NoticeUnpaused},
		{&i.waitings, nil, NoticeGoesOn},
	} {
		for _, at := range state.of.others(assigned) {
			if !state.of.set(at, false) {
				continue
			}
			if state.gauge != nil {
				state.gauge.WithLabelValues(at.topic, strconv.Itoa(at.partition)).Set(0)
			}
			object := source{Topic: at.topic, Partition: at.partition}.String()
			i.notice(ctx, state.over, object, "%s belongs to another member of the group now.", object)
		}
	}
}
