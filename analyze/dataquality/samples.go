package dataquality

import (
	"context"
	_ "embed" // the statements
	"errors"
	"fmt"
	"math"
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

//go:embed sql/hours.sql
var hoursSQL string

// Window names the requests that samples are made of.
type Window struct {
	Model plumbline.Model
	// Deploy is one deploy; empty means every deploy.
	Deploy plumbline.DeployHash
	Stage  plumbline.Stage
	// From and To bound it in event time, in whole hours, To exclusive. A zero
	// one does not bound.
	From, To time.Time
}

// Training is the window of a model's training rows.
func Training(model plumbline.Model) Window {
	return Window{Model: model, Stage: plumbline.StageTraining}
}

func (w Window) parameters() []any {
	from, to := int64(0), int64(1)<<31
	if !w.From.IsZero() {
		from = w.From.Unix()
	}
	if !w.To.IsZero() {
		to = w.To.Unix()
	}
	return []any{
		clickhouse.Named("model", string(w.Model)), clickhouse.Named("deploy", string(w.Deploy)), clickhouse.Named("stage", string(w.Stage)),
		clickhouse.Named("from", from), clickhouse.Named("to", to),
	}
}

// Samples are the features of one window.
type Samples struct {
	Requests, Deliveries uint64
	Features             map[plumbline.Feature]Sample
}

// Of returns a feature of the window; one that was never sent is missing from
// every request.
func (s Samples) Of(f plumbline.Feature) Sample {
	sample := s.Features[f]
	sample.Requests, sample.Deliveries = s.Requests, s.Deliveries
	return sample
}

// Samples reads every feature of a window from the hourly rollups. A window
// without requests is empty, not an error.
func (r Reader) Samples(ctx context.Context, w Window) (Samples, error) {
	s := Samples{Features: map[plumbline.Feature]Sample{}}
	err := errors.Join(
		r.each(ctx, requestsSQL, w, func(rows driver.Rows) error { return rows.Scan(&s.Requests, &s.Deliveries) }),
		r.each(ctx, numbersSQL, w, s.number),
		r.each(ctx, categoriesSQL, w, s.category),
	)
	if err != nil {
		return Samples{}, fmt.Errorf("read features of model %q: %w", w.Model, err)
	}
	return s, nil
}

// each calls scan for every row of the statement.
func (r Reader) each(ctx context.Context, statement string, w Window, scan func(driver.Rows) error) error {
	rows, err := r.Conn.Query(ctx, statement, w.parameters()...)
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

func (s *Samples) number(rows driver.Rows) error {
	var (
		series string
		nulls  uint64
		add    Sample
	)
	if err := rows.Scan(&series, &nulls, &add.NaNs, &add.Infs, &add.Sum, &add.Min, &add.Max, &add.Buckets, &add.Counts); err != nil {
		return err
	}
	feature, ok := plumbline.Series(series).Feature()
	if !ok {
		return nil
	}
	before := s.Features[feature]
	add.Values, add.Other, add.Nulls = before.Values, before.Other, before.Nulls+nulls
	s.Features[feature] = add
	return nil
}

func (s *Samples) category(rows driver.Rows) error {
	var (
		series, value string
		kind          uint8
		count         uint64
	)
	if err := rows.Scan(&series, &value, &kind, &count); err != nil {
		return err
	}
	name, ok := plumbline.Series(series).Feature()
	if !ok {
		return nil
	}
	feature := s.Features[name]
	switch kind {
	case plumbline.KindValue:
		if feature.Values == nil {
			feature.Values = map[string]uint64{}
		}
		feature.Values[value] += count
	case plumbline.KindNull:
		feature.Nulls += count
	case plumbline.KindOther:
		feature.Other += count
	default:
		return fmt.Errorf("series %q: category of kind %d", series, kind)
	}
	s.Features[name] = feature
	return nil
}

// Timelines reads what every feature of a stage did hour by hour in a window;
// its deploy is not looked at.
func (r Reader) Timelines(ctx context.Context, w Window) (map[plumbline.Feature][]Hour, error) {
	all := map[plumbline.Feature][]Hour{}
	last := map[plumbline.Feature]hourRow{}
	err := r.each(ctx, hoursSQL, w, func(rows driver.Rows) error {
		var now hourRow
		if err := rows.Scan(&now.series, &now.at, &now.least, &now.most, &now.one, &now.kinds); err != nil {
			return err
		}
		feature, ok := plumbline.Series(now.series).Feature()
		if !ok {
			return nil
		}
		before, known := last[feature]
		last[feature] = now
		hours := all[feature]
		if known && now.at.Equal(before.at) {
			// Numbers and texts in one hour.
			hour := &hours[len(hours)-1]
			hour.Changed = true
			if math.IsNaN(hour.Max) {
				hour.Max = now.most
			}
			return nil
		}
		all[feature] = append(hours, Hour{At: now.at, Changed: now.several() || known && !now.same(before), Max: now.most})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the hours of the features of model %q: %w", w.Model, err)
	}
	return all, nil
}

// hourRow is one row of the statement.
type hourRow struct {
	series      string
	at          time.Time
	least, most float64
	one         string
	kinds       uint64
}

// several reports whether the hour had more than one value.
func (h hourRow) several() bool { return h.kinds > 1 || h.kinds == 0 && h.least != h.most }

// same reports whether two hours of one value each had the same.
func (h hourRow) same(other hourRow) bool {
	if h.kinds == 0 || other.kinds == 0 {
		return h.kinds == other.kinds && h.least == other.least
	}
	return h.one == other.one
}
