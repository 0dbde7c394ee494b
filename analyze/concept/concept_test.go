package concept

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// scipy 1.x: scipy.stats.combine_pvalues(ps).pvalue, Fisher's method.
func TestFisherAgainstScipy(t *testing.T) {
	for _, tt := range []struct {
		ps   []float64
		want float64
	}{
		{[]float64{.2, .03, .6}, 0.08084657216116982},
		{[]float64{1e-4, 1e-4, 1e-4, 1e-4, 1e-4}, 2.0478568388826747e-15},
		{[]float64{.37}, .37},
		{[]float64{1, 1}, 1},
	} {
		if got := fisher(tt.ps); math.Abs(got-tt.want) > 1e-10*tt.want {
			t.Errorf("%v: %v, want %v", tt.ps, got, tt.want)
		}
	}
	if got := fisher([]float64{1e-200, 1e-250, 1e-290}); !(got >= 0 && got < 1e-300) {
		t.Errorf("far out: %v", got)
	}
}

// draw labels n predictions: the class is said with probability said, and true
// with the probability that goes with what was said.
func draw(r *rand.Rand, n int, said, whenYes, whenNo float64) Labels {
	l := newLabels()
	for range n {
		stratum, share := "no", whenNo
		if r.Float64() < said {
			stratum, share = "yes", whenYes
		}
		truth := "no"
		if r.Float64() < share {
			truth = "yes"
		}
		l.add(stratum, truth, 1)
		l.Classes[truth]++
	}
	return l
}

// A change of the mix is label drift and no concept drift; a change that goes
// opposite ways for two classes is concept drift and no label drift.
func TestConceptAndLabelDriftAreTwoThings(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	reference := draw(r, 8000, .5, .8, .2)
	for _, tt := range []struct {
		name           string
		now            Labels
		concept, label bool
		value          float64
	}{
		{"quiet", draw(r, 3000, .5, .8, .2), false, false, 0},
		{"another mix", draw(r, 3000, .8, .8, .2), false, true, 0},
		{"turned round", draw(r, 3000, .5, .6, .4), true, false, .2},
	} {
		d, err := Compare(reference, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.P < 1e-3; got != tt.concept || d.Strata != 2 || !(d.Low <= d.Value && d.Value <= d.High) || math.Abs(d.Effect()-tt.value) > .03 {
			t.Errorf("%s: concept %+v", tt.name, d)
		}
		labels, err := CompareClasses(reference, tt.now, measure.DefaultOptions(), measure.TVD)
		if err != nil || labels[0].Alarm != tt.label {
			t.Errorf("%s: labels %+v, %v", tt.name, labels, err)
		}
	}
}

// Under the null, p-values are no smaller than they say, and the mean of the
// distance is what null_mean says.
func TestNullHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	const looks = 300
	low, value, expected := 0, 0.0, 0.0
	for range looks {
		d, err := Compare(draw(r, 900, .3, .7, .1), draw(r, 400, .35, .7, .1))
		if err != nil {
			t.Fatal(err)
		}
		if d.P <= .05 {
			low++
		}
		value, expected = value+d.Value/looks, expected+d.NullMean/looks
	}
	// 300 looks at 5 %: 26 is the 99.9 % point of the binomial distribution.
	if low > 26 || math.Abs(value-expected) > .15*expected {
		t.Errorf("%d of %d p-values under 5 %%, mean distance %v, null mean %v", low, looks, value, expected)
	}
}

func TestStrataThatOneSideLacksSayNothing(t *testing.T) {
	reference, now := newLabels(), newLabels()
	reference.add("a", "x", 500)
	now.add("b", "x", 500)
	d, err := Compare(reference, now)
	if err != nil || d.Strata != 0 || !math.IsNaN(d.P) || !math.IsNaN(d.Value) {
		t.Errorf("%+v, %v", d, err)
	}
	for i := range 30 {
		reference.add(fmt.Sprint(i), "x", 9)
	}
	if d, err = Compare(reference, reference); err != nil || d.Strata != 1 || d.Value != 0 || d.P != 1 {
		t.Errorf("%+v, %v", d, err)
	}
}
