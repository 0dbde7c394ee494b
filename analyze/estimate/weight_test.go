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

// A producer that logs every doubtful request and few of the others: the interval
// holds the accuracy of all requests, of which most were never sent, as often as
// it promises, and without the weights the estimate is far off.
func TestSampledEstimatesHoldTheMeanOfAllRequests(t *testing.T) {
	rng := rand.New(rand.NewPCG(94, 94))
	const worlds, requests = 300, 6000
	held := map[metric.ID]float64{}
	ownHeld, plainOff := 0.0, 0.0
	for range worlds {
		var sample []estimate.Prediction
		right, tp, called, positives := 0.0, 0.0, 0.0, 0.0
		own, weights := 0.0, 0.0
		for range requests {
			p := estimate.Prediction{P: rng.Float64(), Known: rng.IntN(5) == 0}
			p.Chosen, p.Truth = p.P > 0.5, rng.Float64() < p.P
			right += indicator(p.Chosen == p.Truth) / requests
			called, positives, tp = called+indicator(p.Chosen), positives+indicator(p.Truth), tp+indicator(p.Chosen && p.Truth)
			w := 20.0
			if math.Abs(p.P-0.5) < 0.2 {
				w = 2
			}
			if rng.Float64() >= 1/w {
				continue
			}
			p.Weight = estimate.Weight{Requests: w, Squares: w * w}
			sample = append(sample, p)
			own, weights = own+w*indicator(p.Chosen == p.Truth), weights+w
		}
		c := mustConfusion(t, sample)
		truths := map[metric.ID]float64{metric.Accuracy: right, metric.Precision: tp / called, metric.Recall: tp / positives}
		for _, v := range c.Values(1) {
			if truth, asked := truths[v.Metric]; asked && v.State == metric.OK && v.Holds(truth) {
				held[v.Metric]++
			}
		}
		if c.Accuracy.OfLabels(0, 1).Holds(own / weights) {
			ownHeld++
		}
		for i := range sample {
			sample[i].Weight = estimate.Weight{}
		}
		plainOff += (mustConfusion(t, sample).Accuracy.Value - right) / worlds
	}
	for id, n := range held {
		if n/worlds < 0.915 || n/worlds > 0.985 {
			t.Errorf("%s: %.1f %% of the intervals hold", id, 100*n/worlds)
		}
	}
	if len(held) != 3 {
		t.Errorf("intervals of %v hold, want those of accuracy, precision and recall", held)
	}
	if ownHeld/worlds < 0.92 {
		t.Errorf("%.1f %% of the intervals hold what labels of the sample will say", 100*ownHeld/worlds)
	}
	if plainOff > -0.05 {
		t.Errorf("without weights it is off by %.3f: the test tests nothing", plainOff)
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
