package ingest

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

// assign finds the offset to go on from: the epoch, what the group has
// committed, and whether a batch was begun that must be finished first.
func (w *worker) assign(ctx context.Context) (int64, error) {
	cluster, err := w.i.clusterID(ctx, w.at.Topic)
	if err != nil {
		return 0, err
	}
	w.at.Cluster, w.at.Epoch = cluster, ""
	c, err := w.i.coordination.committed(ctx, w.i.cfg.Group, w.at.Topic, w.at.Partition)
	if err != nil {
		return 0, err
	}
	begun, ours, err := parseIntent(c.Metadata)
	if err != nil {
		return 0, park("%w", err)
	}
	w.lease, w.confirmed = lease{}, time.Time{}
	if err := w.settleOn(begun, ours); err != nil {
		return 0, err
	}
	if ours {
		if err := w.fence(ctx, begun); err != nil {
			return 0, err
		}
	}
	epoch, first, err := w.epoch(ctx, c)
	if err != nil {
		return 0, err
	}
	w.at.Epoch = epoch
	if ours && begun.Epoch != epoch {
		return w.otherEpoch(ctx, begun, c.Offset, first)
	}
	if err := w.findComplete(ctx); err != nil {
		return 0, err
	}
	if ours {
		missing, err := w.missing(ctx, begun, c.Offset)
		if err != nil {
			return 0, err
		}
		if missing {
			return w.again(ctx, begun, c.Offset, first)
		}
	}
	if ours && begun.Last != nil {
		return w.finishBegun(ctx, begun, c.Offset, first)
	}
	return w.position(ctx, c.Offset, first)
}

// finishBegun finishes the batch of an intent where it was begun. The next one goes
// home.
func (w *worker) finishBegun(ctx context.Context, begun intent, from, first int64) (int64, error) {
	next, err := w.takeover(ctx, begun, from, first)
	if err == nil && w.db != w.home {
		err = errReassign
	}
	return next, err
}

// lacks reports whether what a commit of ours says to be stored is not in this
// ClickHouse: a backup was restored, or another ClickHouse is fed by the same
// group. Until 2026-11-23 such a start went on from the commit, and what lay
// between was never stored, with nobody told.
func (w *worker) lacks(begun intent, offset int64) bool {
	stored := begun.Stored // with a batch under way, what was complete before it
	if begun.Last == nil {
		stored = offset
	}
	return w.complete < stored
}

// missing reports whether what a commit of ours says to be stored is on no shard:
// where the one that the commit names has lost its disk, what was stored before the
// partition moved to it is on another.
func (w *worker) missing(ctx context.Context, begun intent, offset int64) (bool, error) {
	if !w.lacks(begun, offset) {
		return false, nil
	}
	w.known = w.i.db.Shards()
	err := w.findComplete(ctx)
	return w.lacks(begun, offset), err
}

// otherEpoch goes on where a commit names another epoch than this ClickHouse does:
// one of a former life of the topic, whose offsets mean nothing here, or the name
// that another ClickHouse gave to this life, from a later first record. Of what is
// stored here it tells nothing, the batches do. Until 2026-11-23 such a start went on
// from Kafka's first offset and stored twice whatever Kafka still had.
func (w *worker) otherEpoch(ctx context.Context, begun intent, offset, first int64) (int64, error) {
	former, err := w.had(ctx, begun.Epoch)
	if err != nil {
		return 0, err
	}
	if !former {
		w.known = w.i.db.Shards() // the shard that it names is one of the other ClickHouse
	}
	if err := w.findComplete(ctx); err != nil {
		return 0, err
	}
	begun.Stored = cmp.Or(begun.Stored, offset)
	if !former && w.lacks(begun, offset) {
		w.since = 0 // the group has read what was before the first record seen here
		return w.again(ctx, begun, offset, first)
	}
	return w.position(ctx, -1, first)
}

// again goes on from what is stored, before the commit. It parks where the shard that
// the commit names was taken away: read again, what stands there would be stored twice,
// and until 2026-11-23 it was passed over with nobody told.
func (w *worker) again(ctx context.Context, begun intent, offset, first int64) (int64, error) {
	if w.named(begun) == nil {
		return 0, w.parkWithout(begun, offset)
	}
	from, holds := w.complete, fmt.Sprintf("only what is before %d", w.complete)
	if from == 0 {
		from, holds = min(w.since, first), "nothing of it"
	}
	w.i.notice(ctx, NoticeAhead, w.at.String(), "The committed offset of %s is %d, but this ClickHouse holds %s: a backup was restored, a disk was lost, or another ClickHouse is fed by the same group %s. The rest is read again, as far as Kafka still has it.",
		w.at, offset, holds, w.i.cfg.Group)
	return w.position(ctx, from, first)
}

