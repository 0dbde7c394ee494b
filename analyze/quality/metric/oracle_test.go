package metric_test

import (
	"math"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// All expected numbers are printed by testdata/oracle.py: scikit-learn's values,
// scipy's intervals, DeLong's variance by brute force over all pairs, and
// standard errors by a numerical gradient.

const rows = 200

func binary() (scores []float64, truth, chosen []bool) {
	for i := range rows {
		y := (i*i+3*i)%7 < 3
		s := float64(i*37%101) / 101 * 0.6
		if y {
			s += 0.35
		}
		s = math.RoundToEven(s*1000) / 1000
		scores, truth, chosen = append(scores, s), append(truth, y), append(chosen, s >= 0.5)
	}
	return scores, truth, chosen
}

func close(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.15g, the oracle says %.15g", what, got, want)
	}
}

func TestBinaryEqualsScikitLearn(t *testing.T) {
	scores, truth, chosen := binary()
	var c metric.Confusion
	for i, y := range truth {
		switch {
		case y && chosen[i]:
			c.TP++
		case y:
			c.FN++
		case chosen[i]:
			c.FP++
		default:
			c.TN++
		}
	}
	if want := (metric.Confusion{TP: 41, FP: 24, FN: 16, TN: 119}); c != want {
		t.Fatalf("the counts are %+v, want %+v", c, want)
	}
	curve := metric.CurveOf(scores, truth)
	logLoss, brier := metric.Losses(scores, truth)
	got := append(c.Values(), curve.ROCAUC(), curve.PRAUC(), logLoss, brier, metric.CalibrationError(metric.Bins(scores, truth, 10)))
	want := map[metric.ID]float64{
		metric.Accuracy: 0.8, metric.Precision: 0.6307692307692307, metric.Recall: 0.7192982456140351,
		metric.Specificity: 0.8321678321678322, metric.F1: 0.6721311475409836, metric.MCC: 0.5314968401842745,
		metric.ROCAUC: 0.9025272972641393, metric.PRAUC: 0.8381080529399576,
		metric.LogLoss: 0.4176521979712254, metric.Brier: 0.131759, metric.ECE: 0.19285,
	}
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	for _, v := range got {
		close(t, string(v.Metric), v.Value, want[v.Metric], 1e-12)
		if v.State != metric.OK || !v.Holds(v.Value) || v.Labelled != rows {
			t.Errorf("%s is %+v", v.Metric, v)
		}
	}
	auc := curve.ROCAUC()
	half := 1.959963984540054 * math.Sqrt(0.00048066952459524504) / (auc.Value * (1 - auc.Value))
	x := math.Log(auc.Value / (1 - auc.Value))
	close(t, "DeLong's lower end", auc.Low, 1/(1+math.Exp(half-x)), 1e-12)
	mcc := got[5]
	close(t, "half width of MCC on Fisher's scale", (math.Atanh(mcc.High)-math.Atanh(mcc.Low))/2,
		1.959963984540054*0.06475824451670995/(1-mcc.Value*mcc.Value), 1e-6)
	// Wilson's of J against the delta method: alike, not equal.
	close(t, "width of F1", got[4].Width(), 2*1.96*0.048975036439303, 0.01)
}

func TestSeveralClassesEqualScikitLearn(t *testing.T) {
	m := metric.Matrix{{68, 6, 6}, {0, 40, 0}, {14, 14, 52}}
	got, err := m.Values()
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{0.8, 0.7974955611625081, 0.8333333333333334, 0.7977097870817677, 0.708958657202504}
	errors := []float64{math.NaN(), 0.027947171964791684, 0.022204854330185743, 0.028703274242343566, 0.03977411647310039}
	for i, v := range got {
		close(t, string(v.Metric), v.Value, want[i], 1e-12)
		if i == 0 {
			continue
		}
		scale, derivative := func(x float64) float64 { return math.Log(x / (1 - x)) }, 1/(v.Value*(1-v.Value))
		if v.Metric == metric.MultiMCC {
			scale, derivative = math.Atanh, 1/(1-v.Value*v.Value)
		}
		close(t, "half width of "+string(v.Metric), (scale(v.High)-scale(v.Low))/2, 1.959963984540054*errors[i]*derivative, 1e-6)
	}
	if c := m.Class(2); c != (metric.Confusion{TP: 52, FN: 28, FP: 6, TN: 114}) {
		t.Errorf("class 2 against the rest is %+v", c)
	}
	hits := int64(0)
	for i := range rows {
		truth := (i*i + i) % 5 % 4
		scores := make([]float64, 3)
		for c := range scores {
			scores[c] = float64((i*7+c*c*5+3*c)%11) + float64((i+c)%4)*0.01
		}
		scores[truth] += 2
		if metric.TopKHit(scores, truth, 2) {
			hits++
		}
	}
	close(t, "top-2 accuracy", metric.TopKAccuracy(hits, rows).Value, 0.665, 1e-12)
}

func TestTwoClassesAreTheBinaryCase(t *testing.T) {
	got, err := metric.Matrix{{119, 24}, {16, 41}}.Values()
	if err != nil {
		t.Fatal(err)
	}
	want := metric.Confusion{TP: 41, FP: 24, FN: 16, TN: 119}.Values()[5]
	mcc := got[4]
	close(t, "MCC", mcc.Value, want.Value, 1e-12)
	close(t, "its lower end", mcc.Low, want.Low, 1e-12)
}

