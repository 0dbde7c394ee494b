package drift

import (
	"context"
	_ "embed" // the statements
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/requests.sql
var requestsSQL string

//go:embed sql/numbers.sql
var numbersSQL string

//go:embed sql/categories.sql
var categoriesSQL string

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
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
	Features             map[plumbline.Feature]Sample
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
	return []any{
		clickhouse.Named("model", string(q.Model)), clickhouse.Named("stage", string(q.Stage)),
		clickhouse.Named("deploys", deploys), clickhouse.Named("from", from), clickhouse.Named("to", to),
	}
}

// Read returns the requests and every feature of the window. A window without
// requests is empty, not an error.
func (r Reader) Read(ctx context.Context, q Query) (Window, error) {
	w := Window{Features: map[plumbline.Feature]Sample{}}
	err := errors.Join(
		r.each(ctx, requestsSQL, q, func(rows driver.Rows) error { return rows.Scan(&w.Requests, &w.Deliveries) }),
		r.each(ctx, numbersSQL, q, w.number),
		r.each(ctx, categoriesSQL, q, w.category),
	)
	if err != nil {
		return Window{}, fmt.Errorf("read features of model %q: %w", q.Model, err)
	}
	for f, s := range w.Features {
		w.Features[f] = s.within(w)
	}
	return w, nil
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

// number adds the numeric values of one feature.
func (w *Window) number(rows driver.Rows) error {
	var (
		series            string
		nulls, nans, infs uint64
		buckets           []int32
		counts            []uint64
	)
	if err := rows.Scan(&series, &nulls, &nans, &infs, &buckets, &counts); err != nil {
		return err
	}
	feature, ok := plumbline.Series(series).Feature()
	if !ok {
		return nil
	}
	h, err := NewHistogram(buckets, counts)
	if err != nil {
		return fmt.Errorf("series %q: %w", series, err)
	}
	s := w.Features[feature]
	s.Numbers, s.NaNs, s.Infs = h, s.NaNs+nans, s.Infs+infs
	s.Nulls += nulls
	w.Features[feature] = s
	return nil
}

// Kinds of a row of categories_hour.
const (
	kindValue = 0
	kindNull  = 1
	kindOther = 2
)

// category adds one categorical value of one feature.
func (w *Window) category(rows driver.Rows) error {
	var (
		series, value string
		kind          uint8
		count         uint64
	)
	if err := rows.Scan(&series, &value, &kind, &count); err != nil {
		return err
	}
	feature, ok := plumbline.Series(series).Feature()
	if !ok {
		return nil
	}
	s := w.Features[feature]
	switch kind {
	case kindValue:
		if s.Values == nil {
			s.Values = map[string]uint64{}
		}
		s.Values[value] += count
	case kindNull:
		s.Nulls += count
	case kindOther:
		s.Other += count
	default:
		return fmt.Errorf("series %q: category of kind %d", series, kind)
	}
	w.Features[feature] = s
	return nil
}
