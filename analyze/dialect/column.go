package dialect

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Measure is a distance or a test, by the name most peers give it.
type Measure string

// The measures; which peer computes which is in Peers.
const (
	KolmogorovSmirnov Measure = "kolmogorov_smirnov"
	JensenShannon     Measure = "jensen_shannon"
	Hellinger         Measure = "hellinger"
	Wasserstein       Measure = "wasserstein"
	LInfinity         Measure = "l_infinity"
	LInfinityRobust   Measure = "l_infinity_robust"
	ChiSquare         Measure = "chi2"
	ZTest             Measure = "z"
	PSI               Measure = "psi"
	TotalVariation    Measure = "total_variation"
)

// Score is what a peer prints for one column and one set of rows.
type Score struct {
	Measure   Measure
	Value     float64 // the number the peer prints: a distance, or a p-value for tests of Evidently
	P         float64 // p-value where the peer computes one, NaN otherwise
	Threshold float64 // the peer's threshold in the unit it compares, NaN where it has none
	Alert     bool    // whether the peer would report drift
}

// Column holds the raw rows of one feature: numbers or words.
type Column struct {
	numbers     []float64
	words       []string
	null        []bool
	categorical bool
}

// ErrUndefined is wrapped by errors about a measure that a peer does not define
// for the kind of column, or for columns without rows.
var ErrUndefined = errors.New("undefined")

// Numeric returns a column of numbers; NaN is a null. The slice is not copied.
func Numeric(values []float64) Column { return Column{numbers: values} }

// Categorical returns a column of words. Where null is not nil it has one entry
// a row, true for a null whose word is ignored. Neither slice is copied.
func Categorical(words []string, null []bool) (Column, error) {
	if null != nil && len(null) != len(words) {
		return Column{}, fmt.Errorf("categorical column of %d words: %d null flags", len(words), len(null))
	}
	return Column{words: words, null: null, categorical: true}, nil
}

// Len is the number of rows, nulls included.
func (c Column) Len() int {
	if c.categorical {
		return len(c.words)
	}
	return len(c.numbers)
}

// Rows returns the rows [from, to) without copying them.
func (c Column) Rows(from, to int) Column {
	if !c.categorical {
		return Column{numbers: c.numbers[from:to]}
	}
	part := Column{words: c.words[from:to], categorical: true}
	if c.null != nil {
		part.null = c.null[from:to]
	}
	return part
}

// present returns the numbers that are not null, in their order.
func (c Column) present() []float64 {
	if !slices.ContainsFunc(c.numbers, math.IsNaN) {
		return c.numbers
	}
	return slices.DeleteFunc(slices.Clone(c.numbers), math.IsNaN)
}

// counts returns how often each word that is not null occurs, and their sum.
func (c Column) counts() (map[string]int, int) {
	counts := make(map[string]int)
	n := 0
	for i, w := range c.words {
		if c.null == nil || !c.null[i] {
			counts[w]++
			n++
		}
	}
	return counts, n
}

// cells lists the words of either map in order, with their counts in both.
func cells(reference, current map[string]int) (words []string, ref, cur []float64) {
	for w := range reference {
		words = append(words, w)
	}
	for w := range current {
		if _, known := reference[w]; !known {
			words = append(words, w)
		}
	}
	slices.Sort(words)
	for _, w := range words {
		ref = append(ref, float64(reference[w]))
		cur = append(cur, float64(current[w]))
	}
	return words, ref, cur
}

// share divides counts by n.
func share(counts []float64, n int) []float64 {
	p := make([]float64, len(counts))
	for i, c := range counts {
		p[i] = c / float64(n)
	}
	return p
}

// present returns the column without its nulls.
func present(c Column) Column {
	if !c.categorical {
		return Numeric(c.present())
	}
	kept := make([]string, 0, len(c.words))
	for i, w := range c.words {
		if c.null == nil || !c.null[i] {
			kept = append(kept, w)
		}
	}
	return Column{words: kept, categorical: true}
}

// valueCells counts distinct values, of either kind, in both samples.
func valueCells(ref, cur Column) (p, q []float64) {
	if ref.categorical {
		a, _ := ref.counts()
		b, _ := cur.counts()
		_, p, q = cells(a, b)
		return p, q
	}
	values := slices.Concat(ref.numbers, cur.numbers)
	slices.Sort(values)
	values = slices.Compact(values)
	p, q = make([]float64, len(values)), make([]float64, len(values))
	for _, v := range ref.numbers {
		i, _ := slices.BinarySearch(values, v)
		p[i]++
	}
	for _, v := range cur.numbers {
		i, _ := slices.BinarySearch(values, v)
		q[i]++
	}
	return p, q
}

func undefined(peer Name, m Measure, c Column) error {
	kind := "numeric"
	if c.categorical {
		kind = "categorical"
	}
	return fmt.Errorf("%s %s of a %s column: %w", peer, m, kind, ErrUndefined)
}
