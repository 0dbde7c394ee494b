package ingest

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/storage"
)

// rollupTables are the tables that predictions are counted in, in the order in
// which a batch is stored.
func rollupTables() []plumbline.TableName {
	return []plumbline.TableName{plumbline.TableSeriesHour, plumbline.TableSeriesMinute, plumbline.TableCategories}
}

// takeoverChanged finishes a batch that was begun under another plan, or whose
// records Kafka has dropped in part. Raw rows go in first, so a rollup's marker
// says that they are complete: then they are the truth, and the missing rollups
// are made from them in SQL. Otherwise they are deleted by their offsets and
// the range is stored again as this plan decodes it. Without any raw row that rollups
// are made from, nobody can tell whether these were left out: then only the
// records tell what the missing rollups hold, and this plan decodes them for
// those.
func (w *worker) takeoverChanged(ctx context.Context, begun intent, from, first int64) (int64, error) {
	last := *begun.Last
	begunRange := newBatch(w.at, from, nil)
	begunRange.last, begunRange.plan, begunRange.counted, begunRange.sampled = last, begun.Plan, begun.Counted, begun.Sampled
	if begun.Plan != w.plan {
		w.i.notice(ctx, NoticePlanChanged, w.at.String(), "The batch %s was begun under plan %s and is finished under plan %s.", begunRange, begun.Plan, w.plan)
	}
	dropped := from < first
	if dropped {
		w.i.notice(ctx, NoticeOffsetsLost, w.at.String(), "Kafka has dropped the offsets %d to %d of %s before their batch was finished: what is not stored of them is lost.", from, min(first-1, last), w.at)
	}
	complete, err := w.rawComplete(ctx, begunRange)
	if err != nil {
		return 0, err
	}
	// Of rollups that are there the replay makes the raw rows anew, and may end
	// among them. Where there are none, raw rows go first as ever.
	var again replaying
	if complete {
		again = replaying{begunRange.finished(begun.Plan), true}
	}
	left, others, err := w.storedRaw(ctx, begunRange)
	if err != nil {
		return 0, err
	}
	if left == 0 && first <= last {
		return last + 1, w.replayBare(ctx, begunRange, max(from, first), others > 0, again)
	}
	// Of a sample only the records tell what is to be counted; where they are
	// gone, what is stored of them must do.
	if complete && !begun.Sampled || dropped {
		return last + 1, w.finishFromRaw(ctx, begunRange, max(from, first))
	}
	if err := w.deleteRange(ctx, begunRange); err != nil {
		return 0, err
	}
	return last + 1, w.replay(ctx, from, last, again)
}

// rawComplete reports whether any rollup of the batch is stored, which is never
// before the last of its raw rows.
func (w *worker) rawComplete(ctx context.Context, b *batch) (bool, error) {
	if !w.i.cfg.holdsPredictions(w.at.Topic) {
		return false, nil
	}
	for _, table := range rollupTables() {
		present, err := w.lookup(ctx, b, table, true)
		if err != nil || len(present) > 0 {
			return len(present) > 0, err
		}
	}
	return false, nil
}

// deleteRange removes the raw rows of a batch and waits until they are gone. A deletion
// whose answer never came must be over before there is another: arriving behind that
// one it would take what was inserted since.
func (w *worker) deleteRange(ctx context.Context, b *batch) error {
	failed := false
	return w.i.retry(ctx, "delete", func(ctx context.Context) (err error) {
		defer func() { failed = failed || err != nil }()
		if failed {
			if err := w.settle(ctx); err != nil {
				return err
			}
		}
		if err := w.confirm(ctx, b); err != nil {
			return err
		}
		for _, table := range w.i.cfg.rawTables(w.at.Topic) {
			query := "ALTER TABLE " + w.table(table) + " DELETE" + inRange
			comment := b.at.token(b.first, b.last, table, 0, "delete")
			if err := w.exec(ctx, comment, clickhouse.Settings{"mutations_sync": 2}, query, b.at.offsets(b.first, b.last)...); err != nil {
				return fmt.Errorf("delete %s from %s: %w", b, table, err)
			}
		}
		return nil
	}, retryable)
}

