package estimate

import (
	"fmt"
	"math"
	"slices"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// z95 is the 97.5 % quantile of the normal distribution.
const z95 = 1.959963984540054

// Event is one prediction of a window, as the metric sees it: what its loss or
// hit is expected to be, and what it was if the label is in.
type Event struct {
	Stratum            Stratum
	Expected, Variance float64
	Known              bool
	Actual             float64
	// Scatter is the variance of Actual among the predictions that the event
	// stands for, where it is their mean.
	Scatter float64
	// Count is how many alike predictions the event stands for; 0 is one. Weight is
	// what those weigh where the producer samples.
	Count  int64
	Weight Weight
}

// n is the number of predictions that the event stands for.
func (e Event) n() float64 { return float64(max(e.Count, 1)) }

// Times returns the event as so many alike predictions.
func (e Event) Times(n Tally) Event {
	e.Count, e.Weight = n.Count, n.Weight
	return e
}

// Outcome is an event that is worth one of two numbers: ifPositive with
// probability p that the label is positive, ifNegative else. Accuracy (1 and 0
// for a prediction called positive), the Brier score, log loss and the value of a
// prediction by a cost matrix are all of this kind.
func Outcome(s Stratum, p, ifPositive, ifNegative float64) Event {
	d := ifPositive - ifNegative
	return Event{Stratum: s, Expected: p*ifPositive + (1-p)*ifNegative, Variance: p * (1 - p) * d * d}
}

// Right is the event of having been right, with p the probability that the label
// is positive and chosen whether the model called it so.
func Right(s Stratum, p float64, chosen bool) Event {
	if chosen {
		return Outcome(s, p, 1, 0)
	}
	return Outcome(s, p, 0, 1)
}

// With returns the event with its label in.
func (e Event) With(actual float64) Event {
	e.Known, e.Actual = true, actual
	return e
}

// Arrival says how the labels that are in were chosen.
type Arrival string

// The two ways.
const (
	// Random labels are a simple random sample of the window, drawn by the owner.
	Random Arrival = "random"
	// Delayed labels are those that happened to come first. Within a stratum they
	// are taken for a random share, which is an assumption.
	Delayed Arrival = "delayed"
)

// Config says how an estimate is made.
type Config struct {
	// PriorLabels is what the variance that the model expects is worth, in
	// labels, against the scatter of the labels that are in. With rare events a
	// handful of labels has no scatter at all, and an interval from it alone would
	// have no width.
	PriorLabels float64
	// Spread is the standard deviation by which a stratum's true mean differs from
	// the model's expectation from window to window, in standard deviations of one
	// of its residuals, from past windows as known then (SpreadOf). Relative, for a
	// stratum of rare events errs by less than one of frequent events.
	Spread float64
	// Widen multiplies the width of the interval, from Judge.
	Widen float64
}

// DefaultConfig returns the defaults. The spread is deliberately more than a fair
// model shows (a share of 80 % is then off by 4 points): it holds only until there
// is a history.
func DefaultConfig() Config { return Config{PriorLabels: 100, Spread: 0.1, Widen: 1} }

// Validate reports what cannot be used.
func (c Config) Validate() error {
	if !(c.PriorLabels > 0) || !(c.Spread >= 0) || !(c.Widen >= 1) || math.IsInf(c.PriorLabels+c.Spread+c.Widen, 0) {
		return fmt.Errorf("estimate with prior labels %g, spread %g, widening %g: want over 0, at least 0, at least 1", c.PriorLabels, c.Spread, c.Widen)
	}
	return nil
}

// Estimate is the mean of a metric over a window's requests, once all labels of
// its predictions are in: each prediction counts as often as its weight says.
type Estimate struct {
	Value float64
	metric.Interval
	// Expected is what the model alone says, without any label, and Noise the
	// standard error by which all labels of these predictions will differ from it as
	// long as scores mean what they meant: their own chance, and the spread that past
	// windows showed.
	Expected, Noise float64
	// Error is the standard error of Value before it is widened, by what is not
	// known of labels: those that are not in, and those of requests that a producer
	// who samples did not send.
	Error float64
	// Sampling is the standard error by which requests were sampled, 0 of a producer
	// who sends all. No label tells of it, so that it is not widened.
	Sampling float64
	// own is the error by the labels that are not in alone, of the weighted mean of
	// the predictions at hand.
	own float64
	// Predictions are all of the window, Known those with a label.
	Predictions, Known int64
	// Weight is what all predictions weigh.
	Weight Weight
	// Uncorrected are the strata without a label, in order.
	Uncorrected []Stratum
	State       metric.State
	// Assumes says what must hold for the interval to be one, for people.
	Assumes []string
}

// part sums a stratum. The sums of what predictions are worth take each as often
// as its weight says.
type part struct {
	predictions, labels        float64 // in number, whatever they weigh
	n, unknown, known          Weight
	actual, expected, variance float64 // of the known, the unknown, all
	all                        float64 // expected of all
	residual                   float64 // of the known
	// noise and squares are sums of the variance that the model expects, of all, and
	// of the squared residuals of the known, each as often as the square of the
	// weight says: so they make up the variance of a weighted sum.
	noise, squares float64
	heard, waiting unseen // of the known, the unknown
}

func parts(events []Event, arrival Arrival) map[Stratum]*part {
	out := make(map[Stratum]*part)
	for _, e := range events {
		s := e.Stratum
		if arrival == Random {
			s = 0 // the draw knows no strata
		}
		p := out[s]
		if p == nil {
			p = &part{}
			out[s] = p
		}
		p.add(e)
	}
	return out
}

func (p *part) add(e Event) {
	weight := e.Weight.ofEach(e.n())
	n := weight.Requests
	p.predictions += e.n()
	p.n.Add(weight)
	p.all += n * e.Expected
	p.variance += n * e.Variance
	p.noise += weight.Squares * e.Variance
	if !e.Known {
		p.unknown.Add(weight)
		p.expected += n * e.Expected
		p.waiting.add(weight, e.Expected, 0)
		return
	}
	p.labels += e.n()
	p.known.Add(weight)
	p.actual += n * e.Actual
	p.residual += n * (e.Actual - e.Expected)
	p.squares += weight.Squares * ((e.Actual-e.Expected)*(e.Actual-e.Expected) + e.Scatter)
	p.heard.add(weight, e.Actual, e.Scatter)
}

// expect is the variance of one residual as the model expects it, and expectSum the
// same over the squares of weights: that of a sum is the sum of the squares times it.
func (p *part) expect() float64 { return p.variance / p.n.Requests }

func (p *part) expectSum() float64 { return p.noise / p.n.Squares }

// scatter is the variance of one residual: the model's word and that of the
// labels, weighed by how many labels either is worth.
func (p *part) scatter(prior float64) float64 {
	thin := p.known.Thin()
	return (prior*p.noise/p.n.Squares + p.squares*thin*thin) / (prior + p.known.Effective())
}

// Mean estimates. It is missing without events; without labels it is the
// model's expectation, with the spread for its error.
func Mean(events []Event, arrival Arrival, c Config) (Estimate, error) {
	if err := c.Validate(); err != nil {
		return Estimate{}, err
	}
	out := Estimate{Value: math.NaN(), Expected: math.NaN(), Noise: math.NaN(), Error: math.NaN(), Interval: metric.Interval{Low: math.NaN(), High: math.NaN()}, State: metric.Missing}
	if len(events) == 0 {
		return out, nil
	}
	total, expected, noise, independent, together, unsent := 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
	strata := parts(events, arrival)
	for _, s := range sortedKeys(strata) {
		p := strata[s]
		v, unknown := p.scatter(c.PriorLabels), p.unknown.Requests
		independent += p.unknown.Squares * v
		correction := 0.0
		if p.labels > 0 {
			weight := p.weight(v, arrival, c.Spread*p.deviation())
			correction = weight * p.residual / p.known.Requests
			independent += unknown * unknown * weight * v / p.known.Effective()
			// Labels that stand for others correct by the same noise.
			unsent += 2 * weight * unknown / p.known.Requests * p.heard.n * v
		} else {
			out.Uncorrected = append(out.Uncorrected, s)
			together += unknown * c.Spread * p.deviation() // nothing says that such strata err in different directions
		}
		// Of w requests alike w labels are not known, each by itself; of one prediction
		// that stands for them, one is, w times.
		unsent -= p.waiting.n * v
		p.waiting.move(correction)
		total += p.actual + p.expected + unknown*correction
		expected += p.all
		noise += p.noise + p.n.Requests*p.variance*c.Spread*c.Spread
		out.Known, out.Predictions = out.Known+int64(p.labels), out.Predictions+int64(p.predictions)
		out.Weight.Add(p.n)
	}
	n := out.Weight.Requests
	out.Value, out.Expected, out.Noise, out.State = total/n, expected/n, math.Sqrt(noise)/n, metric.OK
	out.own = math.Sqrt(independent+together*together) / n
	out.Error, out.Sampling = math.Sqrt(independent+unsent+together*together)/n, sampling(strata, out.Value)/n
	out.Assumes = out.assumptions(arrival, c.Spread)
	if out.Sampling > 0 {
		out.Assumes = append(out.Assumes, sampledAlone)
	}
	return out.Widened(c.Widen), nil
}

// Widened returns the estimate with its interval as many times as wide as it is by
// its errors, whatever it was before, and says so.
func (e Estimate) Widened(times float64) Estimate {
	half := math.Hypot(z95*times*e.Error, z95*e.Sampling)
	e.Interval = metric.Interval{Low: e.Value - half, High: e.Value + half}
	if times > 1 && e.Known < e.Predictions {
		e.Assumes = append(slices.Clip(e.Assumes), fmt.Sprintf("past intervals did not hold as often as promised: this one is %.2f times as wide", times))
	}
	return e
}

// sampledAlone is what the variance by sampling assumes.
const sampledAlone = "each request was sampled by itself, with the chance of one in its weight"

// sampling is the standard deviation, by requests that were not sampled, of the sum
// whose mean is given.
func sampling(strata map[Stratum]*part, mean float64) float64 {
	sum := 0.0
	for _, s := range sortedKeys(strata) {
		sum += strata[s].heard.about(mean) + strata[s].waiting.about(mean)
	}
	return math.Sqrt(sum)
}

// deviation is the standard deviation of one residual, as the model expects it.
func (p *part) deviation() float64 { return math.Sqrt(p.expect()) }

// weight is how much of the labels' mean residual corrects the unknown. A random
// sample corrects in full, so that the interval holds whatever the model is worth.
// For labels that came first it is what is left after the noise of few labels
// (James & Stein 1961): none without a label, all with many.
func (p *part) weight(scatter float64, arrival Arrival, spread float64) float64 {
	sampling := scatter / p.known.Effective()
	if arrival == Random || sampling == 0 {
		return 1
	}
	return spread * spread / (spread*spread + sampling)
}

func sortedKeys[V any](m map[Stratum]V) []Stratum {
	keys := make([]Stratum, 0, len(m))
	for s := range m {
		keys = append(keys, s)
	}
	slices.Sort(keys)
	return keys
}

func (e Estimate) assumptions(arrival Arrival, spread float64) []string {
	var out []string
	switch {
	case e.Known == e.Predictions:
		return []string{"every label is in: nothing is assumed"}
	case e.Known == 0: // nothing stands for what is not in
	case arrival == Random:
		out = append(out, "the labels that are in are a simple random sample of the window")
	default:
		out = append(out, "within a stratum, whether a label is in does not depend on what it says")
	}
	if uncorrected := len(e.Uncorrected); uncorrected > 0 {
		out = append(out, fmt.Sprintf("%d strata have no label: there the score, calibrated on earlier labels, still means what it meant, to within %.3g standard deviations of a label", uncorrected, spread))
	}
	return out
}

// OfLabels is the interval, not widened and within bounds, for what the weighted
// mean of the predictions at hand will be: a back-test sees no other truth.
func (e Estimate) OfLabels(low, high float64) Past {
	half := z95 * e.own
	return Past{Value: e.Value, Interval: metric.Interval{Low: max(e.Value-half, low), High: min(e.Value+half, high)}, Error: e.own}
}

// Promise is the interval, not within bounds, in which all labels of the window will
// put its mean if scores mean what they meant.
func (e Estimate) Promise() metric.Interval {
	return metric.Interval{Low: e.Expected - z95*e.Noise, High: e.Expected + z95*e.Noise}
}

// Within returns the estimate with its interval cut to what the metric can be,
// as [0, 1] for a share.
func (e Estimate) Within(low, high float64) Estimate {
	e.Low, e.High = max(e.Low, low), min(e.High, high)
	return e
}

// Residual is how far labels of one stratum of one past window were from what
// the model expected then.
type Residual struct {
	Labels         int64   // in effective number where the producer samples
	Mean, Variance float64 // of one label's residual; Variance as the model expects
}

// SpreadOf returns the standard deviation of the model's error from window to
// window and stratum to stratum, in standard deviations of a residual and beyond
// the noise of the labels that show it (the
// moment estimator of DerSimonian & Laird 1986, each weighed by its labels). It is
// floor where there are fewer than 3 residuals, and never less than floor.
func SpreadOf(past []Residual, floor float64) float64 {
	if len(past) < 3 {
		return floor
	}
	excess, weights := 0.0, 0.0
	for _, r := range past {
		n := float64(r.Labels)
		if n <= 0 || r.Variance <= 0 {
			continue
		}
		w := n / (1 + n/200) // beyond some hundreds a label more says nothing of the next window
		excess += w * (r.Mean*r.Mean/r.Variance - 1/n)
		weights += w
	}
	if weights == 0 {
		return floor
	}
	return max(math.Sqrt(max(excess/weights, 0)), floor)
}

// ResidualsOf returns the residuals of a window's strata that have labels.
func ResidualsOf(events []Event) []Residual {
	strata := parts(events, Delayed)
	var out []Residual
	for _, s := range sortedKeys(strata) {
		if p := strata[s]; p.labels > 0 {
			out = append(out, Residual{Labels: int64(math.Round(p.known.Effective())), Mean: p.residual / p.known.Requests, Variance: p.expect()})
		}
	}
	return out
}