// position returns where to start when no batch is known to be unfinished.
// The batches that are recorded as complete overrule a commit that is behind
// them: it expired, was lost or reset by hand, belongs to another group, or was
// made by another ClickHouse, and reading them again would double them. An offset
// of -1 is none. What lies before the first record of the epoch is of another one.
func (w *worker) position(ctx context.Context, offset, first int64) (int64, error) {
	complete := w.complete
	if complete > max(offset, 0) {
		committed := fmt.Sprintf("The committed offset of %s is %d", w.at, offset)
		if offset < 0 {
			committed = fmt.Sprintf("The group %s has no committed offset of %s that means something to this ClickHouse", w.i.cfg.Group, w.at)
		}
		w.i.notice(ctx, NoticeRewound, w.at.String(), "%s, but everything before %d is stored: going on from there.", committed, complete)
		offset = complete
	}
	if offset >= 0 && offset < first {
		w.i.notice(ctx, NoticeOffsetsLost, w.at.String(), "Kafka has dropped the offsets %d to %d of %s, and they are not stored: they are lost.", offset, first-1, w.at)
	}
	return w.finishTail(ctx, max(offset, first, w.since), first)
}

// finishTail finishes a batch that was begun beyond the position and whose
// intent is lost, together with the commit that carried it: its raw rows tell,
// and the markers of its rollups, for its raw rows may have been left out.
func (w *worker) finishTail(ctx context.Context, from, first int64) (int64, error) {
	for _, w.db = range w.known {
		if err := w.quiet(ctx); err != nil {
			return 0, err
		}
		predicted, raw, marked, err := w.lastStored(ctx, from)
		if err != nil {
			return 0, err
		}
		last := max(raw, marked)
		if last < from {
			continue
		}
		// Where rollups reach further than the predictions they are made from,
		// nobody can tell any more whether these are all there were.
		sampled := marked > predicted || w.i.privacy.Samples()
		next, err := w.takeoverChanged(ctx, intent{Epoch: w.at.Epoch, Last: &last, Plan: planUnknown, Sampled: sampled}, from, first)
		if err == nil && w.db != w.home {
			err = errReassign
		}
		return next, err
	}
	w.db = w.home
	return from, nil
}

// lastStored returns the greatest offset of a prediction and of any raw row from
// an offset on, and the greatest last offset of a batch in a rollup; -1 if there
// is none.
func (w *worker) lastStored(ctx context.Context, from int64) (predicted, raw, marked int64, err error) {
	predicted, raw, marked = -1, -1, -1
	for _, table := range w.i.cfg.rawTables(w.at.Topic) {
		greatest, err := w.greatest(ctx, table, "SELECT if(count() = 0, toInt64(-1), max(_offset)) FROM "+w.table(table)+inRange, w.at.offsets(from, math.MaxInt64)...)
		if err != nil {
			return 0, 0, 0, err
		}
		raw = max(raw, greatest)
		if table == plumbline.TablePredictions {
			predicted = greatest
		}
	}
	if !w.i.cfg.holdsPredictions(w.at.Topic) {
		return predicted, raw, marked, nil
	}
	for _, table := range rollupTables() {
		greatest, err := w.greatest(ctx, table, "SELECT if(count() = 0, toInt64(-1), toInt64(max("+markColumn(table)+"))) FROM "+w.table(table)+marks, clickhouse.Named("series", w.at.mark()))
		if err != nil {
			return 0, 0, 0, err
		}
		marked = max(marked, greatest)
	}
	return predicted, raw, marked, nil
}

// greatest runs a query for one offset of a table.
func (w *worker) greatest(ctx context.Context, table plumbline.TableName, query string, args ...any) (offset int64, err error) {
	if err := w.sync(ctx, w.db, table); err != nil {
		return 0, err
	}
	if err := w.db.Conn().QueryRow(ctx, query, args...).Scan(&offset); err != nil {
		return 0, fmt.Errorf("look for what of %s is stored in %s: %w", w.at, table, err)
	}
	return offset, nil
}

// lastComplete reads the table from the end of its order, so that its cost does
// not grow with the number of batches: those of one source do not overlap.
const lastComplete = " WHERE topic = {topic:String} AND epoch = {epoch:String} AND partition = {partition:Int32} ORDER BY topic DESC, epoch DESC, partition DESC, first DESC LIMIT 1"

