package estimate

import (
	"math"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Prediction is one prediction of a binary model in a window.
type Prediction struct {
	Stratum Stratum
	// P is the calibrated probability that the label is positive, Chosen whether
	// the model called it so.
	P            float64
	Chosen       bool
	Known, Truth bool
	// Count is how many alike predictions there are; 0 is one.
	Count int64
}

// Confusion is the confusion matrix of a window once all labels are in, as
// estimated. Given what was called, only two of its four counts are unknown.
type Confusion struct {
	// TP and FN are estimated as shares of all predictions.
	TP, FN Estimate
	// Accuracy is estimated by itself, so that it carries its own interval.
	Accuracy            Estimate
	Predictions, Called int64
}

// ConfusionOf estimates the matrix (the idea of NannyML's CBPE, corrected by the
// labels that are in).
func ConfusionOf(predictions []Prediction, arrival Arrival, c Config) (Confusion, error) {
	var out Confusion
	hit, miss, right := make([]Event, len(predictions)), make([]Event, len(predictions)), make([]Event, len(predictions))
	for i, p := range predictions {
		n := max(p.Count, 1)
		out.Predictions += n
		right[i] = Right(p.Stratum, p.P, p.Chosen).Times(n)
		hit[i], miss[i] = Event{Stratum: p.Stratum, Count: n}, Outcome(p.Stratum, p.P, 1, 0).Times(n)
		if p.Chosen {
			out.Called += n
			hit[i], miss[i] = miss[i], hit[i]
		}
		if p.Known {
			right[i] = right[i].With(truth(p.Truth == p.Chosen))
			hit[i] = hit[i].With(truth(p.Truth && p.Chosen))
			miss[i] = miss[i].With(truth(p.Truth && !p.Chosen))
		}
	}
	var err error
	if out.Accuracy, err = Mean(right, arrival, c); err != nil {
		return out, err
	}
	out.Accuracy = out.Accuracy.Within(0, 1)
	if out.TP, err = Mean(hit, arrival, c); err != nil {
		return out, err
	}
	out.FN, err = Mean(miss, arrival, c)
	return out, err
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// leastEvents is how many hits or misses must be expected before a share of them
// is estimated, and leastSure how many standard errors they must be off 0.
const (
	leastEvents = 10
	leastSure   = 2
)

// Values returns accuracy, precision, recall, specificity and F1 with intervals
// by the delta method on the logit scale. TP and FN are sums over different
// predictions, so that their errors are taken for independent. A share whose
// counts are not surely off 0 is insufficient.
func (c Confusion) Values(widen float64) []metric.Value {
	n, called := float64(c.Predictions), float64(c.Called)
	tp, fn := n*c.TP.Value, n*c.FN.Value
	et, ef := n*c.TP.Error, n*c.FN.Error
	positives, negatives := tp+fn, n-tp-fn
	tn := n - called - fn
	sureTP, sureFN := c.sure(tp, et), c.sure(fn, ef)
	accuracy := metric.Value{Metric: metric.Accuracy, Value: c.Accuracy.Value, Interval: c.Accuracy.Interval, Labelled: c.Accuracy.Known, State: c.Accuracy.State}
	total := called + positives
	return []metric.Value{
		accuracy,
		c.ratio(metric.Precision, tp/called, et/called, 0, widen, sureTP && called >= leastEvents),
		c.ratio(metric.Recall, tp/positives, et*fn/(positives*positives), ef*tp/(positives*positives), widen, sureTP && sureFN),
		c.ratio(metric.Specificity, tn/negatives, et*tn/(negatives*negatives), ef*(negatives-tn)/(negatives*negatives), widen, tn >= leastEvents),
		c.ratio(metric.F1, 2*tp/total, et*2*(total-tp)/(total*total), ef*2*tp/(total*total), widen, sureTP),
	}
}

func (c Confusion) sure(count, err float64) bool {
	return count >= leastEvents && count >= leastSure*err
}

// ratio builds a value from its two independent parts of error.
func (c Confusion) ratio(id metric.ID, value, errTP, errFN, widen float64, enough bool) metric.Value {
	v := metric.Value{Metric: id, Value: value, Interval: metric.Interval{Low: math.NaN(), High: math.NaN()}, Labelled: c.Accuracy.Known, State: metric.Insufficient}
	switch {
	case c.Predictions == 0:
		v.State, v.Why = metric.Missing, "no predictions"
	case !enough || !(value > 0 && value < 1):
		v.Why = "too few positives are expected to estimate a share of them"
	default:
		half := z95 * widen * math.Hypot(errTP, errFN) / (value * (1 - value))
		x := math.Log(value / (1 - value))
		v.Interval, v.State = metric.Interval{Low: 1 / (1 + math.Exp(half-x)), High: 1 / (1 + math.Exp(-half-x))}, metric.OK
	}
	return v
}
