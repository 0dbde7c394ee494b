package dialect

import (
	"math"
	"slices"
)

// jensenShannon is scipy.spatial.distance.jensenshannon: the square root of the
// divergence, with logarithms to the given base, of both vectors normed to 1.
func jensenShannon(p, q []float64, base float64) float64 {
	sumP, sumQ := sum(p), sum(q)
	js := 0.0
	for i := range p {
		a, b := p[i]/sumP, q[i]/sumQ
		m := (a + b) / 2
		js += relativeEntropy(a, m) + relativeEntropy(b, m)
	}
	return math.Sqrt(max(js, 0) / math.Log(base) / 2)
}

func relativeEntropy(p, q float64) float64 {
	if p == 0 {
		return 0
	}
	return p * math.Log(p/q)
}

// hellinger is the distance of two vectors that are not normed again.
func hellinger(p, q []float64) float64 {
	s := 0.0
	for i := range p {
		d := math.Sqrt(p[i]) - math.Sqrt(q[i])
		s += float64(d * d)
	}
	return math.Sqrt(s) / math.Sqrt2
}

// largestGap is the L-infinity distance.
func largestGap(p, q []float64) float64 {
	gap := 0.0
	for i := range p {
		gap = max(gap, math.Abs(p[i]-q[i]))
	}
	return gap
}

// wasserstein is scipy.stats.wasserstein_distance of two samples.
func wasserstein(x, y []float64) float64 {
	distance, previous := 0.0, math.NaN()
	walk(x, y, func(value, gap float64) {
		if !math.IsNaN(previous) {
			distance += float64(gap * (value - previous))
		}
		previous = value
	})
	return distance
}

// kolmogorovSmirnov is the statistic of scipy.stats.ks_2samp.
func kolmogorovSmirnov(x, y []float64) float64 {
	largest := 0.0
	walk(x, y, func(_, gap float64) { largest = max(largest, gap) })
	return largest
}

// walk visits the distinct values of both samples in order, each with the gap
// between the two distribution functions just below it.
func walk(x, y []float64, visit func(value, gapBelow float64)) {
	x, y = slices.Clone(x), slices.Clone(y)
	slices.Sort(x)
	slices.Sort(y)
	i, j := 0, 0
	for i < len(x) || j < len(y) {
		value := math.Inf(1)
		if i < len(x) {
			value = x[i]
		}
		if j < len(y) {
			value = min(value, y[j])
		}
		visit(value, math.Abs(float64(i)/float64(len(x))-float64(j)/float64(len(y))))
		for i < len(x) && x[i] == value {
			i++
		}
		for j < len(y) && y[j] == value {
			j++
		}
	}
}

func sum(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s
}

// chiSquareContingency is scipy.stats.chi2_contingency of a table with two
// columns: the statistic, with Yates' correction where there is one degree of
// freedom, and its p-value.
func chiSquareContingency(x, y []float64) (stat, p float64) {
	sumX, sumY := sum(x), sum(y)
	freedom := float64(len(x) - 1)
	if freedom == 0 {
		return 0, 1
	}
	for i := range x {
		row := x[i] + y[i]
		for _, cell := range [2][2]float64{{x[i], row * sumX / (sumX + sumY)}, {y[i], row * sumY / (sumX + sumY)}} {
			gap := math.Abs(cell[0] - cell[1])
			if freedom == 1 {
				gap -= min(gap, 0.5)
			}
			stat += gap * gap / cell[1]
		}
	}
	return stat, chiSquareTail(stat, freedom)
}

// chiSquareTail is the probability that a chi-square variable exceeds x.
func chiSquareTail(x, freedom float64) float64 {
	switch {
	case math.IsNaN(x):
		return math.NaN()
	case x <= 0:
		return 1
	case math.IsInf(x, 1):
		return 0
	}
	return upperGamma(freedom/2, x/2)
}

// upperGamma is the regularised upper incomplete gamma function Q(a, x), by its
// series below a+1 and by its continued fraction above (Lentz).
func upperGamma(a, x float64) float64 {
	const steps, tiny = 10000, 1e-300
	lg, _ := math.Lgamma(a)
	scale := math.Exp(a*math.Log(x) - x - lg)
	if x < a+1 {
		term := 1 / a
		total := term
		for k := 1; k < steps && term > total*1e-17; k++ {
			term *= x / (a + float64(k))
			total += term
		}
		return 1 - scale*total
	}
	b := x + 1 - a
	c, d := 1/tiny, 1/b
	h := d
	for k := 1; k < steps; k++ {
		an := -float64(k) * (float64(k) - a)
		b += 2
		d = 1 / nonZero(an*d+b, tiny)
		c = nonZero(b+an/c, tiny)
		h *= d * c
		if math.Abs(d*c-1) < 1e-16 {
			break
		}
	}
	return scale * h
}

func nonZero(x, tiny float64) float64 {
	if math.Abs(x) < tiny {
		return tiny
	}
	return x
}
