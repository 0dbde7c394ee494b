package ingest

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// batch is a range of offsets of one partition, decoded: the unit that is
// stored and committed.
type batch struct {
	at          source
	first, last int64 // offsets, inclusive; last < first while empty
	rows        *rows
	letters     []letter
	events      int // records
	bytes       int
	plan        string // under which it was begun, if that is not the worker's
	counted     string // the plan under which rollups of it may be stored, if any
	// sampled says that its raw rows cannot tell what its rollups hold, whatever
	// the policy of the worker.
	sampled  bool
	knownMin int64
	knownMax int64
	// span is that of the rows' event times, leftOut the number of rows whose
	// raw form is not stored; store sets both.
	span    span
	leftOut int
	// waits says that a record of it was fetched, be it decoded or not.
	waits bool
	// done is how many of its statements are known to be stored.
	done int
}

// span is a range of times, Unix milliseconds; zero where there are none.
type span struct{ min, max int64 }

// with returns the span widened to hold the times.
func (s span) with(times []int64) span {
	if len(times) == 0 {
		return s
	}
	w := span{slices.Min(times), slices.Max(times)}
	if s == (span{}) {
		return w
	}
	return span{min(s.min, w.min), max(s.max, w.max)}
}

func newBatch(at source, first int64, r *rows) *batch {
	return &batch{at: at, first: first, last: first - 1, rows: r, knownMin: math.MaxInt64, knownMax: math.MinInt64}
}

func (b *batch) empty() bool { return b.last < b.first }

// add decodes one record into the batch, or makes dead letters of what is
// refused. A panic of the decoder concerns one record only and makes a dead
// letter too. An error says that the record cannot be decoded now; the batch is
// as it was.
func (b *batch) add(rec *record) error {
	letters, err := b.decode(rec)
	if err != nil {
		return err
	}
	b.count(rec)
	b.letters = append(b.letters, letters...)
	return nil
}

// count takes a record into the range.
func (b *batch) count(rec *record) {
	b.last = rec.Offset
	b.events++
	b.bytes += len(rec.Key) + min(len(rec.Value), maxLetter)
	b.knownMin, b.knownMax = min(b.knownMin, rec.Known), max(b.knownMax, rec.Known)
}

func (b *batch) decode(rec *record) ([]letter, error) {
	err := b.tryDecode(rec)
	if err == nil {
		return nil, nil
	}
	return b.refused(rec, err)
}

// refused makes the dead letters of a record that the decoder did not take as a
// whole. It is apart from decode because its variables are on the heap.
func (b *batch) refused(rec *record, err error) (letters []letter, _ error) {
	var unavailable *decode.Unavailable
	var some *decode.Refusals
	var whole *decode.Whole
	var refused *decode.Error
	events := 1
	switch {
	case errors.As(err, &unavailable):
		return nil, fmt.Errorf("decode %s at %d: %w", b.at, rec.Offset, err)
	case errors.As(err, &some):
		for _, r := range some.Events {
			letters = append(letters, newRowLetter(b.at, rec, r))
		}
		return letters, nil
	case errors.As(err, &whole):
		refused, events = whole.Cause, whole.Events
	case !errors.As(err, &refused):
		refused = &decode.Error{Reason: decode.Unparsable, Hint: err.Error()}
	}
	l := newLetter(b.at, rec, refused)
	l.events = events
	return []letter{l}, nil
}

// dead returns how many events the batch's letters hold.
func (b *batch) dead() int { return deadEvents(b.letters) }

// deadEvents returns how many events letters hold: one may hold all of a record, or
// many of its rows.
func deadEvents(letters []letter) (events int) {
	for _, l := range letters {
		events += l.events
	}
	return events
}

func (b *batch) tryDecode(rec *record) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the decoder panicked, which is a bug of plumbline: %v", p)
		}
	}()
	return b.rows.decoder.Append(decode.Record{Offset: rec.Offset, Known: rec.Known, Key: rec.Key, Value: rec.Value, Headers: rec})
}

// maxBatchText bounds the text of a batch's rows in one column, of which few bytes
// of a record may be a large part (a column of 2 GiB has no offsets).
const maxBatchText = 64 << 20

// full reports whether the batch must be flushed before another record.
func (b *batch) full(cfg Config) bool {
	return max(b.events, b.rows.Len()) >= cfg.FlushRows || b.bytes >= cfg.FlushBytes || b.rows.Outgrows(maxBatchText)
}

// batchRow is one row of the table batches: what a batch put into a table, and
// the number of good events that it is made of.
type batchRow struct {
	table        plumbline.TableName
	rows, events int
}

// batchesRecord builds the rows that say that the batch is complete.
func (b *batch) batchesRecord(rows []batchRow, plan string, stored int64) arrow.Record {
	n := len(rows)
	if b.knownMin > b.knownMax { // no record of the range is readable
		b.knownMin, b.knownMax = 0, 0
	}
	c := columnsOf(plumbline.TableBatches, n)
	var tables decode.Names
	counts, events := make([]uint64, n), make([]uint64, n)
	for i, r := range rows {
		tables.Append([]byte(r.table))
		counts[i], events[i] = uint64(r.rows), uint64(r.events+b.dead())
	}
	c.constant("topic", b.at.Topic)
	c.constant("epoch", b.at.Epoch)
	fixed(c, "partition", repeat(int32(b.at.Partition), n))
	fixed(c, "first", repeat(b.first, n))
	fixed(c, "last", repeat(b.last, n))
	c.names("table", &tables)
	fixed(c, "rows", counts)
	fixed(c, "events", events)
	fixed(c, "dead", repeat(uint64(b.dead()), n))
	c.constant("plan", plan)
	fixed(c, "known_min", repeat(storable(b.knownMin), n))
	fixed(c, "known_max", repeat(storable(b.knownMax), n))
	fixed(c, "ts_min", repeat(b.span.min, n))
	fixed(c, "ts_max", repeat(b.span.max, n))
	fixed(c, "stored", repeat(stored, n))
	return c.record()
}

func repeat[T any](v T, n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// storable bounds a Kafka timestamp to what DateTime64 holds (1900 to 2299):
// the record of a dead letter may carry anything.
func storable(ms int64) int64 {
	return min(max(ms, -2_208_988_800_000), 10_413_791_999_000)
}

// String returns the offsets for people.
func (b *batch) String() string { return fmt.Sprintf("%s [%d, %d]", b.at, b.first, b.last) }
