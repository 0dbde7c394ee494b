package metric_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// What a prediction is worth rests on the rarer truth, too: with fewer than ten
// labels of either there is a point and no interval.
func TestWorthNeedsLabelsOfBothTruths(t *testing.T) {
	costs := metric.CostMatrix{TP: 120, FP: -5, FN: -400}
	for _, test := range []struct {
		what  string
		c     metric.Confusion
		costs metric.CostMatrix
		state metric.State
	}{
		{"no positive", metric.Confusion{TN: 100}, costs, metric.Insufficient},
		{"one positive", metric.Confusion{TN: 59, FN: 1}, costs, metric.Insufficient},
		{"nine positives", metric.Confusion{TP: 8, FN: 1, TN: 500}, costs, metric.Insufficient},
		{"nine negatives", metric.Confusion{TP: 500, FN: 1, TN: 9}, costs, metric.Insufficient},
		{"ten of either", metric.Confusion{TP: 10, TN: 10}, costs, metric.OK},
		{"what is called costs, whatever is true", metric.Confusion{TN: 100}, metric.CostMatrix{TP: -5, FP: -5}, metric.OK},
		{"no labels", metric.Confusion{}, costs, metric.Missing},
	} {
		v := test.c.Worth(test.costs)
		if v.State != test.state || (v.State == metric.OK) != (v.Width() > 0) || (v.State == metric.OK) != (v.Why == "") {
			t.Errorf("%s: %+v, want %s", test.what, v, test.state)
		}
		if v.State == metric.Insufficient && math.IsNaN(v.Value) {
			t.Errorf("%s: the point is lost: %+v", test.what, v)
		}
		both, err := metric.Matrix{{test.c.TN, test.c.FP}, {test.c.FN, test.c.TP}}.Worth([][]float64{{test.costs.TN, test.costs.FP}, {test.costs.FN, test.costs.TP}})
		if err != nil {
			t.Fatal(err)
		}
		if both.Why = v.Why; both.State != v.State {
			t.Errorf("%s: as a matrix %+v, want %+v", test.what, both, v)
		}
		alike(t, test.what+", as a matrix", both, v)
	}
}

// A miss that was never seen is worth what it is worth: the interval reaches as
// far as its share may.
func TestWorthReachesToWhatWasNotSeen(t *testing.T) {
	c := metric.Confusion{TP: 30, TN: 970}
	v := c.Worth(metric.CostMatrix{TP: 120, FP: -5, FN: -400})
	if unseen := 400 * (1 - math.Pow(0.05, 1./1000)); v.State != metric.OK || v.Low > v.Value-unseen {
		t.Errorf("%+v: 3 misses of 1000 would be worth %g less", v, unseen)
	}
}

// model is how often which answer is right, and what it is worth.
type model struct {
	name                string
	recall, specificity float64
	costs               metric.CostMatrix
}

// Where the interval of the value of a prediction is said to hold it holds, however
// rare the positives and however few the labels. Where ten positives are a stroke of
// luck, the samples that have them have too many: there is nothing but how often one of
// all samples is ok and wrong, and the level is that of those that are ok only where one
// in ten is.
func TestWorthHoldsItsLevel(t *testing.T) {
	const draws = 2000
	random := rand.New(rand.NewPCG(23, 11))
	for _, m := range []model{
		{"fraud", 0.8, 0.97, metric.CostMatrix{TP: 120, FP: -5, FN: -400}},
		{"few misses", 0.98, 0.995, metric.CostMatrix{TP: 100, FP: -5, FN: -80}},
		{"all four", 0.6, 0.9, metric.CostMatrix{TP: 5, FP: -2, FN: -7, TN: 0.1}},
	} {
		for _, prevalence := range []float64{0.005, 0.03, 0.1, 0.3} {
			for _, n := range []int64{20, 60, 100, 200, 500, 1000, 2000} {
				ok, held, width := m.held(random, prevalence, n, draws)
				what := fmt.Sprintf("%s, %g %% positive, n = %d", m.name, 100*prevalence, n)
				t.Logf("%s: ok %.3f, of those holds %.3f, width %.3g", what, ok, held/ok, width)
				if ok-held > 0.07 {
					t.Errorf("%s: ok and not held in %.3f", what, ok-held)
				}
				if ok >= 0.1 && held/ok < 0.93 {
					t.Errorf("%s: holds in %.3f of those that are ok", what, held/ok)
				}
			}
		}
	}
}

// held samples and returns the share of samples with an interval, that of those with
// one that holds the truth, and the mean width.
func (m model) held(random *rand.Rand, prevalence float64, n int64, draws int) (ok, held, width float64) {
	tp, fn := prevalence*m.recall, prevalence*(1-m.recall)
	fp, tn := (1-prevalence)*(1-m.specificity), (1-prevalence)*m.specificity
	truth := tp*m.costs.TP + fn*m.costs.FN + fp*m.costs.FP + tn*m.costs.TN
	known := map[metric.Confusion]metric.Value{}
	for range draws {
		var c metric.Confusion
		for range n {
			switch u := random.Float64(); {
			case u < tp:
				c.TP++
			case u < tp+fn:
				c.FN++
			case u < tp+fn+fp:
				c.FP++
			default:
				c.TN++
			}
		}
		v, seen := known[c]
		if !seen {
			v = c.Worth(m.costs)
			known[c] = v
		}
		if v.State == metric.OK {
			ok++
			width += v.Width()
			if v.Holds(truth) {
				held++
			}
		}
	}
	return ok / float64(draws), held / float64(draws), width / max(ok, 1)
}
