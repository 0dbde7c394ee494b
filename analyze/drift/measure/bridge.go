package measure

import "math"

// kolmogorov judges KS where no bucket is an atom: exactly where the samples are
// small, else by Kolmogorov's distribution, which is that of the greatest gap
// over all shares; over those at the edges it is smaller by the overshoot of a
// step.
func (g gaps) kolmogorov(o Options) Result {
	r := Result{Measure: KS, Method: Asymptotic}
	r.Value, r.Bound = g.kolmogorovGap()
	step := 0.0
	for _, c := range g.pooled {
		share := float64(c) / (g.n + g.m)
		step += share * math.Sqrt(share)
	}
	step *= overshoot
	scale := math.Sqrt(g.n * g.m / (g.n + g.m) / o.Overdispersion)
	r.Statistic, r.NullMean = r.Value, (kolmogorovMean-step)/scale
	r.P = kolmogorovTail(r.Value*scale + step)
	if p, ok := g.paths(r.Value / math.Sqrt(o.Overdispersion)); ok {
		r.P, r.Method = p, Exact
	}
	reach := (bisect(0, 10, func(x float64) bool { return kolmogorovTail(x) > 1-o.Confidence }) - step) / scale
	r.Low, r.High = r.Value-reach, r.Value+reach
	return r.judged(o)
}

// manySteps is the number of steps up to which the paths of KS are added up.
const manySteps = 150_000

// paths returns the p-value of a distance d, all orders of the pooled events
// being equally likely: the probability that the path of the reference's count
// leaves the band around its mean at the upper edge of a bucket (Hodges 1958,
// section 3; with ties Schröer & Trenkler 1995). It reports false where that
// takes too many steps.
func (g gaps) paths(d float64) (p float64, ok bool) {
	width := 2*d*g.n*g.m/(g.n+g.m) + float64(largest(g.pooled)) + 2
	if (g.n+g.m)*width > manySteps {
		return 0, false
	}
	beyond := g.leaving(func(gap float64) bool { return gap > d*(1+tie) })
	atLeast := g.leaving(func(gap float64) bool { return gap >= d*(1-tie) })
	return min(1, max((beyond+atLeast)/2, atLeast/atMostTimes)), true
}

// leaving returns the probability that out is true of the gap at some edge.
func (g gaps) leaving(out func(gap float64) bool) float64 {
	total, left := g.n+g.m, 0.0
	chance := make([]float64, int(g.n)+2) // of i events of the reference so far
	chance[0] = 1
	low, high, s := 0, 0, 0.0
	for _, c := range g.pooled {
		for range c {
			rest := total - s
			for i := high; i >= low; i-- {
				up := chance[i] * (g.n - float64(i)) / rest
				chance[i+1] += up
				chance[i] -= up
			}
			high = min(high+1, int(g.n))
			s++
		}
		for ; low <= high; low++ {
			if gap := math.Abs(float64(low)/g.n - (s-float64(low))/g.m); chance[low] > 0 && !out(gap) {
				break
			}
			left, chance[low] = left+chance[low], 0
		}
		for ; high >= low; high-- {
			if gap := math.Abs(float64(high)/g.n - (s-float64(high))/g.m); chance[high] > 0 && !out(gap) {
				break
			}
			left, chance[high] = left+chance[high], 0
		}
		if low > high {
			return 1
		}
	}
	return left
}

// cramer judges Cramér-von Mises by the limit distribution of its square. With
// atoms that is a gamma distribution of the same first three moments.
func (g gaps) cramer(o Options, atoms bool) Result {
	r := Result{Measure: CramerVonMises, Value: g.value(CramerVonMises), Bound: g.bound(CramerVonMises), Method: Asymptotic}
	factor := g.n * g.m / (g.n + g.m)
	r.Statistic = r.Value * r.Value * factor
	var reach float64
	if atoms {
		limit := g.tied()
		r.P = limit.tail(r.Statistic / o.Overdispersion)
		shape := limit.mean * limit.mean / (limit.sd * limit.sd)
		a, _ := math.Lgamma(shape + 0.5)
		b, _ := math.Lgamma(shape)
		r.NullMean = math.Sqrt(limit.mean/shape*o.Overdispersion/factor) * math.Exp(a-b)
		if !o.PValueOnly {
			reach = math.Sqrt(limit.quantile(o.Confidence) * o.Overdispersion / factor)
		}
	} else {
		limit := newCramerLimit(g.n/o.Overdispersion, g.m/o.Overdispersion)
		r.P = limit.tail(r.Statistic / o.Overdispersion)
		// The mean of the root of the limit, whose own mean is 1/6.
		r.NullMean = cramerRootMean * math.Sqrt(6*limit.mean*o.Overdispersion/factor)
		if !o.PValueOnly {
			reach = math.Sqrt(limit.quantile(1-o.Confidence) * o.Overdispersion / factor)
		}
	}
	r.Low, r.High = r.Value-reach, r.Value+reach
	return r.judged(o)
}

// tied returns the first three moments of the sum of w B(s)^2 over the edges, B
// being a Brownian bridge, s the pooled share below an edge and w that of the
// bucket under it: its cumulants are tr(C), 2 tr(C^2) and 8 tr(C^3), where C_jk
// = w_j s_j (1-s_k) for j up to k. The mean is that of drawing without
// replacement.
func (g gaps) tied() pearson {
	total := g.n + g.m
	// above is the sum of w (1-s)^2 over the edges that follow.
	var above, share float64
	for _, c := range g.pooled {
		w := float64(c) / total
		share += w
		above += w * (1 - share) * (1 - share)
	}
	var before, first, second, third float64
	share = 0
	for _, c := range g.pooled {
		w := float64(c) / total
		share += w
		s, t := share, 1-share
		v := s * t
		above -= w * t * t
		first += w * v
		second += w*w*v*v + 2*w*t*t*before
		third += 6*w*v*before*above + 3*w*w*v*(s*s*above+t*t*before) + w*w*w*v*v*v
		before += w * s * s
	}
	first *= total / (total - 1)
	second, third = 2*second, 8*third
	return pearson{mean: first, sd: math.Sqrt(second), skew: third / math.Pow(second, 1.5)}
}
