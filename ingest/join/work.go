package join

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

// overlap is more offsets than a batch of the greatest flush_rows spans. Cursors stand
// at the ends of batches, so it matters only where a batch was cut otherwise when it
// was stored again.
const overlap = "2000000"

// partition is one topic partition in one epoch.
type partition struct {
	topic, epoch string
	number       int32
}

// key is how the statements spell a partition.
func (p partition) key() string {
	return p.topic + "/" + p.epoch + "/" + strconv.Itoa(int(p.number))
}

// batch is what one stored batch put into a raw table: its last offset, and the
// ranges of its Kafka timestamps and of its rows' own times. Where a topic holds both
// predictions and labels, two of them have the same offsets.
type batch struct {
	table plumbline.TableName
	last  int64
	known span
	ts    span
}

// span is a range of times in Unix milliseconds; zero where there are none.
type span struct{ min, max int64 }

func (s span) over(t span) span {
	if s == (span{}) {
		return t
	}
	return span{min(s.min, t.min), max(s.max, t.max)}
}

// queue is what is stored of one partition beyond its cursor, in order.
type queue struct {
	partition
	done    int64 // -1 where nothing has been followed
	batches []batch
}

// upTo returns the queue with its first batches, which hold at most so many
// offsets, but one of them in any case and no half of one, and whether there are more.
func (q queue) upTo(limit int64) (queue, bool) {
	n := 1
	for n < len(q.batches) && (q.batches[n].last-q.done <= limit || q.batches[n].last == q.batches[n-1].last) {
		n++
	}
	more := n < len(q.batches)
	q.batches = q.batches[:n]
	return q, more
}

// news is what one step follows of one raw table.
type news struct {
	from, to map[string]int64 // offsets by partition, to is exclusive
	// Ranges that the rows lie in: what has other times need not be looked at.
	known, ts span
}

// work is what one step does: which offsets are new to it, and up to where
// everything is stored. The frontier is read by one query, so of two steps one
// has seen everything the other has: versions rest on that.
type work struct {
	labels, predictions news
	ends                map[string]int64 // of every partition, exclusive
	advance             []queue          // with the batches of this step only
	more                bool             // batches were left for the next step
}

func (w work) empty() bool { return len(w.advance) == 0 }

// touches reports whether an outcome may change.
func (w work) touches() bool { return len(w.labels.to)+len(w.predictions.to) > 0 }

func newNews() news {
	return news{from: map[string]int64{}, to: map[string]int64{}}
}

// add takes in what a queue put into a table.
func (n *news) add(q queue, table plumbline.TableName) {
	key := q.key()
	for _, b := range q.batches {
		if b.table != table {
			continue
		}
		n.from[key], n.to[key] = q.done+1, b.last+1
		if b.known == (span{}) {
			continue // no row of it is stored
		}
		n.known = n.known.over(b.known)
		if b.ts == (span{}) {
			b.ts = anyTime() // finished from raw rows
		}
		n.ts = n.ts.over(b.ts)
	}
}

// anyTime is what a Date holds, 1970 to 2149-06-06: predictions are kept by day, and of
// a time that is none ClickHouse before 26.3 takes another day and finds nothing.
func anyTime() span { return span{0, 5_662_310_399_999} }

func (n news) parameters(prefix string) []any {
	return []any{
		clickhouse.Named(prefix+"_from", n.from), clickhouse.Named(prefix+"_to", n.to),
		clickhouse.Named(prefix+"_known_min", n.known.min), clickhouse.Named(prefix+"_known_max", n.known.max),
		clickhouse.Named(prefix+"_ts_min", n.ts.min), clickhouse.Named(prefix+"_ts_max", n.ts.max),
	}
}

// find reads what is stored beyond the cursors and bounds it.
func (j *Join) find(ctx context.Context) (work, error) {
	cursors, err := j.cursors(ctx, plumbline.TableJoinCursor)
	if err != nil {
		return work{}, err
	}
	queues, err := j.pending(ctx, cursors)
	if err != nil {
		return work{}, err
	}
	members := j.seen()
	mine := func(p partition) bool { return owns(j.member, members, p) }
	return plan(cursors, queues, j.cfg.MaxBatchOffsets, mine), nil
}

