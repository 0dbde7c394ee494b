package calibration

import (
	"math"
	"math/rand/v2"
)

// multinomial returns how many of n independent events fall into each category,
// exactly distributed, in time that grows with the root of n only.
func multinomial(r *rand.Rand, shares []float64, n int) []uint64 {
	counts := make([]uint64, len(shares))
	rest := 1.0
	for i, share := range shares {
		if n == 0 {
			break
		}
		if i == len(shares)-1 {
			counts[i] = uint64(n)
			break
		}
		x := binomial(r, n, min(1, share/rest))
		counts[i] = uint64(x)
		n -= x
		rest -= share
	}
	return counts
}

// binomial draws by inversion outwards from the mode.
func binomial(r *rand.Rand, n int, p float64) int {
	if p >= 1 {
		return n
	}
	trials, odds := float64(n), p/(1-p)
	mode := math.Floor((trials + 1) * p)
	up := func(k float64) float64 { return (trials - k) / (k + 1) * odds }
	low, high := mode, mode
	pl := math.Exp(lnFactorial(trials) - lnFactorial(mode) - lnFactorial(trials-mode) + mode*math.Log(p) + (trials-mode)*math.Log1p(-p))
	ph := pl
	for u := r.Float64() - pl; u > 0; {
		if ph > 0 && high < trials {
			ph *= up(high)
			high++
			if u -= ph; u <= 0 {
				return int(high)
			}
		}
		if pl > 0 && low > 0 {
			pl /= up(low - 1)
			low--
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

func lnFactorial(n float64) float64 {
	g, _ := math.Lgamma(n + 1)
	return g
}
