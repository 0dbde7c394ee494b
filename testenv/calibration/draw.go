package calibration

import (
	"math"
	"math/rand/v2"
	"sort"
)

// source draws samples of one distribution over cells.
type source struct {
	r      *rand.Rand
	shares []float64
	below  []float64 // cumulative shares
	rests  []float64 // share of this cell and those after it
}

func newSource(r *rand.Rand, shares []float64) *source {
	s := &source{r: r, shares: shares, below: make([]float64, len(shares)), rests: make([]float64, len(shares))}
	sum := 0.0
	for i, p := range shares {
		sum += p
		s.below[i] = sum
	}
	rest := 0.0
	for i := len(shares) - 1; i >= 0; i-- {
		rest += shares[i]
		s.rests[i] = rest
	}
	return s
}

// sample returns how many of n independent events fall into each cell: event by
// event where there are fewer of them than cells, else cell by cell.
func (s *source) sample(n int) []uint64 {
	counts := make([]uint64, len(s.shares))
	last := len(s.shares) - 1
	if n < 2*len(s.shares) {
		for range n {
			counts[min(last, sort.SearchFloat64s(s.below, s.r.Float64()))]++
		}
		return counts
	}
	for i, share := range s.shares {
		if n == 0 {
			break
		}
		if i == last {
			counts[i] = uint64(n)
			break
		}
		x := binomial(s.r, n, min(1, share/s.rests[i]))
		counts[i] = uint64(x)
		n -= x
	}
	return counts
}

// smooth is the variance from which a binomial count is drawn as a rounded
// normal one with its skewness: its probabilities are then right to a
// thousandth.
const smooth = 1000

// binomial draws by inversion outwards from the mode.
func binomial(r *rand.Rand, n int, p float64) int {
	if p >= 1 {
		return n
	}
	trials, odds := float64(n), p/(1-p)
	if v := trials * p * (1 - p); v >= smooth {
		u := r.NormFloat64()
		return int(min(trials, max(0, math.Floor(trials*p+math.Sqrt(v-1.0/12)*u+(1-2*p)*(u*u-1)/6+0.5))))
	}
	mode := math.Floor((trials + 1) * p)
	low, high := mode, mode
	pl := math.Exp(lnFactorial(trials) - lnFactorial(mode) - lnFactorial(trials-mode) + mode*math.Log(p) + (trials-mode)*math.Log1p(-p))
	ph := pl
	for u := r.Float64() - pl; u > 0; {
		if ph > 0 && high < trials {
			ph *= (trials - high) / (high + 1) * odds
			high++
			if u -= ph; u <= 0 {
				return int(high)
			}
		}
		if pl > 0 && low > 0 {
			low--
			pl /= (trials - low) / (low + 1) * odds
			if u -= pl; u <= 0 {
				return int(low)
			}
		}
		if (ph == 0 || high >= trials) && (pl == 0 || low <= 0) {
			break
		}
	}
	return int(mode)
}

// lnFactorial is Stirling's series where it is exact to 14 digits.
func lnFactorial(n float64) float64 {
	if n < 16 {
		g, _ := math.Lgamma(n + 1)
		return g
	}
	s := 1 / (n * n)
	return (n+0.5)*math.Log(n) - n + 0.91893853320467274178 + (1.0/12-s*(1.0/360-s*(1.0/1260-s/1680)))/n
}
