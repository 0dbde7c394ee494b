package multivariate

import (
	"cmp"
	"maps"
	"math"
	"slices"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/rows"
)

// term is one input of the classifier, a value a row. Terms are made without
// looking at which window a row is from.
type term struct {
	name    string
	a, b    []float64 // the value is a, or a*b where b is not nil
	codes   []int32   // or 1 where the row's code is code, and 0 elsewhere
	code    int32
	feature plumbline.Feature
	also    plumbline.Feature // the second feature of a product
}

func (t term) at(i int) float64 {
	switch {
	case t.codes != nil && t.codes[i] == t.code:
		return 1
	case t.codes != nil:
		return 0
	case t.b == nil:
		return t.a[i]
	}
	return t.a[i] * t.b[i]
}

// termsOf makes the terms of both tables, the reference's rows first: for a
// number its normal score, its square, and products with other numbers; for a
// category whether it is one of the most frequent; whether a value is missing.
func termsOf(reference, current rows.Table, o Options) []term {
	var numbers, all []term
	features := slices.Compact(slices.Sorted(slices.Values(slices.Concat(reference.Features(), current.Features()))))
	for _, f := range features {
		numeric := slices.Concat(column(reference, f), column(current, f))
		scores, missing := normalScores(numeric)
		words := slices.Concat(texts(reference, f), texts(current, f))
		for i, w := range words {
			if w != nil {
				missing[i] = 0
			}
		}
		if slices.ContainsFunc(scores, func(v float64) bool { return v != 0 }) {
			numbers = append(numbers, term{name: string(f), a: scores, feature: f})
		}
		values, codes := coded(words, o.Categories)
		for code, value := range values {
			all = append(all, term{name: string(f) + " = " + value, codes: codes, code: int32(code) + 1, feature: f})
		}
		all = append(all, term{name: string(f) + " missing", codes: missing, code: 1, feature: f})
	}
	all = append(all, numbers...)
	for _, t := range numbers {
		all = append(all, term{name: string(t.feature) + " squared", a: t.a, b: t.a, feature: t.feature, also: t.feature})
	}
	for i, t := range numbers[:min(len(numbers), mostNumbers)] {
		for _, u := range numbers[:i] {
			all = append(all, term{name: string(u.feature) + " × " + string(t.feature), a: u.a, b: t.a, feature: u.feature, also: t.feature})
		}
	}
	return slices.DeleteFunc(all, constant)
}

// mostNumbers is how many numeric features, by name, have products.
const mostNumbers = 60

func constant(t term) bool {
	first := t.at(0)
	for i := range max(len(t.a), len(t.codes)) {
		if t.at(i) != first {
			return false
		}
	}
	return true
}

// column returns a feature's numbers, NaN where there is none.
func column(t rows.Table, f plumbline.Feature) []float64 {
	if v, ok := t.Numbers[f]; ok {
		return v
	}
	return slices.Repeat([]float64{math.NaN()}, t.Len())
}

// texts returns a feature's categories, nil where there is none.
func texts(t rows.Table, f plumbline.Feature) []*string {
	all := make([]*string, t.Len())
	for i := range t.Words[f].Values {
		if !t.Words[f].Null[i] {
			all[i] = &t.Words[f].Values[i]
		}
	}
	return all
}

// normalScores replaces each number by the normal quantile of its rank among
// all of them (van der Waerden 1952), so that no outlier leads the fit. What is
// no number gets 0 and a 1 in missing; infinities rank like others.
func normalScores(values []float64) (scores []float64, missing []int32) {
	scores, missing = make([]float64, len(values)), make([]int32, len(values))
	var at []int
	var present []float64
	for i, v := range values {
		if math.IsNaN(v) {
			missing[i] = 1
			continue
		}
		at, present = append(at, i), append(present, v)
	}
	for k, rank := range midranks(present) {
		scores[at[k]] = math.Sqrt2 * math.Erfinv(2*rank/float64(len(present)+1)-1)
	}
	return scores, missing
}

// coded returns the most frequent words, at most n, and for each row the number
// of its word among them from 1 on, 0 for any other.
func coded(words []*string, n int) (values []string, codes []int32) {
	counts := map[string]int{}
	for _, w := range words {
		if w != nil {
			counts[*w]++
		}
	}
	all := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	values = all[:min(n, len(all))]
	numbers := map[string]int32{}
	for i, v := range values {
		numbers[v] = int32(i) + 1
	}
	codes = make([]int32, len(words))
	for i, w := range words {
		if w != nil {
			codes[i] = numbers[*w]
		}
	}
	return values, codes
}

// screen returns the terms that differ most between the windows in the rows, by
// the correlation of term and window, at most n (sure independence screening,
// Fan & Lv 2008). The rows must be training rows only.
func screen(terms []term, isCurrent []bool, rows []int, n int) []term {
	type ranked struct {
		term
		correlation float64
	}
	all := make([]ranked, 0, len(terms))
	for _, t := range terms {
		var sum, squares, with, ones float64
		for _, i := range rows {
			v := t.at(i)
			sum += v
			squares += v * v
			if isCurrent[i] {
				with += v
				ones++
			}
		}
		count := float64(len(rows))
		variance := squares/count - sum/count*sum/count
		if !(variance > 1e-12) {
			continue // constant in these rows
		}
		all = append(all, ranked{t, math.Abs(with/count-sum/count*ones/count) / math.Sqrt(variance)})
	}
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(b.correlation, a.correlation) })
	kept := make([]term, 0, min(n, len(all)))
	for _, r := range all[:min(n, len(all))] {
		kept = append(kept, r.term)
	}
	return kept
}
