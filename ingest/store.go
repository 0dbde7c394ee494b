package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// store puts every row of a batch into its tables, once, sends its dead
// letters, and records it in batches. With replay set the batch may have been
// begun before, so every table is looked at first. Whether the raw rows are
// left out is decided here, once, and anew at a replay.
func (w *worker) store(ctx context.Context, b *batch, replay bool) error {
	b.span, b.leftOut = b.rows.span(), 0
	tables := b.rows.tables(b.at, b.last)
	defer release(tables)
	complete := make([]batchRow, 0, len(tables))
	for _, t := range tables {
		var present map[partKey]uint64
		if replay {
			var err error
			if present, err = w.lookup(ctx, b, t.table, t.marked); err != nil {
				return err
			}
		}
		if w.i.gate.leaveOut(t, present) {
			b.leftOut = t.count()
			complete = append(complete, batchRow{t.table, 0, b.rows.of(t.table)})
			continue
		}
		for _, r := range t.runs {
			if err := w.storeRun(ctx, b, t, r, present); err != nil {
				return err
			}
		}
		rows := t.count()
		complete = append(complete, batchRow{t.table, rows, b.rows.of(t.table)})
		w.i.metrics.rows.WithLabelValues(string(t.table)).Add(float64(rows))
		w.i.metrics.window(t, w.db.DedupWindow())
	}
	if err := w.bury(ctx, b.letters); err != nil {
		return err
	}
	if err := w.recordBatch(ctx, b, complete); err != nil {
		return err
	}
	w.tellRaw(ctx, b)
	return nil
}

// count returns the rows of the batch in the table, without markers.
func (t tableRows) count() int {
	n := int(t.record.NumRows())
	if t.marked {
		n -= len(t.runs)
	}
	return n
}

func (m *metrics) window(t tableRows, window int) {
	if len(t.runs) == 0 {
		return
	}
	m.inserted.WithLabelValues(string(t.table)).Add(float64(len(t.runs)))
	m.headroom.WithLabelValues(string(t.table)).Set(float64(window) / float64(len(t.runs)))
}

// storeRun inserts the rows of one ClickHouse partition unless they are stored.
// present is nil for a batch that is stored for the first time.
func (w *worker) storeRun(ctx context.Context, b *batch, t tableRows, r run, present map[partKey]uint64) error {
	if stored, err := w.isStored(b, t, r, present); stored || err != nil {
		b.advance(err)
		return err
	}
	insert := func(ctx context.Context, token string) error {
		rec := t.record.NewSlice(int64(r.from), int64(r.to))
		defer rec.Release()
		begun := w.i.now()
		err := w.inSession(func(s storage.Session) error { return w.db.InsertIn(ctx, s, t.table, token, rec) })
		w.i.metrics.insert.WithLabelValues(string(t.table)).Observe(w.i.now().Sub(begun).Seconds())
		return err
	}
	stored := func(ctx context.Context) (bool, error) {
		present, err := w.look(ctx, b, t.table, t.marked)
		if err != nil {
			return false, err
		}
		return w.isStored(b, t, r, present)
	}
	return w.once(ctx, b, statement{
		table: t.table, key: r.key, token: b.at.token(b.first, b.last, t.table, r.key, w.plan),
		insert: insert, stored: stored, sent: present != nil,
	})
}

// statement is an INSERT into one ClickHouse partition of one table.
type statement struct {
	table  plumbline.TableName
	key    partKey
	token  string
	insert func(ctx context.Context, token string) error
	stored func(ctx context.Context) (bool, error)
	// sent says that it may have been sent before.
	sent bool
}

// once sends a statement until its rows are stored. After every failure it looks
// before it sends them again: an insert may have been applied although its answer
// was an error.
func (w *worker) once(ctx context.Context, b *batch, s statement) error {
	failed := false
	err := w.i.retry(ctx, "insert", func(ctx context.Context) (err error) {
		defer func() { failed = failed || err != nil }()
		if failed {
			if err := w.settle(ctx); err != nil {
				return err
			}
			if there, err := s.stored(ctx); there || err != nil {
				return err
			}
		}
		if err := w.confirm(ctx, b); err != nil {
			return err
		}
		if !s.sent && !failed {
			return s.insert(ctx, s.token)
		}
		return sendAgain(ctx, s.token, s.insert, w.orExpired(s.table, s.key, s.stored))
	}, retryable)
	b.advance(err)
	return w.parkUnless(ctx, err, retryable, "store %s in %s", b, s.table)
}

