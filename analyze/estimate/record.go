package estimate

import (
	"fmt"
	"math"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Past is an interval that was given, as it was known then, and what became of it.
type Past struct {
	Value float64
	metric.Interval
	// Error is the standard error of Value as given then; 0 takes that of an interval
	// that is symmetric and was not cut to what the metric can be.
	Error float64
	Truth float64
}

// Record is what a back-test of past intervals says.
type Record struct {
	Windows, Held int
	// Chance is the probability that intervals which do hold 95 % hold this few.
	Chance float64
	// Widen is by how much the next interval must be wider, at least 1.
	Widen float64
	// Proven says that there were enough windows to tell, and that as many held
	// as promised: only then may a page rest on the estimate.
	Proven bool
	// Says is all of that for people.
	Says string
}

const (
	// provenWindows is the least number of windows that can prove an estimator:
	// with fewer, intervals that hold only 80 % would pass too often.
	provenWindows = 10
	// unlikely is the chance below which a record counts as broken.
	unlikely = 0.05
)

// Judge holds the intervals of past windows against the truth. The windows must
// be disjoint and matured, their intervals as known then, before any widening.
// Where fewer held than promised by more than chance, the next interval is widened
// to what past errors would have needed: their root mean square in standard errors,
// times Student's quantile for so many windows.
func Judge(past []Past) Record {
	r := Record{Windows: len(past), Chance: 1, Widen: 1}
	squares := 0.0
	for _, p := range past {
		if p.Holds(p.Truth) {
			r.Held++
		}
		half := p.Width() / 2
		if p.Error > 0 {
			half = z95 * p.Error
		}
		if half > 0 {
			squares += (p.Truth - p.Value) * (p.Truth - p.Value) * z95 * z95 / (half * half)
		}
	}
	if r.Windows == 0 {
		r.Says = "of no earlier interval the labels are in yet: this one is not proven"
		return r
	}
	n := float64(r.Windows)
	r.Chance = metric.BinomialCDF(int64(r.Held), int64(r.Windows), metric.Level)
	held := fmt.Sprintf("%d of the last %d intervals held", r.Held, r.Windows)
	switch {
	case r.Chance < unlikely:
		r.Widen = max(1, math.Sqrt(squares/n)*metric.StudentQuantile((1+metric.Level)/2, n)/z95)
		r.Says = fmt.Sprintf("%s, fewer than promised: widened %.2f times", held, r.Widen)
	case r.Windows < provenWindows:
		r.Says = fmt.Sprintf("%s; %d windows are needed to prove the interval", held, provenWindows)
	default:
		r.Proven, r.Says = true, held+", as promised"
	}
	return r
}
