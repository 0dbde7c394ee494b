package metric

import "math"

// Confusion counts the labelled predictions of a binary model.
type Confusion struct{ TP, FP, FN, TN int64 }

// Labelled is the number of labelled predictions.
func (c Confusion) Labelled() int64 { return c.TP + c.FP + c.FN + c.TN }

func (c Confusion) seen() seen {
	return seen{Labelled: c.Labelled(), Positives: c.TP + c.FN, Negatives: c.TN + c.FP, Predicted: c.TP + c.FP}
}

// Values returns accuracy, precision, recall, specificity, F1 and MCC.
func (c Confusion) Values() []Value { return c.ValuesAt(Each) }

// ValuesAt is Values where the counts know less than they are.
func (c Confusion) ValuesAt(t Thinning) []Value {
	return []Value{
		c.share(Accuracy, c.TP+c.TN, c.Labelled(), t),
		c.share(Precision, c.TP, c.TP+c.FP, t),
		c.share(Recall, c.TP, c.TP+c.FN, t),
		c.share(Specificity, c.TN, c.TN+c.FP, t),
		c.f1(t),
		c.mcc(t),
	}
}

func (c Confusion) share(id ID, hits, n int64, t Thinning) Value {
	return judgeAt(id, ratio(float64(hits), float64(n)), c.seen(), t, func() Interval { return t.wilson(hits, n) })
}

func (c Confusion) f1(t Thinning) Value {
	rows := c.TP + c.FP + c.FN
	return judgeAt(F1, ratio(2*float64(c.TP), float64(2*c.TP+c.FP+c.FN)), c.seen(), t, func() Interval {
		j := t.wilson(c.TP, rows)
		return Interval{2 * j.Low / (1 + j.Low), 2 * j.High / (1 + j.High)}
	})
}

func (c Confusion) mcc(t Thinning) Value {
	tp, fp, fn, tn := float64(c.TP), float64(c.FP), float64(c.FN), float64(c.TN)
	called, positive, negative, passed := tp+fp, tp+fn, tn+fp, tn+fn
	scale := math.Sqrt(called) * math.Sqrt(positive) * math.Sqrt(negative) * math.Sqrt(passed)
	m := ratio(tp*tn-fp*fn, scale)
	return judgeAt(MCC, m, c.seen(), t, func() Interval {
		// The coefficient does not change if all counts are doubled, so that by
		// Euler its gradient is orthogonal to the counts, and the multinomial
		// variance is sum n g^2 alone.
		variance := tp*square(tn/scale-m/2*(1/called+1/positive)) +
			tn*square(tp/scale-m/2*(1/negative+1/passed)) +
			fp*square(-fn/scale-m/2*(1/called+1/negative)) +
			fn*square(-fp/scale-m/2*(1/positive+1/passed))
		both := Matrix{{c.TN, c.FP}, {c.FN, c.TP}}
		of, _ := both.totals()
		of.thin = t
		return hull(fisher(m, math.Sqrt(variance/float64(t))), both.unseen(of, both.correlation(of).with))
	})
}

// fisher is the interval of a correlation with standard error se, symmetric on
// the scale of atanh. A correlation of 1 or -1 has no error that the delta
// method could see: what was not seen is all that its interval is made of.
func fisher(m, se float64) Interval {
	if math.Abs(m) >= 1 {
		m = min(max(m, -1), 1)
		return Interval{m, m}
	}
	half := z95 * se / (1 - m*m)
	return Interval{math.Tanh(math.Atanh(m) - half), math.Tanh(math.Atanh(m) + half)}
}