// plan bounds what is pending to the batches of one step, and takes the
// frontier from all of it, whoever follows it.
func plan(cursors map[partition]int64, queues []queue, limit int64, mine func(partition) bool) work {
	w := work{labels: newNews(), predictions: newNews(), ends: map[string]int64{}}
	frontier := func(p partition, last int64) {
		w.ends[p.key()] = max(w.ends[p.key()], last+1)
	}
	for p, done := range cursors {
		frontier(p, done)
	}
	for _, q := range queues {
		frontier(q.partition, q.batches[len(q.batches)-1].last)
		if !mine(q.partition) {
			continue
		}
		q, more := q.upTo(limit)
		w.more = w.more || more
		w.advance = append(w.advance, q)
		w.labels.add(q, plumbline.TableLabels)
		w.predictions.add(q, plumbline.TablePredictions)
	}
	return w
}

// cursors reads from the server that they are written to, see step.db.
func (j *Join) cursors(ctx context.Context, table plumbline.TableName) (map[partition]int64, error) {
	db := j.db.Derived()
	rows, err := db.Conn().Query(ctx, strings.Replace(cursorsSQL, "/*cursor*/", db.Local(table), 1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table, err)
	}
	defer rows.Close()
	cursors := make(map[partition]int64)
	for rows.Next() {
		var (
			p    partition
			done int64
		)
		if err := rows.Scan(&p.topic, &p.epoch, &p.number, &done); err != nil {
			return nil, fmt.Errorf("read join cursors: %w", err)
		}
		cursors[p] = done
	}
	return cursors, rows.Err()
}

func (j *Join) pending(ctx context.Context, cursors map[partition]int64) ([]queue, error) {
	condition, parameters := beyond(cursors)
	rows, err := j.db.Conn().Query(ctx, strings.Replace(pendingSQL, "/*beyond*/", condition, 1), parameters...)
	if err != nil {
		return nil, fmt.Errorf("read stored batches: %w", err)
	}
	defer rows.Close()
	queues, err := scanPending(rows, cursors)
	if err != nil {
		return nil, fmt.Errorf("read stored batches: %w", err)
	}
	return queues, nil
}

// beyond returns the condition for batches after the cursors and its
// parameters: per partition a range of the primary key. It begins before the
// cursor, in case a batch was stored with other boundaries after a takeover.
func beyond(cursors map[partition]int64) (string, []any) {
	if len(cursors) == 0 {
		return "1", nil
	}
	var (
		ranges, known []string
		parameters    []any
	)
	for p, done := range cursors {
		n := strconv.Itoa(len(known))
		same := "{t" + n + ":String}, {e" + n + ":String}, {p" + n + ":Int32}"
		ranges = append(ranges, "(topic = {t"+n+":String} AND epoch = {e"+n+":String} AND partition = {p"+n+":Int32} AND first > {d"+n+":Int64} - "+overlap+" AND last > {d"+n+":Int64})")
		known = append(known, "("+same+")")
		parameters = append(parameters, clickhouse.Named("t"+n, p.topic), clickhouse.Named("e"+n, p.epoch),
			clickhouse.Named("p"+n, p.number), clickhouse.Named("d"+n, done))
	}
	return strings.Join(ranges, " OR ") + " OR (topic, epoch, partition) NOT IN (" + strings.Join(known, ", ") + ")", parameters
}

func scanPending(rows driver.Rows, cursors map[partition]int64) ([]queue, error) {
	var queues []queue
	for rows.Next() {
		var (
			p partition
			b batch
		)
		if err := rows.Scan(&p.topic, &p.epoch, &p.number, (*string)(&b.table), &b.last, &b.known.min, &b.known.max, &b.ts.min, &b.ts.max); err != nil {
			return nil, err
		}
		if n := len(queues); n == 0 || queues[n-1].partition != p {
			done, followed := cursors[p]
			if !followed {
				done = -1
			}
			queues = append(queues, queue{partition: p, done: done})
		}
		q := &queues[len(queues)-1]
		q.batches = append(q.batches, b)
	}
	return queues, rows.Err()
}
