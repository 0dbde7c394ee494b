package count

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

// repeat is how much of the past is counted anew each time, for what comes late;
// labels and the results of queries may be later.
const repeat = 15 * time.Minute

// longestStep bounds what one step counts of an indicator, so that catching up
// does not hold up the others, and longestAsked what it counts of one that asks
// statements of users, which may be slow.
const (
	longestStep  = 24 * time.Hour
	longestAsked = 2 * time.Hour
)

// stepOf returns what one step counts of an indicator.
func stepOf(slo plumbline.SLO) time.Duration {
	if slo.SLI.Is(plumbline.SLISQL) || slo.SLI.Is(plumbline.SLIPromQL) {
		return longestAsked
	}
	return longestStep
}

// patience bounds what one indicator takes of a step.
const patience = 20 * time.Second

// rest is for how many times the patience a statement of a user is not asked again
// that took all of it: one that hangs would hold up every look otherwise.
const rest = 10

// budget bounds what all of them take of a step, but for the last, which ends.
const budget = 5 * time.Second

// again is how often the last longestStep of freshness and of label arrival is
// counted anew: what ingest or the join had not caught up with, for a while they
// were behind, was counted as if it had never come.
const again = time.Hour

// thousandths are what counts of PromQL are kept in: increase extrapolates.
const thousandths = 1000

// byTime counts an indicator that no batch of events tells the news of: from
// where it was counted to, and a little before. Of more than a step, as of one that is
// new, it counts the newest, which pages need; the rest is a backlog.
func (c *Counter) byTime(ctx context.Context, id plumbline.SLIID, slo plumbline.SLO, now time.Time) error {
	to := now.Truncate(time.Minute)
	from := c.dueFrom(id, slo, to, now)
	if !from.Before(to) {
		return nil
	}
	before, had := c.backlogs[id]
	if newest := to.Add(-stepOf(slo)); from.Before(newest) {
		c.leave(id, slo, span{from.Unix(), newest.Unix()})
		from = newest
	}
	if err := c.countByTime(ctx, id, slo, span{from.Unix(), to.Unix()}, to.UnixMilli()); err != nil {
		if delete(c.backlogs, id); had {
			c.backlogs[id] = before
		}
		return err
	}
	c.cursor[id], c.reached[id] = to.UnixMilli(), to
	return nil
}

// dueFrom returns the minute from which on an indicator is counted now.
func (c *Counter) dueFrom(id plumbline.SLIID, slo plumbline.SLO, to, now time.Time) time.Time {
	from := to.Add(-c.cfg.Back)
	if at, ok := c.cursor[id]; ok {
		from = maxTime(from, time.UnixMilli(at).Add(-repeat))
		late := slo.SLI.Is(plumbline.SLIFreshness) || slo.SLI.Is(plumbline.SLILabelArrival)
		if whole := to.Add(-longestStep); late && from.After(whole) && now.Sub(c.whole[id]) >= again {
			from = maxTime(whole, to.Add(-c.cfg.Back))
			c.whole[id] = now
		}
	}
	return from.Truncate(time.Minute)
}

