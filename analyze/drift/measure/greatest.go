package measure

import (
	"math"
	"slices"
)

// greatest judges L-infinity where there are many cells. Those whose counts vary
// far less than the widest's cannot be the greatest: they are one cell to the
// null, which leaves the distribution of the others as it is. If few are left
// they are drawn; else the counts of different cells hardly know of each other,
// and the probability that none is beyond is the product over cells.
func (t two) greatest(o Options) Result {
	total := uint64(t.n + t.m)
	widths := make([]float64, len(t.pooled))
	for i, c := range t.pooled {
		widths[i] = math.Sqrt(newHypergeometric(c, uint64(t.n), total).variance)
	}
	var kept []int
	widest := slices.Max(widths)
	for i, w := range widths {
		if w >= narrow*widest {
			kept = append(kept, i)
		}
	}
	if len(kept) <= manyCells || float64(slices.Max(t.pooled)) > dominant*float64(total) {
		return t.greatestDrawn(kept, o)
	}
	return t.greatestProduct(kept, widths, o)
}

const (
	// narrow is the standard deviation of a count, of the widest one's, below
	// which its cell is left out.
	narrow = 0.2
	// dominant is the share of a cell from which the others know of it.
	dominant = 0.1
)

func (t two) greatestDrawn(kept []int, o Options) Result {
	v := value(LInfinity, t.p, t.q, t.n, t.m)
	few := two{n: t.n, m: t.m}
	rest := uint64(t.n + t.m)
	for _, i := range kept {
		few.pooled = append(few.pooled, t.pooled[i])
		rest -= t.pooled[i]
	}
	last := few.pooled
	if rest > 0 {
		last = append(slices.Clone(few.pooled), rest)
	}
	stats := []statistic{{observed: v / inflation(LInfinity, o), norm: true, of: few.greatestSplit}}
	nulls := simulate(last, uint64(t.n), o, stats)
	return t.fromNull(Result{Measure: LInfinity, Value: v, Statistic: v, Method: Simulated}, nulls[0], o)
}

func (t two) greatestProduct(kept []int, widths []float64, o Options) Result {
	v := value(LInfinity, t.p, t.q, t.n, t.m)
	r := Result{Measure: LInfinity, Value: v, Statistic: v, Method: Fitted}
	// In events of the reference, a distance v is c off the mean.
	scale := t.n * t.m / (t.n + t.m)
	c := v / inflation(LInfinity, o) * scale
	type tails struct{ beyond, equal float64 }
	seen := map[uint64]tails{}
	var beyond, atLeast float64
	for _, i := range kept {
		if widths[i]*10 < c {
			continue
		}
		p, ok := seen[t.pooled[i]]
		if !ok {
			p.beyond, p.equal = newHypergeometric(t.pooled[i], uint64(t.n), uint64(t.n+t.m)).off(c)
			seen[t.pooled[i]] = p
		}
		beyond += math.Log1p(-min(p.beyond, 1))
		atLeast += math.Log1p(-min(p.beyond+p.equal, 1))
	}
	over, reached := -math.Expm1(beyond), -math.Expm1(atLeast)
	n := null{p: max((over+reached)/2, reached/atMostTimes)}
	n.mean, n.quantile = greatestNormal(kept, widths, o.Confidence)
	n.mean, n.quantile = n.mean/scale, n.quantile/scale
	return t.fromNull(r, n, o)
}

// off returns the probabilities that the count is more than c off its mean, and
// exactly c.
func (h hypergeometric) off(c float64) (beyond, equal float64) {
	slack := tie * max(1, c)
	first := math.Ceil(h.mean + c - slack)
	if first <= h.most {
		p := h.at(first)
		if math.Abs(first-h.mean-c) <= slack {
			equal += p
		} else {
			beyond += p
		}
		for x := first; x < h.most && p > 1e-12*beyond; x++ {
			p *= h.up(x)
			beyond += p
		}
	}
	last := math.Floor(h.mean - c + slack)
	if last >= h.least {
		p := h.at(last)
		if math.Abs(h.mean-c-last) <= slack {
			equal += p
		} else {
			beyond += p
		}
		for x := last; x > h.least && p > 1e-12*beyond; x-- {
			p /= h.up(x - 1)
			beyond += p
		}
	}
	return beyond, equal
}

// greatestNormal returns the mean and the quantile of the greatest absolute
// value of independent normal deviations.
func greatestNormal(kept []int, widths []float64, confidence float64) (mean, quantile float64) {
	const classes = 32
	var counts, at [classes]float64
	most := 0.0
	for _, i := range kept {
		most = max(most, widths[i])
	}
	for _, i := range kept {
		c := min(classes-1, int((1-widths[i]/most)/(1-narrow)*classes))
		counts[c]++
		at[c] += widths[i]
	}
	below := func(x float64) float64 {
		ln := 0.0
		for i, n := range counts {
			if n > 0 {
				ln += n * math.Log1p(-math.Erfc(x*n/at[i]/math.Sqrt2))
			}
		}
		return math.Exp(ln)
	}
	const steps = 64
	reach := 8 * most
	for i := range steps {
		mean += reach / steps * (1 - below(reach*(float64(i)+0.5)/steps))
	}
	return mean, bisect(0, reach, func(x float64) bool { return below(x) < confidence })
}
