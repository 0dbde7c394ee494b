package estimate

import (
	"fmt"
	"math"
	"slices"
)

// Stratum numbers a stratum of predictions whose labels arrive alike, from 0.
type Stratum int

// Cuts assigns strata by a number that drives the delay of labels: lead time,
// amount, term. Stratum i holds values over cut i-1 and up to cut i; the last
// stratum holds what is over every cut, and NaN has one more of its own.
type Cuts []float64

// CutStrata cuts a column at quantiles, so that about as many of its values,
// NaN apart, fall into each of at most count strata. Equal values stay together.
func CutStrata(values []float64, count int) (Cuts, error) {
	sorted := make([]float64, 0, len(values))
	for _, v := range values {
		if !math.IsNaN(v) {
			sorted = append(sorted, v)
		}
	}
	if count < 1 || len(sorted) == 0 {
		return nil, fmt.Errorf("cut %d values into %d strata: at least 1 of each is needed", len(sorted), count)
	}
	slices.Sort(sorted)
	var cuts Cuts
	for i := 1; i < count; i++ {
		cut := sorted[(len(sorted)-1)*i/count]
		if cut < sorted[len(sorted)-1] && (len(cuts) == 0 || cut > cuts[len(cuts)-1]) {
			cuts = append(cuts, cut)
		}
	}
	return cuts, nil
}

// Len is the number of strata, that of NaN included.
func (c Cuts) Len() int { return len(c) + 2 }

// Of returns the stratum of a value.
func (c Cuts) Of(value float64) Stratum {
	if math.IsNaN(value) {
		return Stratum(len(c) + 1)
	}
	at, _ := slices.BinarySearch(c, value)
	return Stratum(at)
}
