package measure

import (
	"math"
	"slices"
)

// Given the pooled counts, the reference's counts X are independent binomial
// counts, given that they add up to n. So a sum over many cells has a null whose
// moments follow from those of single cells and from their joint moments with
// the total T: with S the sum less its regression on T, of joint cumulants k,
//
//	mean     = k(S) - k(S,T,T) / 2v
//	variance = k(S,S) - k(S,S,T,T) / 2v + k(S,T,T)^2 / 2v^2 + k(S,S,T) k(T,T,T) / 2v^2
//
// where v is the variance of T (the Edgeworth expansion of the conditional
// density; Barndorff-Nielsen & Cox 1979, section 4). For Pearson's statistic and
// great counts it is exact: K-1 and 2(K-1). A gamma distribution with these two
// and the third moment is then the null.

// fit judges the sums over many cells ids[i] for every i of which.
func (t two) fit(ids []ID, which []int, o Options, results []Result) {
	if len(which) == 0 {
		return
	}
	classes := newClasses(t.pooled, t.n/(t.n+t.m))
	for _, i := range which {
		id := ids[i]
		v := value(id, t.p, t.q, t.n, t.m)
		r := Result{Measure: id, Value: v, Statistic: t.statistic(id, v), Method: Fitted}
		p := t.moments(id, classes)
		seen := v / inflation(id, o)
		fitted := null{mean: p.mean, square: p.mean*p.mean + p.sd*p.sd}
		if isRoot(id) {
			fitted.p = p.tail(seen * seen)
			fitted.square = p.mean
			fitted.mean = math.Sqrt(p.mean) * (1 - p.sd*p.sd/(8*p.mean*p.mean))
		} else {
			fitted.p = max(p.tail(seen), p.tail(seen-t.step(id)/2)/atMostTimes)
		}
		if id == TVD && !o.PValueOnly {
			fitted.quantile = p.quantile(o.Confidence)
		}
		results[i] = t.fromNull(r, fitted, o)
	}
}

// step is the distance between neighbouring values of a measure, 0 where it is
// small: between samples of one size, TVD is a whole number of events. The
// probability of at least a value is then the tail from half a step below.
func (t two) step(id ID) float64 {
	if id == TVD && t.n == t.m {
		return 1 / t.n
	}
	return 0
}

// class is a group of cells of about one pooled count.
type class struct {
	count float64 // the pooled count that stands for them
	cells float64
	// at are counts x of the reference, and weights their probabilities. Where
	// the distribution is wide they are as far apart as its standard deviation,
	// which for smooth functions is as good as all.
	at, weights []float64
	// variation holds the joint moments of |x - mean|.
	variation joint
}

// newClasses groups pooled counts: each alone up to 64, beyond it those within
// 5 %, over which the moments of a cell bend by a part in 10,000.
func newClasses(pooled []uint64, share float64) []class {
	var classes []class
	sorted := slices.Sorted(slices.Values(pooled))
	for from := 0; from < len(sorted); {
		to, sum := from, 0.0
		for to < len(sorted) && (sorted[to] == sorted[from] || sorted[from] > 64 && float64(sorted[to]) < 1.05*float64(sorted[from])) {
			sum += float64(sorted[to])
			to++
		}
		cells := float64(to - from)
		c := class{count: math.Round(sum / cells), cells: cells}
		c.spread(share)
		classes = append(classes, c)
		from = to
	}
	return classes
}

// spread fills in the counts that the reference may hold and their weights.
func (c *class) spread(share float64) {
	sd, mean := math.Sqrt(c.count*share*(1-share)), c.count*share
	if sd < coarse {
		c.at, c.weights = binomials(c.count, share, 1)
		c.variation = newJoint(c.at, c.weights, mean, func(i int) float64 { return math.Abs(c.at[i] - mean) })
		return
	}
	c.at, c.weights = binomials(c.count, share, math.Floor(sd))
	c.variation = halfNormal(sd * sd)
}

// coarse is the standard deviation from which every so many counts stand for all.
const coarse = 7

