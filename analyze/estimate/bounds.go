package estimate

import (
	"fmt"
	"math"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Bounds are what is known of a share when some predictions never get a label
// because of what the model itself decided: only accepted loans are repaid or
// not. Any value in between is possible, and nothing in the data prefers one:
// there is no point, and no page may rest on it.
type Bounds struct {
	// Low and High are Manski's bounds of this window's own share (1989).
	Low, High float64
	// Interval covers the share of the process behind the window 95 times in 100,
	// wherever between the bounds it is (Imbens & Manski 2004, section 4).
	metric.Interval
	Predictions, Labelled int64
	State                 metric.State
	Assumes               []string
}

// Bound returns the bounds of a share from hits among labelled predictions, and
// predictions that will never have a label. Of sampled predictions it is a share of
// requests; see worth for its interval.
func Bound(hits, labelled, never Tally) (Bounds, error) {
	if hits.Count < 0 || labelled.Count < hits.Count || never.Count < 0 {
		return Bounds{}, fmt.Errorf("bounds of %d hits of %d labelled, %d without a label", hits.Count, labelled.Count, never.Count)
	}
	n := labelled.Count + never.Count
	out := Bounds{Low: math.NaN(), High: math.NaN(), Interval: metric.Interval{Low: math.NaN(), High: math.NaN()}, Predictions: n, Labelled: labelled.Count,
		State: metric.Missing, Assumes: []string{"nothing: unlabelled predictions may all be right or all be wrong"}}
	if n == 0 {
		return out, nil
	}
	all := labelled.weight()
	all.Add(never.weight())
	hit, possible := hits.weight(), hits.weight()
	possible.Add(never.weight())
	out.Low, out.High, out.State = hit.Requests/all.Requests, possible.Requests/all.Requests, metric.OK
	sampled := all.Squares > all.Requests
	if sampled {
		out.Assumes = []string{"of labels nothing: unlabelled predictions may all be right or all be wrong", sampledAlone}
	}
	if min(all.Effective(), worth(hit, all), worth(possible, all)) < leastWorth || min(hits.Count, labelled.Count-hits.Count) < 1 {
		out.State = metric.Insufficient
		if sampled {
			out.Assumes = append(out.Assumes, "there are too few predictions to say how far those that were not sampled may be off, which is left out")
		}
		return out, nil
	}
	low, high := math.Sqrt(out.Low*(1-out.Low)/worth(hit, all)), math.Sqrt(out.High*(1-out.High)/worth(possible, all))
	c := imbensManski((out.High - out.Low) / max(low, high))
	out.Interval = metric.Interval{Low: max(out.Low-c*low, 0), High: min(out.High+c*high, 1)}
	return out, nil
}

// leastWorth is how many equal observations an interval needs.
const leastWorth = 20

// worth is how many equal observations predictions are worth for the share that some
// of them are: their effective number if these weigh like the others. If few heavy
// ones are what the share is made of, it is less, for the variance of the share p is
// the sum of w^2 (x - p)^2 over the square of the sum of w, where x is 1 for these
// and 0 for the others.
func worth(some, all Weight) float64 {
	p, others := some.Requests/all.Requests, Weight{Requests: all.Requests - some.Requests}
	others.Squares = max(all.Squares-some.Squares, others.Requests) // a difference of great numbers
	return all.Requests / ((1-p)/some.Thin() + p/others.Thin())
}

// imbensManski solves Phi(c + gap) - Phi(-c) = 0.95: 1.96 where the bounds meet,
// 1.645 where they are far apart.
func imbensManski(gap float64) float64 {
	phi := func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
	low, high := 1.6, 2.0
	for range 60 {
		mid := (low + high) / 2
		if phi(mid+gap)-phi(-mid) < metric.Level {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// Explored is a labelled prediction whose chance of getting a label was logged,
// or is the declared share of exploration.
type Explored struct {
	Propensity float64 // in (0, 1]
	// Actual is what the label says, or the mean of what alike labels say, and Scatter
	// their variance about it.
	Actual, Scatter float64
	// Count is how many alike labels there are; 0 is one. Weight is what their
	// predictions weigh where the producer samples.
	Count  int64
	Weight Weight
}

// weight is what the row's predictions weigh.
func (l Explored) weight() Weight { return l.Weight.ofEach(float64(max(l.Count, 1))) }

// Weigh estimates a mean under partial feedback from logged propensities, each
// label standing for 1/propensity predictions, as often as its weight says (Hajek's ratio estimate; its
// linearised variance, Sarndal, Swensson & Wretman 1992, eq. 5.7.4). Without logged
// propensities or a declared share of exploration there is only Bound.
func Weigh(labels []Explored, predictions int64) (Estimate, error) {
	out := Estimate{Value: math.NaN(), Expected: math.NaN(), Error: math.NaN(), Interval: metric.Interval{Low: math.NaN(), High: math.NaN()},
		Predictions: predictions, State: metric.Missing,
		Assumes: []string{"the logged propensities are those with which labels were in fact chosen, and none of them is 0"}}
	sum, weights := 0.0, 0.0
	var known Weight
	for i, l := range labels {
		if !(l.Propensity > 0 && l.Propensity <= 1) {
			return Estimate{}, fmt.Errorf("weigh label %d: propensity %g is not in (0, 1]", i, l.Propensity)
		}
		n := l.weight().Requests
		sum += n * l.Actual / l.Propensity
		weights += n / l.Propensity
		known.Add(l.weight())
		out.Known += max(l.Count, 1)
	}
	if len(labels) == 0 {
		return out, nil
	}
	if known.Squares > known.Requests {
		out.Assumes = append(out.Assumes, sampledAlone)
	}
	out.Value = sum / weights
	variance, heaviest := 0.0, 0.0
	for _, l := range labels {
		// A label is there with the chance of being sampled times its propensity.
		w, n := 1/l.Propensity/weights, l.weight()
		chance := n.Requests*(1-l.Propensity) + (n.Squares - n.Requests)
		variance += chance * w * w * ((l.Actual-out.Value)*(l.Actual-out.Value) + l.Scatter)
		heaviest = max(heaviest, w*n.Squares/n.Requests)
	}
	out.Error = math.Sqrt(variance)
	out.State = metric.Insufficient
	if known.Effective() >= leastWorth && heaviest <= 0.1 {
		out.State = metric.OK
		out.Interval = metric.Interval{Low: out.Value - z95*out.Error, High: out.Value + z95*out.Error}
	}
	return out, nil
}
