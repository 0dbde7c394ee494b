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
	testbench "github.com/plumbline-slo/plumbline/testenv/bench"
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

// bench is what is measured: a database and the process of its engine.
type bench struct {
	db     *storage.DB
	engine int
}

// measureAll prints each figure as soon as it is there: the raw rows take long.
func (b bench) measureAll(ctx context.Context, o options) error {
	small, large := world("m100", 300_000), world("m1000", 3_000_000)
	for _, w := range []benchdrift.World{small, large} {
		fmt.Fprintf(os.Stderr, "making rollups of %.4g events\n", w.Events())
		if err := w.Store(ctx, b.db.Conn()); err != nil {
			return err
		}
		rows, buckets, err := w.Size(ctx, b.db.Conn())
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s: %d rows of numeric series, %d buckets\n", w.Model, rows, buckets)
	}
	figures, err := b.questions(ctx, o, small, large)
	if err != nil {
		return err
	}
	if err := figure.Print(os.Stdout, os.Stderr, figures...); err != nil || o.raw == 0 {
		return err
	}
	naive, err := b.naive(ctx, small, o.raw)
	if err != nil {
		return err
	}
	return figure.Print(os.Stdout, os.Stderr, naive)
}

// questions asks both worlds in turn, so that a busy moment of the machine is
// both's.
func (b bench) questions(ctx context.Context, o options, small, large benchdrift.World) (_ []figure.Figure, err error) {
	asker, err := ask.New(ask.DefaultConfig(), b.db.Conn())
	if err != nil {
		return nil, err
	}
	var first, took [2][]cost
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
			c, err := b.question(ctx, asker, w)
			if err != nil {
				return nil, err
			}
			if round == 0 {
				first[i] = append(first[i], c)
			} else {
				took[i] = append(took[i], c)
			}
		}
	}
	late, err := b.late(ctx, o, asker, small)
	if err != nil {
		return nil, err
	}
	all := []figure.Figure{figure.AtLeast("events that the rollups stand for", small.Events(), "events", 100e6)}
	all = append(all, figuresOf("", first[0], took[0])...)
	all = append(all, lateFigures(late)...)
	all = append(all, figure.AtLeast("events that the larger rollups stand for", large.Events(), "events", 1e9))
	all = append(all, figuresOf(", 10 times the events", first[1], took[1])...)
	return append(all,
		ratio("time at 10 times the events over time at 100 M, medians", of(took[1], wall, .5)/of(took[0], wall, .5)),
		ratio("CPU time at 10 times the events over that at 100 M, medians", of(took[1], both, .5)/of(took[0], both, .5)),
	), nil
}

// figuresOf are those of one world.
func figuresOf(what string, first, took []cost) []figure.Figure {
	text := fmt.Sprintf("%d features x 24 h against 3 references%s", numeric+categorical, what)
	p95 := figure.AtMost(text+", p95", of(took, wall, .95), "ms", 100)
	if what != "" {
		p95.Goal, p95.Met = "none", true
	}
	return []figure.Figure{
		p95,
		shown(text+", median", of(took, wall, .5), "ms"),
		shown(text+", CPU time of the service, median", of(took, func(c cost) float64 { return c.own }, .5), "CPU-ms"),
		shown(text+", CPU time of the engine, median", of(took, func(c cost) float64 { return c.engine }, .5), "CPU-ms"),
		shown(text+", first question (references not yet read)", of(first, wall, .5), "ms"),
	}
}

// late asks each time after an event of a closed hour has come in, so that what
// is kept of closed hours is of no use; references are kept as ever.
func (b bench) late(ctx context.Context, o options, asker *ask.Asker, w benchdrift.World) ([]cost, error) {
	took := make([]cost, o.rounds)
	for i := range took {
		if err := w.Late(ctx, b.db.Conn(), time.Duration(1+i%24)*time.Hour); err != nil {
			return nil, err
		}
		var err error
		if took[i], err = b.question(ctx, asker, w); err != nil {
			return nil, err
		}
	}
	return took, nil
}

