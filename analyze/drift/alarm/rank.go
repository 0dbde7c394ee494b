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
	// Adjusted is the least rate of false discoveries at which it is one: its
	// p-value after Benjamini and Hochberg.
	Adjusted float64
}

// Rank orders p-values, the strongest first, and adjusts them after Benjamini
// and Hochberg 1995. It says what to list first and opens no ticket: it controls
// a share of discoveries, not how many there are. NaN comes last, with NaN.
func Rank(p []float64) []Ranked {
	order := ordered(p)
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

// ordered returns the places in order, NaN last, equal values as they stood.
func ordered(values []float64) []Ranked {
	order := make([]Ranked, len(values))
	for i := range order {
		order[i].Index = i
	}
	slices.SortStableFunc(order, func(a, b Ranked) int {
		x, y := values[a.Index], values[b.Index]
		if math.IsNaN(x) || math.IsNaN(y) {
			return cmp.Compare(boolean(math.IsNaN(x)), boolean(math.IsNaN(y)))
		}
		return cmp.Compare(x, y)
	})
	return order
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
