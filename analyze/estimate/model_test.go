package estimate_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

func scored() []estimate.Example {
	out := make([]estimate.Example, 80)
	for i := range out {
		s := float64(i*37%101+1) / 103
		out[i] = estimate.Example{Score: s, Truth: (i*i+3*i)%7 < 3 || s > 0.8}
	}
	return out
}

// The values are scikit-learn's (1.9.1): LogisticRegression(C=1e12) on the log
// odds with Platt's targets as weights, and IsotonicRegression, whose steps of 31
// examples at 9/31 and of 16 at 16/16 are here each worth one more example at the
// overall share, 0.4375. Both are within one stratum, whose offset is the ridge's.
func TestCalibrationEqualsScikitLearn(t *testing.T) {
	m, err := estimate.Fit(scored(), estimate.Choice{Kind: estimate.Platt, ByStratum: true})
	if err != nil {
		t.Fatal(err)
	}
	for score, want := range map[float64]float64{0.1: 0.24002263, 0.5: 0.43535129, 0.9: 0.65304578} {
		near(t, "Platt", m.P(score, 0), want, 1e-5)
	}
	if m, err = estimate.Fit(scored(), estimate.Choice{Kind: estimate.Isotonic, ByStratum: true}); err != nil {
		t.Fatal(err)
	}
	near(t, "isotonic, first step", m.P(0.1, 0), (9+0.4375)/32, 1e-9)
	near(t, "isotonic, last step", m.P(0.9, 0), (16+0.4375)/17, 1e-9)
	for s := 0.01; s < 1; s += 0.01 {
		if m.P(s, 0) < m.P(s-0.01, 0)-1e-12 {
			t.Errorf("isotonic falls at %g", s)
		}
	}
}

func TestEvidenceChoosesTheCalibration(t *testing.T) {
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	odds := func(p float64) float64 { return math.Log(p / (1 - p)) }
	for name, test := range map[string]struct {
		truth func(score float64, s estimate.Stratum) float64
		want  estimate.Choice
	}{
		"calibrated":        {func(s float64, _ estimate.Stratum) float64 { return s }, estimate.Choice{Kind: estimate.AsIs}},
		"too sure":          {func(s float64, _ estimate.Stratum) float64 { return sigmoid(odds(s) / 3) }, estimate.Choice{Kind: estimate.Platt}},
		"a step":            {func(s float64, _ estimate.Stratum) float64 { return 0.1 + 0.8*math.Floor(s*2)/2*2*0.9 }, estimate.Choice{Kind: estimate.Isotonic}},
		"each its own line": {func(s float64, k estimate.Stratum) float64 { return sigmoid(odds(s) * (0.3 + 2*float64(k))) }, estimate.Choice{Kind: estimate.Platt, ByStratum: true}},
	} {
		rng := rand.New(rand.NewPCG(5, 1))
		examples := make([]estimate.Example, 4000)
		for i := range examples {
			s, k := 0.02+0.96*rng.Float64(), estimate.Stratum(i%2)
			examples[i] = estimate.Example{Stratum: k, Score: s, Truth: rng.Float64() < test.truth(s, k)}
		}
		got, err := estimate.Choose(examples)
		if err != nil {
			t.Fatal(err)
		}
		if got.Kind != test.want.Kind || got.ByStratum != test.want.ByStratum {
			t.Errorf("%s scores: chose %+v, want %+v", name, got, test.want)
		}
	}
	few := make([]estimate.Example, 100)
	if _, err := estimate.Choose(few); err == nil {
		t.Error("labels of one kind are calibrated on")
	}
}

func TestTheSimplestWinsUnlessEvidenceIsClear(t *testing.T) {
	const trials = 20
	simple := 0
	for trial := range trials {
		rng := rand.New(rand.NewPCG(uint64(trial), 1))
		examples := make([]estimate.Example, 1000)
		for i := range examples {
			s := rng.Float64()
			examples[i] = estimate.Example{Stratum: estimate.Stratum(i % 2), Score: s, Truth: rng.Float64() < s}
		}
		choice, err := estimate.Choose(examples)
		if err != nil {
			t.Fatal(err)
		}
		if choice.Kind == estimate.AsIs {
			simple++
		}
	}
	if simple < 18 {
		t.Errorf("calibrated scores are left alone in %d of %d trials", simple, trials)
	}
}

func TestStrataAreRightInTheLarge(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	var examples []estimate.Example
	var expected, hits [2]float64
	for i := range 6000 {
		s, k := rng.Float64(), i%2
		examples = append(examples, estimate.Example{Stratum: estimate.Stratum(k), Score: s, Truth: rng.Float64() < s*(0.4+0.4*float64(k))})
	}
	m, err := estimate.Fit(examples, estimate.Choice{Kind: estimate.Isotonic})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range examples {
		expected[e.Stratum] += m.P(e.Score, e.Stratum)
		if e.Truth {
			hits[e.Stratum]++
		}
	}
	for k := range hits {
		near(t, "positives of a stratum", expected[k]/hits[k], 1, 0.01)
	}
}

