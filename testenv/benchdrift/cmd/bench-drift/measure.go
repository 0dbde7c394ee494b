package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/pprof"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv/benchdrift"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

const (
	numeric     = 40
	categorical = 10
	// The traffic is two weeks; the newest deploy serves in the last eight days.
	hoursBefore, hoursAfter = 6 * 24, 8 * 24
)

func world(model plumbline.Model, perHour int) benchdrift.World {
	return benchdrift.World{
		Model: model, Numeric: numeric, Categorical: categorical, Start: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC),
		Before: hoursBefore, After: hoursAfter, PerHour: perHour, Training: 1_000_000,
	}
}

func measureAll(ctx context.Context, db *storage.DB, o options) ([]figure.Figure, error) {
	small, large := world("m100", 300_000), world("m1000", 3_000_000)
	var all []figure.Figure
	for _, w := range []benchdrift.World{small, large} {
		fmt.Fprintf(os.Stderr, "making rollups of %.4g events\n", w.Events())
		if err := w.Store(ctx, db.Conn()); err != nil {
			return nil, err
		}
		rows, buckets, err := w.Size(ctx, db.Conn())
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "%s: %d rows of numeric series, %d buckets\n", w.Model, rows, buckets)
	}
	questions, err := questions(ctx, db, o, small, large)
	if err != nil {
		return nil, err
	}
	all = append(all, questions...)
	if o.raw == 0 {
		return all, nil
	}
	naive, err := naive(ctx, db, small, o.raw)
	return append(all, naive), err
}

// questions asks both worlds in turn, so that a busy moment of the machine is
// both's.
func questions(ctx context.Context, db *storage.DB, o options, small, large benchdrift.World) (_ []figure.Figure, err error) {
	asker, err := ask.New(ask.DefaultConfig(), db.Conn())
	if err != nil {
		return nil, err
	}
	var first, took [2][]float64 // milliseconds
	if o.profile != "" {
		file, err := os.Create(o.profile)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		if err := pprof.StartCPUProfile(file); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	for round := range o.rounds + 1 {
		for i, w := range []benchdrift.World{small, large} {
			ms, err := question(ctx, asker, w)
			if err != nil {
				return nil, err
			}
			if round == 0 {
				first[i] = append(first[i], ms)
			} else {
				took[i] = append(took[i], ms)
			}
		}
	}
	text := fmt.Sprintf("%d features x 24 h against 3 references", numeric+categorical)
	return []figure.Figure{
		figure.AtLeast("events that the rollups stand for", small.Events(), "events", 100e6),
		figure.AtMost(text+", p95", quantile(took[0], .95), "ms", 100),
		{Name: text + ", median", Value: quantile(took[0], .5), Unit: "ms", Goal: "none", Met: true},
		{Name: text + ", first question (references not yet read)", Value: first[0][0], Unit: "ms", Goal: "none", Met: true},
		figure.AtLeast("events that the larger rollups stand for", large.Events(), "events", 1e9),
		{Name: text + ", 10 times the events, p95", Value: quantile(took[1], .95), Unit: "ms", Goal: "none", Met: true},
		{Name: text + ", 10 times the events, median", Value: quantile(took[1], .5), Unit: "ms", Goal: "none", Met: true},
		{Name: text + ", 10 times the events, first question", Value: first[1][0], Unit: "ms", Goal: "none", Met: true},
		ratio("time at 10 times the events over time at 100 M, medians", quantile(took[1], .5)/quantile(took[0], .5)),
	}, nil
}

// question asks once and checks that everything was answered.
func question(ctx context.Context, asker *ask.Asker, w benchdrift.World) (ms float64, err error) {
	q := ask.Question{Model: w.Model, From: w.End().Add(-24 * time.Hour), To: w.End(), References: []ask.Reference{
		{Kind: ask.Training}, {Kind: ask.PreviousDeploy}, {Kind: ask.Sliding, Length: 7 * 24 * time.Hour},
	}}
	start := time.Now()
	answer, err := asker.Ask(ctx, q)
	if err != nil {
		return 0, err
	}
	took := time.Since(start)
	const rows = (numeric*3 + categorical*2) * 3
	if len(answer.Rows) != rows {
		return 0, fmt.Errorf("%d rows, want %d", len(answer.Rows), rows)
	}
	for _, r := range answer.Rows {
		if math.IsNaN(r.Value) {
			return 0, fmt.Errorf("%s against %s by %s: %s", r.Series, r.Reference, r.Measure, r.Why)
		}
	}
	return float64(took.Microseconds()) / 1000, nil
}

// naive asks one reference of raw rows in SQL.
func naive(ctx context.Context, db *storage.DB, w benchdrift.World, rows int) (figure.Figure, error) {
	fmt.Fprintf(os.Stderr, "making %d raw rows\n", rows)
	if err := w.StoreRaw(ctx, db.Conn(), rows); err != nil {
		return figure.Figure{}, err
	}
	var took []float64
	for range 3 {
		start := time.Now()
		features, err := w.Naive(ctx, db.Conn())
		if err != nil {
			return figure.Figure{}, err
		}
		if features != numeric {
			return figure.Figure{}, fmt.Errorf("recompute from raw rows: %d features, want %d", features, numeric)
		}
		took = append(took, float64(time.Since(start).Milliseconds()))
	}
	name := fmt.Sprintf("naive: PSI of %d features against 1 reference from %d raw rows in SQL", numeric, rows)
	return figure.Figure{Name: name, Value: quantile(took, .5), Unit: "ms", Goal: "none", Met: true}, nil
}

// ratio must lie within a fifth of 1.
func ratio(name string, value float64) figure.Figure {
	return figure.Figure{Name: name, Value: value, Unit: "1", Goal: "0.8 to 1.2", Met: value >= .8 && value <= 1.2}
}

// quantile is the least value that a share q of the values does not exceed.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}
