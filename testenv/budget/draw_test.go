package budget

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Mean and variance of a binomial variable, from both ways of drawing it.
func TestBinomial(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		n int
		p float64
	}{{5, 0.3}, {1000, 0.01}, {1000, 0.05}, {100, 0.9}, {10, 0.5}, {1, 1}, {3, 0}} {
		const draws = 100_000
		var sum, squares float64
		for range draws {
			x := float64(binomial(r, c.n, c.p))
			if x < 0 || x > float64(c.n) {
				t.Fatalf("%v of %d", x, c.n)
			}
			sum, squares = sum+x, squares+x*x
		}
		mean, variance := float64(c.n)*c.p, float64(c.n)*c.p*(1-c.p)
		gotMean := sum / draws
		gotVariance := squares/draws - gotMean*gotMean
		if math.Abs(gotMean-mean) > 5*math.Sqrt(variance/draws)+1e-12 || math.Abs(gotVariance-variance) > 0.03*variance+1e-9 {
			t.Errorf("n = %d, p = %v: mean %v, variance %v, want %v and %v", c.n, c.p, gotMean, gotVariance, mean, variance)
		}
	}
}

// scipy 1.17.1: stats.chi2.ppf(.95, 2*(n+1))/2.
func TestPoissonUpper(t *testing.T) {
	for n, want := range map[int]float64{0: 2.9957322735539895, 1: 4.743864518390577, 5: 10.513034908741535, 20: 29.062018840434014, 100: 118.07927278209706} {
		if got := PoissonUpper(n); math.Abs(got/want-1) > 1e-6 {
			t.Errorf("%d seen: %v, want %v", n, got, want)
		}
	}
}