// binomials returns counts of t events, step apart, that are not impossible to
// ten digits, and their probabilities, scaled to add up to 1.
func binomials(t, share, step float64) (at, weights []float64) {
	sd, mean := math.Sqrt(t*share*(1-share)), t*share
	reach := 6*sd + 5
	low, high := max(0, math.Floor(mean-reach)), min(t, math.Ceil(mean+reach))
	odds := math.Log(share / (1 - share))
	sum := 0.0
	for x := low; x <= high; x += step {
		w := math.Exp(lnBinomial(t, x) + (x-mean)*odds - lnBinomial(t, math.Round(mean)) - (math.Round(mean)-mean)*odds)
		at, weights = append(at, x), append(weights, w)
		sum += w
	}
	for i := range weights {
		weights[i] /= sum
	}
	return at, weights
}

func lnBinomial(t, x float64) float64 {
	var h hypergeometric
	return h.lnChoose(t, x)
}

// joint holds the central joint moments of a function f of a count and of the
// count's deviation d: fab is that of f^a d^b.
type joint struct{ mean, f11, f20, f30, f12, f21, f22, f13, v, d3, d4 float64 }

func newJoint(at, weights []float64, mean float64, f func(i int) float64) joint {
	var j joint
	for i, w := range weights {
		j.mean += w * f(i)
	}
	for i, w := range weights {
		g, d := f(i)-j.mean, at[i]-mean
		j.f11 += w * g * d
		j.f20 += w * g * g
		j.f30 += w * g * g * g
		j.f12 += w * g * d * d
		j.f21 += w * g * g * d
		j.f22 += w * g * g * d * d
		j.f13 += w * g * d * d * d
		j.v += w * d * d
		j.d3 += w * d * d * d
		j.d4 += w * d * d * d * d
	}
	return j
}

// halfNormal holds the moments of the absolute value of a normal deviation.
func halfNormal(v float64) joint {
	m, sd := math.Sqrt(2/math.Pi), math.Sqrt(v)
	return joint{
		mean: m * sd, f20: (1 - m*m) * v, f30: m * (2*m*m - 1) * v * sd,
		f12: m * v * sd, f22: (3 - 3*m*m) * v * v, v: v,
	}
}

// moments returns the gamma distribution of the measure, or of its square.
func (t two) moments(id ID, classes []class) pearson {
	share := t.n / (t.n + t.m)
	if id == TVD {
		return t.variation(classes)
	}
	joints := make([]joint, len(classes))
	f := t.summand(id, classes)
	for i, c := range classes {
		values := make([]float64, len(c.at))
		for k, x := range c.at {
			values[k] = f(x, c.count-x)
		}
		joints[i] = newJoint(c.at, c.weights, c.count*share, func(k int) float64 { return values[k] })
	}
	return conditional(classes, joints, (t.n+t.m)*share*(1-share))
}

// variation returns the moments of TVD, less its regression on the total. Its
// terms are not smooth, so that of a great cell is taken as narrow as it is given
// the total, and the covariances are those of normal deviations, r^2/pi to the
// second order in their correlations r.
func (t two) variation(classes []class) pearson {
	var p pearson
	var slope, spread, variance, third, cross, own float64
	for _, c := range classes {
		slope += c.cells * c.variation.f11
		spread += c.cells * c.variation.v
	}
	beta := slope / spread
	for _, c := range classes {
		weight := c.count / (t.n + t.m)
		narrow := math.Sqrt(1 - weight)
		j := c.variation
		p.mean += c.cells * j.mean * narrow
		variance += c.cells * ((j.f20-2*beta*j.f11)*narrow*narrow + beta*beta*j.v)
		third += c.cells * (j.f30*narrow*narrow*narrow - 3*beta*j.f21 + 3*beta*beta*j.f12 - beta*beta*beta*j.d3)
		part := math.Sqrt(j.v) * narrow * weight / (1 - weight)
		cross += c.cells * part
		own += c.cells * part * part
	}
	variance += (cross*cross - own) / math.Pi
	scale := (t.n + t.m) / (t.n * t.m) / 2
	p.mean, p.sd = p.mean*scale, math.Sqrt(variance)*scale
	p.skew = third / math.Pow(variance, 1.5)
	return p
}

