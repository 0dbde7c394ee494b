package dataquality

import "math"

// cardinality is the number of distinct categories.
func cardinality() Check {
	return Check{
		Measure: "cardinality", Unit: "categories", MinEffect: 0.5, EffectUnit: "times what is expected",
		BothWays: true, Clocked: true,
		Doc:  "Number of distinct categories of the feature; null_mean is how many a sample of this size has if both are drawn from the pooled counts.",
		Test: "rarefaction (Hurlbert 1971) of the pooled counts, with Bennett's bound, which is cautious",
		judge: func(p Pair) (Result, bool) {
			if len(p.Now.Values)+len(p.Reference.Values) == 0 {
				return Result{}, false
			}
			r := Result{Value: float64(len(p.Now.Values)), Low: math.NaN(), High: math.NaN(), P: math.NaN(), NullMean: math.NaN()}
			n, m := p.Reference.deliveries(p.Reference.texts()), p.Now.deliveries(p.Now.texts())
			r.Size = min(n, m)
			if n == 0 || m == 0 || p.Now.Other+p.Reference.Other > 0 {
				return r, true // the cap hides how many there are
			}
			expected, variance := rarefied(pooled(p), n, m)
			r.NullMean, r.Scale, r.P = expected, expected, bennett(r.Value-expected, variance)
			return r, true
		},
	}
}

// pooled returns how often each category came in both samples.
func pooled(p Pair) []uint64 {
	var counts []uint64
	for v, c := range p.Now.Values {
		now, before := p.Now.deliveries(c), p.Reference.deliveries(p.Reference.Values[v])
		counts = append(counts, max(1, now+before))
	}
	for v, c := range p.Reference.Values {
		if _, both := p.Now.Values[v]; !both {
			counts = append(counts, max(1, p.Reference.deliveries(c)))
		}
	}
	return counts
}

// rarefied returns how many of the categories a random sample of m out of n + m
// events has on average, and at most what variance: the indicators are
// negatively associated, so that of their sum is no more than the sum of
// theirs.
func rarefied(counts []uint64, n, m uint64) (expected, variance float64) {
	for _, c := range counts {
		absent := allAmong(c, n, n+m)
		expected += 1 - absent
		variance += absent * (1 - absent)
	}
	return expected, variance
}

// mostFactors is up to how many factors allAmong multiplies: logarithms of
// factorials are less exact, the more so the greater the total (1e-6 of a
// probability at 1e8 events), but take the same time for any.
const mostFactors = 256

// allAmong returns the probability that c given events of total all fall among n
// chosen at random: C(total-c, n-c) / C(total, n). It is the same that the
// total - n others all miss the c.
func allAmong(c, n, total uint64) float64 {
	if c > n {
		return 0
	}
	few, many := min(c, total-n), max(c, total-n)
	if few > mostFactors {
		return min(1, math.Exp(lnChoose(float64(total-c), float64(n-c))-lnChoose(float64(total), float64(n))))
	}
	p := 1.0
	for i := range few {
		p *= float64(total-many-i) / float64(total-i)
	}
	return p
}

// bennett bounds the probability that a sum of indicators with this variance
// lies at least so far from its mean, either way: 2 exp(-V h(t/V)) with h(u) =
// (1+u) ln(1+u) - u (Bennett 1962; for negative association Dubhashi & Ranjan
// 1998).
func bennett(distance, variance float64) float64 {
	t := math.Abs(distance)
	switch {
	case t < 1e-9:
		return 1
	case variance < 1e-300:
		return 0
	}
	u := t / variance
	return min(1, 2*math.Exp(-variance*((1+u)*math.Log1p(u)-u)))
}