func TestConfusionOfAllLabelsIsTheConfusion(t *testing.T) {
	want := metric.Confusion{TP: 60, FP: 25, FN: 30, TN: 185}
	var predictions []estimate.Prediction
	add := func(n int64, chosen, truth bool) {
		for range n {
			predictions = append(predictions, estimate.Prediction{P: 0.5, Chosen: chosen, Known: true, Truth: truth})
		}
	}
	add(want.TP, true, true)
	add(want.FP, true, false)
	add(want.FN, false, true)
	add(want.TN, false, false)
	c, err := estimate.ConfusionOf(predictions, estimate.Delayed, estimate.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	exact := make(map[metric.ID]float64)
	for _, v := range want.Values() {
		exact[v.Metric] = v.Value
	}
	for _, v := range c.Values(nil) {
		near(t, string(v.Metric), v.Value, exact[v.Metric], 1e-12)
		if v.State != metric.OK || v.Width() > 1e-9 {
			t.Errorf("%s is %+v", v.Metric, v)
		}
	}
}

// The window's own precision, recall, specificity and F1, estimated from a random
// tenth of its labels.
func TestEstimatedSharesHoldTheirLevel(t *testing.T) {
	rng := rand.New(rand.NewPCG(12, 1))
	held, judged := make(map[metric.ID]float64), make(map[metric.ID]float64)
	for range 400 {
		var truth metric.Confusion
		predictions := make([]estimate.Prediction, 2000)
		for i := range predictions {
			p := rng.Float64() * rng.Float64()
			q := estimate.Prediction{P: p, Chosen: p > 0.4, Truth: rng.Float64() < p, Known: rng.Float64() < 0.1}
			predictions[i] = q
			switch {
			case q.Chosen && q.Truth:
				truth.TP++
			case q.Chosen:
				truth.FP++
			case q.Truth:
				truth.FN++
			default:
				truth.TN++
			}
			predictions[i].Truth = q.Truth && q.Known // what is not known is not there to be read
		}
		exact := make(map[metric.ID]float64)
		for _, v := range truth.Values() {
			exact[v.Metric] = v.Value
		}
		c, err := estimate.ConfusionOf(predictions, estimate.Random, estimate.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range c.Values(nil) {
			if v.State == metric.OK {
				judged[v.Metric]++
				if v.Holds(exact[v.Metric]) {
					held[v.Metric]++
				}
			}
		}
	}
	for _, id := range []metric.ID{metric.Accuracy, metric.Precision, metric.Recall, metric.Specificity, metric.F1} {
		if share := held[id] / judged[id]; judged[id] < 390 || share < 0.905 || share > 0.99 {
			t.Errorf("the interval of %s holds %.1f %% of %g windows", id, 100*share, judged[id])
		}
	}
}

func TestRareEventsAreInsufficient(t *testing.T) {
	predictions := make([]estimate.Prediction, 300)
	for i := range predictions {
		predictions[i] = estimate.Prediction{P: 0.01, Chosen: i%50 == 0, Known: i%5 == 0}
	}
	c, err := estimate.ConfusionOf(predictions, estimate.Random, estimate.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range c.Values(nil) {
		want := metric.Insufficient
		if v.Metric == metric.Accuracy || v.Metric == metric.Specificity {
			want = metric.OK
		}
		if v.State != want {
			t.Errorf("%s is %s, want %s", v.Metric, v.State, want)
		}
	}
}

func TestErrorsAreExpectedBySizeAndStratum(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	miss := func() estimate.Miss {
		size, k := 100*rng.Float64(), estimate.Stratum(rng.IntN(2))
		return estimate.Miss{Stratum: k, Predicted: size, Loss: math.Abs(rng.NormFloat64()) * (1 + size/10) * float64(1+k)}
	}
	var past []estimate.Miss
	for range 8000 {
		past = append(past, miss())
	}
	m, err := estimate.FitErrors(past)
	if err != nil {
		t.Fatal(err)
	}
	var events []estimate.Event
	truth := 0.0
	for range 3000 {
		x := miss()
		events = append(events, m.Event(x.Stratum, x.Predicted))
		truth += x.Loss / 3000
	}
	c := estimate.DefaultConfig()
	c.Spread = 0.05
	e := mustMean(t, events, estimate.Delayed, c)
	if !e.Holds(truth) || e.Width() > 0.15*truth*4 {
		t.Errorf("the mean loss is %g, estimated %+v", truth, e)
	}
	if _, err := estimate.FitErrors(past[:10]); err == nil {
		t.Error("10 labels make an error model")
	}
}
