package metric_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

func TestEveryMetricIsDeclaredOnce(t *testing.T) {
	seen := make(map[metric.ID]bool)
	for _, d := range metric.Table() {
		if seen[d.ID] {
			t.Errorf("%s is declared twice", d.ID)
		}
		seen[d.ID] = true
		if d.Title == "" || d.Unit == "" || d.Formula == "" || d.Method == "" || d.Source == "" || d.Good == "" || d.Needs.Labelled == 0 {
			t.Errorf("%s leaves something open: %+v", d.ID, d)
		}
	}
	if _, known := metric.Lookup("accuracy"); !known {
		t.Error("accuracy is not found")
	}
	if _, known := metric.Lookup("luck"); known {
		t.Error("a metric nobody declared is found")
	}
}

func TestTooFewLabelsAreInsufficient(t *testing.T) {
	for _, test := range []struct {
		what  string
		c     metric.Confusion
		state map[metric.ID]metric.State
	}{
		{"no labels", metric.Confusion{}, map[metric.ID]metric.State{
			metric.Accuracy: metric.Missing, metric.Recall: metric.Missing, metric.MCC: metric.Missing,
		}},
		{"2 positives in 60", metric.Confusion{TP: 1, FN: 1, FP: 10, TN: 48}, map[metric.ID]metric.State{
			metric.Accuracy: metric.OK, metric.Precision: metric.OK, metric.Recall: metric.Insufficient,
			metric.F1: metric.Insufficient, metric.MCC: metric.Insufficient, metric.Specificity: metric.OK,
		}},
		{"never called positive", metric.Confusion{FN: 30, TN: 30}, map[metric.ID]metric.State{
			metric.Precision: metric.Insufficient, metric.Recall: metric.OK, metric.MCC: metric.Insufficient,
		}},
		{"19 labels", metric.Confusion{TP: 10, TN: 9}, map[metric.ID]metric.State{metric.Accuracy: metric.Insufficient}},
	} {
		for _, v := range test.c.Values() {
			want, asked := test.state[v.Metric]
			if !asked {
				continue
			}
			if v.State != want {
				t.Errorf("%s: %s is %s (%s), want %s", test.what, v.Metric, v.State, v.Why, want)
			}
			if v.State != metric.OK && (!math.IsNaN(v.Low) || v.Why == "") {
				t.Errorf("%s: %s has an interval or no reason: %+v", test.what, v.Metric, v)
			}
		}
	}
	if v := metric.CurveOf([]float64{0.1, 0.9}, []bool{false, true}).ROCAUC(); v.State != metric.Insufficient || v.Value != 1 {
		t.Errorf("ROC AUC of two labels is %+v", v)
	}
}

func TestCertainAndWrongIsAnInfiniteLogLoss(t *testing.T) {
	scores, truth := make([]float64, 40), make([]bool, 40)
	for i := range scores {
		scores[i], truth[i] = 0.5, i%2 == 0
	}
	scores[0] = 0
	loss, brier := metric.Losses(scores, truth)
	if !math.IsInf(loss.Value, 1) || loss.State != metric.Insufficient {
		t.Errorf("log loss is %+v", loss)
	}
	if brier.State != metric.OK {
		t.Errorf("Brier is %+v", brier)
	}
}

func TestScoresThatAreNoNumbersAreDropped(t *testing.T) {
	_, dropped := metric.NewCurve([]metric.Cell{{Score: math.NaN(), Positives: 2, Negatives: 3}, {Score: 1, Positives: 1}})
	if dropped != 5 {
		t.Errorf("%d dropped, want 5", dropped)
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	if _, err := (metric.Matrix{{1, 2}, {3}}).Values(); err == nil {
		t.Error("a ragged matrix is judged")
	}
	if _, err := (metric.Matrix{{1, -2}, {3, 1}}).Values(); err == nil {
		t.Error("a negative count is judged")
	}
	if _, err := (metric.Matrix{{1}}).Worth(nil); err == nil {
		t.Error("a value matrix of another shape is used")
	}
	if _, err := metric.Determination([]float64{1}, nil); err == nil {
		t.Error("columns of unequal length are judged")
	}
	if _, err := metric.PinballLoss(nil, nil, 1); err == nil {
		t.Error("the quantile 1 is judged")
	}
	if _, err := metric.NewRanking(0); err == nil {
		t.Error("the first 0 results are judged")
	}
}

// A model with a known confusion matrix and known scores is sampled; every
// interval must hold the known truth about 95 times in 100.
func TestIntervalsHoldTheirLevel(t *testing.T) {
	const samples, n = 600, 300
	rng := rand.New(rand.NewPCG(7, 11))
	hits, judged := make(map[metric.ID]int), make(map[metric.ID]int)
	shares := metric.CostMatrix{TP: 0.2, FN: 0.1, FP: 0.08, TN: 0.62}
	truths := map[metric.ID]float64{
		metric.Accuracy: 0.82, metric.Precision: 0.2 / 0.28, metric.Recall: 2.0 / 3, metric.Specificity: 0.62 / 0.7, metric.F1: 0.4 / 0.58,
		metric.MCC:           (0.2*0.62 - 0.08*0.1) / math.Sqrt(0.28*0.3*0.7*0.72),
		metric.ROCAUC:        0.7602499389065233, // Phi(1/sqrt 2): two normals one standard deviation apart
		metric.BusinessValue: 0.2*5 - 0.1*7 - 0.08*2,
	}
	count := func(v metric.Value) {
		if v.State == metric.OK {
			judged[v.Metric]++
			if v.Holds(truths[v.Metric]) {
				hits[v.Metric]++
			}
		}
	}
	for range samples {
		var c metric.Confusion
		scores, truth := make([]float64, n), make([]bool, n)
		for i := range n {
			u := rng.Float64()
			switch {
			case u < shares.TP:
				c.TP++
			case u < shares.TP+shares.FN:
				c.FN++
			case u < shares.TP+shares.FN+shares.FP:
				c.FP++
			default:
				c.TN++
			}
			truth[i] = u < 0.3
			scores[i] = rng.NormFloat64()
			if truth[i] {
				scores[i]++
			}
		}
		for _, v := range c.Values() {
			count(v)
		}
		count(c.Worth(metric.CostMatrix{TP: 5, FN: -7, FP: -2}))
		count(metric.CurveOf(scores, truth).ROCAUC())
	}
	for id := range truths {
		// Four standard errors of 600 draws: 3.6 points.
		if share := float64(hits[id]) / float64(judged[id]); judged[id] < samples*9/10 || share < 0.914 || share > 0.986 {
			t.Errorf("the interval of %s holds %.1f %% of %d times", id, 100*share, judged[id])
		}
	}
}

func TestPartsMerge(t *testing.T) {
	var whole, a, b metric.Errors
	for i := range 50 {
		x, y := float64(i*i%17), float64(int(1)<<(i%3)) // sums of these are exact
		whole.Add(x, y)
		if i%3 == 0 {
			a.Add(x, y)
		} else {
			b.Add(x, y)
		}
	}
	a.Merge(b)
	if a != whole {
		t.Errorf("merged parts are %+v, the whole %+v", a, whole)
	}
}
