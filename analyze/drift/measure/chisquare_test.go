package measure

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > relative*math.Max(math.Abs(want), 1e-300) {
		t.Errorf("%s = %.15g, want %.15g", what, got, want)
	}
}

// scipy 1.17.1: scipy.stats.ncx2.cdf(x, df, lambda), "%.15g".
func TestNoncentralCDFAgainstScipy(t *testing.T) {
	for _, tt := range []struct{ x, df, lambda, want float64 }{
		{1, 1, 0.5, 0.571297010386746},
		{5, 4, 2, 0.48196384244277},
		{30, 19, 10, 0.581924211433698},
		{3, 19, 10, 1.4420730506869e-07},
		{100, 19, 60, 0.891370512922679},
		{60, 19, 60, 0.122204614734632},
		{1000, 999, 50, 0.147566630123874},
		{900, 999, 50, 0.000438831883429606},
		{1200, 19, 1000, 0.996987133346126},
		{1000, 19, 1000, 0.387955579645203},
		{10000, 19, 10000, 0.464143012591484},
		{9800, 19, 10000, 0.136647177596271},
		{10, 2, 100, 2.22023221101687e-12},
		{0.001, 1, 3, 0.005631745978873},
		{50, 1, 20, 0.995324283258677},
	} {
		near(t, "noncentralCDF", noncentralCDF(tt.x, tt.df, tt.lambda), tt.want, 1e-10)
	}
	// Sankaran's form, beyond manyNoncentral.
	near(t, "noncentralCDF", noncentralCDF(41000, 19, 40000), 0.992653204428456, 1e-4)
	near(t, "noncentralCDF", noncentralCDF(40000, 19, 40000), 0.482053579788591, 1e-4)
}

// scipy 1.17.1: scipy.stats.chi2.sf(x, df).
func TestChiSquareTailAgainstScipy(t *testing.T) {
	for _, tt := range []struct{ x, df, want float64 }{
		{3.841458820694124, 1, 0.05},
		{30.14, 19, 0.0500435276910359},
		{1, 19, 0.999999999224061},
		{200, 19, 3.40476513931165e-32},
		{1100, 999, 0.0138184675255324},
		{900, 999, 0.988621187083419},
		{0.01, 1, 0.920344325445942},
		{60, 3, 5.87823072790692e-13},
	} {
		near(t, "chiSquareTail", chiSquareTail(tt.x, tt.df), tt.want, 1e-11)
	}
	// Two degrees of freedom are the exponential distribution.
	for _, x := range []float64{0.1, 1, 5, 50, 500} {
		near(t, "chiSquareTail", chiSquareTail(x, 2), math.Exp(-x/2), 1e-12)
	}
}

// scipy 1.17.1: scipy.special.kolmogorov(x).
func TestKolmogorovTailAgainstScipy(t *testing.T) {
	for _, tt := range []struct{ x, want float64 }{
		{0.3, 0.999990694198665},
		{0.5, 0.963945243664875},
		{0.8, 0.544142411574198},
		{1, 0.269999671677355},
		{1.358, 0.050026797334447},
		{1.628, 0.00997552243118105},
		{2.5, 7.45330634415734e-06},
		{4, 2.53283310981884e-14},
	} {
		near(t, "kolmogorovTail", kolmogorovTail(tt.x), tt.want, 1e-12)
	}
}

// scipy 1.17.1: 1 - scipy.stats._hypotests._cdf_cvm_inf(x), which is the series
// of Anderson and Darling; ours is Smirnov's integral. Their table gives
// 0.46136, 0.74346 and 1.16786 for 5 %, 1 % and 0.1 %.
func TestCramerTailAgainstScipy(t *testing.T) {
	for _, tt := range []struct{ x, want float64 }{
		{0.03, 0.976168450558},
		{0.05, 0.876280931041},
		{0.1, 0.584873438407},
		{0.16667, 0.342549298421},
		{0.3, 0.135171268805},
		{0.46136, 0.0500003831327},
		{0.74346, 0.00999996191546},
		{1.1679, 0.000999777601744},
	} {
		near(t, "cramerTail", cramerTail(tt.x), tt.want, 1e-9)
	}
}

func TestNoncentralitiesInvert(t *testing.T) {
	for _, df := range []float64{1, 4, 19, 999} {
		for _, lambda := range []float64{0.5, 7, 300} {
			x := df + lambda
			low, high := noncentralities(x, df, 0.95)
			if low > lambda || high < lambda {
				t.Errorf("df %g: [%g, %g] leaves out %g, the centre", df, low, high, lambda)
			}
			near(t, "upper end", noncentralCDF(x, df, high), 0.025, 1e-6)
			if low > 0 {
				near(t, "lower end", noncentralCDF(x, df, low), 0.975, 1e-6)
			}
		}
	}
	if low, high := noncentralities(0.0001, 19, 0.95); low != 0 || high != 0 {
		t.Errorf("far below the null the interval is [%g, %g], want [0, 0]", low, high)
	}
}