func TestRegressionEqualsScikitLearn(t *testing.T) {
	var e metric.Errors
	var truth, predicted []float64
	for i := range rows {
		y := float64(i*29%83) - 10
		f := y + float64(i*17%31-14)/3
		e.Add(f, y)
		truth, predicted = append(truth, y), append(predicted, f)
	}
	want := []float64{2.598333333333333, 3.0052731434374924, 0.2651475711873131, 0.2883333333333333}
	values := e.Values()
	for i, v := range values {
		close(t, string(v.Metric), v.Value, want[i], 1e-12)
		if v.State != metric.OK || !v.Holds(v.Value) {
			t.Errorf("%s is %+v", v.Metric, v)
		}
	}
	close(t, "lower end of MAE", values[0].Low, 2.387242339131222, 1e-9)
	close(t, "upper end of MAE", values[0].High, 2.8094243275354445, 1e-9)
	if e.ZeroTruths != 2 {
		t.Errorf("%d truths are zero, want 2", e.ZeroTruths)
	}
	r2, err := metric.Determination(predicted, truth)
	if err != nil {
		t.Fatal(err)
	}
	close(t, "R2", r2.Value, 0.9842733174949185, 1e-12)
	close(t, "standard error of R2 against the jackknife", (r2.Value-r2.Low)/1.97, 0.0014050297497226311, 5e-5)
	pinball, err := metric.PinballLoss(predicted, truth, 0.9)
	if err != nil {
		t.Fatal(err)
	}
	close(t, "pinball loss", pinball.Value, 1.1838333333333333, 1e-12)
}

func TestRankingEqualsScikitLearn(t *testing.T) {
	for k, want := range map[int][]float64{
		5: {0.6333836660655839, 0.534, 0.8, 1},
		8: {math.NaN(), 0.6949523809523809, 0.8, 1},
	} {
		r, err := metric.NewRanking(k)
		if err != nil {
			t.Fatal(err)
		}
		for q := range 30 {
			relevance := make([]float64, 8)
			for j := range relevance {
				relevance[j] = float64((q*7 + j*j*3 + j) % 5 % 3)
			}
			r.Add(relevance)
		}
		r.Add([]float64{0, 0})
		for i, v := range r.Values() {
			if !math.IsNaN(want[i]) {
				close(t, string(v.Metric), v.Value, want[i], 1e-12)
			}
		}
		if r.Bare() != 1 {
			t.Errorf("%d queries without a relevant result, want 1", r.Bare())
		}
	}
}

// A query counts as often as its weight says, and the interval is that of the
// effective number of queries.
func TestWeightedRankingEqualsScikitLearn(t *testing.T) {
	for k, want := range map[int][]float64{
		5: {0.6357533711198435, math.NaN(), 0.8, 1},
		8: {math.NaN(), 0.699047619047619, 0.8, 1},
	} {
		r, err := metric.NewRanking(k)
		if err != nil {
			t.Fatal(err)
		}
		for q := range 30 {
			relevance := make([]float64, 8)
			for j := range relevance {
				relevance[j] = float64((q*7 + j*j*3 + j) % 5 % 3)
			}
			r.AddTimes(relevance, int64(1+q%7))
		}
		r.AddTimes([]float64{0, 0}, 4)
		values := r.Values()
		for i, v := range values {
			if v.Labelled != 115 || v.State != metric.OK { // 115 queries are worth 23
				t.Errorf("%+v", v)
			}
			if !math.IsNaN(want[i]) {
				close(t, string(v.Metric), v.Value, want[i], 1e-12)
			}
		}
		if k == 5 {
			// Student's low end is 0.5679063168682172; the share of lists that as many leave
			// unseen, 1-.025^(1/n), may all be worth nothing.
			close(t, "low end of NDCG", values[0].Low, 0.6357533711198435*math.Pow(0.025, 565./(115*115)), 1e-9)
			close(t, "high end of NDCG", values[0].High, 0.70360042537147, 1e-9)
		}
		if r.Bare() != 4 {
			t.Errorf("%d queries without a relevant result, want 4", r.Bare())
		}
	}
}

func TestQuantilesEqualScipy(t *testing.T) {
	for df, want := range map[float64]float64{1: 12.706204736174694, 5: 2.5705818356363146, 19: 2.0930240544083087, 1000: 1.9623390808264083} {
		close(t, "Student's quantile", metric.StudentQuantile(0.975, df), want, 1e-9)
		close(t, "Student's other quantile", metric.StudentQuantile(0.025, df), -want, 1e-9)
	}
	for p, want := range map[float64]float64{0.5: 0, 0.975: 1.959963984540054, 0.9999: 3.719016485455709} {
		close(t, "the normal quantile", metric.NormalQuantile(p), want, 1e-12)
		close(t, "the other normal quantile", metric.NormalQuantile(1-p), -want, 1e-12)
	}
	close(t, "binomial", metric.BinomialCDF(17, 20, 0.95), 0.07548367378849649, 1e-12)
	close(t, "binomial", metric.BinomialCDF(3, 50, 0.1), 0.250293905953308, 1e-12)
}
