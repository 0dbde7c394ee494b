package dataquality

import (
	"math"

	"github.com/plumbline-slo/plumbline/analyze/quality"
)

// outOfRange is the share of a feature's numbers that lie outside what the
// reference had.
func outOfRange() Check {
	return Check{
		Measure: "out_of_range_share", Unit: "share", MinEffect: 0.005, EffectUnit: "share",
		Doc:  "Share of the feature's numbers below the least or above the greatest number of the reference, to a bucket of the grid; integers up to 511 are exact.",
		Test: "exact: of n reference and m current numbers from one distribution, k of the current lie outside with probability (k+1) C(n+m-k-2, n-2) / C(n+m, n)",
		judge: func(p Pair) (Result, bool) {
			n, m := p.Reference.numbers(), p.Now.numbers()
			if n < 2 || m == 0 {
				return Result{}, false
			}
			reference := p.Reference.share(0, n)
			now := p.Now.share(outside(p.Now, p.Reference), m)
			interval := quality.Wilson(int64(now.hits), int64(now.of))
			return Result{
				Value: now.value(), NullMean: 2 / (float64(reference.of) + 1), Low: interval.Low, High: interval.High,
				P: rangeTail(now.hits, reference.of, now.of), Size: min(reference.of, now.of),
			}, true
		},
	}
}

func outside(now, reference Sample) uint64 {
	low, high := reference.Buckets[0], reference.Buckets[len(reference.Buckets)-1]
	var n uint64
	for i, b := range now.Buckets {
		if b < low || b > high {
			n += now.Counts[i]
		}
	}
	return n
}

// rangeTail returns the probability that at least k of m new values lie outside
// the range of n, all from one continuous distribution. Of the C(N, n) places of
// the n among N = n + m in order, those whose two outer gaps hold k or more:
// either the first gap alone holds k, which leaves n places among N - k, or it
// holds j < k, and then the last one k - j: n - 1 among N - k - 1 for each j.
func rangeTail(k, n, m uint64) float64 {
	if k == 0 {
		return 1
	}
	if k > m || n < 2 {
		return 0
	}
	total := float64(n + m)
	lnAll := lnChoose(total, float64(n))
	first := math.Exp(lnChoose(total-float64(k), float64(n)) - lnAll)
	both := float64(k) * math.Exp(lnChoose(total-float64(k)-1, float64(n)-1)-lnAll)
	return min(1, first+both)
}

// lnChoose returns ln C(n, k), -Inf where there is no way.
func lnChoose(n, k float64) float64 {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}
