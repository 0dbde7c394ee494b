package drift

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/numbers.sql
var numbersSQL string

//go:embed sql/categories.sql
var categoriesSQL string

//go:embed sql/deploys.sql
var deploysSQL string

// Querier runs one query; clickhouse-go's driver.Conn over HTTP is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
	QueryFormat(ctx context.Context, format, query string, args ...any) (io.ReadCloser, error)
}

// Reader reads samples from the hourly rollups.
type Reader struct {
	// Conn is where the rollups are.
	Conn Querier
}

// Query names the requests that a window is made of.
type Query struct {
	Model plumbline.Model
	// Deploys are the deploys to add up; none means every deploy.
	Deploys []plumbline.DeployHash
	Stage   plumbline.Stage
	// Segment is the slice as key=value; plumbline.SegmentAll is all traffic.
	Segment plumbline.Segment
	// Series are the ones to read; none means every feature, score, predicted
	// value and predicted class.
	Series []plumbline.Series
	// From and To bound the window in event time, To exclusive. Rollups are by
	// hour, so From is taken back to the start of its hour and the hour that To
	// lies in counts in full. A zero From or To does not bound.
	From, To time.Time
}

// Window is what a model saw in a window.
type Window struct {
	// Requests is the number of requests, Deliveries that of the rows they were
	// counted from: fewer where the producer samples.
	Requests, Deliveries uint64
	// Each is the number of requests of each window of a sum.
	Each     []uint64
	Features map[plumbline.Feature]Sample
	// Outputs holds what the model answered: plumbline.SeriesScore, SeriesValue
	// and SeriesClass, as far as it has them.
	Outputs map[plumbline.Series]Sample
}

// Sample returns a series of the window; one that was never sent is absent from
// every request.
func (w Window) Sample(series plumbline.Series) Sample {
	if f, ok := series.Feature(); ok {
		if s, ok := w.Features[f]; ok {
			return s
		}
	} else if s, ok := w.Outputs[series]; ok {
		return s
	}
	return Sample{Absent: w.Requests, Weight: w.Weight()}
}

// Series returns the series of the window, features by name before outputs.
func (w Window) Series() []plumbline.Series {
	var all []plumbline.Series
	for _, f := range slices.Sorted(maps.Keys(w.Features)) {
		all = append(all, f.Series())
	}
	return append(all, slices.Sorted(maps.Keys(w.Outputs))...)
}

// Weight returns how many requests a delivery stands for on average.
func (w Window) Weight() float64 {
	if w.Deliveries == 0 {
		return 1
	}
	return float64(w.Requests) / float64(w.Deliveries)
}

// Training is the query of a model's training set. It belongs to the model: a
// deploy that changes only the pipeline has none of its own.
func Training(model plumbline.Model) Query {
	return Query{Model: model, Stage: plumbline.StageTraining}
}

func (q Query) parameters() []any {
	deploys := make([]string, len(q.Deploys))
	for i, d := range q.Deploys {
		deploys[i] = string(d)
	}
	from, to := int64(0), int64(1)<<31
	if !q.From.IsZero() {
		from = q.From.Truncate(time.Hour).Unix()
	}
	if !q.To.IsZero() {
		to = q.To.Unix()
	}
	only := make([]string, 0, len(q.Series)+1)
	for _, s := range q.Series {
		only = append(only, string(s))
	}
	if len(only) > 0 {
		only = append(only, string(plumbline.SeriesRequests))
	}
	return []any{
		clickhouse.Named("model", string(q.Model)), clickhouse.Named("stage", string(q.Stage)), clickhouse.Named("segment", string(q.Segment)), clickhouse.Named("only", only),
		clickhouse.Named("deploys", deploys), clickhouse.Named("from", from), clickhouse.Named("to", to),
	}
}

// Read returns the requests and the series of the window, in two statements. A
// window without requests is empty, not an error.
func (r Reader) Read(ctx context.Context, q Query) (Window, error) { return r.Sum(ctx, q) }

// Sum returns the requests and the series of several windows added up, in two
// statements each. They should not overlap: what two of them hold counts twice.
func (r Reader) Sum(ctx context.Context, queries ...Query) (Window, error) {
	w, n := newWindow(), newNumbers()
	for _, q := range queries {
		before := n.requests
		err := together(ctx,
			func(ctx context.Context) error { return n.read(ctx, r.Conn, q) },
			func(ctx context.Context) error { return r.each(ctx, categoriesSQL, q, w.category) },
		)
		if err != nil {
			return Window{}, fmt.Errorf("read series of model %q: %w", q.Model, err)
		}
		w.Each = append(w.Each, n.requests-before)
	}
	w.fill(n)
	return w, nil
}

func newWindow() Window {
	return Window{Features: map[plumbline.Feature]Sample{}, Outputs: map[plumbline.Series]Sample{}}
}

// fill completes a window that has its categories.
func (w *Window) fill(n *numbers) {
	w.Requests, w.Deliveries = n.requests, n.deliveries
	for series, n := range n.of {
		w.put(series, n.into(w.at(series)))
	}
	for f, s := range w.Features {
		w.Features[f] = s.within(*w)
	}
	for o, s := range w.Outputs {
		w.Outputs[o] = s.within(*w)
	}
}

// at returns what is known of a series so far.
func (w *Window) at(series plumbline.Series) Sample {
	if f, ok := series.Feature(); ok {
		return w.Features[f]
	}
	return w.Outputs[series]
}

func (w *Window) put(series plumbline.Series, s Sample) {
	if f, ok := series.Feature(); ok {
		w.Features[f] = s
		return
	}
	w.Outputs[series] = s
}

// each calls scan for every row of the statement.
func (r Reader) each(ctx context.Context, statement string, q Query, scan func(driver.Rows) error) error {
	rows, err := r.Conn.Query(ctx, statement, q.parameters()...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Served is when a deploy served in a stage, by hour.
type Served struct {
	Deploy plumbline.DeployHash
	// First and Last are the starts of the first and of the last hour.
	First, Last time.Time
	Requests    uint64
}

// Deploys returns the deploys of the query's range, the one that served last
// last.
func (r Reader) Deploys(ctx context.Context, q Query) ([]Served, error) {
	var all []Served
	err := r.each(ctx, deploysSQL, q, func(rows driver.Rows) error {
		var (
			s           Served
			hash        string
			first, last int64
		)
		if err := rows.Scan(&hash, &first, &last, &s.Requests); err != nil {
			return err
		}
		s.Deploy, s.First, s.Last = plumbline.DeployHash(hash), time.Unix(first, 0).UTC(), time.Unix(last, 0).UTC()
		all = append(all, s)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read deploys of model %q: %w", q.Model, err)
	}
	return all, nil
}

// category adds one categorical value of one series.
func (w *Window) category(rows driver.Rows) error {
	var (
		series, value string
		kind          uint8
		count         uint64
	)
	if err := rows.Scan(&series, &value, &kind, &count); err != nil {
		return err
	}
	s := w.at(plumbline.Series(series))
	switch kind {
	case plumbline.KindValue:
		if s.Values == nil {
			s.Values = map[string]uint64{}
		}
		s.Values[value] += count
	case plumbline.KindNull:
		s.Nulls += count
	case plumbline.KindOther:
		s.Other += count
	default:
		return fmt.Errorf("series %q: category of kind %d", series, kind)
	}
	w.put(plumbline.Series(series), s)
	return nil
}
