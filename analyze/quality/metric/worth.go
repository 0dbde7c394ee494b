package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// CostMatrix is what one prediction of each kind is worth, in a unit of the
// owner's choice; costs are negative.
type CostMatrix struct{ TP, FP, FN, TN float64 }

// Worth returns the mean value of one prediction. (NannyML's "per prediction"
// divides by column sums instead, against its own documentation.)
func (c Confusion) Worth(m CostMatrix) Value { return c.WorthAt(m, Each) }

// WorthAt is Worth where the counts know less than they are.
func (c Confusion) WorthAt(m CostMatrix, t Thinning) Value {
	s := c.seen()
	if m.TP == m.FP && m.FN == m.TN { // whatever the truth
		s.Positives, s.Negatives = s.Labelled, s.Labelled
	}
	return WorthOf([]Outcome{{m.TP, c.TP}, {m.FP, c.FP}, {m.FN, c.FN}, {m.TN, c.TN}}, s.Positives, s.Negatives, t)
}

// Worth returns the mean value of one prediction by a matrix of values of the
// same shape.
func (m Matrix) Worth(values [][]float64) (Value, error) { return m.WorthAt(values, Each) }

// WorthAt is Worth where the counts know less than they are. It needs labels of
// every kind of truth that the values tell apart.
func (m Matrix) WorthAt(values [][]float64, t Thinning) (Value, error) {
	if len(values) != len(m) {
		return Value{}, fmt.Errorf("value of predictions: %d rows of values for %d classes", len(values), len(m))
	}
	var outcomes []Outcome
	kinds, total := map[string]int64{}, int64(0)
	for i, row := range m {
		if len(values[i]) != len(row) {
			return Value{}, fmt.Errorf("value of predictions: row %d has %d values for %d classes", i, len(values[i]), len(row))
		}
		labels := int64(0)
		for j, count := range row {
			outcomes = append(outcomes, Outcome{values[i][j], count})
			labels += count
		}
		kinds[fmt.Sprint(values[i])] += labels
		total += labels
	}
	rarest := total
	for _, labels := range kinds {
		rarest = min(rarest, labels)
	}
	return WorthOf(outcomes, rarest, total, t), nil
}

// Outcome is what may become of a prediction: what one is worth, and how many of
// the labelled ones it became of.
type Outcome struct {
	Value float64
	Count int64
}

// WorthOf returns the mean value of one prediction by all that may become of one,
// never seen outcomes included, for these set how far the interval reaches. positives
// and negatives are labels of either truth, both the number of all labels where a
// value does not depend on the truth.
//
// The mean is a sum of shares, each with its own value. Student's interval takes it
// for normal, which with few positives that weigh much it is not: it holds 40 to 90 %
// of the time. The interval here puts those of the shares together (Zou & Donner 2008,
// "Construction of confidence limits about effect measures", section 2, with
// correlations): each end takes of every share the distance to the end of its own
// interval that lies that way, so that it keeps the skewness of rare outcomes. Those
// are mid-P intervals (Lancaster 1961; Berry & Armitage 1995), which are far from 0
// where nothing was seen: the rule of three (Hanley & Lippman-Hand 1983).
func WorthOf(outcomes []Outcome, positives, negatives int64, t Thinning) Value {
	outcomes = distinct(outcomes)
	var sum Moments
	for _, o := range outcomes {
		sum.AddTimes(o.Value, o.Count)
	}
	s := seen{Labelled: sum.N, Positives: positives, Negatives: negatives}
	return judgeAt(BusinessValue, sum.mean(), s, t, func() Interval {
		lower, upper := reach(outcomes, t.of(sum.N), t)
		least, most := outcomes[0].Value, outcomes[len(outcomes)-1].Value
		return Interval{max(sum.mean()-lower, least), min(sum.mean()+upper, most)}
	})
}

// distinct adds up outcomes of the same value, in rising order of it.
func distinct(outcomes []Outcome) []Outcome {
	sorted := slices.SortedFunc(slices.Values(outcomes), func(a, b Outcome) int { return cmp.Compare(a.Value, b.Value) })
	out := sorted[:0]
	for _, o := range sorted {
		if last := len(out) - 1; last >= 0 && out[last].Value == o.Value {
			out[last].Count += o.Count
			continue
		}
		out = append(out, o)
	}
	return out
}

// reach is how far the ends of the interval are from the mean: of the most frequent
// outcome there are as many as the others leave.
func reach(outcomes []Outcome, n float64, t Thinning) (lower, upper float64) {
	base := 0
	for i, o := range outcomes {
		if o.Count > outcomes[base].Count {
			base = i
		}
	}
	var down, up, odds []float64 // signed distances of each share by its value
	for i, o := range outcomes {
		if i == base {
			continue
		}
		p, worth := t.of(o.Count)/n, o.Value-outcomes[base].Value
		share := midP(t.of(o.Count), n)
		fewer, more := worth*(p-share.Low), worth*(share.High-p)
		if worth < 0 {
			fewer, more = more, fewer
		}
		down, up, odds = append(down, fewer), append(up, more), append(odds, math.Sqrt(p/(1-p)))
	}
	together := func(d []float64) float64 {
		// Shares of one whole are correlated by -sqrt(p_i p_j / ((1-p_i)(1-p_j))), so
		// that the square is sum d^2 - (sum d o)^2 + sum (d o)^2.
		squares, all, own := 0.0, 0.0, 0.0
		for i, x := range d {
			squares, all, own = squares+x*x, all+x*odds[i], own+square(x*odds[i])
		}
		return math.Sqrt(max(squares-all*all+own, 0))
	}
	return together(down), together(up)
}
