package estimate_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

func rightness(p float64, rng *rand.Rand) float64 {
	if rng.Float64() < p {
		return 1
	}
	return 0
}

func mustMean(t *testing.T, events []estimate.Event, arrival estimate.Arrival, c estimate.Config) estimate.Estimate {
	t.Helper()
	e, err := estimate.Mean(events, arrival, c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAllLabelsInLeaveNothingToEstimate(t *testing.T) {
	var events []estimate.Event
	sum := 0.0
	for i := range 50 {
		actual := float64(i % 3)
		sum += actual
		events = append(events, estimate.Outcome(estimate.Stratum(i%4), 0.3, 5, -1).With(actual))
	}
	for _, arrival := range []estimate.Arrival{estimate.Random, estimate.Delayed} {
		e := mustMean(t, events, arrival, estimate.DefaultConfig())
		near(t, "the mean", e.Value, sum/50, 1e-12)
		near(t, "its width", e.Width(), 0, 1e-12)
	}
	if e := mustMean(t, nil, estimate.Delayed, estimate.DefaultConfig()); e.State != metric.Missing || !math.IsNaN(e.Value) {
		t.Errorf("no predictions give %+v", e)
	}
	if _, err := estimate.Mean(events, estimate.Random, estimate.Config{}); err == nil {
		t.Error("an empty configuration is used")
	}
}

// The estimand is the mean of this very window: a fixed population is sampled
// again and again, by a model that is calibrated, and by one that is not.
func TestRandomLabelsHoldTheirLevel(t *testing.T) {
	const size, labels, samples = 1500, 150, 800
	for name, distort := range map[string]func(float64) float64{
		"calibrated":    func(p float64) float64 { return p },
		"too confident": func(p float64) float64 { return min(p+0.1, 0.99) },
	} {
		rng := rand.New(rand.NewPCG(3, 5))
		events, actual := make([]estimate.Event, size), make([]float64, size)
		truth := 0.0
		for i := range events {
			p := 0.5 + 0.5*rng.Float64()
			actual[i] = rightness(p, rng)
			truth += actual[i] / size
			events[i] = estimate.Outcome(0, distort(p), 1, 0)
		}
		held := 0.0
		for range samples {
			drawn := slices.Clone(events)
			for _, i := range rng.Perm(size)[:labels] {
				drawn[i] = drawn[i].With(actual[i])
			}
			e := mustMean(t, drawn, estimate.Random, estimate.DefaultConfig())
			if e.Holds(truth) {
				held++
			}
		}
		// Four standard errors of 800 draws are 3.1 points.
		if share := held / samples; share < 0.915 || share > 0.985 {
			t.Errorf("%s: the interval holds %.1f %% of draws", name, 100*share)
		}
	}
}

// Half of the predictions have their label soon and are seldom right; the model
// does not know it. The labels that are in are wrong by 15 points.
func TestStrataMendWhatDelayDistorts(t *testing.T) {
	const size, windows = 2000, 300
	rng := rand.New(rand.NewPCG(9, 1))
	c := estimate.DefaultConfig()
	c.Spread = 0.5
	var held, bias, alone float64
	for range windows {
		var events []estimate.Event
		var truth, labelled, n float64
		for i := range size {
			soon := i%2 == 0
			p, known := 0.9, rng.Float64() < 0.1
			if soon {
				p, known = 0.5, rng.Float64() < 0.8
			}
			actual := rightness(p, rng)
			truth += actual / size
			e := estimate.Outcome(estimate.Stratum(i%2), 0.7, 1, 0)
			if known {
				e = e.With(actual)
				labelled, n = labelled+actual, n+1
			}
			events = append(events, e)
		}
		e := mustMean(t, events, estimate.Delayed, c)
		bias += (e.Value - truth) / windows
		alone += (labelled/n - truth) / windows
		if e.Holds(truth) {
			held++
		}
	}
	if math.Abs(alone) < 0.12 {
		t.Fatal("the labels alone are right: the test tests nothing")
	}
	near(t, "the bias", bias, 0, 0.004)
	if held/windows < 0.91 {
		t.Errorf("the interval holds %.1f %%", 100*held/windows)
	}
}

func TestAStratumWithoutLabelsIsNotCorrected(t *testing.T) {
	window := func(labelsInSecond int) []estimate.Event {
		var events []estimate.Event
		for i := range 1000 {
			e := estimate.Outcome(estimate.Stratum(i%2), 0.8, 1, 0)
			if i%2 == 0 && i < 400 || i%2 == 1 && i < 2*labelsInSecond {
				e = e.With(math.Min(float64(i/2%5), 1)) // as often right as expected
			}
			events = append(events, e)
		}
		return events
	}
	c := estimate.DefaultConfig()
	bare, few, many := mustMean(t, window(0), estimate.Delayed, c), mustMean(t, window(20), estimate.Delayed, c), mustMean(t, window(400), estimate.Delayed, c)
	if !slices.Equal(bare.Uncorrected, []estimate.Stratum{1}) || len(few.Uncorrected) != 0 {
		t.Errorf("uncorrected are %v and %v, want [1] and none", bare.Uncorrected, few.Uncorrected)
	}
	if !(bare.Error > few.Error && few.Error > many.Error) {
		t.Errorf("errors %g, %g, %g do not fall with the labels", bare.Error, few.Error, many.Error)
	}
	if len(bare.Assumes) != 2 {
		t.Errorf("it assumes %q", bare.Assumes)
	}
	// The second stratum stands at its expectation, 0.8 of a half.
	second := mustMean(t, []estimate.Event{estimate.Outcome(1, 0.8, 1, 0)}, estimate.Delayed, c)
	near(t, "no label", second.Value, 0.8, 1e-12)
	near(t, "no label", second.Expected, 0.8, 1e-12)
	near(t, "its error", second.Error, math.Sqrt(0.8*0.2*(1+c.Spread*c.Spread)), 1e-12)
}

func TestOutcomesAreWhatTheyAreWorth(t *testing.T) {
	right := estimate.Right(3, 0.3, false)
	near(t, "being right", right.Expected, 0.7, 1e-15)
	near(t, "its variance", right.Variance, 0.21, 1e-15)
	brier := estimate.Outcome(0, 0.3, 0.36, 0.16) // score 0.4
	near(t, "Brier", brier.Expected, 0.3*0.36+0.7*0.16, 1e-15)
	near(t, "its variance", brier.Variance, 0.21*0.04, 1e-15)
}

func TestJudgeWidensWhatDidNotHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 4))
	pasts := func(n int, times float64) []estimate.Past {
		out := make([]estimate.Past, n)
		for i := range out {
			out[i] = estimate.Past{Value: 0.8, Interval: metric.Interval{Low: 0.8 - 1.96, High: 0.8 + 1.96}, Truth: 0.8 + times*rng.NormFloat64()}
		}
		return out
	}
	if r := estimate.Judge(nil); r.Widen != 1 || r.Proven || r.Says == "" {
		t.Errorf("no window: %+v", r)
	}
	if r := estimate.Judge(pasts(5, 0.1)); r.Widen != 1 || r.Proven {
		t.Errorf("5 good windows: %+v", r)
	}
	if r := estimate.Judge(pasts(20, 0.5)); r.Widen != 1 || !r.Proven {
		t.Errorf("20 good windows: %+v", r)
	}
	broken := 0
	for range 300 {
		if r := estimate.Judge(pasts(20, 1)); !r.Proven {
			broken++
		}
	}
	if broken > 15 { // P(X <= 16 of 20) = 1.6 %
		t.Errorf("%d of 300 honest records count as broken", broken)
	}
	// Errors three times as large as claimed: the next interval must hold 95 %.
	held, records := 0.0, 0.0
	for range 400 {
		r := estimate.Judge(pasts(20, 3))
		if r.Proven {
			continue
		}
		records++
		if math.Abs(3*rng.NormFloat64()) <= 1.96*r.Widen {
			held++
		}
	}
	if records < 390 || held/records < 0.91 {
		t.Errorf("of %g broken records the widened interval held %.1f %%", records, 100*held/records)
	}
}

