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
	// Count is how many alike predictions there are; 0 is one. Weight is what those
	// weigh where the producer samples.
	Count  int64
	Weight Weight
}

// positive is the probability that the label is positive, 1 or 0 where it is known.
func (p Prediction) positive() float64 {
	if p.Known {
		return truth(p.Truth)
	}
	return p.P
}

// Confusion is the confusion matrix of a window once all labels are in, as
// estimated. Given what was called, only two of its four counts are unknown.
type Confusion struct {
	// TP and FN are estimated as shares of all predictions.
	TP, FN Estimate
	// Accuracy is estimated by itself, so that it carries its own interval.
	Accuracy            Estimate
	Predictions, Called int64
	// All and Chosen are what the predictions, and those that were called, weigh.
	All, Chosen Weight
	// called and passed are about the requests that sampled predictions stand for
	// beyond themselves, of those that were called positive and of the others.
	called, passed pairs
}

// pairs are the sums of a p^2, a p (1-p) and a (1-p)^2 over sampled predictions,
// where p is the probability that the label is positive and a = w^2 - w for one that
// stands for w requests.
type pairs struct{ pp, pn, nn float64 }

func (q *pairs) add(a, p float64) {
	q.pp += a * p * p
	q.pn += a * p * (1 - p)
	q.nn += a * (1 - p) * (1 - p)
}

// about is the sum of a x^2, where a prediction is worth x: positive if its label
// is, else negative.
func (q pairs) about(positive, negative float64) float64 {
	return q.pp*positive*positive + 2*q.pn*positive*negative + q.nn*negative*negative
}