// finishFromRaw makes the rollups of a batch from its stored raw rows, where
// they are missing, sends the records that were refused to the dead letters and
// commits.
func (w *worker) finishFromRaw(ctx context.Context, b *batch, readable int64) error {
	var stored []int64
	var complete []batchRow
	for _, table := range w.i.cfg.rawTables(w.at.Topic) {
		offsets, err := w.storedIn(ctx, b, table)
		if err != nil {
			return err
		}
		complete = append(complete, batchRow{table, len(offsets), len(offsets)})
		stored = append(stored, offsets...)
	}
	slices.Sort(stored)
	if w.i.cfg.holdsPredictions(w.at.Topic) {
		months, err := w.lookupMonths(ctx, b)
		if err != nil {
			return err
		}
		for _, table := range rollupTables() {
			rows, err := w.rollUp(ctx, b, table, months)
			if err != nil {
				return err
			}
			// Predictions are the first of a topic's tables.
			complete = append(complete, batchRow{table, int(rows), complete[0].events})
		}
	}
	if readable <= b.last {
		if err := w.refuseUnstored(ctx, b, readable, stored); err != nil {
			return err
		}
	}
	if err := w.widenKnown(ctx, b); err != nil {
		return err
	}
	if err := w.recordBatch(ctx, b, complete); err != nil {
		return err
	}
	return w.commit(ctx, committed{b.last + 1, w.idle()})
}

// widenKnown takes what is stored of a batch into its range of Kafka timestamps,
// also of records that Kafka has dropped: who follows what is new looks for rows
// within that range alone.
func (w *worker) widenKnown(ctx context.Context, b *batch) error {
	for _, table := range w.i.cfg.rawTables(w.at.Topic) {
		var n uint64
		var low, high int64
		row := w.db.Conn().QueryRow(ctx, "SELECT count(), toUnixTimestamp64Milli(min(known)), toUnixTimestamp64Milli(max(known)) FROM "+w.table(table)+inRange, b.at.offsets(b.first, b.last)...)
		if err := row.Scan(&n, &low, &high); err != nil {
			return fmt.Errorf("read Kafka timestamps of %s in %s: %w", b, table, err)
		}
		if n > 0 {
			b.knownMin, b.knownMax = min(b.knownMin, low), max(b.knownMax, high)
		}
	}
	return nil
}

// storedRaw returns how many raw rows of a batch are stored: those that its
// rollups are made from, or all if it has no rollups, and the others. Labels and
// deployments of a topic are stored also where its predictions were left out, so
// they say nothing of these.
func (w *worker) storedRaw(ctx context.Context, b *batch) (counted, others int, err error) {
	for _, table := range w.i.cfg.rawTables(w.at.Topic) {
		offsets, err := w.storedIn(ctx, b, table)
		if err != nil {
			return 0, 0, err
		}
		if table == plumbline.TablePredictions || !w.i.cfg.holdsPredictions(w.at.Topic) {
			counted += len(offsets)
		} else {
			others += len(offsets)
		}
	}
	return counted, others, nil
}

// replayBare stores again what is readable of a batch of which no raw row is
// stored that rollups are made from. Its other raw rows go first, as this plan
// may make others of them.
func (w *worker) replayBare(ctx context.Context, b *batch, from int64, others bool, again replaying) error {
	if others {
		b.first = from
		if err := w.deleteRange(ctx, b); err != nil {
			return err
		}
	}
	return w.replay(ctx, from, b.last, again)
}

func (w *worker) storedIn(ctx context.Context, b *batch, table plumbline.TableName) (offsets []int64, err error) {
	row := w.db.Conn().QueryRow(ctx, "SELECT groupArray(_offset) FROM "+w.table(table)+inRange, b.at.offsets(b.first, b.last)...)
	if err := row.Scan(&offsets); err != nil {
		return nil, fmt.Errorf("read stored offsets of %s in %s: %w", b, table, err)
	}
	return offsets, nil
}

func (w *worker) lookupMonths(ctx context.Context, b *batch) (months []uint32, err error) {
	row := w.db.Conn().QueryRow(ctx, "SELECT arraySort(groupUniqArray(toYYYYMM(ts))) FROM "+w.table(plumbline.TablePredictions)+inRange, b.at.offsets(b.first, b.last)...)
	if err := row.Scan(&months); err != nil {
		return nil, fmt.Errorf("read months of %s: %w", b, err)
	}
	return months, nil
}