// findComplete finds the offset after the last batch that is recorded on any
// shard, 0 if there is none, and the shard.
func (w *worker) findComplete(ctx context.Context) error {
	w.complete, w.completeOn = 0, nil
	for _, db := range w.known {
		if err := w.sync(ctx, db, plumbline.TableBatches); err != nil {
			return err
		}
		row := db.Conn().QueryRow(ctx, "SELECT last + 1 FROM "+db.Local(plumbline.TableBatches)+lastComplete,
			clickhouse.Named("topic", w.at.Topic), clickhouse.Named("epoch", w.at.Epoch), clickhouse.Named("partition", fmt.Sprint(w.at.Partition)))
		var after int64
		if err := row.Scan(&after); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read complete batches of %s: %w", w.at, err)
		}
		if after > w.complete {
			w.complete, w.completeOn = after, db
		}
	}
	return nil
}

// takeover finishes the batch of an intent: exactly its range, decoded again,
// only what is missing.
func (w *worker) takeover(ctx context.Context, begun intent, from, first int64) (int64, error) {
	w.i.metrics.replays.WithLabelValues(w.at.Topic).Inc()
	last := *begun.Last
	if err := w.quiet(ctx); err != nil {
		return 0, err
	}
	if err := w.findComplete(ctx); err != nil { // quiet has waited for what was under way
		return 0, err
	}
	if w.complete > last {
		w.db = w.home
		return w.position(ctx, last+1, first)
	}
	if w.complete > from {
		// Nothing is begun here in the middle of what is stored: it is the batch of
		// another ClickHouse that is behind this one. What this one had begun itself
		// is found behind its last batch, and need not end where that one does. Until
		// 2026-11-23 the whole range was stored, which parked the partition for ever.
		w.db = w.home
		return w.position(ctx, from, first)
	}
	if from < first || begun.Plan != w.plan {
		return w.takeoverChanged(ctx, begun, from, first)
	}
	again, err := w.redo(ctx, begun, from)
	if err != nil {
		return 0, err
	}
	return last + 1, w.replay(ctx, from, last, again)
}

// replaying is what whoever takes a batch over from a replay must know of it.
type replaying struct {
	// counted is the plan under which rollups of the batch may be stored, if that
	// is not the worker's.
	counted string
	// sampled says that a rollup may be there before the raw rows are, so that its
	// marker does not tell that these are complete.
	sampled bool
}

// redo is the replay of a batch by the plan under which it was begun. Its raw
// rows go in before its rollups, unless they were left out and there is room for
// them now.
func (w *worker) redo(ctx context.Context, begun intent, from int64) (replaying, error) {
	r := replaying{begun.Counted, begun.Sampled}
	if r.sampled {
		return r, nil
	}
	b := newBatch(w.at, from, nil)
	b.last = *begun.Last
	rolledUp, err := w.rawComplete(ctx, b)
	if err != nil || !rolledUp {
		return r, err
	}
	stored, _, err := w.storedRaw(ctx, b)
	r.sampled = stored == 0
	return r, err
}

// replay decodes a range of offsets again, stores what is missing of it and
// commits.
func (w *worker) replay(ctx context.Context, first, last int64, r replaying) error {
	w.confirmed = time.Time{} // the first statement commits the intent under this plan
	b := w.newBatch(first)
	b.sampled, b.counted = r.sampled, r.counted
	add := func(rec *record) error { return w.add(b, rec) }
	if err := w.refetch(ctx, first, last, add); err != nil {
		return err
	}
	w.decodes(ctx)
	b.last = last
	if err := w.store(ctx, b, true); err != nil {
		return err
	}
	if err := w.finish(ctx, b, nil); err != nil {
		return err
	}
	w.free(b)
	return nil
}

// refetch visits the records of a range of offsets again.
func (w *worker) refetch(ctx context.Context, first, last int64, add func(*record) error) error {
	// A record beyond the range ends it too: what lies between may be compacted
	// away or control records.
	beyond := false
	for next := first; next <= last && !beyond; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		after, _, err := w.fetcher.fetch(ctx, next, idleWait, func(rec *record) error {
			if beyond = rec.Offset > last; beyond {
				return errStop
			}
			return add(rec)
		})
		if err != nil {
			// Each failure ends the session; they count beyond it, or nobody would
			// be told.
			w.refetches++
			return cmp.Or(w.fetchError(ctx, err, w.refetches), err)
		}
		next, w.refetches = after, 0
	}
	return nil
}
