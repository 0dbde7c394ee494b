package estimate_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// former is what the code of before weights (commit 55dc0dd) says of one world.
var former = []struct {
	what  string
	three [3]float64
}{
	{"accuracy", [3]float64{0x1.76a352f6dddcdp-01, 0x1.6f0a9265b2c77p-01, 0x1.7e3c138808f23p-01}},
	{"precision", [3]float64{0x1.7604d4070fab2p-01, 0x1.64df30be6cc3fp-01, 0x1.85eb3dfa81318p-01}},
	{"recall", [3]float64{0x1.745e57aa2ac62p-01, 0x1.6787eb0261fdp-01, 0x1.80822de95173fp-01}},
	{"specificity", [3]float64{0x1.78e306960dc9ep-01, 0x1.6be3a4d496914p-01, 0x1.8521019f9323ep-01}},
	{"F1", [3]float64{0x1.75311e4626bafp-01, 0x1.68dc316c14d19p-01, 0x1.80df3531b54acp-01}},
	{"the mean by random labels", [3]float64{0x1.7d41075dcbc2ep-01, 0x1.76bf9bbed5fe2p-06, 0x1.664d14ab15d57p-01}},
	{"the mean by late labels", [3]float64{0x1.76a352f6dddcdp-01, 0x1.f01e8f608e997p-08, 0x1.6f0a9265b2c77p-01}},
	{"the contradiction", [3]float64{0x1.daf2b224ecdeap-07, 0x1.0113f92609fc1p+00, 0x1p+00}},
	{"bounds", [3]float64{0x1.89374bc6a7efap-05, 0x1.54a07d17fe7aep-05, 0x1.e9454827a835fp-01}},
	{"the mean by propensities", [3]float64{0x1.5e1d6c5314984p-02, 0x1.6d6722c0e7f92p-06, 0x1.315a997dbfe53p-02}},
	{"calibrated scores", [3]float64{0x1.ed7ae6e6a2d3ep-03, 0x1.26c535448a0afp-02, 0x1.88b3fb29997efp-03}},
	{"losses and the spread", [3]float64{0x1.20aba453ded7ap-01, 0x1.2a39d7fc4ad02p-05, 0x1.0624dd2f1a9fcp-10}},
}

// Weights of one request each, and none, say what was said before there were any, to
// the bit. Other processors may round a product and a sum once instead of twice. Since
// then the bounds of shares of counts have moved half a count outwards.
func TestAWeightOfOneIsNone(t *testing.T) {
	tolerance := 0.0
	if runtime.GOARCH != "amd64" {
		tolerance = 1e-12
	}
	for name, one := range map[string]float64{"no weight": 0, "one each": 1} {
		predictions := sampledPredictions(rand.New(rand.NewPCG(91, 91)), 3000, func(int) float64 { return one })
		got := figures(t, predictions, one)
		half := halfCounts(predictions, former[1].three[0], former[2].three[0])
		for i, f := range former {
			near(t, name+": "+f.what, got[i][0], f.three[0], tolerance*math.Abs(f.three[0]))
			for k, way := range []float64{-1, 1} {
				want := f.three[k+1] + way*half[f.what]
				near(t, name+": "+f.what, got[i][k+1], want, max(tolerance, 4e-16*math.Ceil(half[f.what]))*math.Abs(want))
			}
		}
	}
}

// halfCounts are half a prediction, as a share of what each measure is a share of.
func halfCounts(predictions []estimate.Prediction, precision, recall float64) map[string]float64 {
	called := 0.0
	for _, p := range predictions {
		if p.Chosen {
			called++
		}
	}
	positives := called * precision / recall
	return map[string]float64{
		"precision": 0.5 / called, "recall": 0.5 / positives, "specificity": 0.5 / (float64(len(predictions)) - positives), "F1": 1 / (called + positives),
	}
}

// figures asks all that knows weights of one world, each prediction worth so many
// requests.
func figures(t *testing.T, predictions []estimate.Prediction, one float64) (out [][3]float64) {
	t.Helper()
	config := estimate.DefaultConfig()
	config.Spread = 0.01
	weight := estimate.Weight{Requests: one, Squares: one}
	var events []estimate.Event
	var examples []estimate.Example
	var misses []estimate.Miss
	var labels []estimate.Explored
	tally := func(n int64) estimate.Tally {
		return estimate.Tally{Count: n, Weight: estimate.Weight{Requests: one * float64(n), Squares: one * float64(n)}}
	}
	hits := int64(0)
	for i, p := range predictions {
		e := estimate.Right(p.Stratum, p.P, p.Chosen).Times(estimate.Tally{Count: 1, Weight: weight})
		if !p.Known {
			events = append(events, e)
			continue
		}
		events = append(events, e.With(indicator(p.Truth == p.Chosen)))
		examples = append(examples, estimate.Example{Stratum: p.Stratum, Score: p.P, Truth: p.Truth, Worth: one})
		misses = append(misses, estimate.Miss{Stratum: p.Stratum, Predicted: p.P, Loss: float64(i%7) / 7, Worth: one})
		labels = append(labels, estimate.Explored{Propensity: 0.1 + 0.9*p.P, Actual: indicator(p.Truth), Weight: weight})
		if p.Truth {
			hits++
		}
	}
	known := int64(len(labels))
	for _, v := range mustConfusion(t, predictions).Values(map[metric.ID]float64{metric.Precision: 1.5, metric.Recall: 1.5, metric.Specificity: 1.5, metric.F1: 1.5}) {
		out = append(out, [3]float64{v.Value, v.Low, v.High})
	}
	for _, arrival := range []estimate.Arrival{estimate.Random, estimate.Delayed} {
		e := mustMean(t, events, arrival, config)
		out = append(out, [3]float64{e.Value, e.Error, e.Low})
		if e.Sampling != 0 {
			t.Errorf("%g of the error is by sampling", e.Sampling)
		}
	}
	d, err := estimate.Contradict(events, config)
	must(t, err)
	b, err := estimate.Bound(tally(hits), tally(known), tally(int64(len(predictions))-known))
	must(t, err)
	w, err := estimate.Weigh(labels, int64(len(predictions)))
	must(t, err)
	m, err := estimate.Fit(examples, estimate.Choice{Kind: estimate.Platt})
	must(t, err)
	l, err := estimate.FitErrors(misses)
	must(t, err)
	loss := l.Event(1, 0.4)
	if b.State != metric.OK || len(b.Assumes) != 1 || len(w.Assumes) != 1 {
		t.Errorf("%s: bounds assume %q, the mean by propensities %q", b.State, b.Assumes, w.Assumes)
	}
	return append(out, [3]float64{d.Gap, d.Z, d.Chance}, [3]float64{b.Low, b.Interval.Low, b.Interval.High}, [3]float64{w.Value, w.Error, w.Low},
		[3]float64{m.P(0.3, 0), m.P(0.3, 1), m.P(0.3, 2)}, [3]float64{loss.Expected, loss.Variance, estimate.SpreadOf(estimate.ResidualsOf(events), 0.001)})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