// rollUp inserts the rollup rows of a batch that a table lacks and returns how
// many rows the batch has in it.
func (w *worker) rollUp(ctx context.Context, b *batch, table plumbline.TableName, months []uint32) (rows uint64, err error) {
	present, err := w.lookup(ctx, b, table, true)
	if err != nil {
		return 0, err
	}
	args := append(b.at.offsets(b.first, b.last), verify.NumberModels(w.i.cfg.NumberModels()), w.i.cfg.Segments.Parameter())
	scope := inRange[len(" WHERE "):]
	for _, month := range months {
		if _, ok := present[partKey(month)]; ok {
			continue
		}
		inMonth := fmt.Sprintf("%s AND toYYYYMM(ts) = %d", scope, month)
		if err := w.rollUpMonth(ctx, b, table, partKey(month), inMonth, args); err != nil {
			return 0, err
		}
	}
	row := w.db.Conn().QueryRow(ctx, "SELECT count() FROM ("+verify.SelectSQL(table, w.table(plumbline.TablePredictions), scope)+")", args...)
	if err := row.Scan(&rows); err != nil {
		return 0, fmt.Errorf("count rollup rows of %s in %s: %w", b, table, err)
	}
	return rows, nil
}

func (w *worker) rollUpMonth(ctx context.Context, b *batch, table plumbline.TableName, month partKey, scope string, args []any) error {
	begin, marker := w.insertRollup(table)
	query := begin + verify.SelectSQL(table, w.table(plumbline.TablePredictions), scope) + marker
	args = append(slices.Clip(args), clickhouse.Named("mark", b.at.mark()), clickhouse.Named("hour", fmt.Sprint(month.lastHour())))
	insert := func(ctx context.Context, token string) error {
		settings := clickhouse.Settings{
			"async_insert": 0, "insert_deduplication_token": token,
			// The marker must lie in the same part as the rows: one thread and no
			// limit make one block of them.
			"max_threads": 1, "max_insert_threads": 1, "min_insert_block_size_rows": 1 << 30, "min_insert_block_size_bytes": 0,
		}
		if err := w.exec(ctx, token, settings, query, args...); err != nil {
			return fmt.Errorf("roll up %s into %s: %w", b, table, err)
		}
		return nil
	}
	stored := func(ctx context.Context) (bool, error) {
		present, err := w.look(ctx, b, table, true)
		_, ok := present[month]
		return ok, err
	}
	return w.once(ctx, b, statement{
		table: table, key: month, token: b.at.token(b.first, b.last, table, month, w.plan+"/sql"),
		insert: insert, stored: stored, sent: true,
	})
}

// insertRollup returns the beginning of an INSERT into a rollup table and the
// SELECT of its marker row, with the parameters mark, hour and last.
func (w *worker) insertRollup(table plumbline.TableName) (insert, marker string) {
	names := storage.ArrowSchema(table)
	columns := ""
	for i, f := range names.Fields() {
		if i > 0 {
			columns += ", "
		}
		columns += "`" + f.Name + "`"
	}
	const begin = " UNION ALL SELECT '', '', '', '', {mark:String}, "
	if table == plumbline.TableCategories {
		// The recomputation has no column mark: data rows hold 0.
		columns = "model, deploy_hash, stage, segment, series, time, value, kind, count, rows, mark"
		return "INSERT INTO " + w.table(table) + " (" + columns + ") SELECT *, 0. FROM (", ")" + begin + "toDateTime({hour:UInt32}, 'UTC'), '', toUInt8(0), toUInt64(0), toUInt64(0), {last:Float64}"
	}
	return "INSERT INTO " + w.table(table) + " (" + columns + ") ", begin + "'', toDateTime({hour:UInt32}, 'UTC'), toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0), toUInt64(0), toInt128(0), inf, {last:Float64}, CAST(([], []), 'Tuple(Array(Int32), Array(UInt64))')"
}

// refuseUnstored reads a range again and sends every record that is not stored
// to the dead letters: one that this plan would store was refused by the plan
// before, for a reason that is not known any more. Of a record that is stored in
// part the events that are refused follow.
func (w *worker) refuseUnstored(ctx context.Context, b *batch, from int64, stored []int64) error {
	scratch := w.newBatch(from)
	err := w.refetch(ctx, from, b.last, func(rec *record) error {
		rows := scratch.rows.Len()
		letters, err := scratch.decode(rec)
		if err != nil {
			return err
		}
		scratch.count(rec)
		_, isStored := slices.BinarySearch(stored, rec.Offset)
		took := scratch.rows.Len() > rows
		if len(letters) == 0 && took && !isStored {
			letters = []letter{newLetter(w.at, rec, &decode.Error{Reason: decode.BadValue, Hint: "the event was refused under a former plan; send it again"})}
		}
		// The whole record refused now, but stored under the plan before: it is
		// in, and no letter says otherwise.
		if took || !isStored {
			scratch.letters = append(scratch.letters, letters...)
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.letters, b.knownMin, b.knownMax = scratch.letters, scratch.knownMin, scratch.knownMax
	w.free(scratch)
	return w.bury(ctx, b.letters)
}