// advance counts a statement that is stored. One that was stored before counts too, so
// that a batch that is begun again and fails at the same place never gets further.
func (b *batch) advance(err error) {
	if err == nil {
		b.done++
	}
}

// maxTokens bounds how many tokens of one statement may be spent. Each one more
// takes a ClickHouse that was killed within the same microseconds again.
const maxTokens = 10

// sendAgain inserts rows that may have been sent before, and looks afterwards
// whether they are there: ClickHouse writes a token to the disk before it makes
// the part visible (MergeTreeSink, deduplication_log), so one that was killed in
// between drops the rows and answers their token with success ever after.
// Such a token is spent, and the next one is taken. The first stays the original
// one, against which a statement of a former owner is dropped.
func sendAgain(ctx context.Context, token string, insert func(ctx context.Context, token string) error, stored func(context.Context) (bool, error)) error {
	for n := range maxTokens {
		next := token
		if n > 0 {
			next = fmt.Sprintf("%s/again-%d", token, n)
		}
		if err := insert(ctx, next); err != nil {
			return err
		}
		if there, err := stored(ctx); there || err != nil {
			return err
		}
	}
	return fmt.Errorf("ClickHouse answers every insert of %s with success and stores none", token)
}

// parkUnless makes an error that no retry mends park the partition.
func (w *worker) parkUnless(ctx context.Context, err error, again func(error) bool, format string, args ...any) error {
	var parked *parkError
	if err == nil || ctx.Err() != nil || again(err) || errors.As(err, &parked) || errors.Is(err, errFenced) {
		return err
	}
	return park("%s: %w", fmt.Sprintf(format, args...), err)
}

// confirm makes sure that the partition is still ours before a statement, if
// that was last known longer ago than half a session: a process that was
// stopped and goes on must not repeat what the next owner has done. Committing
// the intent again changes nothing but how much of it is done, and is refused to a
// former owner.
func (w *worker) confirm(ctx context.Context, b *batch) error {
	if w.i.now().Sub(w.confirmed) < w.i.cfg.SessionTimeout/2 && w.leased() {
		return nil
	}
	return w.intend(ctx, b)
}

// quiet waits until no insert of this partition is running: a look must not
// miss one whose connection broke before its answer. Where system.processes
// cannot be read, the deduplication window alone guards against that.
func (w *worker) quiet(ctx context.Context) error {
	for {
		var running uint64
		row := w.db.Conn().QueryRow(ctx, "SELECT count() FROM system.processes WHERE position(Settings['log_comment'], {source:String}) > 0",
			clickhouse.Named("source", w.at.mark()+"/"))
		err := row.Scan(&running)
		var exception *clickhouse.Exception
		switch {
		case errors.As(err, &exception) && permanent(exception.Code):
			return nil
		case err != nil:
			return fmt.Errorf("look for running inserts of %s: %w", w.at, err)
		case running == 0:
			return nil
		}
		sleep(ctx, w.i.cfg.RetryMin)
		if ctx.Err() != nil {
			return fmt.Errorf("wait for %d running inserts of %s: %w", running, w.at, ctx.Err())
		}
	}
}

// isStored reports whether the rows of a run are in the table. ClickHouse
// stores a statement of one partition whole or not at all, so another number of
// raw rows than the batch has is a contradiction that people must see; fewer
// are none where rows may have expired since.
func (w *worker) isStored(b *batch, t tableRows, r run, present map[partKey]uint64) (bool, error) {
	n, ok := present[r.key]
	if !ok {
		return false, nil
	}
	want := uint64(r.to - r.from)
	if t.marked || n == want || n < want && w.mayExpire(t.table, r.key) {
		return true, nil
	}
	return false, park("%s has %d rows in partition %d of %s, and %d are stored", b, want, r.key, t.table, n)
}

// mayExpire reports whether ClickHouse may drop rows of a partition by their
// age. A rollup's marker bears the last hour of its month.
func (w *worker) mayExpire(table plumbline.TableName, key partKey) bool {
	keep := w.db.Retention()
	at := time.Unix(key.lastHour(), 0)
	var age time.Duration
	switch table {
	case plumbline.TableDeployments:
		return false
	case plumbline.TableSeriesHour, plumbline.TableCategories:
		age = keep.Hours
	case plumbline.TableSeriesMinute:
		age = keep.Minutes
	case plumbline.TableKPIs:
		age, at = keep.Hours, key.start()
	default:
		age, at = keep.Raw, key.start()
	}
	return age > 0 && at.Before(w.i.now().Add(-age)) // 0 keeps for ever
}

