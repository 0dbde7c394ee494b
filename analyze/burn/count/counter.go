package count

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed" // the statements
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

//go:embed sql/fresh.sql
var freshSQL string

//go:embed sql/before.sql
var beforeSQL string

//go:embed sql/labels.sql
var labelsSQL string

//go:embed sql/findings.sql
var findingsSQL string

//go:embed sql/cursor.sql
var cursorSQL string

// PromQL evaluates one expression at each whole minute from first to last, NaN where it
// has no value.
type PromQL interface {
	Minutes(ctx context.Context, expr string, first, last time.Time) ([]float64, error)
}

// Config of a counter.
type Config struct {
	// Back is how far into the past minutes are counted that were not yet, and the
	// most by which an event may be late: older ones are left as they were counted.
	// It may not exceed the retention of raw rows.
	Back time.Duration
	// Overlap is by how much the clocks of those that store batches may differ.
	Overlap time.Duration
}

// DefaultConfig returns seven days and a minute.
func DefaultConfig() Config { return Config{Back: 7 * 24 * time.Hour, Overlap: time.Minute} }

// Counter counts indicators. It is not safe for concurrent use; two counters
// over one ClickHouse write the same rows.
type Counter struct {
	cfg Config
	db  *storage.DB
	// queries runs the statements of users, as a user that can only read.
	queries Querier
	promql  PromQL

	// cursor is how far each indicator is counted: for events the clock of the
	// batches, for the others event time, both in unix milliseconds.
	cursor map[plumbline.SLIID]int64
	// reached is until when everything that there was of an indicator, but for its
	// backlog, has been counted in this process.
	reached map[plumbline.SLIID]time.Time
	// whole is when the last longestStep of an indicator was counted anew.
	whole map[plumbline.SLIID]time.Time
	// lastTurn is when each of those was asked for last, in turns; budget is how long after
	// the first of them no other begins in a step: slow statements of users do not hold
	// up pages.
	lastTurn map[plumbline.SLIID]uint64
	turn     uint64
	budget   time.Duration
	// patience bounds what one of them takes; rests is until when a statement of a user
	// that took all of it is left alone.
	patience time.Duration
	rests    map[plumbline.SLIID]time.Time
	// failures are how those failed that were asked for last and not counted.
	failures map[plumbline.SLIID]error
	// followed is what was seen of batches of events.
	followed followed
	// looked says that this process has counted everything once: from then on an
	// indicator that is counted less far than now had no events since, and is not away.
	looked bool
	// backlogs are what is still to be counted of those that began, or fell behind;
	// stretch is how much of it one statement counts.
	backlogs map[plumbline.SLIID]*backlog
	stretch  time.Duration
	// written is how many rows were; wrote is told of them, if it is not nil.
	written uint64
	wrote   func([]row)
	// most is how many rows one insert holds: the engine keeps it in memory.
	most int
}

// New returns a counter. Queries and promql may be nil if no objective needs
// them.
func New(cfg Config, db *storage.DB, queries Querier, promql PromQL) *Counter {
	return &Counter{
		cfg: cfg, db: db, queries: queries, promql: promql, most: 4_000_000, stretch: longestStep, budget: budget, patience: patience, lastTurn: make(map[plumbline.SLIID]uint64), rests: make(map[plumbline.SLIID]time.Time), failures: make(map[plumbline.SLIID]error),
		cursor: make(map[plumbline.SLIID]int64), reached: make(map[plumbline.SLIID]time.Time), whole: make(map[plumbline.SLIID]time.Time), backlogs: make(map[plumbline.SLIID]*backlog),
	}
}

// Written returns how many counts of a minute were written so far: where it is as
// before, nothing was new.
func (c *Counter) Written() uint64 { return c.written }

// behind is how long an indicator may not have been counted and still be evaluated.
const behind = 15 * time.Minute

// since returns since when all of an indicator is counted, zero for always, for
// windows that end at end: where it is not counted up to there, none of them is whole.
func (c *Counter) since(sli plumbline.SLIID, end time.Time) time.Time {
	if end.Sub(c.reached[sli]) > behind {
		return end
	}
	if c.partly(sli) {
		return time.Unix(c.backlogs[sli].last().to, 0)
	}
	return time.Time{}
}

