package ingest

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/dial"
	"github.com/plumbline-slo/plumbline/storage"
)

// grace is how long a statement that is under way may still take after the
// partition was lost or the service is stopping.
const grace = 5 * time.Second

// idleWait is how long a fetch waits for a first record.
const idleWait = 500 * time.Millisecond

// worker owns one partition for one generation of the group: one goroutine
// fetches and decodes, one writes. Beside the batch that is filled at most two are in
// flight: the one that is written and the one that is ready (see mostWaiting).
type worker struct {
	i       *Ingester
	db      *storage.DB   // the shard that is written
	home    *storage.DB   // the shard that is chosen for the partition
	known   []*storage.DB // the shards that may hold something of it
	buffers buffers
	lease   lease
	member  member
	fetcher fetcher
	at      source
	plan    string
	// complete is the offset before which everything is stored, the last of it on the
	// shard completeOn.
	complete   int64
	completeOn *storage.DB
	// since is the offset of the first record of this epoch that the ClickHouse has
	// seen, or of a later one where Kafka has dropped that; what was before it nobody
	// has read in this epoch, unless another ClickHouse did.
	since int64
	// seen is when the latest stored epoch was seen, Unix milliseconds.
	seen int64
	// confirmed is when the broker last took a commit of this member.
	confirmed time.Time
	bad       badness
	// refetches counts the failures in a row to read a begun batch again.
	refetches int
	progress  *progress
}

func newWorker(i *Ingester, m member, topic string, partition int) *worker {
	at := source{Topic: topic, Partition: partition}
	return &worker{
		i: i, db: i.db, home: i.db, known: []*storage.DB{i.db}, member: m,
		fetcher:  newFetcher(i.fetches, topic, partition),
		buffers:  newBuffers(i.pools[topic]),
		at:       at,
		plan:     i.plans[topic],
		progress: newProgress(i.metrics, at, i.now),
	}
}

