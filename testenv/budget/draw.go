package budget

import (
	"math"
	"math/rand/v2"
)

// multinomial adds to counts how many of n independent events, each worth so
// many, fall into each cell; the shares add up to 1. It is exactly distributed.
func multinomial(r *rand.Rand, counts []uint64, shares []float64, n int, worth uint64) {
	rest := 1.0
	for i, share := range shares {
		if n == 0 {
			return
		}
		if share < 1e-15 && i < len(shares)-1 {
			continue
		}
		x := n
		if i < len(shares)-1 {
			x = binomial(r, n, min(1, max(0, share/rest)))
		}
		counts[i] += uint64(x) * worth
		n -= x
		rest -= share
	}
}

// binomial draws by inversion: from 0 where the mean is small, else outwards from
// the mode, in time that grows with the standard deviation.
func binomial(r *rand.Rand, n int, p float64) int {
	if p >= 1 {
		return n
	}
	if p <= 0 {
		return 0
	}
	if p < 0.5 && float64(n)*p < 16 {
		odds, at := p/(1-p), math.Exp(float64(n)*math.Log1p(-p))
		u, k := r.Float64()-at, 0
		for ; u > 0 && k < n; k++ {
			at *= float64(n-k) / float64(k+1) * odds
			u -= at
		}
		return k
	}
	trials, odds := float64(n), p/(1-p)
	mode := math.Floor((trials + 1) * p)
	low, high := mode, mode
	pl := math.Exp(lnFactorial(trials) - lnFactorial(mode) - lnFactorial(trials-mode) + mode*math.Log(p) + (trials-mode)*math.Log1p(-p))
	ph := pl
	for u := r.Float64() - pl; u > 0; {
		if high < trials {
			ph *= (trials - high) / (high + 1) * odds
			high++
			if u -= ph; u <= 0 {
				return int(high)
			}
		}
		if low > 0 {
			pl *= low / ((trials - low + 1) * odds)
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

// poisson draws the number of events of a block: by products up to a mean of 30,
// beyond it by the normal distribution, rounded, never below 0.
func poisson(r *rand.Rand, mean float64) int {
	if mean > 30 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	limit, product, k := math.Exp(-mean), r.Float64(), 0
	for product > limit {
		product *= r.Float64()
		k++
	}
	return k
}
