package budget

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/plumbline-slo/plumbline/analyze/dialect"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// Results are what pictures are drawn from.
type Results struct {
	Tallies []Tally
	Powers  []Power
	Alarms  []Alarms
	Delays  []Delay
}

// Replace puts a tally in the place of that of the same scenario, or adds it.
func (r *Results) Replace(t Tally) {
	for i := range r.Tallies {
		if r.Tallies[i].Scenario.Name == t.Scenario.Name {
			r.Tallies[i] = t
			return
		}
	}
	r.Tallies = append(r.Tallies, t)
}

// beside is a figure without a goal.
func beside(name string, value float64, unit string) figure.Figure {
	return figure.Figure{Name: name, Value: value, Unit: unit, Goal: "none", Met: true}
}

// Figures returns the goals of the two sizes that have one, and the rest beside
// them.
func (p Power) Figures() []figure.Figure {
	name := fmt.Sprintf("%+g sd at n = m = %d", p.Shift, p.Size)
	var all []figure.Figure
	switch {
	case p.Size == 200 && p.Shift == 1:
		for _, id := range []measure.ID{measure.PSI, measure.KS} {
			all = append(all, figure.AtLeast(fmt.Sprintf("%s: found by %s", name, id), 100*p.Found[id], "%", 95))
		}
	case p.Size == 100_000 && p.Shift == 0.08:
		all = append(all, figure.AtLeast(name+": found by a measure with the defaults", 100*p.Any, "%", 95))
		for _, id := range slices.Sorted(maps.Keys(p.Found)) {
			all = append(all, beside(fmt.Sprintf("%s: found by %s", name, id), 100*p.Found[id], "%"))
		}
	case p.Shift == 0:
		all = append(all, beside(name+": false alarms of any measure with the defaults", 100*p.Any, "%"))
	}
	return all
}

// Figures returns the goals of a series into which a change was injected, and
// what has none of one into which none was.
func (a Alarms) Figures() []figure.Figure {
	auto := 100 * a.Auto
	all := []figure.Figure{
		beside(a.Series+": windows that alarm, KS p <= 5 % against 8 weeks", 100*a.Naive, "%"),
		beside(a.Series+": windows that alarm, KS p <= 5 % against the same hours of 4 weeks", 100*a.SameHour, "%"),
	}
	name := a.Series + ": windows that alarm, ours with auto at nominal 5 %"
	if !a.injects() {
		return append(all, beside(name, auto, "%"))
	}
	return append(all, figure.AtMost(name, auto, "%", 10), figure.AtLeast(a.Series+": injected +1 sd found with auto", 100*a.Injected, "%", 95))
}

func (a Alarms) injects() bool { return a.Injected >= 0 }

// EvidentlyMisses returns the share of pairs of samples, one moved by shift, that
// Evidently does not call drifted at its defaults.
func EvidentlyMisses(ctx context.Context, size int, shift float64, pairs int, seed uint64) (figure.Figure, error) {
	r := rand.New(rand.NewPCG(seed, 5))
	missed := 0.0
	for range pairs {
		if err := ctx.Err(); err != nil {
			return figure.Figure{}, err
		}
		a, b := make([]float64, size), make([]float64, size)
		for i := range a {
			a[i], b[i] = r.NormFloat64(), shift+r.NormFloat64()
		}
		reference, current := dialect.Numeric(a), dialect.Numeric(b)
		score, err := dialect.EvidentlyScore(reference, current, dialect.EvidentlyDefault(reference, current))
		if err != nil {
			return figure.Figure{}, fmt.Errorf("score by Evidently: %w", err)
		}
		count(&missed, !score.Alert)
	}
	return beside(fmt.Sprintf("%+g sd at n = m = %d: missed by Evidently's default", shift, size), 100*missed/float64(pairs), "%"), nil
}
