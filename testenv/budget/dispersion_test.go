package budget

import (
	"math"
	"math/rand/v2"
	"testing"
)

// scipy 1.17.1: stats.chi2_contingency of the table gives X^2 = 22.468541 with 6
// degrees of freedom.
func TestDispersion(t *testing.T) {
	for _, c := range []struct {
		name   string
		blocks [][]uint64
		want   float64
	}{
		{"a table", [][]uint64{{10, 20, 0, 30}, {15, 15, 0, 30}, {0, 0, 0, 0}, {30, 10, 0, 20}, {12, 22, 0, 28}}, 3.7447569004836425},
		{"two blocks", [][]uint64{{1, 2}, {3, 4}}, 0},
		{"no events", [][]uint64{{0}, {0}, {0}}, 0},
		{"one cell", [][]uint64{{1, 0}, {3, 0}, {5, 0}}, 1},
		{"equal blocks", [][]uint64{{1, 3}, {1, 3}, {1, 3}}, 1},
	} {
		if got := dispersion(c.blocks); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Bursts of 20 equal values have 20 times the variance of independent events. The
// factor of those is .15 to either side of 1, and never less than 1.
func TestDispersionOfBursts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	shares := []float64{0.05, 0.1, 0.15, 0.2, 0.2, 0.15, 0.1, 0.05}
	for _, burst := range []int{1, 20} {
		const runs = 200
		mean := 0.0
		for range runs {
			blocks := make([][]uint64, 14)
			for i := range blocks {
				blocks[i] = make([]uint64, len(shares))
				multinomial(r, blocks[i], shares, 2000/burst, uint64(burst))
			}
			mean += dispersion(blocks) / runs
		}
		if math.Abs(mean/float64(burst)-1) > 0.1 {
			t.Errorf("bursts of %d: mean factor %v", burst, mean)
		}
	}
}
