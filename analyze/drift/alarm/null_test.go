package alarm

import (
	"math"
	"testing"
)

// scipy 1.17.1: stats.t.sf(t, df).
func TestStudentTail(t *testing.T) {
	for _, c := range []struct{ t, df, want float64 }{
		{0.5, 3, 0.3257239824240755}, {2, 9.5, 0.03744317887399471}, {5, 17.3, 5.206987674327154e-05},
		{-1, 4, 0.8130495168499705}, {8, 8, 2.1834130156640113e-05}, {30, 40, 2.4254538302951023e-29},
		{1.959963984540054, math.Inf(1), 0.025},
	} {
		if got := studentTail(c.t, c.df); math.Abs(got/c.want-1) > 1e-9 {
			t.Errorf("t = %v with %v degrees of freedom: %v, want %v", c.t, c.df, got, c.want)
		}
	}
}

// scipy 1.17.1: integrate.quad over stats.chi2(k).pdf(x) (T.sf(up) + T.sf(down))
// and, for the one with a shift, stats.ncx2.sf as well (1.5120e-11 there, whose
// shift is not rounded).
func TestSpreadTail(t *testing.T) {
	for _, c := range []struct {
		s       spread
		y, want float64
	}{
		{spread{0, 0.2, 12, 0.001, 18}, 1, 0.00033380678999243667},
		{spread{0.3162, 0.0316, math.Inf(1), 0.001, 18}, 0.3, 1.4579477086225134e-11},
		{spread{0, 0.15, 8, 0.01, 9}, 0.5, 0.0029260134072536864},
		{spread{0, 0.05, 30, 0.002, 18}, 0.05, 0.17625380759257234},
		{spread{0, 0.3, 40, 0.05, 1}, 2, 3.726023180421771e-05},
		{spread{0.5, 0.1, math.Inf(1), 0, 0}, 0.36, 0.15865525393145707},
		{spread{0.5, 0, math.Inf(1), 0, 0}, 0.36, 0},
		{spread{0.5, 0, math.Inf(1), 0, 0}, 0.2, 1},
		{spread{0, 1, 5, 1, 3}, 0, 1},
	} {
		if got := c.s.tail(c.y); math.Abs(got-c.want) > 0.02*c.want {
			t.Errorf("%+v beyond %v: %v, want %v", c.s, c.y, got, c.want)
		}
	}
}

// scipy 1.17.1: integrate.quad(lambda k: k*p**(k-1), 0, 1).
func TestMixture(t *testing.T) {
	for p, want := range map[float64]float64{
		1e-6: 5239.1361842507085, 1e-3: 20.79113354098806, 0.05: 1.783322181482338,
		0.5: 0.6386739401166445, 0.9: 0.5180325412154049, 1: 0.5,
	} {
		if got := mixture(p); math.Abs(got/want-1) > 1e-8 {
			t.Errorf("mixture(%v) = %v, want %v", p, got, want)
		}
	}
	if !math.IsInf(mixture(0), 1) {
		t.Error("p = 0 is beyond all doubt")
	}
}

// An e-value has mean 1 if the p-value is uniform: the integral over p by
// p = e^-x. It falls with p, and p of 1/(2 threshold) is enough alone.
func TestCalibrateIsAnEValue(t *testing.T) {
	const threshold = 5000
	f := func(x float64) float64 { return calibrate(math.Exp(-x), threshold) * math.Exp(-x) }
	edge := math.Log(2 * threshold)
	sum := 0.0
	for _, part := range [][2]float64{{0, 1}, {1, edge}, {edge, 60}, {60, 1000}, {1000, 1e5}} {
		for i := range 100 {
			width := (part[1] - part[0]) / 100
			from := part[0] + width*float64(i)
			sum += integrate(from+1e-12, from+width, func(x float64) float64 {
				if x > 700 {
					// p is no number any more: mixture times p is 1/x^2.
					return 1 / (2 * x * x)
				}
				return f(x)
			})
		}
	}
	if math.Abs(sum-1) > 1e-3 {
		t.Errorf("mean %v, want 1", sum)
	}
	for p, last := 1e-9, math.Inf(1); p < 1; p *= 1.1 {
		e := calibrate(p, threshold)
		if e > last {
			t.Fatalf("e-value grows at p = %v", p)
		}
		last = e
	}
	if e := calibrate(1/(2*threshold), threshold); e < threshold {
		t.Errorf("p of half the rate gives %v", e)
	}
}

func TestChiSquareQuantile(t *testing.T) {
	// scipy 1.17.1: stats.chi2.ppf.
	for _, c := range []struct{ q, df, want float64 }{
		{0.05, 2, 0.10258658877510106}, {0.05, 27, 16.151395849664098}, {0.5, 9, 8.342832692252955}, {0.95, 100, 124.34211340400407},
	} {
		if got := chiSquareQuantile(c.q, c.df); math.Abs(got/c.want-1) > 1e-6 {
			t.Errorf("%v quantile with %v degrees of freedom: %v, want %v", c.q, c.df, got, c.want)
		}
	}
}