// countByTime counts the minutes of a span of one indicator and stores them.
func (c *Counter) countByTime(ctx context.Context, id plumbline.SLIID, slo plumbline.SLO, s span, version int64) error {
	counted, err := c.count(ctx, slo, time.Unix(s.from, 0), time.Unix(s.to, 0))
	if err != nil {
		return err
	}
	for i := range counted {
		counted[i].sli, counted[i].model = id, slo.Model
	}
	return c.write(ctx, counted, version)
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// count counts the minutes of [from, to).
func (c *Counter) count(ctx context.Context, slo plumbline.SLO, from, to time.Time) ([]row, error) {
	sli := slo.SLI
	bounds := []any{clickhouse.Named("model", string(slo.Model)), clickhouse.Named("from", from.Unix()), clickhouse.Named("to", to.Unix())}
	if sli.Signal != "" {
		return c.rows(ctx, c.db.Conn(), findingsSQL, append(bounds,
			clickhouse.Named("signal", string(sli.Signal)), clickhouse.Named("measure", sli.Measure), clickhouse.Named("segment", string(slo.Segment)),
			clickhouse.Named("feature", string(sli.Feature)), clickhouse.Named("reference", sli.Reference),
			clickhouse.Named("op", sli.Op), clickhouse.Named("bound", sli.Value))...)
	}
	switch sli.Name() {
	case plumbline.SLIFreshness:
		return c.fresh(ctx, slo, from, to)
	case plumbline.SLILabelArrival:
		return c.rows(ctx, c.db.Conn(), labelsSQL, append(bounds, clickhouse.Named("within", int64(sli.Within/time.Second)))...)
	case plumbline.SLISQL:
		return c.asked(ctx, sli.Query, from, to)
	case plumbline.SLIPromQL:
		return c.evaluated(ctx, sli, from, to)
	}
	return nil, fmt.Errorf("an SLI of kind %q is not counted", sli.Kind)
}

// fresh counts the minutes since the model first answered, however long ago that is:
// good are those in which it had answered within slo.SLI.Within before their end.
func (c *Counter) fresh(ctx context.Context, slo plumbline.SLO, from, to time.Time) ([]row, error) {
	since := from.Add(-c.cfg.Back - slo.SLI.Within)
	answered, err := c.answered(ctx, freshSQL, clickhouse.Named("model", string(slo.Model)), clickhouse.Named("from", since.Unix()), clickhouse.Named("to", to.Unix()))
	if err != nil {
		return nil, err
	}
	if len(answered) == 0 || answered[0] > from.Unix() {
		before, err := c.answered(ctx, beforeSQL, clickhouse.Named("model", string(slo.Model)), clickhouse.Named("before", since.Unix()))
		if err != nil {
			return nil, err
		}
		answered = append(before, answered...)
	}
	return freshRows(answered, from.Unix(), to.Unix(), int64(slo.SLI.Within/time.Second)), nil
}

// answered runs a statement that returns times at which a model answered, in order.
func (c *Counter) answered(ctx context.Context, statement string, parameters ...any) (times []int64, err error) {
	rows, err := c.db.Conn().Query(ctx, statement, parameters...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var at uint32
		if err := rows.Scan(&at); err != nil {
			return nil, err
		}
		times = append(times, int64(at))
	}
	return times, rows.Err()
}

// freshRows judges the minutes of [from, to), by the minutes that were answered
// in, in order.
func freshRows(answered []int64, from, to, within int64) []row {
	var all []row
	next := 0
	last := int64(math.MinInt64)
	for m := from; m < to; m += 60 {
		for next < len(answered) && answered[next] <= m {
			last = answered[next]
			next++
		}
		if last == math.MinInt64 {
			continue // it has never answered: there is nothing to be fresh
		}
		r := row{minute: m, total: 1, rows: 1}
		if m+60-last <= max(within, 60) {
			r.good = 1
		}
		all = append(all, r)
	}
	return all
}

// unknownIdentifier is what ClickHouse answers to a column that is not there.
const unknownIdentifier = 47

// asked runs a user's statement, which returns time, good and total and may
// return deploy_hash.
func (c *Counter) asked(ctx context.Context, query string, from, to time.Time) (all []row, err error) {
	if c.queries == nil {
		return nil, errors.New("there is no read-only user to run its statement as; see docs/slo.md")
	}
	const wrapped = "SELECT toString(deploy), toUInt32(toUnixTimestamp(toStartOfMinute(toDateTime(time, 'UTC')))) AS minute, toUInt64(sum(good)), toUInt64(sum(total)), toUInt64(sum(total)) FROM (SELECT *, %s AS deploy FROM (\n%s\n)) GROUP BY deploy, minute HAVING sum(total) > 0"
	parameters := []any{clickhouse.Named("from", from.UTC().Format(time.DateTime)), clickhouse.Named("to", to.UTC().Format(time.DateTime))}
	all, err = c.rows(ctx, c.queries, fmt.Sprintf(wrapped, "deploy_hash", query), parameters...)
	if exception := new(clickhouse.Exception); errors.As(err, &exception) && exception.Code == unknownIdentifier {
		all, err = c.rows(ctx, c.queries, fmt.Sprintf(wrapped, "''", query), parameters...)
	}
	for _, r := range all {
		if r.good > r.total {
			return nil, fmt.Errorf("its statement returns %d good of %d events", r.good, r.total)
		}
		if r.minute < from.Unix() || r.minute >= to.Unix() {
			return nil, fmt.Errorf("its statement returns counts of %s, asked for [%s, %s): time has to be the event's own",
				time.Unix(r.minute, 0).UTC().Format(time.DateTime), from.UTC().Format(time.DateTime), to.UTC().Format(time.DateTime))
		}
	}
	return all, err
}

// evaluated evaluates PromQL at the end of each minute.
func (c *Counter) evaluated(ctx context.Context, sli plumbline.SLI, from, to time.Time) ([]row, error) {
	if c.promql == nil {
		return nil, errors.New("nothing evaluates its PromQL here")
	}
	ends := func(expr string) ([]float64, error) { return c.promql.Minutes(ctx, expr, from.Add(time.Minute), to) }
	if sli.Raw != "" {
		shares, err := ends(sli.Raw)
		if err != nil {
			return nil, err
		}
		return rawRows(shares, sli.RawFailure, from), nil
	}
	totals, err := ends(sli.Total)
	if err != nil || !slices.ContainsFunc(totals, func(v float64) bool { return v > 0 }) {
		return nil, err
	}
	parts, err := ends(sli.Good + sli.Bad) // one of them is empty
	if err != nil {
		return nil, err
	}
	var all []row
	for i, total := range totals {
		if !(total > 0) || math.IsInf(total, 0) {
			continue
		}
		good := parts[i]
		if math.IsNaN(good) {
			good = 0 // a counter that never counted has no series
		}
		if sli.Bad != "" {
			good = total - good
		}
		good = min(max(good, 0), total)
		all = append(all, row{
			minute: from.Unix() + int64(i)*60, good: uint64(math.Round(good * thousandths)),
			total: uint64(math.Round(total * thousandths)), rows: uint64(max(math.Round(total), 1)),
		})
	}
	return all, nil
}

// rawRows are minutes of which only a share is known, NaN where it is not.
func rawRows(shares []float64, failure bool, from time.Time) []row {
	var all []row
	for i, share := range shares {
		if math.IsNaN(share) {
			continue
		}
		if failure {
			share = 1 - share
		}
		good := math.Round(min(max(share, 0), 1) * thousandths * thousandths)
		all = append(all, row{minute: from.Unix() + int64(i)*60, good: uint64(good), total: thousandths * thousandths, rows: 1})
	}
	return all
}