// run keeps the partition going until the generation ends. Returning earlier
// would end the generation for the other partitions too, so that is left to
// the one error that means it.
func (w *worker) run(ctx context.Context) {
	defer func() {
		if err := w.fetcher.close(); err != nil {
			w.i.log.Debug("close the connection to the leader", "partition", w.at.String(), "err", err)
		}
	}()
	defer w.i.metrics.forgetLag(w.at)
	w.i.metrics.startPartition(w.at)
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { w.watchLag(ctx) })
	pause := w.i.cfg.RetryMin
	for ctx.Err() == nil {
		begun := w.i.now()
		var mostlyBad *badShareError
		err := w.session(ctx)
		cause, parks := parkCause(err)
		switch {
		case ctx.Err() != nil || errors.Is(err, errFenced):
			return
		case parks:
			w.parked(ctx, cause)
			continue
		case errors.As(err, &mostlyBad):
			w.paused(ctx, mostlyBad)
			continue
		case errors.Is(err, errReassign):
		default:
			w.i.metrics.retries.WithLabelValues("partition").Inc()
			w.i.log.Warn("partition starts again", "partition", w.at.String(), "err", err)
		}
		if w.i.now().Sub(begun) > w.i.cfg.RetryMax {
			pause = w.i.cfg.RetryMin
		}
		sleep(ctx, pause)
		pause = min(2*pause, w.i.cfg.RetryMax)
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// session finds the position, finishes what was begun, and goes on until an
// error.
func (w *worker) session(ctx context.Context) error {
	w.progress.restart()
	from, err := w.assign(ctx)
	if err != nil {
		return err
	}
	w.progress.stores(from)
	g, ctx := errgroup.WithContext(ctx)
	// Unbuffered: whoever writes takes the next batch once the one before is stored.
	// Until then that one waits where it was filled; while its intent is committed
	// with the end of the one before, a third is filled, and no more.
	batches := make(chan *batch)
	g.Go(func() error { return w.read(ctx, from, batches) })
	g.Go(func() error { return w.write(ctx, batches) })
	return g.Wait()
}

// read fetches and decodes from an offset on and hands over full or due
// batches.
func (w *worker) read(ctx context.Context, next int64, out chan<- *batch) error {
	b := w.newBatch(next)
	var due time.Time
	failures := 0
	visit := func(rec *record) error {
		if b.full(w.i.cfg) {
			if err := hand(ctx, out, b); err != nil {
				return err
			}
			b = w.newBatch(rec.Offset)
		}
		if b.empty() {
			due = w.i.now().Add(w.i.cfg.FlushInterval)
		}
		return w.add(b, rec)
	}
	for {
		wait := idleWait
		if !b.empty() {
			wait = min(max(due.Sub(w.i.now()), 20*time.Millisecond), idleWait)
		}
		after, end, err := w.fetcher.fetch(ctx, next, wait, visit)
		next = after
		if err != nil {
			if failures, err = failures+1, w.fetchError(ctx, err, failures); err != nil {
				return err
			}
			if !b.empty() && !w.i.now().Before(due) && offer(out, b) {
				b = w.newBatch(next)
			}
			continue
		}
		failures = 0
		w.decodes(ctx) // the notice may be of a session before this one
		w.progress.fetches(next, end)
		if b.empty() {
			b.first, b.last = next, next-1
			if next >= end {
				w.goesOn(ctx)
				b.rows = w.buffers.quiet(b.rows)
			}
			continue
		}
		b.last = next - 1 // control records behind the last event belong to it
		switch {
		case b.full(w.i.cfg):
			if err := hand(ctx, out, b); err != nil {
				return err
			}
		case w.i.now().Before(due) || !offer(out, b):
			continue
		}
		b = w.newBatch(next)
	}
}

// add decodes a record into a batch. One that cannot be decoded yet has begun to wait
// all the same. (Until 2026-11-23 the age of what waits was 0 while a schema registry
// was down.)
func (w *worker) add(b *batch, rec *record) error {
	if !b.waits {
		b.waits = true
		w.progress.begins(rec.Offset)
	}
	return b.add(rec)
}

// maxFetchFailures is how many fetches in a row may fail for another reason
// than the network before the partition is parked: a corrupt record fails for
// ever.
const maxFetchFailures = 10

// fetchError decides what a failed fetch means: nil is to fetch again.
func (w *worker) fetchError(ctx context.Context, err error, failures int) error {
	var network net.Error
	var unavailable *decode.Unavailable
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, kafka.OffsetOutOfRange):
		w.i.notice(ctx, NoticeOffsetsLost, w.at.String(), "Kafka no longer has the next offset of %s, or never had it: %s.", w.at, err)
		return errors.Join(errReassign, err)
	case errors.As(err, &unavailable):
		if failures == maxFetchFailures {
			w.i.waitings.set(w.place(), true)
			w.i.notice(ctx, NoticeWaits, w.at.String(), "Events of %s wait because they cannot be decoded: %s.", w.at, err)
		}
	case failures >= maxFetchFailures && (dial.Refused(err) || !errors.As(err, &network) && !temporary(err)):
		return park("%w", err)
	}
	w.i.metrics.retries.WithLabelValues("fetch").Inc()
	w.i.log.Debug("fetch again", "partition", w.at.String(), "err", err)
	sleep(ctx, min(w.i.cfg.RetryMin<<min(failures, 10), w.i.cfg.RetryMax))
	return ctx.Err()
}