// An interval that was cut to what a share can be, or lies on another scale, was
// given with a standard error all the same: errors are counted in that.
func TestJudgeCountsErrorsInWhatWasGiven(t *testing.T) {
	past := make([]estimate.Past, 12)
	for i := range past {
		past[i] = estimate.Past{Value: 0.98, Interval: metric.Interval{Low: 0.96, High: 1}, Error: 0.02, Truth: 0.94}
	}
	// Each is off by two standard errors; by the width of what was left, by four.
	want := 2 * metric.StudentQuantile(0.975, 12) / 1.959963984540054
	if r := estimate.Judge(past); r.Proven || r.Held != 0 || math.Abs(r.Widen-want) > 1e-9 {
		t.Errorf("%+v, want it widened %.3f times", r, want)
	}
}

func TestSpreadIsWhatLabelsCannotExplain(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	residuals := func(spread float64) []estimate.Residual {
		var out []estimate.Residual
		for range 400 {
			n := int64(50 + rng.IntN(500))
			out = append(out, estimate.Residual{Labels: n, Variance: 0.1, Mean: spread*math.Sqrt(0.1)*rng.NormFloat64() + math.Sqrt(0.1/float64(n))*rng.NormFloat64()})
		}
		return out
	}
	near(t, "a spread of 0.1", estimate.SpreadOf(residuals(0.1), 0), 0.1, 0.015)
	near(t, "no spread", estimate.SpreadOf(residuals(0), 0.001), 0.001, 0.02)
	near(t, "no history", estimate.SpreadOf(nil, 0.02), 0.02, 0)
}