func lateFigures(took []cost) []figure.Figure {
	text := fmt.Sprintf("%d features x 24 h against 3 references, after a late event", numeric+categorical)
	return []figure.Figure{
		shown(text+", p95", of(took, wall, .95), "ms"),
		shown(text+", median", of(took, wall, .5), "ms"),
		shown(text+", CPU time of both, median", of(took, both, .5), "CPU-ms"),
	}
}

// shown is a figure that has no bar.
func shown(name string, value float64, unit string) figure.Figure {
	return figure.Figure{Name: name, Value: value, Unit: unit, Goal: "none", Met: true}
}

// cost is what one question took, in milliseconds: by the clock, and of CPU time
// in this process and in the engine's.
type cost struct{ wall, own, engine float64 }

func wall(c cost) float64 { return c.wall }
func both(c cost) float64 { return c.own + c.engine }

// of is a quantile of one of the costs.
func of(costs []cost, pick func(cost) float64, q float64) float64 {
	values := make([]float64, len(costs))
	for i, c := range costs {
		values[i] = pick(c)
	}
	return quantile(values, q)
}

// used returns the CPU time of both processes so far, in milliseconds.
func (b bench) used() (own, engine float64, err error) {
	mine, err := testbench.CPU(os.Getpid())
	if err != nil {
		return 0, 0, err
	}
	theirs, err := testbench.CPU(b.engine)
	return float64(mine.Milliseconds()), float64(theirs.Milliseconds()), err
}

// question asks once and checks that everything was answered.
func (b bench) question(ctx context.Context, asker *ask.Asker, w benchdrift.World) (c cost, err error) {
	q := ask.Question{Model: w.Model, From: w.End().Add(-24 * time.Hour), To: w.End(), References: []ask.Reference{
		{Kind: ask.Training}, {Kind: ask.PreviousDeploy}, {Kind: ask.Sliding, Length: 7 * 24 * time.Hour},
	}}
	own, engine, err := b.used()
	if err != nil {
		return c, err
	}
	start := time.Now()
	answer, err := asker.Ask(ctx, q)
	if err != nil {
		return c, err
	}
	c.wall = float64(time.Since(start).Microseconds()) / 1000
	ownAfter, engineAfter, err := b.used()
	if err != nil {
		return c, err
	}
	c.own, c.engine = ownAfter-own, engineAfter-engine
	const rows = (numeric*3 + categorical*2) * 3
	if len(answer.Rows) != rows {
		return c, fmt.Errorf("%d rows, want %d", len(answer.Rows), rows)
	}
	for _, r := range answer.Rows {
		if math.IsNaN(r.Value) {
			return c, fmt.Errorf("%s against %s by %s: %s", r.Series, r.Reference, r.Measure, r.Why)
		}
	}
	return c, nil
}

// naive asks one reference of raw rows in SQL.
func (b bench) naive(ctx context.Context, w benchdrift.World, rows int) (figure.Figure, error) {
	fmt.Fprintf(os.Stderr, "making %d raw rows\n", rows)
	if err := w.StoreRaw(ctx, b.db.Conn(), rows); err != nil {
		return figure.Figure{}, err
	}
	var took []float64
	for range 3 {
		start := time.Now()
		features, err := w.Naive(ctx, b.db.Conn())
		if err != nil {
			return figure.Figure{}, err
		}
		if features != numeric {
			return figure.Figure{}, fmt.Errorf("recompute from raw rows: %d features, want %d", features, numeric)
		}
		took = append(took, float64(time.Since(start).Milliseconds()))
	}
	name := fmt.Sprintf("naive: PSI of %d features against 1 reference from %d raw rows in SQL", numeric, rows)
	return shown(name, quantile(took, .5), "ms"), nil
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
