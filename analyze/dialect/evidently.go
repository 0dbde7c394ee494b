package dialect

import (
	"math"
	"slices"
)

// Evidently's defaults.
const (
	// evidentlySmall is the number of reference rows up to which it tests, and
	// beyond which it measures a distance.
	evidentlySmall = 1000
	// evidentlyFew is the number of distinct values up to which a number is
	// treated as a category by the default choice.
	evidentlyFew = 5
	// evidentlyBinned is the number of distinct reference values above which
	// PSI and Jensen-Shannon cut a number into bins.
	evidentlyBinned   = 20
	evidentlyAlpha    = 0.05
	evidentlyDistance = 0.1
	evidentlyLeastStd = 0.001
	evidentlyZero     = 0.0001 // share that PSI puts in an empty bin
	evidentlyShare    = 0.5
)

// EvidentlyDataset reports whether Evidently calls the data set as a whole
// drifted: when at least half of its columns are.
func EvidentlyDataset(columns []Score) bool {
	drifted := 0
	for _, s := range columns {
		if s.Alert {
			drifted++
		}
	}
	return len(columns) > 0 && float64(drifted)/float64(len(columns)) >= evidentlyShare
}

// EvidentlyDefault is the measure Evidently chooses for a column by itself,
// from the kind of the column, the rows of the reference and the number of
// distinct values in both samples. A change of the reference from 1,000 to
// 1,001 rows, nulls not counted, changes the measure.
func EvidentlyDefault(reference, current Column) Measure {
	reference, current = evidentlyClean(reference), evidentlyClean(current)
	distinct := evidentlyDistinct(reference, current)
	small := reference.Len() <= evidentlySmall
	numeric := !reference.categorical && distinct > evidentlyFew
	switch {
	case numeric && small:
		return KolmogorovSmirnov
	case numeric:
		return Wasserstein
	case !small:
		return JensenShannon
	case distinct > 2:
		return ChiSquare
	}
	return ZTest
}

func evidentlyDistinct(columns ...Column) int {
	words, numbers := make(map[string]bool), make(map[float64]bool)
	for _, c := range columns {
		if c.categorical {
			counts, _ := c.counts()
			for w := range counts {
				words[w] = true
			}
		}
		for _, v := range c.numbers {
			numbers[v] = true
		}
	}
	return len(words) + len(numbers)
}

// EvidentlyScore computes a measure of Evidently with its default threshold.
// Its tests print a p-value, which is then both Value and P: KolmogorovSmirnov,
// ChiSquare and ZTest. The others print a distance: Wasserstein divided by the
// reference's standard deviation, JensenShannon to base e, and PSI. Both
// columns must be of one kind and have a value; nulls and infinities are
// dropped first, as Evidently does for a column that has nulls.
func EvidentlyScore(reference, current Column, m Measure) (Score, error) {
	ref, cur := evidentlyClean(reference), evidentlyClean(current)
	if ref.Len() == 0 || cur.Len() == 0 || ref.categorical != cur.categorical {
		return Score{}, undefined(Evidently, m, reference)
	}
	numeric := !ref.categorical
	s := Score{Measure: m, P: math.NaN(), Threshold: evidentlyDistance}
	switch {
	case m == Wasserstein && numeric:
		_, std := meanStd(ref.numbers)
		s.Value = wasserstein(ref.numbers, cur.numbers) / max(std, evidentlyLeastStd)
	case m == JensenShannon:
		p, q := evidentlyBins(ref, cur)
		s.Value = jensenShannon(p, q, math.E)
	case m == PSI:
		p, q := evidentlyBins(ref, cur)
		s.Value = psi(fillEmpty(p), fillEmpty(q))
	case m == KolmogorovSmirnov && numeric:
		return evidentlyTest(m, kolmogorovSmirnovP(ref.numbers, cur.numbers)), nil
	case m == ChiSquare:
		p, q := valueCells(ref, cur)
		return evidentlyTest(m, evidentlyChiSquare(p, q)), nil
	case m == ZTest:
		return evidentlyTest(m, evidentlyZ(ref, cur)), nil
	default:
		return Score{}, undefined(Evidently, m, reference)
	}
	s.Alert = s.Value >= s.Threshold
	return s, nil
}

// evidentlyTest judges a p-value. KS alone alerts at the threshold itself.
func evidentlyTest(m Measure, p float64) Score {
	alert := p < evidentlyAlpha || (m == KolmogorovSmirnov && p == evidentlyAlpha)
	return Score{Measure: m, Value: p, P: p, Threshold: evidentlyAlpha, Alert: alert}
}

// evidentlyClean drops nulls and infinities.
func evidentlyClean(c Column) Column {
	c = present(c)
	if slices.ContainsFunc(c.numbers, isInfinite) {
		c.numbers = slices.DeleteFunc(slices.Clone(c.numbers), isInfinite)
	}
	return c
}

func isInfinite(v float64) bool { return math.IsInf(v, 0) }

// evidentlyBins returns shares over categories or, for a number with more than
// 20 distinct reference values, over Sturges' bins of both samples together,
// so that the edges move with the data they judge.
func evidentlyBins(ref, cur Column) (p, q []float64) {
	if ref.categorical || evidentlyDistinct(ref) <= evidentlyBinned {
		p, q = valueCells(ref, cur)
	} else {
		edges := sturges(slices.Concat(ref.numbers, cur.numbers))
		p, q = histogram(ref.numbers, edges), histogram(cur.numbers, edges)
	}
	return share(p, ref.Len()), share(q, cur.Len())
}

// fillEmpty replaces shares of 0 by 1e-4, or by a millionth of the least other
// share where that is at most 1e-4. The sum then exceeds 1.
func fillEmpty(p []float64) []float64 {
	least := math.Inf(1)
	for _, v := range p {
		if v > 0 {
			least = min(least, v)
		}
	}
	fill := evidentlyZero
	if least <= evidentlyZero {
		fill = least / 1e6
	}
	out := slices.Clone(p)
	for i, v := range out {
		if v == 0 {
			out[i] = fill
		}
	}
	return out
}

func psi(p, q []float64) float64 {
	total := 0.0
	for i := range p {
		total += (p[i] - q[i]) * math.Log(p[i]/q[i])
	}
	return total
}

// evidentlyChiSquare takes the reference for the truth: it expects its counts,
// scaled, without an error of their own. A category the reference lacks makes
// the statistic infinite and the p-value 0.
func evidentlyChiSquare(ref, cur []float64) float64 {
	scale := sum(cur) / sum(ref)
	stat := 0.0
	for i := range ref {
		expected := ref[i] * scale
		gap := cur[i] - expected
		stat += gap * gap / expected
	}
	return chiSquareTail(stat, float64(len(ref)-1))
}

// evidentlyZ compares the shares of all values but the first in order.
func evidentlyZ(ref, cur Column) float64 {
	p, q := valueCells(ref, cur)
	if len(p) == 1 {
		return 1
	}
	n, m := sum(p), sum(q)
	a, b := 1-p[0]/n, 1-q[0]/m
	pooled := (n - p[0] + m - q[0]) / (n + m)
	z := (a - b) / math.Sqrt(pooled*(1-pooled)*(1/n+1/m))
	return math.Erfc(math.Abs(z) / math.Sqrt2)
}