func TestLabelsThatContradictAreSuspected(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	c := estimate.DefaultConfig()
	c.Spread = 0.01
	window := func(drift float64, labels int) []estimate.Event {
		var events []estimate.Event
		for i := range 1200 {
			p := 0.6 + 0.4*rng.Float64()
			e := estimate.Outcome(estimate.Stratum(i%3), p, 1, 0)
			if i < labels {
				e = e.With(rightness(p-drift, rng))
			}
			events = append(events, e)
		}
		return events
	}
	suspect := func(drift float64, labels int) estimate.Contradiction {
		out, err := estimate.Contradict(window(drift, labels), c)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	wrong := 0
	for range 300 {
		if suspect(0, 600).Suspected {
			wrong++
		}
	}
	if wrong > 3 { // one in a thousand is promised
		t.Errorf("%d of 300 windows without drift are suspected", wrong)
	}
	if s := suspect(0.15, 600); !s.Suspected || !s.Whole || s.Gap > -0.08 || s.Says == "" {
		t.Errorf("15 points fewer right: %+v", s)
	}
	// The window and three strata are four looks.
	if s := suspect(0.04, 900); !(s.Chance < 1) || math.Abs(s.Chance/(4*math.Erfc(math.Abs(s.Z)/math.Sqrt2))-1) > 1e-9 {
		t.Errorf("four looks: %+v", s)
	}
	if s := suspect(0.5, 10); s.State != metric.Insufficient || s.Suspected {
		t.Errorf("10 labels: %+v", s)
	}
	if s := suspect(0, 0); s.State != metric.Insufficient {
		t.Errorf("no labels: %+v", s)
	}
}

// What scores promise holds as often as it says while they mean what they meant, to
// within the spread of windows, and says the same whatever labels are in.
func TestAPromiseHoldsUntilScoresMeanSomethingElse(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	c := estimate.DefaultConfig()
	c.Spread = 0.05
	held := func(drift float64) float64 {
		const windows, size, strata = 1000, 600, 3
		held := 0.0
		for range windows {
			var shift [strata]float64
			for s := range shift {
				shift[s] = c.Spread * rng.NormFloat64()
			}
			var events, known []estimate.Event
			truth := 0.0
			for i := range size {
				p := 0.75 + 0.1*rng.Float64()
				actual := rightness(p+shift[i%strata]*math.Sqrt(p*(1-p))-drift, rng)
				truth += actual / size
				e := estimate.Outcome(estimate.Stratum(i%strata), p, 1, 0)
				events, known = append(events, e), append(known, e.With(actual))
			}
			promise := mustMean(t, events, estimate.Delayed, c).Promise()
			held += indicator(promise.Low <= truth && truth <= promise.High) / windows
			again := mustMean(t, known, estimate.Delayed, c).Promise()
			near(t, "the promise once all labels are in", again.Low, promise.Low, 1e-12)
		}
		return held
	}
	// Four standard errors of 1,000 draws are 2.8 points.
	near(t, "how often a promise holds", held(0), 0.95, 0.028)
	if got := held(0.15); got > 0.02 {
		t.Errorf("of 15 points less %.3f are within the promise", got)
	}
}

func bound(hits, labelled, never int64) (estimate.Bounds, error) {
	return estimate.Bound(estimate.Tally{Count: hits}, estimate.Tally{Count: labelled}, estimate.Tally{Count: never})
}

func TestPartialFeedbackHasBoundsAndNoPoint(t *testing.T) {
	b, err := bound(450, 500, 500)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "all others wrong", b.Low, 0.45, 1e-12)
	near(t, "all others right", b.High, 0.95, 1e-12)
	// The bounds are far apart: one-sided quantiles, 1.645.
	near(t, "the interval's lower end", b.Interval.Low, 0.45-1.6448536*math.Sqrt(0.45*0.55/1000), 1e-6)
	full, err := bound(450, 500, 0)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "with every label", full.Interval.Low, 0.9-1.9599640*math.Sqrt(0.09/500), 1e-6)
	if few, err := bound(3, 4, 5); err != nil || few.State != metric.Insufficient {
		t.Errorf("9 predictions: %+v, %v", few, err)
	}
	if _, err := bound(5, 4, 0); err == nil {
		t.Error("more hits than labels are bounded")
	}
}

