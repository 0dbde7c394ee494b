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
		m.macro(MacroPrecision, s, t, func(i, j int) (float64, float64) { return t.called[j], 0 }),
		m.macro(MacroRecall, s, t, func(i, j int) (float64, float64) { return 0, t.truth[i] }),
		m.macro(MacroF1, s, t, func(i, j int) (float64, float64) { return t.called[j], t.truth[i] }),
		m.mcc(s, t),
	}, nil
}

// macro is the mean over classes of n_kk over a margin (or 2 n_kk over the sum
// of both). margins returns the margins of column j and row i that count.
func (m Matrix) macro(id ID, s seen, t totals, margins func(i, j int) (float64, float64)) Value {
	k := len(m)
	rates, factors := make([]float64, k), make([]float64, k)
	mean := 0.0
	for c := range m {
		col, row := margins(c, c)
		factors[c] = 1.0
		if col > 0 && row > 0 {
			factors[c] = 2
		}
		if col+row > 0 {
			rates[c] = factors[c] * float64(m[c][c]) / (col + row)
		}
		mean += rates[c] / float64(k)
	}
	return judgeAt(id, mean, s, t.thin, func() Interval {
		// The metric has degree 0 in the counts: the variance is sum n g^2.
		variance := 0.0
		for i := range m {
			for j, count := range m[i] {
				if count == 0 {
					continue
				}
				g := 0.0
				colJ, rowJ := margins(j, j)
				colI, rowI := margins(i, i)
				if i == j {
					g += factors[i] / (colI + rowI)
				}
				if colJ > 0 { // column j's margin holds this cell
					g -= rates[j] / (colJ + rowJ)
				}
				if rowI > 0 { // and row i's
					g -= rates[i] / (colI + rowI)
				}
				variance += float64(count) * square(g/float64(k))
			}
		}
		return logitInterval(mean, math.Sqrt(variance/float64(t.thin)), t.n*float64(t.thin))
	})
}

// logitInterval is the interval of a mean of shares, symmetric in the logit, so
// that it stays within [0, 1]; at the ends, where the delta method sees no
// error, it is Wilson's of as many events.
func logitInterval(p, se, n float64) Interval {
	if p <= 0 || p >= 1 || se == 0 {
		return WilsonShare(p, n)
	}
	half := z95 * se / (p * (1 - p))
	return Interval{expit(logit(p) - half), expit(logit(p) + half)}
}

func (m Matrix) mcc(s seen, t totals) Value {
	products, calledSquares, truthSquares := 0.0, 0.0, 0.0
	for c := range m {
		products += t.called[c] * t.truth[c]
		calledSquares += square(t.called[c])
		truthSquares += square(t.truth[c])
	}
	a, b := square(t.n)-calledSquares, square(t.n)-truthSquares
	value := ratio(t.right*t.n-products, math.Sqrt(a)*math.Sqrt(b))
	return judgeAt(MultiMCC, value, s, t.thin, func() Interval {
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
		return fisher(value, math.Sqrt(variance/float64(t.thin)))
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

// Worth returns the mean value of one prediction by a matrix of values of the
// same shape.
func (m Matrix) Worth(values [][]float64) (Value, error) { return m.WorthAt(values, Each) }

// WorthAt is Worth where the counts know less than they are.
func (m Matrix) WorthAt(values [][]float64, t Thinning) (Value, error) {
	if len(values) != len(m) {
		return Value{}, fmt.Errorf("value of predictions: %d rows of values for %d classes", len(values), len(m))
	}
	sum := Moments{}
	for i, row := range m {
		if len(values[i]) != len(row) {
			return Value{}, fmt.Errorf("value of predictions: row %d has %d values for %d classes", i, len(values[i]), len(row))
		}
		for j, count := range row {
			sum.AddTimes(values[i][j], count)
		}
	}
	return sum.MeanAt(BusinessValue, sum.N, sum.N, t), nil
}

// TopKAccuracy returns the share of hits.
func TopKAccuracy(hits, labelled int64) Value { return TopKAccuracyAt(hits, labelled, Each) }

// TopKAccuracyAt is TopKAccuracy where the counts know less than they are.
func TopKAccuracyAt(hits, labelled int64, t Thinning) Value {
	return judgeAt(TopK, ratio(float64(hits), float64(labelled)), seen{Labelled: labelled}, t, func() Interval { return t.wilson(hits, labelled) })
}