// conditional returns the first three moments of the sum given that the counts
// add up, v being the variance of their total.
func conditional(classes []class, joints []joint, v float64) pearson {
	var sum joint
	for i, c := range classes {
		sum.f11 += c.cells * joints[i].f11
		sum.v += c.cells * joints[i].v
	}
	beta := sum.f11 / sum.v
	for i, c := range classes {
		j := joints[i]
		// g = f - beta d is what is left of f by regression on the total.
		g20 := j.f20 - 2*beta*j.f11 + beta*beta*j.v
		g11 := j.f11 - beta*j.v
		g12 := j.f12 - beta*j.d3
		sum.mean += c.cells * j.mean
		sum.f20 += c.cells * g20
		sum.f30 += c.cells * (j.f30 - 3*beta*j.f21 + 3*beta*beta*j.f12 - beta*beta*beta*j.d3)
		sum.f12 += c.cells * g12
		sum.f21 += c.cells * (j.f21 - 2*beta*j.f12 + beta*beta*j.d3)
		g22 := j.f22 - 2*beta*j.f13 + beta*beta*j.d4
		sum.f22 += c.cells * (g22 - g20*j.v - 2*g11*g11)
		sum.d3 += c.cells * j.d3
	}
	mean := sum.mean - sum.f12/(2*v)
	variance := sum.f20 - sum.f22/(2*v) + sum.f12*sum.f12/(2*v*v) + sum.f21*sum.d3/(2*v*v)
	p := pearson{mean: mean, sd: math.Sqrt(max(0, variance))}
	if variance > 0 {
		p.skew = sum.f30 / (variance * p.sd)
	}
	return p
}

// summand returns the part of one cell. PSI and KL are linear in it only about
// their expected totals, so the change of the totals is part of it.
func (t two) summand(id ID, classes []class) func(x, y float64) float64 {
	if id != PSI && id != KL {
		return func(x, y float64) float64 { return term(id, x, y, t.n, t.m) }
	}
	log := func(x, y float64) float64 { return math.Log(max(y, 0.5) / max(x, 0.5) * (t.n / t.m)) }
	n, m := t.n, t.m
	var upper, lower float64
	for _, c := range classes {
		for k, x := range c.at {
			w, y := c.weights[k]*c.cells, c.count-x
			n += w * (max(x, 0.5) - x)
			m += w * (max(y, 0.5) - y)
			upper += w * max(y, 0.5) * log(x, y)
			lower += w * max(x, 0.5) * log(x, y)
		}
	}
	cells := float64(len(t.pooled))
	// A constant for each cell makes the sum of parts the measure itself.
	constant := (math.Log(n/t.n*(t.m/m)) - (n-t.n)/n + (m-t.m)/m + upper/m*(m-t.m)/m) / cells
	if id == PSI {
		constant = (upper/m*(m-t.m)/m - lower/n*(n-t.n)/n) / cells
	}
	return func(x, y float64) float64 {
		dn, dm := max(x, 0.5)-x, max(y, 0.5)-y
		// What is linear in the count adds up to nothing over all cells.
		linear := y - x*t.m/t.n
		kl := (max(y, 0.5)*log(x, y)-linear)/m - upper/m*dm/m
		if id == KL {
			return kl + dn/n - dm/m + constant
		}
		return kl - (max(x, 0.5)*log(x, y)-linear*t.n/t.m)/n + lower/n*dn/n + constant
	}
}

// quantile returns the value that is exceeded with probability 1-q.
func (p pearson) quantile(q float64) float64 {
	if p.sd == 0 {
		return p.mean
	}
	return bisect(p.mean-8*p.sd, p.mean+12*p.sd, func(x float64) bool { return p.tail(x) > 1-q })
}