func TestLoggedPropensitiesAreWeighed(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const size = 4000
	held, plainOff := 0.0, 0.0
	for range 300 {
		truth := 0.0
		var labels []estimate.Explored
		plain := 0.0
		for range size {
			good := rng.Float64() < 0.7
			propensity := 0.1
			if good {
				propensity = 0.9
			}
			actual := rightness(map[bool]float64{true: 0.9, false: 0.3}[good], rng)
			truth += actual / size
			if rng.Float64() < propensity {
				labels = append(labels, estimate.Explored{Propensity: propensity, Actual: actual})
				plain += actual
			}
		}
		e, err := estimate.Weigh(labels, size)
		if err != nil {
			t.Fatal(err)
		}
		if e.State == metric.OK && e.Holds(truth) {
			held++
		}
		plainOff += plain/float64(len(labels)) - truth
	}
	if held/300 < 0.91 || held/300 > 0.99 {
		t.Errorf("the weighed interval holds %.1f %%", held/3)
	}
	if plainOff/300 < 0.1 {
		t.Error("the plain mean is right: the test tests nothing")
	}
	certain := make([]estimate.Explored, 30)
	for i := range certain {
		certain[i] = estimate.Explored{Propensity: 1, Actual: float64(i % 3)}
	}
	if e, err := estimate.Weigh(certain, 30); err != nil || e.Value != 1 || e.Error != 0 {
		t.Errorf("every label in for certain: %+v, %v", e, err)
	}
	if _, err := estimate.Weigh([]estimate.Explored{{Propensity: 0}}, 1); err == nil {
		t.Error("a propensity of 0 is weighed")
	}
}

// Labels alike in their chance and weight may be given as one row with their mean and
// its scatter: one by one they say the same.
func TestRowsOfAlikeLabelsWeighAsEach(t *testing.T) {
	rng := rand.New(rand.NewPCG(51, 52))
	var each, rows []estimate.Explored
	for _, of := range []struct{ propensity, times float64 }{{1, 1}, {0.3, 1}, {0.3, 4}, {0.05, 2}} {
		n := 30 + rng.IntN(40)
		weight := estimate.Weight{Requests: of.times, Squares: of.times * of.times}
		sum, squares := 0.0, 0.0
		for range n {
			v := 5 * rng.ExpFloat64()
			each = append(each, estimate.Explored{Propensity: of.propensity, Actual: v, Weight: weight})
			sum, squares = sum+v, squares+v*v
		}
		mean := sum / float64(n)
		rows = append(rows, estimate.Explored{Propensity: of.propensity, Actual: mean, Scatter: squares/float64(n) - mean*mean, Count: int64(n),
			Weight: estimate.Weight{Requests: float64(n) * weight.Requests, Squares: float64(n) * weight.Squares}})
	}
	one, err := estimate.Weigh(each, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	two, err := estimate.Weigh(rows, 10_000)
	if err != nil || one.Known != two.Known || one.State != two.State || math.Abs(one.Value-two.Value) > 1e-9 || math.Abs(one.Error-two.Error) > 1e-9 || one.Error == 0 {
		t.Errorf("%+v, as rows %+v, %v", one, two, err)
	}
}