// temporary reports whether the broker itself calls the error temporary.
func temporary(err error) bool {
	var code kafka.Error
	return errors.As(err, &code) && code.Temporary() || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func (w *worker) newBatch(first int64) *batch {
	return newBatch(w.at, first, w.buffers.get())
}

func (w *worker) free(b *batch) { w.buffers.put(b.rows) }

// hand gives a batch to the writer, waiting for it: that is the back-pressure.
func hand(ctx context.Context, out chan<- *batch, b *batch) error {
	select {
	case out <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// offer gives a batch to the writer if it is idle; else the batch may grow.
func offer(out chan<- *batch, b *batch) bool {
	select {
	case out <- b:
		return true
	default:
		return false
	}
}

// write stores and commits batches in order. A batch that is ready when the
// one before is done shares its commit.
func (w *worker) write(ctx context.Context, in <-chan *batch) error {
	for {
		var b *batch
		select {
		case b = <-in:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := w.intend(ctx, b); err != nil {
			return err
		}
		for b != nil {
			if err := w.store(ctx, b, false); err != nil {
				return err
			}
			var ready *batch
			select {
			case ready = <-in:
			default:
			}
			if err := w.finish(ctx, b, ready); err != nil {
				return err
			}
			if err := w.judge(ctx, b); err != nil {
				return err
			}
			w.free(b)
			b = ready
		}
	}
}

// intend commits the intent to store a batch: from now on whoever takes the
// partition over knows its range.
func (w *worker) intend(ctx context.Context, b *batch) error {
	if err := w.renew(ctx); err != nil {
		return err
	}
	begun := intent{Epoch: w.at.Epoch, Last: &b.last, Done: b.done, Plan: cmp.Or(b.plan, w.plan), Counted: b.counted, Sampled: b.sampled || w.i.privacy.Samples(), Shard: w.db.Shard()}
	// Only of the shard that is named can be told what it lacks. (Until 2026-11-23 a
	// partition that had just moved, and was killed within its first batch there, was
	// taken for lost, read again from the beginning, and doubled.)
	if w.completeOn == w.db {
		begun.Stored = w.complete
	}
	if !w.lease.session.IsZero() {
		begun.Session = &w.lease.session
	}
	return w.commit(ctx, committed{b.first, begun.encode()})
}

// finish commits a stored batch, together with the intent of the one that is
// ready next.
func (w *worker) finish(ctx context.Context, b, next *batch) error {
	if next != nil {
		if err := w.intend(ctx, next); err != nil {
			return err
		}
	} else if err := w.commit(ctx, committed{b.last + 1, w.idle()}); err != nil {
		return err
	}
	w.progress.stores(b.last + 1)
	w.goesOn(ctx)
	m := w.i.metrics
	m.batches.WithLabelValues(w.at.Topic).Inc()
	m.events.WithLabelValues(w.at.Topic, "stored").Add(float64(b.rows.Len()))
	m.events.WithLabelValues(w.at.Topic, "dead").Add(float64(b.dead()))
	tally := b.rows.Tally()
	m.unknown.WithLabelValues(w.at.Topic).Add(float64(tally.Unknown))
	m.events.WithLabelValues(w.at.Topic, "skipped").Add(float64(tally.Skipped))
	for _, l := range b.letters {
		m.letters.WithLabelValues(w.at.Topic, l.reason.String()).Inc()
	}
	return nil
}

// commit retries until the broker has taken the commit or says that the
// partition has another owner.
func (w *worker) commit(ctx context.Context, c committed) error {
	return w.i.retry(ctx, "commit", func(ctx context.Context) error {
		begun := w.i.now()
		err := w.i.coordination.commit(ctx, w.member, w.at.Topic, w.at.Partition, c)
		w.i.metrics.commit.Observe(w.i.now().Sub(begun).Seconds())
		if err == nil {
			w.confirmed = begun
		}
		if fenced(err) {
			return errors.Join(errFenced, err)
		}
		return err
	}, func(err error) bool { return !errors.Is(err, errFenced) })
}

// retry calls f until it succeeds, its error is final or ctx is done, with a
// pause that doubles. f runs in a context that outlives ctx by the grace, so
// that a statement under way is not torn off in the middle.
func (i *Ingester) retry(ctx context.Context, operation string, f func(context.Context) error, again func(error) bool) error {
	pause := i.cfg.RetryMin
	for {
		err := i.graceful(ctx, f)
		if err == nil || !again(err) {
			return err
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		i.metrics.retries.WithLabelValues(operation).Inc()
		i.log.Debug("try again", "operation", operation, "err", err)
		sleep(ctx, pause)
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		pause = min(2*pause, i.cfg.RetryMax)
	}
}

func (i *Ingester) graceful(ctx context.Context, f func(context.Context) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.cfg.InsertTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-detached.Done():
		}
	})
	defer stop()
	return f(detached)
}
