package concept

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// MeasureConditional is the measure of concept drift: the total variation
// distance between the labels of a stratum now and in the reference, averaged
// over the window's strata. It is the share of the window's predictions that
// would have had another label.
const MeasureConditional = "conditional_tvd"

// MinEffect is the least conditional distance beyond noise that matters, unless
// another is configured.
const MinEffect = 0.05

// Drift is what is said of P(label | prediction).
type Drift struct {
	// Value is the distance, NullMean its mean if nothing changed, Low and High
	// bound the true one.
	Value, NullMean, Low, High float64
	// P is Fisher's combination (1932, section 21.1) of the strata's p-values of
	// Pearson's chi-square given both margins, as Cochran, Mantel and Haenszel
	// condition, but summed over strata: a change that goes opposite ways for
	// two classes does not cancel.
	P float64
	// Strata is the number of strata compared, Labels that of the window's
	// labelled predictions in them, Reference that of the reference's.
	Strata            int
	Labels, Reference uint64
	// Top is the stratum with the greatest part of the distance. It holds text of
	// the producer.
	Top string
}

// Effect is the debiased distance; it may be negative.
func (d Drift) Effect() float64 { return d.Value - d.NullMean }

// least is the number of labels on either side under which a stratum says
// nothing.
const least = 10

// Compare compares the labels within each stratum. Strata that either side
// hardly has are left out. Without any, the numbers are NaN.
func Compare(reference, now Labels) (Drift, error) {
	d := Drift{NullMean: math.NaN(), Value: math.NaN(), Low: math.NaN(), High: math.NaN(), P: math.NaN()}
	var strata []string
	for _, name := range slices.Sorted(maps.Keys(now.Strata)) {
		n, m := total(reference.Strata[name]), total(now.Strata[name])
		if n >= least && m >= least {
			strata = append(strata, name)
			d.Reference, d.Labels = d.Reference+n, d.Labels+m
		}
	}
	if d.Strata = len(strata); d.Strata == 0 {
		return d, nil
	}
	d.Value, d.NullMean, d.Low, d.High = 0, 0, 0, 0
	var ps []float64
	reach, most := 0.0, math.Inf(-1)
	for _, name := range strata {
		results, err := cells(reference.Strata[name], now.Strata[name]).Compare(measure.DefaultOptions(), measure.TVD, measure.ChiSquare)
		if err != nil {
			return d, fmt.Errorf("labels of stratum %q: %w", name, err)
		}
		weight := float64(total(now.Strata[name])) / float64(d.Labels)
		tvd := results[0]
		d.Value += weight * tvd.Value
		d.NullMean += weight * tvd.NullMean
		reach += weight * max(tvd.Value-tvd.Low, tvd.High-tvd.Value)
		ps = append(ps, results[1].P)
		if part := weight * tvd.Debiased; part > most {
			most, d.Top = part, name
		}
	}
	d.Low, d.High, d.P = max(0, d.Value-reach), min(1, d.Value+reach), fisher(ps)
	return d, nil
}

// CompareClasses compares the labels whatever was predicted, by measures on
// cells.
func CompareClasses(reference, now Labels, o measure.Options, ids ...measure.ID) ([]measure.Result, error) {
	return cells(reference.Classes, now.Classes).Compare(o, ids...)
}

// CompareNumbers compares labels that are numbers, by measures on the grid.
func CompareNumbers(reference, now Labels, o measure.Options, ids ...measure.ID) ([]measure.Result, error) {
	return measure.Numbers{Reference: histogram(reference.Buckets), Current: histogram(now.Buckets)}.Compare(o, ids...)
}

func histogram(counts map[int32]uint64) measure.Histogram {
	h := measure.Histogram{Buckets: slices.Sorted(maps.Keys(counts))}
	for _, b := range h.Buckets {
		h.Counts = append(h.Counts, counts[b])
	}
	return h
}

func total(counts map[string]uint64) uint64 {
	var n uint64
	for _, c := range counts {
		n += c
	}
	return n
}

// cells puts the counts of both sides in one order of labels.
func cells(reference, now map[string]uint64) measure.Cells {
	labels := map[string]struct{}{}
	for _, side := range []map[string]uint64{reference, now} {
		for l := range side {
			labels[l] = struct{}{}
		}
	}
	var c measure.Cells
	for _, l := range slices.Sorted(maps.Keys(labels)) {
		c.Reference, c.Current = append(c.Reference, reference[l]), append(c.Current, now[l])
	}
	return c
}

// fisher returns the probability that chi-square with twice as many degrees of
// freedom as there are p-values is at least -2 sum ln p: for an even number of
// them, the sum of Poisson terms.
func fisher(ps []float64) float64 {
	half := 0.0
	for _, p := range ps {
		half -= math.Log(max(p, 1e-300))
	}
	term, sum := math.Exp(-half), 0.0
	if term == 0 {
		// Beyond 1e-300 the last term is the greatest and enough.
		lg, _ := math.Lgamma(float64(len(ps)))
		return math.Exp(float64(len(ps)-1)*math.Log(half) - half - lg)
	}
	for i := range ps {
		sum += term
		term *= half / float64(i+1)
	}
	return min(1, sum)
}
