package metric_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// perfects are values of every metric on labels that all say the same.
func perfects(t *testing.T) []metric.Value {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	values := append(metric.Confusion{TP: 10, TN: 90}.Values(), metric.Confusion{FN: 10, FP: 90}.Values()...)
	for _, m := range []metric.Matrix{{{20, 0, 0}, {0, 20, 0}, {0, 0, 20}}, {{0, 20, 0}, {0, 0, 20}, {20, 0, 0}}} {
		all, err := m.Values()
		must(err)
		values = append(values, all...)
	}
	lists, err := metric.NewRanking(5)
	must(err)
	scored, err := metric.NewScored(2)
	must(err)
	var e, off metric.Errors
	var scores, sure, column []float64
	var truth []bool
	for i := range 25 {
		p := float64((i + 1) % 2)
		lists.Add([]float64{1, 0, 0})
		e.Add(float64(i), float64(i))
		off.Add(float64(i)+0.1, float64(i))
		must(scored.Add([]float64{1 - p, p}, (i+1)%2, 1))
		column, truth = append(column, float64(i)), append(truth, i%2 == 0)
		scores, sure = append(scores, 0.1+0.8*p), append(sure, p)
	}
	r2, err := metric.Determination(column, column)
	must(err)
	pinball, err := metric.PinballLoss(column, column, 0.9)
	must(err)
	values = append(append(append(append(values, lists.Values()...), e.Values()...), off.Values()...), scored.Values()...)
	for _, column := range [][]float64{scores, sure} {
		log, brier := metric.Losses(column, truth)
		values = append(values, log, brier, metric.CurveOf(column, truth).ROCAUC(), metric.CurveOf(column, truth).PRAUC(), metric.CalibrationError(metric.Bins(column, truth, 10)))
	}
	return append(values, r2, pinball, metric.TopKAccuracy(25, 25))
}

// Intervals are of what further labels would show: no number of labels that all say
// the same leaves nothing open.
func TestNoIntervalIsWithoutWidth(t *testing.T) {
	for _, v := range perfects(t) {
		if v.State == metric.OK && !(v.Width() > 1e-9 && v.Holds(v.Value)) {
			t.Errorf("%+v", v)
		}
		if v.State != metric.OK && (v.Why == "" || !math.IsNaN(v.Low)) {
			t.Errorf("%+v says no reason, or has an interval", v)
		}
		switch v.Metric {
		case metric.MAE, metric.RMSE, metric.LogLoss, metric.MultiLogLoss, metric.R2, metric.Pinball:
			if v.State != metric.Insufficient {
				t.Errorf("%+v: it has no far end", v)
			}
		case metric.NDCG, metric.MAP, metric.MRR:
			if want := math.Pow(0.025, 1./25); v.State != metric.OK || math.Abs(v.Low-want) > 1e-12 || v.High != 1 {
				t.Errorf("%+v, want %g to 1", v, want)
			}
		case metric.MCC, metric.MultiMCC:
			if v.State != metric.OK || v.Low > v.Value-0.05 && v.High < v.Value+0.05 {
				t.Errorf("%+v", v)
			}
		}
	}
}

// The bounds on what was never seen hold their level where samples without an error
// are likely: of 300 with some 30 positives, of which the model misses few, and of three
// classes of which one is rare.
func TestWhatWasNotSeenIsHeld(t *testing.T) {
	const draws = 2000
	random := rand.New(rand.NewPCG(31, 7))
	for _, miss := range []float64{0.01, 0.03, 0.1} {
		held, ok := map[metric.ID]float64{}, map[metric.ID]float64{}
		truths := map[metric.ID]float64{
			metric.MCC:         (0.9 * 0.1 * (1 - miss)) / math.Sqrt(0.1*(1-miss)*0.1*0.9*(0.9+0.1*miss)),
			metric.MacroRecall: (2 + 1 - miss) / 3,
		}
		for range draws {
			for _, v := range missing(t, random, miss) {
				if truth, asked := truths[v.Metric]; asked && v.State == metric.OK {
					ok[v.Metric]++
					if v.Holds(truth) {
						held[v.Metric]++
					}
				}
			}
		}
		for id := range truths {
			t.Logf("%s, %g missed: ok %.3f, holds %.3f", id, miss, ok[id]/draws, held[id]/ok[id])
			if ok[id] < draws*0.99 || held[id]/ok[id] < 0.91 {
				t.Errorf("%s, %g missed: %.3f are ok, holds in %.3f of them", id, miss, ok[id]/draws, held[id]/ok[id])
			}
		}
	}
}

// missing samples 300 predictions of a binary model that misses a share of the one in
// ten that are positive, and 300 of one of three classes that misses that share of 15.
func missing(t *testing.T, random *rand.Rand, miss float64) []metric.Value {
	t.Helper()
	var c metric.Confusion
	three := metric.Matrix{{255, 0, 0}, {0, 30, 0}, {0, 0, 0}}
	for i := range 300 {
		switch missed := random.Float64() < miss; {
		case random.Float64() < 0.9:
			c.TN++
		case missed:
			c.FN++
		default:
			c.TP++
		}
		if i >= 285 {
			three[2][map[bool]int{false: 2}[random.Float64() < miss]]++
		}
	}
	values, err := three.Values()
	if err != nil {
		t.Fatal(err)
	}
	return append(values, c.Values()...)
}

// So does the mean over lists of which few are not perfect.
func TestMeansOfAlmostPerfectListsHold(t *testing.T) {
	const draws = 2000
	random := rand.New(rand.NewPCG(5, 19))
	for _, n := range []int{25, 100, 400} {
		for _, bad := range []float64{0.002, 0.01, 0.03, 0.1} {
			held := 0.0
			for range draws {
				lists, err := metric.NewRanking(5)
				if err != nil {
					t.Fatal(err)
				}
				for range n {
					if random.Float64() < bad {
						lists.Add([]float64{0, 0, 0, 1}) // 1/4
					} else {
						lists.Add([]float64{1})
					}
				}
				if v := lists.Values()[2]; v.State == metric.OK && v.Holds(1-0.75*bad) {
					held++
				}
			}
			t.Logf("%d lists, %g bad: holds %.3f", n, bad, held/draws)
			if held/draws < 0.93 {
				t.Errorf("%d lists, %g bad: holds in %.3f", n, bad, held/draws)
			}
		}
	}
}
