package burn

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/cells.sql
var cellsSQL string

//go:embed sql/outcomes.sql
var outcomesSQL string

// DefaultMaxLag is how far F may lie before now by default.
const DefaultMaxLag = 7 * 24 * time.Hour

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Reader evaluates objectives over the stored minutes.
type Reader struct {
	// Conn is where series_minute, outcome_cells and outcomes are.
	Conn Querier
	// MaxLag is how far before now F may lie: an older one is missing. It must
	// exceed the usual delay of labels. Zero means DefaultMaxLag.
	MaxLag time.Duration
	// Random are the models whose labels are a simple random sample of predictions.
	Random map[plumbline.Model]bool
}

// Now evaluates every pair for each deploy that has production requests within
// reach, with the labels of the stored cells.
func (r Reader) Now(ctx context.Context, o plumbline.Objective, now time.Time) (map[plumbline.DeployHash][]Evaluation, error) {
	return r.evaluate(ctx, cellsSQL, o, now)
}

// AsKnownAt evaluates every pair for one deploy as Now would have done at the
// instant at: with the labels whose Kafka timestamp is at or before it. The
// requests counted are those with an event time up to at.
func (r Reader) AsKnownAt(ctx context.Context, o plumbline.Objective, deploy plumbline.DeployHash, at time.Time) ([]Evaluation, error) {
	all, err := r.evaluate(ctx, outcomesSQL, o, at)
	if err != nil {
		return nil, err
	}
	if found := all[deploy]; found != nil {
		return found, nil
	}
	return evaluateAll(o, NewMinutes(at, 0), at, 1), nil
}

// evaluateAll evaluates every window pair of an objective for one of so many deploys.
func evaluateAll(o plumbline.Objective, m Minutes, now time.Time, deploys int) []Evaluation {
	if o.SLO.Deploy != "" {
		deploys = 1 // the others are not looked at
	}
	all := make([]Evaluation, len(o.Pairs))
	for i, pair := range o.Pairs {
		all[i] = Evaluate(m, now, o.SLO, pair, deploys)
	}
	return all
}

func (r Reader) evaluate(ctx context.Context, statement string, o plumbline.Objective, now time.Time) (map[plumbline.DeployHash][]Evaluation, error) {
	from := now.Add(-r.lag() - o.Longest()).Truncate(time.Minute)
	n := int(now.Sub(from)/time.Minute) + 1
	minutes, err := r.minutes(ctx, statement, from, n,
		clickhouse.Named("model", string(o.SLO.Model)), clickhouse.Named("segment", string(o.SLO.Segment)), clickhouse.Named("deploy", ""),
		clickhouse.Named("from", from.Unix()), clickhouse.Named("to", now.Unix()), clickhouse.Named("known", now.UnixMilli()))
	if err != nil {
		return nil, fmt.Errorf("evaluate SLO %q of model %q: %w", o.SLO.Name, o.SLO.Model, err)
	}
	all := make(map[plumbline.DeployHash][]Evaluation, len(minutes))
	for d, m := range minutes {
		m.Random = r.Random[o.SLO.Model]
		all[d] = evaluateAll(o, m, now, len(minutes))
	}
	return all, nil
}

// minutes reads n minutes from start on, by deploy.
func (r Reader) minutes(ctx context.Context, statement string, start time.Time, n int, parameters ...any) (map[plumbline.DeployHash]Minutes, error) {
	rows, err := r.Conn.Query(ctx, statement, parameters...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[plumbline.DeployHash]Minutes{}
	for rows.Next() {
		var (
			deploy                               string
			at                                   []uint32
			requests, labelled, correct, counted []int64
		)
		if err := rows.Scan(&deploy, &at, &requests, &labelled, &correct, &counted); err != nil {
			return nil, err
		}
		m := NewMinutes(start, n)
		for i, second := range at {
			if k := int((int64(second) - start.Unix()) / 60); k >= 0 && k < n {
				m.Requests[k], m.Labelled[k], m.Correct[k], m.Rows[k] = requests[i], labelled[i], correct[i], counted[i]
			}
		}
		all[plumbline.DeployHash(deploy)] = m
	}
	return all, rows.Err()
}
