package metric_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// threeClasses are testdata/oracle.py's scores of three classes.
func threeClasses(t *testing.T, times func(i int) int64) *metric.Scored {
	t.Helper()
	s, err := metric.NewScored(3)
	if err != nil {
		t.Fatal(err)
	}
	for a := range 200 {
		truth := (a*a + a) % 5 % 3
		scores, sum := make([]float64, 3), 0.0
		for c := range scores {
			scores[c] = float64(1 + (a*(7+4*c)+c*c*5)%23)
			if c == truth {
				scores[c] += 8
			}
			sum += scores[c]
		}
		for c := range scores {
			scores[c] /= sum
		}
		if err := s.Add(scores, truth, times(a)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func byID(values []metric.Value) map[metric.ID]metric.Value {
	all := map[metric.ID]metric.Value{}
	for _, v := range values {
		all[v.Metric] = v
	}
	return all
}

// standardError is what an interval that is symmetric in the logit was made from.
func standardError(v metric.Value) float64 {
	logit := func(p float64) float64 { return math.Log(p / (1 - p)) }
	return (logit(v.High) - logit(v.Low)) / 2 / 1.959963984540054 * v.Value * (1 - v.Value)
}

func TestScoresOfClassesEqualScikitLearn(t *testing.T) {
	got := byID(threeClasses(t, func(int) int64 { return 1 }).Values())
	for id, want := range map[metric.ID]float64{
		metric.MacroROCAUC: 0.8600868055555555, metric.WeightedROCAUC: 0.8526354166666666,
		metric.MacroPRAUC: 0.7572800245203005, metric.WeightedPRAUC: 0.7743432563470413,
		metric.MultiLogLoss: 0.8055894306726659, metric.MultiBrier: 0.4815261095208703, metric.MacroECE: 0.11998039174136022,
	} {
		v := got[id]
		close(t, string(id), v.Value, want, 1e-12)
		if v.State != metric.OK || v.Labelled != 200 || !v.Holds(v.Value) {
			t.Errorf("%+v", v)
		}
	}
	// The jackknife over predictions, by scikit-learn's areas.
	for id, want := range map[metric.ID]float64{metric.MacroROCAUC: 0.01794820949073331, metric.WeightedROCAUC: 0.019205817031062066} {
		close(t, "standard error of "+string(id), standardError(got[id])/want, 1, 0.03)
	}
	weighted := byID(threeClasses(t, func(i int) int64 { return int64(1 + i%4) }).Values())
	for id, want := range map[metric.ID]float64{metric.MacroROCAUC: 0.8547916666666667, metric.MultiLogLoss: 0.8158094957621452, metric.MacroPRAUC: 0.746827463891412} {
		close(t, "with weights "+string(id), weighted[id].Value, want, 1e-12)
	}
}

// Of two classes with complementary scores the mean over classes is the area of
// either, with DeLong's interval; predictions that all weigh the same say what
// they say once.
func TestScoresOfTwoClassesAreABinaryModel(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 9))
	once, err := metric.NewScored(2)
	if err != nil {
		t.Fatal(err)
	}
	thrice, _ := metric.NewScored(2)
	var scores []float64
	var truth []bool
	for range 120 {
		y := random.IntN(3) == 0
		p := math.Round(1000/(1+math.Exp(-random.NormFloat64()-float64(map[bool]int{true: 1}[y])))) / 1000
		scores, truth = append(scores, p), append(truth, y)
		class := map[bool]int{true: 1}[y]
		for s, times := range map[*metric.Scored]int64{once: 1, thrice: 3} {
			if err := s.Add([]float64{1 - p, p}, class, times); err != nil {
				t.Fatal(err)
			}
		}
	}
	got, heavy := byID(once.Values()), byID(thrice.Values())
	want := metric.CurveOf(scores, truth).ROCAUC()
	for _, end := range []struct{ got, want float64 }{{got[metric.MacroROCAUC].Value, want.Value}, {got[metric.MacroROCAUC].Low, want.Low}, {got[metric.MacroROCAUC].High, want.High}} {
		close(t, "two classes", end.got, end.want, 1e-9)
	}
	log, brier := metric.Losses(scores, truth)
	close(t, "log loss", got[metric.MultiLogLoss].Value, log.Value, 1e-9)
	close(t, "Brier score, of both classes", got[metric.MultiBrier].Value, 2*brier.Value, 1e-9)
	for id, v := range got {
		h := heavy[id]
		h.Labelled /= 3
		alike(t, string(id), h, v)
	}
}

// The interval of the mean area holds what normal scores have in closed form,
// Phi(shift / sqrt 2), as often as promised.
func TestIntervalsOfTheMeanAreaHold(t *testing.T) {
	random := rand.New(rand.NewPCG(10, 10))
	const runs, shift = 600, 1.2
	truth := 0.5 * (1 + math.Erf(shift/2))
	held := map[metric.ID]int{}
	for range runs {
		s, err := metric.NewScored(3)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 150 {
			class := max(i%6-3, 0) // 4 of 6, 1 of 6, 1 of 6
			scores := []float64{random.NormFloat64(), random.NormFloat64(), random.NormFloat64()}
			scores[class] += shift
			if err := s.Add(scores, class, 1); err != nil {
				t.Fatal(err)
			}
		}
		for _, v := range s.Values() {
			if v.State == metric.OK && v.Holds(truth) {
				held[v.Metric]++
			}
		}
	}
	for _, id := range []metric.ID{metric.MacroROCAUC, metric.WeightedROCAUC} {
		if share := float64(held[id]) / runs; share < 0.92 || share > 0.98 {
			t.Errorf("%s holds in %.3f, want 0.95", id, share)
		}
	}
}

func TestScoresThatSayNothing(t *testing.T) {
	if _, err := metric.NewScored(1); err == nil {
		t.Error("one class is accepted")
	}
	s, err := metric.NewScored(2)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]error{
		"a score too few": s.Add([]float64{1}, 0, 1), "NaN": s.Add([]float64{math.NaN(), 1}, 0, 1), "an unknown class": s.Add([]float64{1, 0}, 2, 1),
	} {
		if bad == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for i := range 30 {
		if err := s.Add([]float64{float64(i), 7}, 0, 1); err != nil { // one class has no label
			t.Fatal(err)
		}
	}
	for _, v := range s.Values() {
		want := metric.Insufficient
		if v.Metric == metric.MultiLogLoss || v.Metric == metric.MultiBrier || v.Metric == metric.MacroECE {
			want = metric.Missing // these are no probabilities
		}
		if v.State != want || v.Why == "" || !math.IsNaN(v.Low) {
			t.Errorf("%+v, want %s", v, want)
		}
	}
	sure, _ := metric.NewScored(2)
	for i := range 40 {
		p := float64(i % 2)
		class := i % 2
		if i == 7 {
			class = 0
		}
		if err := sure.Add([]float64{1 - p, p}, class, 1); err != nil {
			t.Fatal(err)
		}
	}
	if v := byID(sure.Values())[metric.MultiLogLoss]; v.State != metric.Insufficient || !math.IsInf(v.Value, 1) || !math.IsNaN(v.Low) {
		t.Errorf("sure and wrong: %+v", v)
	}
}
