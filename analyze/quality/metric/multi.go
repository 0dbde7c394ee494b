package metric

import (
	"fmt"
	"math"
)

// Matrix counts labelled predictions by class: row i is true class i, column j
// the class the model chose.
type Matrix [][]int64

// totals are the margins of a matrix.
type totals struct {
	truth, called []float64
	right, n      float64
	rarest        int64 // labels of the class that has the fewest
	thin          Thinning
}

func (m Matrix) totals() (totals, error) {
	k := len(m)
	t := totals{truth: make([]float64, k), called: make([]float64, k), rarest: math.MaxInt64}
	for i, row := range m {
		if len(row) != k {
			return t, fmt.Errorf("confusion matrix of %d classes: row %d has %d columns", k, i, len(row))
		}
		var labels int64
		for j, count := range row {
			if count < 0 {
				return t, fmt.Errorf("confusion matrix of %d classes: cell (%d, %d) holds %d", k, i, j, count)
			}
			labels += count
			t.called[j] += float64(count)
		}
		t.truth[i] = float64(labels)
		t.n += float64(labels)
		t.right += float64(row[i])
		t.rarest = min(t.rarest, labels)
	}
	return t, nil
}

// Values returns accuracy, macro precision, recall and F1, and MCC. A class that
// was never chosen has precision and F1 0, as scikit-learn has it.
func (m Matrix) Values() ([]Value, error) { return m.ValuesAt(Each) }

// ValuesAt is Values where the counts know less than they are.
func (m Matrix) ValuesAt(thin Thinning) ([]Value, error) {
	t, err := m.totals()
	if err != nil {
		return nil, err
	}
	s := seen{Labelled: int64(t.n), Positives: t.rarest}
	t.thin = thin
	accuracy := judgeAt(Accuracy, ratio(t.right, t.n), s, thin, func() Interval { return thin.wilson(int64(t.right), int64(t.n)) })
	return []Value{
		accuracy,
		m.macro(MacroPrecision, s, t, margin{called: 1}),
		m.macro(MacroRecall, s, t, margin{truth: 1}),
		m.macro(MacroF1, s, t, margin{called: 1, truth: 1}),
		m.mcc(s, t),
	}, nil
}

// margin says of which margins a rate of a class is a share: 1 of those that count.
type margin struct{ called, truth float64 }

// of is the margin of a class with some more of it called and true.
func (g margin) of(t totals, class int, called, truth float64) float64 {
	return g.called*(t.called[class]+called) + g.truth*(t.truth[class]+truth)
}

// rate is a class's n_kk over its margin (or 2 n_kk over the sum of both), with some
// more in its cell, its column and its row.
func (m Matrix) rate(g margin, t totals, class int, right, called, truth float64) float64 {
	of := g.of(t, class, called, truth)
	if of == 0 {
		return 0
	}
	return (g.called + g.truth) * (float64(m[class][class]) + right) / of
}

// macro is the mean over classes of their rates.
func (m Matrix) macro(id ID, s seen, t totals, g margin) Value {
	k := float64(len(m))
	rates, mean := make([]float64, len(m)), 0.0
	for c := range m {
		rates[c] = m.rate(g, t, c, 0, 0, 0)
		mean += rates[c] / k
	}
	return judgeAt(id, mean, s, t.thin, func() Interval {
		// The metric has degree 0 in the counts: the variance is sum n g^2.
		variance := 0.0
		for i := range m {
			for j, count := range m[i] {
				if count == 0 {
					continue
				}
				gradient := 0.0
				if i == j {
					gradient += (g.called + g.truth) / g.of(t, i, 0, 0)
				}
				if g.called > 0 { // column j's margin holds this cell
					gradient -= rates[j] / g.of(t, j, 0, 0)
				}
				if g.truth > 0 { // and row i's
					gradient -= rates[i] / g.of(t, i, 0, 0)
				}
				variance += float64(count) * square(gradient/k)
			}
		}
		delta := logitInterval(mean, math.Sqrt(variance/float64(t.thin)), t.n*float64(t.thin))
		return hull(delta, m.unseen(t, func(i, j int, more float64) float64 {
			if i == j {
				return mean + (m.rate(g, t, i, more, more, more)-rates[i])/k
			}
			return mean + (m.rate(g, t, j, 0, more, 0)-rates[j]+m.rate(g, t, i, 0, 0, more)-rates[i])/k
		}))
	})
}

// logitInterval is the interval of a mean of shares, symmetric in the logit, so
// that it stays within [0, 1]; at the ends, where the delta method sees no
// error, it is Wilson's of as many events.
func logitInterval(p, se, n float64) Interval {
	if p <= 0 || p >= 1 || se == 0 {
		return hull(WilsonShare(p, n), Interval{p, p}) // rounding leaves 1e-16 outside
	}
	half := z95 * se / (p * (1 - p))
	return Interval{expit(logit(p) - half), expit(logit(p) + half)}
}

// correlation is what the Matthews correlation of a matrix is made of.
type correlation struct {
	of                              totals
	products, calledSquares, truths float64 // sums over classes of p_k t_k, p_k^2, t_k^2
}

func (m Matrix) correlation(t totals) correlation {
	c := correlation{of: t}
	for k := range m {
		c.products += t.called[k] * t.truth[k]
		c.calledSquares += square(t.called[k])
		c.truths += square(t.truth[k])
	}
	return c
}

// with is the correlation with some more in cell (i, j).
func (c correlation) with(i, j int, more float64) float64 {
	t := c.of
	n, right, both := t.n+more, t.right, c.products+more*(t.called[i]+t.truth[j])
	if i == j {
		right, both = right+more, both+more*more
	}
	a := n*n - c.calledSquares - more*(2*t.called[j]+more)
	b := n*n - c.truths - more*(2*t.truth[i]+more)
	return ratio(right*n-both, math.Sqrt(a)*math.Sqrt(b))
}

func (m Matrix) mcc(s seen, t totals) Value {
	c := m.correlation(t)
	value := c.with(0, 0, 0)
	return judgeAt(MultiMCC, value, s, t.thin, func() Interval {
		a, b := square(t.n)-c.calledSquares, square(t.n)-c.truths
		variance := 0.0
		for i := range m {
			for j, count := range m[i] {
				g := t.right - t.called[i] - t.truth[j]
				if i == j {
					g += t.n
				}
				g = g/(math.Sqrt(a)*math.Sqrt(b)) - value*((t.n-t.called[j])/a+(t.n-t.truth[i])/b)
				variance += float64(count) * g * g
			}
		}
		return hull(fisher(value, math.Sqrt(variance/float64(t.thin))), m.unseen(t, c.with))
	})
}

// Class returns the binary counts of one class against all others.
func (m Matrix) Class(class int) Confusion {
	var c Confusion
	for i, row := range m {
		for j, count := range row {
			switch {
			case i == class && j == class:
				c.TP += count
			case i == class:
				c.FN += count
			case j == class:
				c.FP += count
			default:
				c.TN += count
			}
		}
	}
	return c
}

// TopKAccuracy returns the share of hits.
func TopKAccuracy(hits, labelled int64) Value { return TopKAccuracyAt(hits, labelled, Each) }

// TopKAccuracyAt is TopKAccuracy where the counts know less than they are.
func TopKAccuracyAt(hits, labelled int64, t Thinning) Value {
	return judgeAt(TopK, ratio(float64(hits), float64(labelled)), seen{Labelled: labelled}, t, func() Interval { return t.wilson(hits, labelled) })
}
