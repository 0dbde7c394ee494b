// Command eval-drift measures the false tickets of the drift alarm on simulated
// quiet months (-part=budget) and what the drift measures and the alarm find
// (-part=power). Without -full it is the short form that CI runs: its bounds
// rest on few months and may miss the bar by chance.
//
// It prints one JSON line a figure on standard output, and a table on standard
// error. -results keeps what was measured in a file, by part; -draw draws
// pictures from such a file into the directory of -pictures and measures
// nothing.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/plumbline-slo/plumbline/testenv/budget"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// options are the flags.
type options struct {
	config                  budget.Config
	part, flights, only     string
	results, draw, pictures string
	full, harder            bool
}

func parse() options {
	var o options
	quarters, seed := 0, uint64(1)
	flag.StringVar(&o.part, "part", "", "budget or power; empty is both")
	flag.BoolVar(&o.full, "full", false, "1,002 months a scenario, and many pairs of samples")
	flag.BoolVar(&o.harder, "harder", false, "also simulate lives beyond the goal")
	flag.StringVar(&o.only, "only", "", "simulate only quiet lives whose name holds this; results of others are kept")
	flag.IntVar(&quarters, "quarters", 0, "model-quarters a scenario; 0 takes the form's own number")
	flag.Uint64Var(&seed, "seed", 1, "seed of the simulation")
	flag.StringVar(&o.flights, "flights", "", "Parquet file of flights, judged as real series; empty leaves them out")
	flag.StringVar(&o.results, "results", "", "file to add the results to, as JSON")
	flag.StringVar(&o.draw, "draw", "", "file of results to draw pictures from")
	flag.StringVar(&o.pictures, "pictures", "docs/pictures", "directory of the pictures")
	flag.Parse()
	o.config = budget.Short()
	if o.full {
		o.config = budget.Full()
	}
	if quarters > 0 {
		o.config.Quarters = quarters
	}
	o.config.Seed = seed
	return o
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, parse()); err != nil {
		fmt.Fprintln(os.Stderr, "eval-drift:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.draw != "" {
		return draw(o)
	}
	if o.part != "" && o.part != "budget" && o.part != "power" {
		return fmt.Errorf("part %q: want budget or power", o.part)
	}
	var r budget.Results
	if o.results != "" {
		if err := read(o.results, &r); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if o.part != "power" {
		if err := tickets(ctx, o, &r); err != nil {
			return err
		}
	}
	if o.part != "budget" {
		r.Powers, r.Alarms, r.Delays = nil, nil, nil
		if err := power(ctx, o, &r); err != nil {
			return err
		}
	}
	if o.results == "" {
		return nil
	}
	out, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	return os.WriteFile(o.results, out, 0o644)
}

func read(path string, r *budget.Results) error {
	in, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(in, r); err != nil {
		return fmt.Errorf("read results %s: %w", path, err)
	}
	return nil
}

func draw(o options) error {
	var r budget.Results
	if err := read(o.draw, &r); err != nil {
		return err
	}
	if err := os.MkdirAll(o.pictures, 0o755); err != nil {
		return err
	}
	for name, svg := range r.Pictures() {
		if err := os.WriteFile(filepath.Join(o.pictures, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// tickets prints the false tickets of every scenario, and peers beside them.
func tickets(ctx context.Context, o options, r *budget.Results) error {
	goals := budget.Scenarios()
	scenarios := goals
	if o.harder {
		scenarios = append(scenarios, budget.Harder()...)
	}
	for i, s := range scenarios {
		if !strings.Contains(s.Name, o.only) {
			continue
		}
		started := time.Now()
		t, err := budget.Run(ctx, o.config, s)
		if err != nil {
			return err
		}
		figures := t.Figures(i < len(goals))
		if i < len(goals) {
			r.Replace(t)
			peers, err := budget.Peers(ctx, s, 10, o.config.Seed)
			if err != nil {
				return err
			}
			figures = append(figures, peers...)
		}
		fmt.Fprintf(os.Stderr, "%s: %d months of %d streams in %.0f s\n", s.Name, 3*o.config.Quarters, o.config.Streams(), time.Since(started).Seconds())
		if err := figure.Print(os.Stdout, os.Stderr, figures...); err != nil {
			return err
		}
	}
	return nil
}

// power prints what is found, by single windows and by the alarm.
func power(ctx context.Context, o options, r *budget.Results) error {
	for _, part := range []func(context.Context, options, *budget.Results) error{pairs, series, delays} {
		if err := part(ctx, o, r); err != nil {
			return err
		}
	}
	return nil
}

func pairs(ctx context.Context, o options, r *budget.Results) error {
	n := 40
	if o.full {
		n = 200
	}
	for _, size := range []int{200, 1_000, 10_000, 100_000} {
		for _, shift := range []float64{0, 0.04, 0.08, 0.12, 0.2, 0.3, 0.4, 0.5, 0.7, 1} {
			p, err := budget.Measure(ctx, size, shift, n, o.config.Seed)
			if err != nil {
				return err
			}
			r.Powers = append(r.Powers, p)
			if err := figure.Print(os.Stdout, os.Stderr, p.Figures()...); err != nil {
				return err
			}
		}
	}
	missed, err := budget.EvidentlyMisses(ctx, 100_000, 0.08, n/4, o.config.Seed)
	if err != nil {
		return err
	}
	return figure.Print(os.Stdout, os.Stderr, missed)
}

func series(_ context.Context, o options, r *budget.Results) error {
	weeks, volume := 10, 200.0
	if o.full {
		weeks, volume = 60, 1_000
	}
	all := []budget.Series{budget.Seasonal(weeks, volume, o.config.Seed)}
	if o.flights != "" {
		real, err := budget.Flights(o.flights)
		if err != nil {
			return err
		}
		all = append(all, real...)
	}
	for _, s := range all {
		a, err := s.Judge()
		if err != nil {
			return err
		}
		r.Alarms = append(r.Alarms, a)
		if err := figure.Print(os.Stdout, os.Stderr, a.Figures()...); err != nil {
			return err
		}
	}
	return nil
}

func delays(ctx context.Context, o options, r *budget.Results) error {
	features := 40
	if o.full {
		features = 400
	}
	for _, s := range budget.Scenarios() {
		for _, ramp := range []int{30, 0} {
			d, err := budget.Wait(ctx, s, 3_000, 1, ramp, features, o.config.Seed)
			if err != nil {
				return err
			}
			r.Delays = append(r.Delays, d)
			if err := figure.Print(os.Stdout, os.Stderr, d.Figures()...); err != nil {
				return err
			}
		}
	}
	return nil
}