// partly reports whether an indicator has a backlog of which nothing may be counted.
func (c *Counter) partly(sli plumbline.SLIID) bool {
	b := c.backlogs[sli]
	return b != nil && b.partly
}

// row is the count of one minute.
type row struct {
	sli               plumbline.SLIID
	model             plumbline.Model
	deploy            plumbline.DeployHash
	minute            int64
	good, total, rows uint64
	// late is how many seconds after its minute the count became known; 0 unless it
	// was asked for.
	late int64
}

// Step counts what is new of the objectives' indicators up to now, and leaves what is
// much to CatchUp. What one cannot be counted for does not keep the others from being
// counted. Those that are asked for by the minute take turns if a step is too short for
// all of them, statements of users after the others: however many of those hang, a
// model that answers is known to.
func (c *Counter) Step(ctx context.Context, objectives []plumbline.Objective, now time.Time) error {
	events, byTime, asked := indicators(objectives)
	if err := c.restore(ctx, events, byTime, asked); err != nil {
		return fmt.Errorf("count SLIs: %w", err)
	}
	var errs []error
	if err := c.events(ctx, events, now); err != nil {
		errs = append(errs, fmt.Errorf("count the events of %d SLIs: %w", len(events), err))
	}
	return errors.Join(append(errs, c.inTurns(ctx, byTime, now), c.inTurns(ctx, asked, now))...)
}

// indicators returns those of objectives that are counted: on events, of which batches
// tell the news; on what else there is, by the minute; and by statements of users.
func indicators(objectives []plumbline.Objective) (events, byTime, asked map[plumbline.SLIID]plumbline.SLO) {
	events, byTime, asked = make(map[plumbline.SLIID]plumbline.SLO), make(map[plumbline.SLIID]plumbline.SLO), make(map[plumbline.SLIID]plumbline.SLO)
	for _, o := range objectives {
		slo := o.SLO
		switch slo.SLI.Name() {
		case plumbline.SLIQuality, plumbline.SLIComposite:
		case plumbline.SLILatency, plumbline.SLISuccess, plumbline.SLICost:
			events[slo.SLIID()] = slo
		case plumbline.SLISQL, plumbline.SLIPromQL:
			asked[slo.SLIID()] = slo
		default:
			byTime[slo.SLIID()] = slo
		}
	}
	return events, byTime, asked
}

// inTurns counts indicators by the minute until the budget is spent.
func (c *Counter) inTurns(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, now time.Time) error {
	var errs []error
	started := time.Now()
	for i, id := range c.turns(slos) {
		if i > 0 && time.Since(started) >= c.budget {
			break
		}
		c.turn++
		c.lastTurn[id] = c.turn
		within, cancel := context.WithTimeout(ctx, c.patience)
		err := c.byTime(within, id, slos[id], now)
		if err != nil && within.Err() != nil && stepOf(slos[id]) == longestAsked {
			c.rests[id] = time.Now().Add(rest * c.patience)
		}
		if ctx.Err() == nil {
			c.failures[id] = failureOf(err, within, c.patience)
		}
		cancel()
		if slo := slos[id]; err != nil {
			errs = append(errs, fmt.Errorf("count the %s of model %q for SLO %q%s: %w", slo.SLI.Name(), slo.Model, slo.Name, declaredAt(slo), err))
		}
	}
	return errors.Join(errs...)
}

// failureOf says of a statement that took all of its time no more than that, and of a
// ClickHouse that could not be asked not at which address: whoever is told has no use
// for it.
func failureOf(err error, within context.Context, patience time.Duration) error {
	var unreached net.Error
	switch {
	case err != nil && within.Err() != nil:
		return fmt.Errorf("it takes longer than %s", patience)
	case errors.As(err, &unreached):
		return errors.New("ClickHouse does not answer")
	}
	return err
}

// Failure returns how an indicator failed to be counted when it was asked for last, as a
// statement of a user may; nil where it was counted, or is on events.
func (c *Counter) Failure(id plumbline.SLIID) error { return c.failures[id] }

// declaredAt says in brackets where an objective is declared, if that is known: what
// is wrong with a statement is to be mended there.
func declaredAt(slo plumbline.SLO) string {
	if slo.Where == "" {
		return ""
	}
	return " (" + slo.Where + ")"
}

