package estimate_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// What stands for many alike predictions says what as many rows say.
func TestCountsAreRepetitions(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 41))
	var few, many []estimate.Prediction
	var fewExamples, manyExamples []estimate.Example
	var fewLabels, manyLabels []estimate.Explored
	var fewMisses []estimate.Miss
	for range 200 {
		p := estimate.Prediction{Stratum: estimate.Stratum(rng.IntN(3)), P: 0.05 + 0.9*rng.Float64(), Chosen: rng.IntN(2) == 0, Known: rng.IntN(2) == 0, Truth: rng.IntN(2) == 0}
		n := 1 + rng.IntN(6)
		score, loss := rng.Float64(), rng.Float64()
		for range n {
			many = append(many, p)
			manyExamples = append(manyExamples, estimate.Example{Stratum: p.Stratum, Score: score, Truth: p.Truth})
			manyLabels = append(manyLabels, estimate.Explored{Propensity: p.P, Actual: loss})
		}
		p.Count = int64(n)
		few = append(few, p)
		fewExamples = append(fewExamples, estimate.Example{Stratum: p.Stratum, Score: score, Truth: p.Truth, Count: p.Count})
		fewLabels = append(fewLabels, estimate.Explored{Propensity: p.P, Actual: loss, Count: p.Count})
		fewMisses = append(fewMisses, estimate.Miss{Stratum: p.Stratum, Predicted: 10 * score, Loss: loss, Count: p.Count})
	}
	a, err := estimate.ConfusionOf(few, estimate.Delayed, estimate.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	b, err := estimate.ConfusionOf(many, estimate.Delayed, estimate.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range a.Values(nil) {
		w := b.Values(nil)[i]
		near(t, string(v.Metric), v.Value, w.Value, 1e-12)
		if v.State == metric.OK {
			near(t, string(v.Metric)+" low", v.Low, w.Low, 1e-12)
		}
	}
	if a.Predictions != b.Predictions || a.Called != b.Called || a.Accuracy.Known != b.Accuracy.Known {
		t.Errorf("%d predictions, %d called, %d known; want %d, %d, %d", a.Predictions, a.Called, a.Accuracy.Known, b.Predictions, b.Called, b.Accuracy.Known)
	}
	for _, kind := range []estimate.Kind{estimate.Platt, estimate.Isotonic} {
		one, err := estimate.Fit(fewExamples, estimate.Choice{Kind: kind, ByStratum: true})
		if err != nil {
			t.Fatal(err)
		}
		all, err := estimate.Fit(manyExamples, estimate.Choice{Kind: kind, ByStratum: true})
		if err != nil {
			t.Fatal(err)
		}
		for s := range 4 {
			near(t, string(kind), one.P(0.3, estimate.Stratum(s)), all.P(0.3, estimate.Stratum(s)), 1e-9)
		}
	}
	few2, err := estimate.Weigh(fewLabels, 5000)
	if err != nil {
		t.Fatal(err)
	}
	if many2, err := estimate.Weigh(manyLabels, 5000); err != nil || few2.Known != many2.Known || few2.State != many2.State {
		t.Errorf("%+v, want %+v, %v", few2, many2, err)
	} else {
		near(t, "the weighed error", few2.Error, many2.Error, 1e-12)
	}
	losses, err := estimate.FitErrors(fewMisses)
	if err != nil {
		t.Fatal(err)
	}
	if e := losses.Event(1, 5); !(e.Expected > 0.3 && e.Expected < 0.7 && e.Variance > 0.02) {
		t.Errorf("the error model expects %+v of losses spread evenly over 0 to 1", e)
	}
}

// A mean and the scatter about it say what the numbers behind them say.
func TestAScatterStandsForItsNumbers(t *testing.T) {
	values := []float64{0.1, 0.4, 0.4, 0.9}
	mean, squares := 0.0, 0.0
	var each []estimate.Event
	for _, v := range values {
		mean += v / 4
		each = append(each, estimate.Event{Expected: 0.5, Variance: 0.1}.With(v))
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean) / 4
	}
	together := estimate.Event{Expected: 0.5, Variance: 0.1, Scatter: squares, Count: 4}.With(mean)
	waiting := estimate.Event{Expected: 0.5, Variance: 0.1, Count: 10}
	a := mustMean(t, append(each, waiting), estimate.Delayed, estimate.DefaultConfig())
	b := mustMean(t, []estimate.Event{together, waiting}, estimate.Delayed, estimate.DefaultConfig())
	near(t, "the mean", b.Value, a.Value, 1e-12)
	near(t, "its error", b.Error, a.Error, 1e-12)
	if !reflect.DeepEqual(a.Assumes, b.Assumes) || a.Predictions != b.Predictions {
		t.Errorf("%+v, want %+v", b, a)
	}
}