// ConfusionOf estimates the matrix (the idea of NannyML's CBPE, corrected by the
// labels that are in).
func ConfusionOf(predictions []Prediction, arrival Arrival, c Config) (Confusion, error) {
	var out Confusion
	hit, miss, right := make([]Event, len(predictions)), make([]Event, len(predictions)), make([]Event, len(predictions))
	for i, p := range predictions {
		n := Tally{max(p.Count, 1), p.Weight}
		right[i] = Right(p.Stratum, p.P, p.Chosen).Times(n)
		hit[i], miss[i] = Event{Stratum: p.Stratum}.Times(n), Outcome(p.Stratum, p.P, 1, 0).Times(n)
		if p.Chosen {
			hit[i], miss[i] = miss[i], hit[i]
		}
		out.count(p)
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

// count takes in how many there are.
func (c *Confusion) count(p Prediction) {
	n := max(p.Count, 1)
	weight := p.Weight.ofEach(float64(n))
	c.Predictions += n
	c.All.Add(weight)
	more := weight.Squares - weight.Requests
	if !p.Chosen {
		c.passed.add(more, p.positive())
		return
	}
	c.Called += n
	c.Chosen.Add(weight)
	c.called.add(more, p.positive())
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
// by the delta method on the logit scale, and half a count beyond. TP and FN are sums over different
// predictions, so that their errors are taken for independent. A share whose
// counts are not surely off 0 is insufficient. Of sampled predictions counts are
// in requests, and how many there are is their effective number. Each share's
// interval is as many times as wide as its own record asks, once where widen does
// not name it; that of accuracy is as ConfusionOf made it.
func (c Confusion) Values(widen map[metric.ID]float64) []metric.Value {
	values := []metric.Value{{Metric: metric.Accuracy, Value: c.Accuracy.Value, Interval: c.Accuracy.Interval, Labelled: c.Accuracy.Known, State: c.Accuracy.State}}
	for _, r := range c.ratios(c.TP.Error, c.FN.Error) {
		values = append(values, c.valueOf(r, max(widen[r.id], 1)))
	}
	return values
}

// OfLabels returns what a back-test holds against the truth, as OfLabels of an
// Estimate does, of every measure that is told.
func (c Confusion) OfLabels() map[metric.ID]Past {
	out := make(map[metric.ID]Past)
	if c.Accuracy.State == metric.OK {
		out[metric.Accuracy] = c.Accuracy.OfLabels(0, 1)
	}
	told := c.Values(nil)[1:]
	for i, r := range c.ratios(c.TP.own, c.FN.own) {
		if told[i].State == metric.OK {
			r.err.sampling = 0
			out[r.id] = Past{Value: r.value, Interval: r.interval(1), Error: math.Hypot(r.err.tp, r.err.fn)}
		}
	}
	return out
}

// ratio is a measure that is a share of counts of the matrix.
type ratio struct {
	id     metric.ID
	value  float64
	err    ratioError
	half   float64 // a count more or less, halved
	enough bool    // are expected to tell it
}

// ratios returns the shares, with the errors of TP and FN for theirs.
func (c Confusion) ratios(errTP, errFN float64) [4]ratio {
	n, called := c.All.Requests, c.Chosen.Requests
	tp, fn := n*c.TP.Value, n*c.FN.Value
	et, ef := n*errTP, n*errFN
	positives, negatives := tp+fn, n-tp-fn
	tn := n - called - fn
	sureTP, sureFN, thin := c.sure(tp, n*c.TP.Error), c.sure(fn, n*c.FN.Error), c.All.Thin()
	total := called + positives
	precision, recall, specificity, f1 := tp/called, tp/positives, tn/negatives, 2*tp/total
	half := 0.5 / thin // in requests
	return [4]ratio{
		{metric.Precision, precision, ratioError{et / called, 0, c.called.about(1-precision, -precision) / (called * called)}, half / called, sureTP && c.Chosen.Effective() >= leastEvents},
		{metric.Recall, recall, ratioError{et * fn / (positives * positives), ef * tp / (positives * positives), (c.called.about(1-recall, 0) + c.passed.about(-recall, 0)) / (positives * positives)}, half / positives, sureTP && sureFN},
		{metric.Specificity, specificity, ratioError{et * tn / (negatives * negatives), ef * (negatives - tn) / (negatives * negatives), (c.called.about(0, -specificity) + c.passed.about(0, 1-specificity)) / (negatives * negatives)}, half / negatives, tn*thin >= leastEvents},
		{metric.F1, f1, ratioError{et * 2 * (total - tp) / (total * total), ef * 2 * tp / (total * total), (c.called.about(2-2*f1, -f1) + c.passed.about(-f1, 0)) / (total * total)}, 2 * half / total, sureTP},
	}
}

func (c Confusion) sure(count, err float64) bool {
	return count*c.All.Thin() >= leastEvents && count >= leastSure*err
}

// ratioError are the independent parts of the error of a ratio: those of TP and FN,
// and the variance by requests that were not sampled.
type ratioError struct{ tp, fn, sampling float64 }

// interval is symmetric on the logit scale, with half a count on either side of it:
// counts are whole. Without that it never reached 1, which is what a precision of
// .995 most often is in a hundred calls.
func (r ratio) interval(widen float64) metric.Interval {
	by := math.Hypot(z95*widen*math.Hypot(r.err.tp, r.err.fn), z95*math.Sqrt(r.err.sampling)) / (r.value * (1 - r.value))
	if by == 0 {
		// There and back the logit is off by a rounding, which a record would count.
		return metric.Interval{Low: r.value, High: r.value}
	}
	x := math.Log(r.value / (1 - r.value))
	return metric.Interval{Low: max(1/(1+math.Exp(by-x))-r.half, 0), High: min(1/(1+math.Exp(-by-x))+r.half, 1)}
}

// valueOf builds a value from a share.
func (c Confusion) valueOf(r ratio, widen float64) metric.Value {
	v := metric.Value{Metric: r.id, Value: r.value, Interval: metric.Interval{Low: math.NaN(), High: math.NaN()}, Labelled: c.Accuracy.Known, State: metric.Insufficient}
	switch {
	case c.Predictions == 0:
		v.State, v.Why = metric.Missing, "no predictions"
	case !r.enough || !(r.value > 0 && r.value < 1):
		v.Why = "too few positives are expected to estimate a share of them"
	default:
		v.Interval, v.State = r.interval(widen), metric.OK
	}
	return v
}