// turns returns the indicators that no batch tells the news of, those first that were
// not asked for longest, and none that rests.
func (c *Counter) turns(slos map[plumbline.SLIID]plumbline.SLO) []plumbline.SLIID {
	ids := slices.SortedFunc(maps.Keys(slos), func(a, b plumbline.SLIID) int {
		return cmp.Or(cmp.Compare(c.lastTurn[a], c.lastTurn[b]), cmp.Compare(a, b))
	})
	return slices.DeleteFunc(ids, func(id plumbline.SLIID) bool { return time.Now().Before(c.rests[id]) })
}

// restore reads how far indicators are counted that the counter does not know.
func (c *Counter) restore(ctx context.Context, all ...map[plumbline.SLIID]plumbline.SLO) (err error) {
	var unknown []string
	for _, slos := range all {
		for id := range slos {
			if _, ok := c.cursor[id]; !ok {
				unknown = append(unknown, string(id))
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	rows, err := c.db.Conn().Query(ctx, cursorSQL, clickhouse.Named("slis", unknown))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			id      string
			version uint64
		)
		if err := rows.Scan(&id, &version); err != nil {
			return err
		}
		// A process that begins anew has counted as far as the one before.
		c.cursor[plumbline.SLIID(id)], c.reached[plumbline.SLIID(id)] = int64(version), time.UnixMilli(int64(version))
	}
	return rows.Err()
}

// rows runs a statement that counts.
func (c *Counter) rows(ctx context.Context, conn Querier, statement string, parameters ...any) (all []row, err error) {
	rows, err := conn.Query(ctx, statement, parameters...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	return scanRows(rows)
}

func scanRows(rows driver.Rows) (all []row, err error) {
	for rows.Next() {
		var (
			r      row
			deploy string
			minute uint32
		)
		if err := rows.Scan(&deploy, &minute, &r.good, &r.total, &r.rows); err != nil {
			return nil, err
		}
		r.deploy, r.minute = plumbline.DeployHash(deploy), int64(minute)
		all = append(all, r)
	}
	return all, rows.Err()
}

// write stores counts. Rows that were stored before, by an insert whose answer was
// lost, are replaced by their like. What does not fit into one insert says, all but the
// last, that nothing more was counted than before: killed in between, a counter counts
// all of it again. So does what is counted of an indicator that has a backlog.
func (c *Counter) write(ctx context.Context, counted []row, version int64) error {
	// At most 50 of ClickHouse's partitions, days, a statement.
	const days = 25 * 24 * 60 * 60
	for len(counted) > 0 {
		var part, rest []row
		for _, r := range counted {
			if len(part) < c.most && r.minute-counted[0].minute < days && counted[0].minute-r.minute < days {
				part = append(part, r)
			} else {
				rest = append(rest, r)
			}
		}
		counted = rest
		rec := record(part, func(r row) int64 {
			if b := c.backlogs[r.sli]; b != nil {
				return b.version
			}
			if len(rest) > 0 {
				return c.cursor[r.sli]
			}
			return version
		})
		err := c.db.Derived().Insert(ctx, plumbline.TableSLI, "sli/"+rand.Text(), rec)
		rec.Release()
		if err != nil {
			return err
		}
		for _, r := range part {
			if b := c.backlogs[r.sli]; b != nil {
				b.newest = max(b.newest, r.minute)
			}
		}
		c.written += uint64(len(part))
		if c.wrote != nil {
			c.wrote(part)
		}
	}
	return nil
}

func record(counted []row, version func(row) int64) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, storage.ArrowSchema(plumbline.TableSLI))
	defer b.Release()
	text := func(column int, s string) {
		// A dictionary that grows in memory cannot fail.
		_ = b.Field(column).(*array.BinaryDictionaryBuilder).AppendString(s)
	}
	number := func(column int, v uint64) { b.Field(column).(*array.Uint64Builder).Append(v) }
	for _, r := range counted {
		text(0, string(r.sli))
		text(1, string(r.model))
		text(2, string(r.deploy))
		b.Field(3).(*array.TimestampBuilder).Append(arrow.Timestamp(r.minute))
		number(4, r.good)
		number(5, r.total)
		number(6, r.rows)
		number(7, uint64(version(r)))
	}
	return b.NewRecord()
}
