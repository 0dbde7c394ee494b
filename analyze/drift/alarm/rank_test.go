package alarm

import (
	"math"
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
