package measure

import "math"

// upperGamma returns Q(a, x), the regularised upper incomplete gamma function,
// for a > 0 and x >= 0: the series below a+1, Lentz's continued fraction above
// (Press et al. 2007, section 6.2).
func upperGamma(a, x float64) float64 {
	switch {
	case x <= 0:
		return 1
	case math.IsInf(x, 1):
		return 0
	case x < a+1:
		return 1 - gammaSeries(a, x)
	default:
		return gammaFraction(a, x)
	}
}

// lowerGamma returns P(a, x) = 1 - Q(a, x) without cancellation.
func lowerGamma(a, x float64) float64 {
	switch {
	case x <= 0:
		return 0
	case math.IsInf(x, 1):
		return 1
	case x < a+1:
		return gammaSeries(a, x)
	default:
		return 1 - gammaFraction(a, x)
	}
}

// gammaFactor returns x^a e^-x / Gamma(a+1).
func gammaFactor(a, x float64) float64 {
	if a > 100 {
		// ln Gamma(a+1) by Stirling against a ln x - x: written with the ratio,
		// so that nothing great cancels.
		d := (x - a) / a
		return math.Exp(a*(math.Log1p(d)-d)-stirling(a)) / math.Sqrt(2*math.Pi*a)
	}
	g, _ := math.Lgamma(a + 1)
	return math.Exp(a*math.Log(x) - x - g)
}

// stirling returns what Stirling's formula leaves of ln Gamma(a+1).
func stirling(a float64) float64 {
	s := 1 / (a * a)
	return (1.0/12 - s*(1.0/360-s*(1.0/1260-s/1680))) / a
}

// gammaTerms is far beyond what the sums need: they end in about the square
// root of a, times ten.
const gammaTerms = 1_000_000

func gammaSeries(a, x float64) float64 {
	term, sum := 1.0, 1.0
	for i := 1; i < gammaTerms; i++ {
		term *= x / (a + float64(i))
		sum += term
		if term < sum*1e-17 {
			break
		}
	}
	return sum * gammaFactor(a, x)
}

func gammaFraction(a, x float64) float64 {
	const tiny = 1e-300
	b := x + 1 - a
	c, d := 1/tiny, 1/b
	h := d
	for i := 1.0; i < gammaTerms; i++ {
		an := -i * (i - a)
		b += 2
		d = 1 / nonzero(an*d+b, tiny)
		c = nonzero(b+an/c, tiny)
		delta := d * c
		h *= delta
		if math.Abs(delta-1) < 1e-16 {
			break
		}
	}
	// The factor is x^a e^-x / Gamma(a), that is a times the one of a+1.
	return h * a * gammaFactor(a, x)
}

func nonzero(v, tiny float64) float64 {
	if math.Abs(v) < tiny {
		return tiny
	}
	return v
}

// chiSquareTail returns the probability that chi-square with df degrees of
// freedom is at least x.
func chiSquareTail(x, df float64) float64 { return upperGamma(df/2, x/2) }

// manyNoncentral is the noncentrality from which the distribution is so close
// to Sankaran's normal form that its sum would be work for nothing.
const manyNoncentral = 20_000

// noncentralCDF returns the probability that noncentral chi-square with df
// degrees of freedom and noncentrality lambda is at most x. It sums the Poisson
// mixture of central distributions downwards from above its mode, the direction
// in which the recurrence of the incomplete gamma function adds and never
// cancels (Ding 1992 runs it upwards). Beyond manyNoncentral it is Sankaran's
// approximation (1959, eq. 4), to about 1e-5.
func noncentralCDF(x, df, lambda float64) float64 {
	switch {
	case x <= 0:
		return 0
	case lambda <= 0:
		return lowerGamma(df/2, x/2)
	case lambda > manyNoncentral:
		return sankaran(x, df, lambda)
	}
	half, y := lambda/2, x/2
	reach := 10*math.Sqrt(half) + 40
	first := math.Max(0, math.Floor(half-reach))
	j := math.Ceil(half + reach)
	lg, _ := math.Lgamma(j + 1)
	weight := math.Exp(j*math.Log(half) - half - lg)
	a := df/2 + j
	p := lowerGamma(a, y)
	step := gammaFactor(a, y) // y^a e^-y / Gamma(a+1)
	sum := 0.0
	for ; j >= first; j-- {
		sum += weight * p
		// From a to a-1: P(a-1) = P(a) + y^(a-1) e^-y / Gamma(a).
		step *= a / y
		p += step
		a--
		weight *= j / half
		if step == 0 {
			// So far above y it vanishes; it counts again further down.
			step = gammaFactor(a, y)
		}
	}
	return math.Min(sum, 1)
}

func sankaran(x, df, lambda float64) float64 {
	h := 1 - 2*(df+lambda)*(df+3*lambda)/(3*(df+2*lambda)*(df+2*lambda))
	p := (df + 2*lambda) / ((df + lambda) * (df + lambda))
	m := (h - 1) * (1 - 3*h)
	z := (math.Pow(x/(df+lambda), h) - (1 + h*p*(h-1-0.5*(2-h)*m*p))) / (h * math.Sqrt(2*p) * (1 + 0.5*m*p))
	return math.Erfc(-z/math.Sqrt2) / 2
}

// noncentralities returns the noncentralities that x does not refuse at the
// confidence: those between the ones of which x is the upper and the lower
// (1-confidence)/2 quantile. Either is 0 where no noncentrality is small enough.
func noncentralities(x, df, confidence float64) (low, high float64) {
	tail := (1 - confidence) / 2
	return noncentrality(x, df, 1-tail), noncentrality(x, df, tail)
}

// noncentrality returns the lambda at which the distribution function at x is
// q; the function falls with lambda.
func noncentrality(x, df, q float64) float64 {
	if noncentralCDF(x, df, 0) <= q {
		return 0
	}
	low, high := 0.0, math.Max(1, x)
	for noncentralCDF(x, df, high) > q {
		low, high = high, 2*high
	}
	return bisect(low, high, func(lambda float64) bool { return noncentralCDF(x, df, lambda) > q })
}

// bisect returns the point between low and high up to which below holds, to ten
// digits.
func bisect(low, high float64, below func(float64) bool) float64 {
	for high-low > 1e-10*math.Max(high, 1e-3) {
		middle := (low + high) / 2
		if middle == low || middle == high {
			break
		}
		if below(middle) {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}