// orExpired also takes rows for stored that may have expired since they were
// inserted: another insert would not keep them either.
func (w *worker) orExpired(table plumbline.TableName, key partKey, stored func(context.Context) (bool, error)) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		if w.mayExpire(table, key) {
			return true, nil
		}
		return stored(ctx)
	}
}

// lookup is look with retries.
func (w *worker) lookup(ctx context.Context, b *batch, table plumbline.TableName, marked bool) (present map[partKey]uint64, err error) {
	err = w.i.retry(ctx, "look", func(ctx context.Context) error {
		present, err = w.look(ctx, b, table, marked)
		return err
	}, retryable)
	return present, w.parkUnless(ctx, err, retryable, "look for %s in %s", b, table)
}

// look returns which ClickHouse partitions of a table hold the batch: for a raw
// table with the number of its rows, for a rollup with 1 for each marker at or
// beyond the last offset.
func (w *worker) look(ctx context.Context, b *batch, table plumbline.TableName, marked bool) (map[partKey]uint64, error) {
	if err := w.sync(ctx, w.db, table); err != nil {
		return nil, err
	}
	query, args := w.lookQuery(b, table, marked)
	rows, err := w.db.Conn().Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("look for %s in %s: %w", b, table, err)
	}
	defer rows.Close()
	present := map[partKey]uint64{}
	for rows.Next() {
		var key int32
		var n uint64
		if err := rows.Scan(&key, &n); err != nil {
			return nil, fmt.Errorf("look for %s in %s: %w", b, table, err)
		}
		present[partKey(key)] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look for %s in %s: %w", b, table, err)
	}
	return present, nil
}

func (w *worker) lookQuery(b *batch, table plumbline.TableName, marked bool) (string, []any) {
	if !marked {
		return "SELECT toInt32(" + partOf(table) + ") AS part, count() FROM " + w.table(table) + inRange + " GROUP BY part", b.at.offsets(b.first, b.last)
	}
	return "SELECT toInt32(toYYYYMM(time)) AS part, toUInt64(1) FROM " + w.table(table) +
			marks + " GROUP BY part HAVING max(" + markColumn(table) + ") >= {last:Float64}",
		[]any{clickhouse.Named("series", b.at.mark()), clickhouse.Named("last", fmt.Sprint(b.last))}
}

// marks selects the markers of one source in a rollup.
const marks = " WHERE model = '' AND series = {series:String}"

// markColumn is where a marker keeps the last offset.
func markColumn(table plumbline.TableName) string {
	if table == plumbline.TableCategories {
		return "mark"
	}
	return "max"
}

// inRange selects the raw rows of a range of offsets of one source.
const inRange = " WHERE _topic = {topic:String} AND _epoch = {epoch:String} AND _partition = {partition:Int32} AND _offset BETWEEN {first:Int64} AND {last:Int64}"

func (s source) offsets(first, last int64) []any {
	return []any{
		clickhouse.Named("topic", s.Topic), clickhouse.Named("epoch", s.Epoch), clickhouse.Named("partition", fmt.Sprint(s.Partition)),
		clickhouse.Named("first", fmt.Sprint(first)), clickhouse.Named("last", fmt.Sprint(last)),
	}
}

// recordBatch writes the batch's rows of the table batches, which say that the
// batch is complete. Written twice they replace each other, so each time has a
// token of its own: one that is spent (see sendAgain) must not hide them.
func (w *worker) recordBatch(ctx context.Context, b *batch, complete []batchRow) error {
	stored := w.i.now().UnixMilli()
	rec := b.batchesRecord(complete, b.finished(w.plan), stored)
	defer rec.Release()
	token := fmt.Sprintf("%s/%d", b.at.token(b.first, b.last, plumbline.TableBatches, 0, w.plan), stored)
	err := w.i.retry(ctx, "insert", func(ctx context.Context) error {
		if err := w.confirm(ctx, b); err != nil {
			return err
		}
		return w.inSession(func(s storage.Session) error { return w.db.InsertIn(ctx, s, plumbline.TableBatches, token, rec) })
	}, retryable)
	if err == nil {
		w.complete, w.completeOn = b.last+1, w.db
	}
	return w.parkUnless(ctx, err, retryable, "record %s", b)
}
