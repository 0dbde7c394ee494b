package estimate_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// sampledPredictions are predictions of a binary model, of which every tenth has
// its label, each with what weigh says that it weighs.
func sampledPredictions(rng *rand.Rand, n int, weigh func(i int) float64) []estimate.Prediction {
	out := make([]estimate.Prediction, n)
	for i := range out {
		p := estimate.Prediction{Stratum: estimate.Stratum(rng.IntN(3)), P: 0.05 + 0.9*rng.Float64(), Known: rng.IntN(10) == 0}
		p.Chosen, p.Truth = p.P > 0.5, rng.Float64() < p.P
		w := weigh(i)
		p.Weight = estimate.Weight{Requests: w, Squares: w * w}
		out[i] = p
	}
	return out
}

// mustConfusion estimates with a model that is known to err little from window to
// window, as that of the tests does.
func mustConfusion(t *testing.T, predictions []estimate.Prediction) estimate.Confusion {
	t.Helper()
	config := estimate.DefaultConfig()
	config.Spread = 0.01
	c, err := estimate.ConfusionOf(predictions, estimate.Delayed, config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A tenth of all requests, each for ten: the estimate and what labels of the sample
// leave open are those of as many predictions unsampled, and once all labels are in
// the textbook's (1 - f) s^2 / n is left.
func TestEqualWeightsOnlyAddWhatIsNotSampled(t *testing.T) {
	predictions := sampledPredictions(rand.New(rand.NewPCG(92, 92)), 4000, func(int) float64 { return 10 })
	sampled := mustConfusion(t, predictions).Accuracy
	for i := range predictions {
		predictions[i].Weight = estimate.Weight{}
	}
	plain := mustConfusion(t, predictions).Accuracy
	near(t, "the estimate", sampled.Value, plain.Value, 1e-12)
	near(t, "the effective size", sampled.Weight.Effective(), 4000, 1e-9)
	own := sampled.OfLabels(0, 1)
	near(t, "the interval of what is at hand", own.High, plain.High, 1e-9)
	half := 1.959963984540054 * math.Hypot(sampled.Error, sampled.Sampling)
	near(t, "the interval", sampled.High-sampled.Value, half, 1e-12)
	if sampled.Error >= plain.Error {
		t.Errorf("of ten times as many labels the error is %g, of these alone %g", sampled.Error, plain.Error)
	}
	for i := range predictions {
		predictions[i].Known, predictions[i].Weight = true, estimate.Weight{Requests: 10, Squares: 100}
	}
	all := mustConfusion(t, predictions).Accuracy
	near(t, "the error with all labels", all.Error, 0, 0)
	near(t, "the error by sampling", all.Sampling, math.Sqrt(0.9*all.Value*(1-all.Value)/4000), 1e-12)
}

// The estimate of unequal weights is written down once more, row by row.
func TestWeighedEstimateIsItsClosedForm(t *testing.T) {
	rng := rand.New(rand.NewPCG(93, 93))
	config := estimate.DefaultConfig()
	var events []estimate.Event
	type sums struct{ w, w2, u, u2, k, k2, residual, squares, noise, variance float64 }
	strata := map[estimate.Stratum]*sums{0: {}, 1: {}}
	total := 0.0
	for i := range 900 {
		w := float64(1 + rng.IntN(20))
		e := estimate.Right(estimate.Stratum(i%2), 0.05+0.9*rng.Float64(), i%3 == 0)
		e.Weight = estimate.Weight{Requests: w, Squares: w * w}
		s := strata[e.Stratum]
		s.w, s.w2, s.noise, s.variance = s.w+w, s.w2+w*w, s.noise+w*w*e.Variance, s.variance+w*e.Variance
		if rng.IntN(4) == 0 {
			e = e.With(rightness(e.Expected, rng))
			r := e.Actual - e.Expected
			s.k, s.k2, s.residual, s.squares = s.k+w, s.k2+w*w, s.residual+w*r, s.squares+w*w*r*r
			total += w * e.Actual
		} else {
			s.u, s.u2 = s.u+w, s.u2+w*w
			total += w * e.Expected
		}
		events = append(events, e)
	}
	correction, own, variance, all := map[estimate.Stratum]float64{}, 0.0, 0.0, 0.0
	for stratum, s := range strata {
		labels := s.k * s.k / s.k2
		v := (config.PriorLabels*s.noise/s.w2 + labels*s.squares/s.k2) / (config.PriorLabels + labels)
		spread := config.Spread * config.Spread * s.variance / s.w
		shrink := spread / (spread + v/labels)
		correction[stratum] = shrink * s.residual / s.k
		total += s.u * correction[stratum]
		own += s.u2*v + s.u*s.u*shrink*v/labels
		variance += s.u*v + s.u*s.u*shrink*v/labels + 2*shrink*s.u/s.k*(s.k2-s.k)*v
		all += s.w
	}
	got := mustMean(t, events, estimate.Delayed, config)
	near(t, "the estimate", got.Value, total/all, 1e-12)
	near(t, "its error by labels", got.Error, math.Sqrt(variance)/all, 1e-12)
	near(t, "the interval of what is at hand", got.OfLabels(0, 1).High, got.Value+1.959963984540054*math.Sqrt(own)/all, 1e-12)
	unseen := 0.0
	for _, e := range events {
		a := e.Weight.Squares - e.Weight.Requests
		if e.Known {
			unseen += a * (e.Actual - got.Value) * (e.Actual - got.Value)
			continue
		}
		d := e.Expected + correction[e.Stratum] - got.Value
		unseen += a * d * d
	}
	near(t, "its error by sampling", got.Sampling, math.Sqrt(unseen)/all, 1e-12)
}

// A producer that sends half of the doubtful requests and few of the others: the
// intervals hold what is true of all requests, of which most were never sent, as
// often as they promise, and without the weights the estimate is far off. Labels of
// one stratum come more often than those of the other.
func TestSampledEstimatesHoldTheMeanOfAllRequests(t *testing.T) {
	rng := rand.New(rand.NewPCG(94, 94))
	const worlds, requests = 400, 6000
	held := map[metric.ID]float64{}
	ownHeld, plainOff := map[metric.ID]float64{}, 0.0
	for range worlds {
		var sample []estimate.Prediction
		var whole, own counts
		for range requests {
			p := estimate.Prediction{Stratum: estimate.Stratum(rng.IntN(2)), P: rng.Float64()}
			p.Known = rng.IntN(5) <= int(p.Stratum)
			p.Chosen, p.Truth = p.P > 0.5, rng.Float64() < p.P
			whole.add(p, 1)
			w := 2.0
			switch {
			case p.P < 0.3:
				w = 20
			case p.P > 0.7:
				w = 12
			}
			if rng.Float64() >= 1/w {
				continue
			}
			p.Weight = estimate.Weight{Requests: w, Squares: w * w}
			sample = append(sample, p)
			own.add(p, w)
		}
		c := mustConfusion(t, sample)
		truths := whole.metrics()
		for _, v := range c.Values(nil) {
			if v.State == metric.OK && v.Holds(truths[v.Metric]) {
				held[v.Metric] += 1.0 / worlds
			}
		}
		ownTruths := own.metrics()
		for id, of := range c.OfLabels() {
			if of.Holds(ownTruths[id]) {
				ownHeld[id] += 1.0 / worlds
			}
		}
		for i := range sample {
			sample[i].Weight = estimate.Weight{}
		}
		plainOff += (mustConfusion(t, sample).Accuracy.Value - truths[metric.Accuracy]) / worlds
	}
	for _, id := range []metric.ID{metric.Accuracy, metric.Precision, metric.Recall, metric.Specificity, metric.F1} {
		// Three standard errors of 400 draws are 3.3 points.
		near(t, "how often the interval of "+string(id)+" holds", held[id], 0.95, 0.033)
		near(t, "how often the interval of "+string(id)+" by the sample's own labels holds", ownHeld[id], 0.95, 0.033)
	}
	if plainOff > -0.05 {
		t.Errorf("without weights it is off by %.3f: the test tests nothing", plainOff)
	}
}

// counts are the confusion matrix of a population.
type counts struct{ tp, fp, fn, tn float64 }

func (c *counts) add(p estimate.Prediction, times float64) {
	switch {
	case p.Chosen && p.Truth:
		c.tp += times
	case p.Chosen:
		c.fp += times
	case p.Truth:
		c.fn += times
	default:
		c.tn += times
	}
}

func (c counts) metrics() map[metric.ID]float64 {
	return map[metric.ID]float64{
		metric.Accuracy:    (c.tp + c.tn) / (c.tp + c.fp + c.fn + c.tn),
		metric.Precision:   c.tp / (c.tp + c.fp),
		metric.Recall:      c.tp / (c.tp + c.fn),
		metric.Specificity: c.tn / (c.tn + c.fp),
		metric.F1:          2 * c.tp / (2*c.tp + c.fp + c.fn),
	}
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// A producer sends every request of which it is sure, all of them wrong, and one in
// twenty of those it doubts, all right; of either some never get a label. The process
// is sampled again and again: each end of the interval fails as often as it promises,
// 1 in 20 where the bounds are far apart. As many equal observations would fail
// several times as often.
func TestBoundsOfASampleHoldThoseOfAllRequests(t *testing.T) {
	const worlds, requests, doubted, weight, silent = 1000, 13_000, 3_000, 20, 4 // one in silent
	rng := rand.New(rand.NewPCG(96, 96))
	low := float64(doubted) / requests * (1 - 1./silent)
	high := low + 1./silent
	failedLow, failedHigh, kish := 0., 0., 0.
	for range worlds {
		var hits, labelled, never estimate.Tally
		for range requests {
			w, right := int64(1), rng.IntN(requests) < doubted
			if right {
				w = weight
			}
			if rng.Int64N(w) > 0 {
				continue
			}
			one := estimate.Tally{Count: 1, Weight: estimate.Weight{Requests: float64(w), Squares: float64(w * w)}}
			add := func(to *estimate.Tally) {
				to.Count++
				to.Weight.Add(one.Weight)
			}
			if rng.IntN(silent) == 0 {
				add(&never)
				continue
			}
			add(&labelled)
			if right {
				add(&hits)
			}
		}
		b, err := estimate.Bound(hits, labelled, never)
		if err != nil || b.State != metric.OK {
			t.Fatal(b, err)
		}
		all := labelled.Weight
		all.Add(never.Weight)
		failedLow += indicator(b.Interval.Low > low) / worlds
		failedHigh += indicator(b.Interval.High < high) / worlds
		kish += indicator(b.Low-1.6448536*math.Sqrt(b.Low*(1-b.Low)/all.Effective()) > low) / worlds
	}
	// Four standard errors of 1,000 draws are 2.8 points.
	near(t, "how often the lower end fails", failedLow, 0.05, 0.028)
	near(t, "how often the upper end fails", failedHigh, 0.05, 0.028)
	if kish < 0.12 {
		t.Errorf("as many equal observations fail %.1f %%: the test tests nothing", 100*kish)
	}
}

// What is said of a sample is said to rest on how it was sampled.
func TestBoundsOfASampleSayWhatTheyAssume(t *testing.T) {
	const alone = "each request was sampled by itself, with the chance of one in its weight"
	tally := func(n int64, w float64) estimate.Tally {
		return estimate.Tally{Count: n, Weight: estimate.Weight{Requests: float64(n) * w, Squares: float64(n) * w * w}}
	}
	for _, tt := range []struct {
		n       int64
		w       float64
		sampled bool
		state   metric.State
	}{{100, 1, false, metric.OK}, {100, 3, true, metric.OK}, {4, 3, true, metric.Insufficient}, {4, 1, false, metric.Insufficient}} {
		b, err := estimate.Bound(tally(tt.n, tt.w), tally(2*tt.n, tt.w), tally(tt.n, tt.w))
		if err != nil || b.State != tt.state || slices.Contains(b.Assumes, alone) != tt.sampled || strings.HasPrefix(b.Assumes[0], "nothing") == tt.sampled {
			t.Errorf("%d of weight %g: %s, it assumes %q, %v", tt.n, tt.w, b.State, b.Assumes, err)
		}
		if leftOut := len(b.Assumes) == 3; leftOut != (tt.sampled && tt.state == metric.Insufficient) {
			t.Errorf("%d of weight %g: it assumes %q", tt.n, tt.w, b.Assumes)
		}
		e, err := estimate.Weigh([]estimate.Explored{{Propensity: 0.5, Weight: estimate.Weight{Requests: tt.w, Squares: tt.w * tt.w}}}, 1)
		if err != nil || slices.Contains(e.Assumes, alone) != tt.sampled {
			t.Errorf("weighed labels of weight %g assume %q, %v", tt.w, e.Assumes, err)
		}
	}
	// A few heavy hits among many light ones make no interval, however many those are.
	labelled := tally(3, 1000)
	labelled.Count += 12_000
	labelled.Weight.Add(tally(12_000, 1).Weight)
	if b, err := estimate.Bound(tally(3, 1000), labelled, estimate.Tally{}); err != nil || b.State != metric.Insufficient {
		t.Errorf("3 hits of weight 1000: %+v, %v", b, err)
	}
}

// Bounds and propensities of sampled predictions are shares of requests.
func TestPartialFeedbackIsWeighed(t *testing.T) {
	tally := func(n int64, w float64) estimate.Tally {
		return estimate.Tally{Count: n, Weight: estimate.Weight{Requests: float64(n) * w, Squares: float64(n) * w * w}}
	}
	// 400 right of weight 1 and 100 labelled wrong of weight 4, 500 without a label
	// of weight 2.
	labelled := tally(400, 1)
	labelled.Count += 100
	labelled.Weight.Add(tally(100, 4).Weight)
	b, err := estimate.Bound(tally(400, 1), labelled, tally(500, 2))
	if err != nil {
		t.Fatal(err)
	}
	near(t, "all others wrong", b.Low, 400.0/1800, 1e-12)
	near(t, "all others right", b.High, 1400.0/1800, 1e-12)
	// (1 - m)^2 for each of the 400, (4 m)^2 of the 100 and (2 m)^2 of the 500.
	m := 400.0 / 1800
	sd := math.Sqrt(400*(1-m)*(1-m)+100*16*m*m+500*4*m*m) / 1800
	near(t, "the interval's lower end", b.Interval.Low, m-1.6448536*sd, 1e-6)
	m = 1400.0 / 1800
	sd = math.Sqrt(400*(1-m)*(1-m)+100*16*m*m+500*4*(1-m)*(1-m)) / 1800
	near(t, "the interval's upper end", b.Interval.High, m+1.6448536*sd, 1e-6)

	rng := rand.New(rand.NewPCG(95, 95))
	const worlds, requests = 300, 8000
	held := 0.0
	for range worlds {
		truth := 0.0
		var labels []estimate.Explored
		for range requests {
			good := rng.Float64() < 0.7
			w, propensity, chance := 2.0, 0.2, 0.3
			if good {
				w, propensity, chance = 5, 0.8, 0.9
			}
			actual := rightness(chance, rng)
			truth += actual / requests
			if rng.Float64() < propensity/w {
				labels = append(labels, estimate.Explored{Propensity: propensity, Actual: actual, Weight: estimate.Weight{Requests: w, Squares: w * w}})
			}
		}
		e, err := estimate.Weigh(labels, requests)
		if err != nil {
			t.Fatal(err)
		}
		if e.State == metric.OK && e.Holds(truth) {
			held++
		}
	}
	if held/worlds < 0.915 || held/worlds > 0.985 {
		t.Errorf("%.1f %% of the weighed intervals hold", 100*held/worlds)
	}
}

// Labels of a sample that fit what was expected contradict it as seldom as promised,
// and what is wrong of heavy predictions alone is seen by what those stand for.
func TestASampleContradictsAsSeldomAsPromised(t *testing.T) {
	const worlds, size, heavy = 2000, 400, 30
	rng := rand.New(rand.NewPCG(97, 97))
	config := estimate.DefaultConfig()
	config.Spread = 0
	contradict := func(drift float64) estimate.Contradiction {
		var events []estimate.Event
		for range size {
			w, p := 1.0, 0.05+0.9*rng.Float64()
			truth := p
			if rng.IntN(4) == 0 {
				w, truth = heavy, max(p-drift, 0)
			}
			e := estimate.Outcome(0, p, 1, 0).With(rightness(truth, rng))
			e.Weight = estimate.Weight{Requests: w, Squares: w * w}
			events = append(events, e)
		}
		c, err := estimate.Contradict(events, config)
		if err != nil || c.State != metric.OK {
			t.Fatal(c, err)
		}
		return c
	}
	seldom, squares, gap := 0.0, 0.0, 0.0
	for range worlds {
		c := contradict(0)
		// The window and its only stratum are two looks, at the same.
		seldom += indicator(c.Chance < 0.1) / worlds
		squares += c.Z * c.Z / worlds
		gap += contradict(0.3).Gap / worlds
	}
	// Four standard errors of 2,000 draws: 1.9 points, and 13 % of a variance of 1.
	near(t, "how often a chance of 1 in 20 is found", seldom, 0.05, 0.02)
	near(t, "the variance of the standardised gap", squares, 1, 0.13)
	// A drift of 0.3, less where p is less, of which there are 0.05 to 0.3 of 0.05 to
	// 0.95; and of 30 in 33 requests.
	drift := 0.3 - (0.3-0.05)*(0.3-0.05)/2/0.9
	near(t, "the gap", gap, -drift*heavy/(heavy+3), 0.006)
}

// What is left of a sample is what was there less what is taken out, and weighs no
// less than without sampling.
func TestLessIsWhatIsLeft(t *testing.T) {
	tally := func(n int64, requests, squares float64) estimate.Tally {
		return estimate.Tally{Count: n, Weight: estimate.Weight{Requests: requests, Squares: squares}}
	}
	for _, tt := range []struct{ all, taken, want estimate.Tally }{
		{tally(5, 15, 55), tally(2, 9, 41), tally(3, 6, 14)}, // 1 to 5, without 4 and 5
		{tally(5, 15, 55), tally(5, 15, 55), estimate.Tally{}},
		{tally(5, 15, 55), tally(6, 20, 80), estimate.Tally{}},
		{tally(5, 15, 55), estimate.Tally{}, tally(5, 15, 55)},
		// Of deliveries and of labels that say different weights.
		{tally(5, 15, 55), tally(2, 14, 54), tally(3, 3, 3)},
		{tally(5, 15, 55), tally(2, 6, 54), tally(3, 9, 27)},
	} {
		if got := tt.all.Less(tt.taken); got != tt.want {
			t.Errorf("%+v less %+v is %+v, want %+v", tt.all, tt.taken, got, tt.want)
		}
	}
}

// What is worth several observations says what as many rows say, however many
// predictions it stands for.
func TestWorthIsRepetition(t *testing.T) {
	rng := rand.New(rand.NewPCG(98, 98))
	var examples, eachExample []estimate.Example
	var misses, eachMiss []estimate.Miss
	for i := range 300 {
		n := 1 + rng.IntN(9)
		x := estimate.Example{Stratum: estimate.Stratum(i % 2), Score: rng.Float64()}
		x.Truth = rng.Float64() < 0.2+0.6*x.Score
		m := estimate.Miss{Stratum: x.Stratum, Predicted: float64(i % 5), Loss: float64(i%5) * rng.Float64()}
		for range n {
			eachExample, eachMiss = append(eachExample, x), append(eachMiss, m)
		}
		x.Count, x.Worth, m.Count, m.Worth = 50, float64(n), 50, float64(n)
		examples, misses = append(examples, x), append(misses, m)
	}
	for _, kind := range []estimate.Kind{estimate.Platt, estimate.Isotonic} {
		choice := estimate.Choice{Kind: kind, ByStratum: true}
		worth, err := estimate.Fit(examples, choice)
		must(t, err)
		each, err := estimate.Fit(eachExample, choice)
		must(t, err)
		for s := range 3 {
			near(t, string(kind), worth.P(0.3, estimate.Stratum(s)), each.P(0.3, estimate.Stratum(s)), 1e-9)
		}
	}
	worth, err := estimate.FitErrors(misses)
	must(t, err)
	each, err := estimate.FitErrors(eachMiss)
	must(t, err)
	for s := range 2 {
		for predicted := range 5 {
			a, b := worth.Event(estimate.Stratum(s), float64(predicted)), each.Event(estimate.Stratum(s), float64(predicted))
			near(t, "the loss", a.Expected, b.Expected, 1e-9)
			near(t, "its variance", a.Variance, b.Variance, 1e-9)
		}
	}
}
