package metric_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

func alike(t *testing.T, what string, got, want metric.Value) {
	t.Helper()
	close := func(a, b float64) bool {
		return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-9*max(1, math.Abs(b))
	}
	if got.Metric != want.Metric || got.State != want.State || got.Why != want.Why || !close(got.Value, want.Value) || !close(got.Low, want.Low) || !close(got.High, want.High) {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

// Rows that all weigh w say what as many rows of weight 1 say.
func TestEqualWeightsSayWhatRowsSay(t *testing.T) {
	const w = 4
	thin := metric.ThinningOf(w*100, w*w*100)
	if thin != 1./w {
		t.Fatalf("thinning %g", thin)
	}
	for _, c := range []metric.Confusion{{TP: 30, FP: 12, FN: 8, TN: 70}, {TP: 9, FP: 30, FN: 0, TN: 20}, {TP: 3, FN: 1, TN: 2}, {TN: 50}, {TP: 20, TN: 25}, {}} {
		heavy := metric.Confusion{TP: w * c.TP, FP: w * c.FP, FN: w * c.FN, TN: w * c.TN}
		costs := metric.CostMatrix{TP: 10, FP: -3, FN: -7}
		want := append(c.Values(), c.Worth(costs))
		for i, got := range append(heavy.ValuesAt(thin), heavy.WorthAt(costs, thin)) {
			alike(t, "confusion", got, want[i])
		}
		matrix := func(c metric.Confusion) metric.Matrix { return metric.Matrix{{c.TP, c.FN}, {c.FP, c.TN}} }
		all, err := matrix(c).Values()
		if err != nil {
			t.Fatal(err)
		}
		got, err := matrix(heavy).ValuesAt(thin)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			alike(t, "matrix", got[i], all[i])
		}
	}
	random := rand.New(rand.NewPCG(3, 3))
	var light, heavy []metric.Cell
	var scores []float64
	var truth []bool
	for range 80 {
		s, y := math.Floor(random.Float64()*40)/40, random.IntN(3) == 0
		scores, truth = append(scores, s), append(truth, y)
		c := metric.Cell{Score: s, Negatives: 1}
		if y {
			c = metric.Cell{Score: s, Positives: 1}
		}
		light = append(light, c)
		heavy = append(heavy, metric.Cell{Score: s, Positives: w * c.Positives, Negatives: w * c.Negatives})
	}
	a, _ := metric.NewCurve(light)
	b, _ := metric.NewCurve(heavy)
	alike(t, "ROC AUC", b.ROCAUCAt(thin), a.ROCAUC())
	alike(t, "PR AUC", b.PRAUCAt(thin), a.PRAUC())
	bins := metric.Bins(scores, truth, 10)
	many := make([]metric.Bin, len(bins))
	for i, x := range bins {
		many[i] = metric.Bin{N: w * x.N, Positives: w * x.Positives, ScoreSum: w * x.ScoreSum}
	}
	alike(t, "ECE", metric.CalibrationErrorAt(many, thin), metric.CalibrationError(bins))
}

// The power sums give what the columns give.
func TestDeterminationOfSums(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 9))
	for _, shift := range []float64{0, 500, 1e4} {
		var f, y []float64
		s := metric.Squares{Shift: shift}
		for range 300 {
			truth := shift + 20*random.NormFloat64()
			answer := truth + 9*random.NormFloat64()
			f, y = append(f, answer), append(y, truth)
			u, e := truth-shift, answer-truth
			s.N, s.Y, s.Y2, s.Y3, s.Y4 = s.N+1, s.Y+u, s.Y2+u*u, s.Y3+u*u*u, s.Y4+u*u*u*u
			s.E2, s.E4, s.YE2, s.Y2E2 = s.E2+e*e, s.E4+e*e*e*e, s.YE2+u*e*e, s.Y2E2+u*u*e*e
		}
		want, err := metric.Determination(f, y)
		if err != nil {
			t.Fatal(err)
		}
		alike(t, "R2", s.Determination(metric.Each), want)
	}
	same := metric.Squares{N: 30, E2: 5}
	if v := same.Determination(metric.Each); v.State != metric.Insufficient {
		t.Errorf("truths that are all the same have an R2: %+v", v)
	}
}

// Areas of bucketed scores are off by no more than they say, and by nothing where
// a bucket holds one score.
func TestBucketsBoundTheAreas(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		var raw, coarse []metric.Cell
		spans := map[float64]map[float64]bool{}
		for range 30 + random.IntN(130) {
			s := math.Floor(random.Float64()*random.Float64()*300) / 300
			bucket := math.Floor(s * 40)
			c := metric.Cell{Score: s, Negatives: 1}
			if random.Float64() < s*s*2 {
				c = metric.Cell{Score: s, Positives: 1}
			}
			if spans[bucket] == nil {
				spans[bucket] = map[float64]bool{}
			}
			spans[bucket][s] = true
			raw = append(raw, c)
			c.Score = bucket
			coarse = append(coarse, c)
		}
		for i := range coarse {
			coarse[i].Blurred = len(spans[coarse[i].Score]) > 1
		}
		a, _ := metric.NewCurve(raw)
		b, _ := metric.NewCurve(coarse)
		if off := math.Abs(a.ROCAUC().Value - b.ROCAUC().Value); off > b.Ties()+1e-12 {
			t.Errorf("ROC AUC is off by %g, said %g", off, b.Ties())
		}
		if off := math.Abs(a.PRAUC().Value - b.PRAUC().Value); off > b.Undecided()+1e-12 {
			t.Errorf("PR AUC is off by %g, said %g", off, b.Undecided())
		}
		if a.Ties() != 0 || a.Undecided() != 0 {
			t.Errorf("scores as they are have a bound")
		}
	}
}
