package flights

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// oracleSamples is what the Python of the oracle built as well: two numbers in
// [-2, 2) and [-1, 1), a category of three, and a class drawn from a logistic
// model of them.
func oracleSamples() samples {
	g := lcg(20010628)
	type sample struct {
		a, b     float64
		category int
		positive bool
	}
	var all []sample
	for range 300 {
		s := sample{a: g.next()*4 - 2, b: g.next()*2 - 1, category: int(g.next() * 3)}
		z := -0.5 + 1.2*s.a - 0.8*s.b + []float64{0, 0.7, -0.4}[s.category]
		s.positive = g.next() < sigmoid(z)
		all = append(all, s)
	}
	return samples{rows: len(all), columns: 6, row: func(i int, x *design) bool {
		s := all[i]
		x.add(0, 1)
		x.add(1, s.a)
		x.add(2, s.b)
		x.add(3+s.category, 1)
		return s.positive
	}}
}

// The wanted weights are scikit-learn 1.9.1's on the same 300 samples:
// LogisticRegression(C=1/ridge, solver="newton-cholesky", tol=1e-12), intercept
// first, from the same generator and draws.
func TestFitLogisticEqualsScikitLearn(t *testing.T) {
	for _, c := range []struct {
		ridge float64
		want  []float64
	}{
		{1, []float64{-0.6273896149282155, 1.3500585538555419, -1.1307952258618874, -0.062241078248135344, 0.8820773311680059, -0.8198362529198704}},
		{10, []float64{-0.5135779888831713, 1.0551729816571591, -0.6605874256936632, -0.038128477708480775, 0.5040562852535577, -0.46592780754507696}},
	} {
		got, err := fitLogistic(oracleSamples(), c.ridge)
		if err != nil {
			t.Fatal(err)
		}
		for j, want := range c.want {
			if !near(got[j], want, 1e-8) {
				t.Errorf("ridge %g: weight %d is %.12f, scikit-learn has %.12f", c.ridge, j, got[j], want)
			}
		}
	}
}

func TestDerivativesAgreeWithDifferences(t *testing.T) {
	s := oracleSamples()
	n := newNewton(s, 2)
	weights := []float64{0.3, -0.4, 0.7, 0.1, -0.2, 0.5}
	n.derive(weights)
	gradient, hessian := slices.Clone(n.gradient), slices.Clone(n.hessian)
	const h = 1e-5
	for j := range weights {
		moved := slices.Clone(weights)
		moved[j] += h
		up, upGradient := n.derive(moved), slices.Clone(n.gradient)
		moved[j] -= 2 * h
		down := n.derive(moved)
		if slope := (up - down) / (2 * h); !near(slope, gradient[j], 1e-5) {
			t.Errorf("gradient %d is %g, the difference quotient %g", j, gradient[j], slope)
		}
		for k := j; k < len(weights); k++ {
			slope := (upGradient[k] - n.gradient[k]) / (2 * h)
			if !near(slope, hessian[k*len(weights)+j], 1e-4) {
				t.Errorf("Hessian %d,%d is %g, the difference quotient %g", k, j, hessian[k*len(weights)+j], slope)
			}
		}
	}
}

func TestFitLogisticRecoversKnownWeights(t *testing.T) {
	truth := []float64{-1, 0.5, -2}
	const rows = 60_000
	g := lcg(3)
	a, b, y := make([]float64, rows), make([]float64, rows), make([]bool, rows)
	for i := range rows {
		a[i], b[i] = g.next()*4-2, g.next()*4-2
		y[i] = g.next() < sigmoid(truth[0]+truth[1]*a[i]+truth[2]*b[i])
	}
	got, err := fitLogistic(samples{rows: rows, columns: 3, row: func(i int, x *design) bool {
		x.add(0, 1)
		x.add(1, a[i])
		x.add(2, b[i])
		return y[i]
	}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for j := range truth {
		// Four standard errors are about 0.06 here.
		if !near(got[j], truth[j], 0.06) {
			t.Errorf("weight %d is %.4f, the truth %.4f", j, got[j], truth[j])
		}
	}
}

func TestFitLogisticIsDeterministic(t *testing.T) {
	first, err := fitLogistic(oracleSamples(), 1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := fitLogistic(oracleSamples(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(first, again) {
		t.Errorf("two fits differ: %v and %v", first, again)
	}
}

func TestFitLogisticRefuses(t *testing.T) {
	twins := samples{rows: 10, columns: 3, row: func(i int, x *design) bool {
		x.add(0, 1)
		x.add(1, float64(i))
		x.add(2, float64(i))
		return i%3 == 0
	}}
	separable := samples{rows: 10, columns: 2, row: func(i int, x *design) bool {
		x.add(0, 1)
		x.add(1, float64(i))
		return i >= 5
	}}
	for name, c := range map[string]struct {
		samples samples
		want    string
	}{
		"no rows":       {samples{columns: 2}, "0 rows"},
		"equal columns": {twins, "singular"},
		"separable":     {separable, "fit logistic regression"},
	} {
		weights, err := fitLogistic(c.samples, 0)
		if err == nil {
			t.Errorf("%s: fitted %v", name, weights)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %q, want %q in it", name, err, c.want)
		}
	}
}

func TestLogLossDoesNotOverflow(t *testing.T) {
	for _, c := range []struct {
		z    float64
		y    bool
		want float64
	}{{0, true, math.Ln2}, {1000, true, 0}, {1000, false, 1000}, {-1000, true, 1000}, {-1000, false, 0}} {
		if got := logLoss(c.z, c.y); !near(got, c.want, 1e-12) {
			t.Errorf("log loss of %g for %v is %g, want %g", c.z, c.y, got, c.want)
		}
	}
}
