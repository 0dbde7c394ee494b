package alarm

import (
	"cmp"
	"math"
	"slices"
)

// Ranked is the place of one result in what a ticket lists.
type Ranked struct {
	// Index is where it stood in the list that was ranked.
	Index int
	// Adjusted is the least rate of false discoveries at which it is one: a
	// p-value after Benjamini and Hochberg, or 1 over the greatest e-value that
	// e-BH would ask of it, at most 1.
	Adjusted float64
}

// Rank orders p-values, the strongest first, and adjusts them after Benjamini
// and Hochberg 1995. It says what to list first and opens no ticket: it controls
// a share of discoveries, not how many there are. NaN comes last, with NaN.
func Rank(p []float64) []Ranked {
	order := ordered(p, func(a, b float64) int { return cmp.Compare(a, b) })
	n := 0
	for _, v := range p {
		if !math.IsNaN(v) {
			n++
		}
	}
	least := 1.0
	for i := len(order) - 1; i >= 0; i-- {
		v := p[order[i].Index]
		if !math.IsNaN(v) {
			least = min(least, v*float64(n)/float64(i+1))
			v = least
		}
		order[i].Adjusted = v
	}
	return order
}

// RankE orders e-values, the strongest first, as e-BH does under any dependence
// (Wang and Ramdas 2022, "False discovery rate control with e-values", section
// 4). NaN comes last, with NaN.
func RankE(e []float64) []Ranked {
	p := make([]float64, len(e))
	for i, v := range e {
		p[i] = 1 / v
	}
	return Rank(p)
}

// ordered returns the places in order, NaN last, equal values as they stood.
func ordered(values []float64, compare func(a, b float64) int) []Ranked {
	order := make([]Ranked, len(values))
	for i := range order {
		order[i].Index = i
	}
	slices.SortStableFunc(order, func(a, b Ranked) int {
		x, y := values[a.Index], values[b.Index]
		if math.IsNaN(x) || math.IsNaN(y) {
			return cmp.Compare(boolean(math.IsNaN(x)), boolean(math.IsNaN(y)))
		}
		return compare(x, y)
	})
	return order
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
