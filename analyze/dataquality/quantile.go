package dataquality

import "math"

// median is the middle of a feature's numbers.
func median() Check { return quantile("p50", 0.5, "median") }

// percentile95 is the number that 95 % of a feature's numbers do not exceed.
func percentile95() Check { return quantile("p95", 0.95, "95 % quantile") }

func quantile(name string, q float64, title string) Check {
	return Check{
		Measure: name, Unit: "unit of the feature", MinEffect: 0.25, EffectUnit: "standard deviations of the reference",
		BothWays: true, Clocked: true,
		Doc:  "The " + title + " of the feature's finite numbers, by the middle of its bucket: within 2^-9 of itself, which its interval holds; integers up to 511 are exact.",
		Test: "exact two-sample test of the share of numbers up to the reference's quantile, mid-p",
		judge: func(p Pair) (Result, bool) {
			n, m := p.Reference.numbers(), p.Now.numbers()
			if !resolved(p) || n == 0 || m == 0 {
				return Result{}, false
			}
			before, cut := p.Reference.rank(rankOf(q, n))
			r, _ := twoShares(p.Now.share(p.Now.upTo(cut), m), p.Reference.share(p.Reference.upTo(cut), n))
			r.Value, _ = p.Now.rank(rankOf(q, m))
			_, spread := p.Reference.moments()
			r.NullMean, r.Scale = before, scale(spread)
			r.Low, r.High = quantileInterval(p.Now, q)
			return r, true
		},
	}
}

func rankOf(q float64, n uint64) uint64 { return max(1, uint64(math.Ceil(q*float64(n)))) }

// quantileInterval returns the order statistics whose ranks are 1.96 binomial
// standard deviations away (David & Nagaraja 2003, section 7.1), widened by half
// a bucket.
func quantileInterval(s Sample, q float64) (low, high float64) {
	n := s.numbers()
	size := float64(s.deliveries(n))
	if size == 0 {
		return math.NaN(), math.NaN()
	}
	reach := z95 * math.Sqrt(q*(1-q)/size)
	at := func(share float64) float64 {
		v, _ := s.rank(min(n, rankOf(max(0, share), n)))
		return v
	}
	low, high = at(q-reach), at(q+reach)
	return low - math.Abs(low)*halfWidth, high + math.Abs(high)*halfWidth
}

// resolved reports whether the grid tells the numbers of a feature apart: not
// where all lie in one bucket without being equal, as times in seconds do, for
// which one bucket is weeks wide.
func resolved(p Pair) bool {
	for _, s := range []Sample{p.Now, p.Reference} {
		if len(s.Buckets) == 1 && s.Min < s.Max {
			return false
		}
	}
	return p.Feature != FeatureTimestamp
}
