package alarm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// scipy 1.17.1: stats.false_discovery_control([.01, .04, .03, .5, .005]).
func TestRank(t *testing.T) {
	p := []float64{0.01, 0.04, math.NaN(), 0.03, 0.5, 0.005}
	order, adjusted := []int{5, 0, 3, 1, 4, 2}, []float64{0.025, 0.025, 0.05, 0.05, 0.5}
	for i, r := range Rank(p) {
		if r.Index != order[i] {
			t.Errorf("place %d: %d, want %d", i, r.Index, order[i])
		}
		if i < 5 && math.Abs(r.Adjusted-adjusted[i]) > 1e-12 || i == 5 && !math.IsNaN(r.Adjusted) {
			t.Errorf("place %d: adjusted %v", i, r.Adjusted)
		}
	}
	if len(Rank(nil)) != 0 {
		t.Error("nothing has a rank")
	}
}

// At any level q, those adjusted to at most q are the k largest with
// k e_(k) >= n / q for the greatest such k: e-BH by its definition.
func TestRankEIsEBH(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		e := make([]float64, 1+r.IntN(12))
		for i := range e {
			e[i] = math.Exp(3 * r.NormFloat64())
		}
		ranked := RankE(e)
		for _, q := range []float64{0.01, 0.1, 0.5} {
			want := 0
			for k := 1; k <= len(e); k++ {
				if float64(k)*e[ranked[k-1].Index] >= float64(len(e))/q {
					want = k
				}
			}
			got := 0
			for _, x := range ranked {
				if x.Adjusted <= q*(1+1e-12) {
					got++
				}
			}
			if got != want {
				t.Fatalf("%v at %v: %d, want %d", e, q, got, want)
			}
		}
	}
}
