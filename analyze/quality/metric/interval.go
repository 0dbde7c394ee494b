package metric

import "math"

// Level is the confidence of every interval of this package.
const Level = 0.95

// z95 is the 97.5 % quantile of the normal distribution.
const z95 = 1.959963984540054

// Wilson returns the score interval of hits out of n events, each worth one
// (Wilson 1927): centre (p + z^2/2n) / (1 + z^2/n), half width
// z / (1 + z^2/n) sqrt(p(1-p)/n + z^2/4n^2). It is NaN without events. Unlike
// the normal interval it holds its level for small n and for shares near 0 and 1.
func Wilson(hits, n int64) Interval {
	if n <= 0 {
		return none()
	}
	i := WilsonShare(float64(hits)/float64(n), float64(n))
	// Exact at the ends, where rounding would leave 1e-17.
	if hits == 0 {
		i.Low = 0
	}
	if hits == n {
		i.High = 1
	}
	return i
}

// WilsonShare is Wilson for a share p in [0, 1] with the precision of size > 0
// equal events, which need not be a whole number.
func WilsonShare(p, size float64) Interval {
	if size <= 0 {
		return none()
	}
	const z2 = z95 * z95
	centre := (p + z2/(2*size)) / (1 + z2/size)
	half := z95 / (1 + z2/size) * math.Sqrt(p*(1-p)/size+z2/(4*size*size))
	return Interval{Low: max(centre-half, 0), High: min(centre+half, 1)}
}

// betaCDF is the regularised incomplete beta function I_x(a, b), by Lentz's
// continued fraction (Press et al., Numerical Recipes, 3rd ed., section 6.4).
func betaCDF(x, a, b float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2):
		return 1 - betaCDF(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab - la - lb + a*math.Log(x) + b*math.Log1p(-x))
	const eps = 1e-16
	c, d := 1.0, 1/nonZero(1-(a+b)*x/(a+1))
	sum := d
	for m := 1.0; m < 10_000; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / nonZero(1+even*d)
		c = nonZero(1 + even/c)
		sum *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / nonZero(1+odd*d)
		c = nonZero(1 + odd/c)
		sum *= d * c
		if math.Abs(d*c-1) < eps {
			break
		}
	}
	return front * sum / a
}

// nonZero keeps a denominator of Lentz's fraction off 0.
func nonZero(x float64) float64 {
	const tiny = 1e-300
	if math.Abs(x) < tiny {
		return tiny
	}
	return x
}

// betaQuantile inverts betaCDF by bisection, to the last bit of x.
func betaQuantile(p, a, b float64) float64 {
	low, high := 0.0, 1.0
	for range 200 {
		mid := (low + high) / 2
		if mid <= low || mid >= high {
			break
		}
		if betaCDF(mid, a, b) < p {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// NormalQuantile returns the p quantile, 0 < p < 1, of the normal distribution.
func NormalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// StudentQuantile returns the p quantile, 0 < p < 1, of Student's t with df > 0
// degrees of freedom.
func StudentQuantile(p, df float64) float64 {
	if p < 0.5 {
		return -StudentQuantile(1-p, df)
	}
	// P(|T| > t) = I_{df/(df+t^2)}(df/2, 1/2).
	x := betaQuantile(2*(1-p), df/2, 0.5)
	return math.Sqrt(df * (1 - x) / x)
}

// BinomialCDF returns P(X <= k) of n trials with chance p of a hit.
func BinomialCDF(k, n int64, p float64) float64 {
	switch {
	case k < 0:
		return 0
	case k >= n:
		return 1
	}
	return betaCDF(1-p, float64(n-k), float64(k+1))
}

// midP returns the mid-P interval of a share of which x of n events were seen, neither
// of which need be a whole number: the shares at which P(X > x) + P(X = x)/2 of the
// binomial distribution is between 2.5 and 97.5 % (Lancaster 1961; Berry & Armitage
// 1995). Unlike Wilson's it is not too short where one event was seen of what is rarer
// still.
func midP(x, n float64) Interval {
	out := Interval{0, 1}
	if x > 0 {
		out.Low = midPEnd(x, n, (1-Level)/2, 0, x/n)
	}
	if x < n {
		out.High = midPEnd(x, n, (1+Level)/2, x/n, 1)
	}
	return out
}

// midPEnd finds the share between low and high at which the tail has a probability,
// by Newton's steps, and by halves where one would leave the bracket.
func midPEnd(x, n, probability, low, high float64) float64 {
	p := WilsonShare(x/n, n).Low
	if probability > 0.5 {
		p = WilsonShare(x/n, n).High
	}
	for range 100 {
		if !(p > low && p < high) {
			p = (low + high) / 2
		}
		tail, slope := midTail(x, n, p)
		if tail < probability {
			low = p
		} else {
			high = p
		}
		step := (tail - probability) / slope
		if math.Abs(step) <= 1e-14*p || high-low <= 1e-15*high {
			break
		}
		p -= step
	}
	return p
}

// midTail returns P(X > x) + P(X = x)/2 of n trials with chance p and how fast it
// grows with p: P(X >= x) is the incomplete beta function I_p(x, n-x+1).
func midTail(x, n, p float64) (tail, slope float64) {
	for _, from := range []float64{x, x + 1} {
		a, b := from, n-from+1
		switch {
		case a <= 0:
			tail += 0.5
		case b > 0:
			la, _ := math.Lgamma(a)
			lb, _ := math.Lgamma(b)
			lab, _ := math.Lgamma(a + b)
			tail += betaCDF(p, a, b) / 2
			slope += math.Exp(lab-la-lb+(a-1)*math.Log(p)+(b-1)*math.Log1p(-p)) / 2
		}
	}
	return tail, slope
}

// logit and its inverse.
func logit(p float64) float64  { return math.Log(p) - math.Log1p(-p) }
func expit(x float64) float64  { return 1 / (1 + math.Exp(-x)) }
func square(x float64) float64 { return x * x }
func ratio(a, b float64) float64 { // NaN where b is 0
	if b == 0 {
		return math.NaN()
	}
	return a / b
}
