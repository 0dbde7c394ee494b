package multivariate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/rows"
)

// The values are scikit-learn 1.9.1's, from
//
//	i = np.arange(60)
//	X = np.column_stack([np.sin(i), np.cos(3*i)*2, (i%4==0).astype(float)])
//	y = np.sin(i)+np.sin(7*i) > 0.2
//	LogisticRegression(C=1/0.5, tol=1e-12, max_iter=10000).fit(X, y)
func TestFitEqualsScikitLearn(t *testing.T) {
	x := matrix{cols: 3}
	var y []bool
	for k := range 60 {
		i, quarter := float64(k), 0.0
		if k%4 == 0 {
			quarter = 1
		}
		x.data = append(x.data, math.Sin(i), math.Cos(3*i)*2, quarter)
		y = append(y, math.Sin(i)+math.Sin(7*i) > 0.2)
	}
	w, intercept, err := fitLogistic(x, y, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{1.8039685226971043, -0.05734119600121955, -0.5581184277579769, -0.21271237819758487}
	for j, got := range append(w, intercept) {
		if math.Abs(got-want[j]) > 1e-6 {
			t.Errorf("coefficient %d is %v, want %v", j, got, want[j])
		}
	}
}

func TestFitRefusesTermsThatDependOnEachOther(t *testing.T) {
	if _, _, err := fitLogistic(matrix{data: []float64{1, 1, 1, 1}, cols: 2}, []bool{true, false}, 0); err == nil {
		t.Error("two equal columns are fitted")
	}
}

// The values are numpy's by brute force over all pairs, of the same y and the
// scores np.round(np.sin(i)+.3*np.cos(5*i), 1); the area is roc_auc_score's too:
//
//	psi = (a[:,None]>b[None,:]) + .5*(a[:,None]==b[None,:])
//	psi.mean(), psi.mean(1).var(ddof=1)/len(a) + psi.mean(0).var(ddof=1)/len(b)
func TestAreaEqualsBruteForce(t *testing.T) {
	var scores []float64
	var y []bool
	for k := range 60 {
		i := float64(k)
		scores = append(scores, math.RoundToEven((math.Sin(i)+.3*math.Cos(5*i))*10)/10)
		y = append(y, math.Sin(i)+math.Sin(7*i) > 0.2)
	}
	a := roc(scores, y)
	if math.Abs(a.value-0.8120089786756454) > 1e-12 || math.Abs(a.variance-0.0031538662232171396) > 1e-12 {
		t.Errorf("%+v", a)
	}
}

// The values are scipy.stats.norm.ppf(scipy.stats.rankdata([3,1,3,7,2])/6).
func TestNormalScoresEqualScipy(t *testing.T) {
	scores, missing := normalScores([]float64{3, 1, 3, math.NaN(), math.Inf(1), 2})
	want := []float64{0.21042839424792484, -0.967421566101701, 0.21042839424792484, 0, 0.967421566101701, -0.43072729929545756}
	for i, got := range scores {
		if math.Abs(got-want[i]) > 1e-12 || (missing[i] == 1) != (i == 3) {
			t.Errorf("score %d is %v (missing %v), want %v", i, got, missing[i], want[i])
		}
	}
}

// table makes rows of two numbers of the given correlation, a shift of the
// first and a category.
func table(random *rand.Rand, n int, correlation, shift float64) rows.Table {
	t := rows.Table{Total: uint64(n), Times: make([]time.Time, n), Numbers: map[plumbline.Feature][]float64{"x": nil, "y": nil, "z": nil},
		Words: map[plumbline.Feature]rows.Words{"c": {Values: make([]string, n), Null: make([]bool, n)}}}
	for i := range n {
		x := random.NormFloat64()
		y := correlation*x + math.Sqrt(1-correlation*correlation)*random.NormFloat64()
		t.Numbers["x"] = append(t.Numbers["x"], math.Exp(x+shift))
		t.Numbers["y"] = append(t.Numbers["y"], y)
		t.Numbers["z"] = append(t.Numbers["z"], random.Float64())
		t.Words["c"].Values[i], t.Words["c"].Null[i] = fmt.Sprint(random.IntN(30)), random.IntN(5) == 0
	}
	return t
}

func TestAChangedCorrelationIsFound(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	r, err := Compare(table(random, 2000, .8, 0), table(random, 1500, 0, 0), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != plumbline.VerdictBreach || r.P > 1e-10 || r.Low < .55 || r.Weights[0].Share+r.Weights[1].Share < .7 {
		t.Errorf("%+v", r)
	}
	for _, w := range r.Weights[:2] {
		if w.Feature != "x" && w.Feature != "y" {
			t.Errorf("%+v", r.Weights)
		}
	}
}

// A shift of 1 sd in a normal variable has an area of Phi(1/sqrt(2)) = .7602.
func TestAreaOfAShift(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	r, err := Compare(table(random, 2000, 0, 0), table(random, 2000, 0, 1), DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(r.AUC-.7602) > .025 || r.Low > .7602 || r.High < .74 || r.Weights[0].Feature != "x" || r.Weights[0].Share < .9 {
		t.Errorf("%+v", r)
	}
}

// Two samples of one distribution: at a nominal 5 % the p-value may alarm in
// 5 %, and three standard errors of 200 draws are 4.6 points.
func TestFalseAlarms(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	o := DefaultOptions()
	o.MinRows, o.Terms = 100, 15
	const draws = 200
	alarms, beyond := 0, 0
	var sum float64
	for range draws {
		r, err := Compare(table(random, 120, .5, 0), table(random, 120, .5, 0), o)
		if err != nil {
			t.Fatal(err)
		}
		sum += r.AUC
		if r.P <= .05 {
			alarms++
		}
		if r.Verdict == plumbline.VerdictBreach {
			beyond++
		}
	}
	t.Logf("%d of %d at 5 %%, %d breaches, mean area %.4f", alarms, draws, beyond, sum/draws)
	if alarms > 19 || beyond > 7 || math.Abs(sum/draws-.5) > .015 {
		t.Errorf("%d of %d equal windows alarm at 5 %%, %d are breaches; the mean area is %v", alarms, draws, beyond, sum/draws)
	}
}

func TestFewRowsSayNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	r, err := Compare(table(random, 1000, 0, 0), table(random, 199, 0, 0), DefaultOptions())
	if err != nil || r.Verdict != plumbline.VerdictInsufficient || !math.IsNaN(r.AUC) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestEqualConstantsDoNotDiffer(t *testing.T) {
	constant := rows.Table{Times: make([]time.Time, 300), Numbers: map[plumbline.Feature][]float64{"x": make([]float64, 300)}}
	r, err := Compare(constant, constant, DefaultOptions())
	if err != nil || math.Abs(r.AUC-.5) > 1e-12 || r.Verdict != plumbline.VerdictOK {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAMissingFeatureAndAChangedTypeAreFound(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	reference, current := table(random, 500, 0, 0), table(random, 500, 0, 0)
	delete(current.Numbers, "z")
	r, err := Compare(reference, current, DefaultOptions())
	if err != nil || r.AUC < .999 || r.Weights[0].Feature != "z" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestOptionsAreValidated(t *testing.T) {
	err := Options{}.Validate()
	for _, want := range []string{"folds 0", "ridge 0", "0 terms", "at least 0 rows", "alpha 0"} {
		if err == nil || want != "at least 0 rows" && !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}
