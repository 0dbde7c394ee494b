package alarm

import "math"

// spread is the law of a distance of a block in squared units under the null:
// (shift + scale T)^2 + noise X, where T has Student's t distribution with
// student degrees of freedom (+Inf: normal) and X is chi-square with freedom
// degrees of freedom, both independent.
//
// Counts near a distribution make a measure a quadratic form of a normal
// vector: its sampling noise has the same variance in every direction, its level
// an unknown covariance. That all of the level's variance lies in one direction
// is the worst case: of all quadratic forms of normal variables with one mean,
// the chi-square with one degree of freedom has the greatest tail beyond 1.54
// times the mean (Székely and Bakirov 2003, "Extremal probabilities for Gaussian
// quadratic forms", theorem 1).
type spread struct {
	shift, scale, student float64
	noise, freedom        float64
}

// tail returns the probability of at least y, to about 1 % of itself: the exact
// tail of the first part, averaged over the chi distribution of the root of X.
func (s spread) tail(y float64) float64 {
	if y <= 0 {
		return 1
	}
	if s.noise <= 0 || s.freedom <= 0 {
		return s.beyond(math.Sqrt(y))
	}
	// The root of X is within 6 of the root of its freedom but for 1e-15.
	low, high := max(0, math.Sqrt(s.freedom)-6), math.Sqrt(s.freedom)+6
	middle := min(max(math.Sqrt(y/s.noise), low), high)
	lg, _ := math.Lgamma(s.freedom / 2)
	log0 := (1-s.freedom/2)*math.Ln2 - lg
	density := func(v float64) float64 {
		return math.Exp(log0 + (s.freedom-1)*math.Log(v) - v*v/2)
	}
	return min(1, integrate(low, middle, func(v float64) float64 {
		return density(v) * s.beyond(math.Sqrt(max(0, y-s.noise*v*v)))
	})+integrate(middle, high, density))
}

// beyond returns the probability that |shift + scale T| is at least r.
func (s spread) beyond(r float64) float64 {
	if s.scale <= 0 {
		if math.Abs(s.shift) >= r {
			return 1
		}
		return 0
	}
	up := studentTail((r-s.shift)/s.scale, s.student)
	if s.shift == 0 {
		return 2 * up
	}
	return up + studentTail((r+s.shift)/s.scale, s.student)
}

// chiSquareQuantile returns the x that chi-square with df degrees of freedom
// stays below with probability q: Newton's method on the distribution of its
// root, from Wilson and Hilferty's approximation (1931).
func chiSquareQuantile(q, df float64) float64 {
	lg, _ := math.Lgamma(df / 2)
	log0 := (1-df/2)*math.Ln2 - lg
	density := func(v float64) float64 { return math.Exp(log0 + (df-1)*math.Log(v) - v*v/2) }
	low, high := max(0, math.Sqrt(df)-6), math.Sqrt(df)+6
	h := 2 / (9 * df)
	v := math.Sqrt(df * max(1e-6, math.Pow(max(0, 1-h+math.Sqrt2*math.Erfinv(2*q-1)*math.Sqrt(h)), 3)))
	for range 50 {
		next := v - (integrate(low, v, density)-q)/density(v)
		next = min(max(next, low+(v-low)/2), high)
		if math.Abs(next-v) < 1e-10*v {
			break
		}
		v = next
	}
	return v * v
}

// integrate is Gauss-Legendre quadrature with four nodes on each of eight
// panels.
func integrate(from, to float64, f func(float64) float64) float64 {
	if to <= from {
		return 0
	}
	const panels = 8
	nodes := [...]float64{-0.8611363115940526, -0.3399810435848563, 0.3399810435848563, 0.8611363115940526}
	weights := [...]float64{0.3478548451374538, 0.6521451548625461, 0.6521451548625461, 0.3478548451374538}
	half, sum := (to-from)/(2*panels), 0.0
	for p := range panels {
		centre := from + half*float64(2*p+1)
		for i, x := range nodes {
			sum += weights[i] * f(centre+half*x)
		}
	}
	return sum * half
}

// studentTail returns the probability that Student's t with df degrees of
// freedom, +Inf for the normal distribution, is at least t.
func studentTail(t, df float64) float64 {
	if math.IsInf(df, 1) {
		return math.Erfc(t/math.Sqrt2) / 2
	}
	half := incompleteBeta(df/2, 0.5, df/(df+t*t)) / 2
	if t < 0 {
		return 1 - half
	}
	return half
}

// incompleteBeta returns the regularised I_x(a, b) by Lentz's continued
// fraction (Press et al. 2007, section 6.4).
func incompleteBeta(a, b, x float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab - la - lb + a*math.Log(x) + b*math.Log1p(-x))
	if x < (a+1)/(a+b+2) {
		return front * betaFraction(a, b, x) / a
	}
	return 1 - front*betaFraction(b, a, 1-x)/b
}

func betaFraction(a, b, x float64) float64 {
	const tiny = 1e-300
	step := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/step(1-(a+b)*x/(a+1))
	h := d
	for m := 1.0; m < 500; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d, c = 1/step(1+even*d), step(1+even/c)
		h *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d, c = 1/step(1+odd*d), step(1+odd/c)
		delta := d * c
		h *= delta
		if math.Abs(delta-1) < 1e-13 {
			break
		}
	}
	return h
}

// calibrate turns a p-value into an e-value: a number of at least 0 whose mean
// under the null is at most 1. One half of it is all or nothing: at p of at most
// 1/(2 threshold) it is the threshold, so that a gross change needs one block
// only. The other half is the mixture of k p^(k-1) over k from 0 to 1, by which
// lesser evidence adds up (Vovk and Wang 2021, "E-values", section 2).
func calibrate(p, threshold float64) float64 {
	e := mixture(p) / 2
	if p <= 1/(2*threshold) {
		e += threshold
	}
	return e
}

// mixture is the integral of k p^(k-1) over k from 0 to 1:
// (1 - p + p ln p) / (p ln^2 p).
func mixture(p float64) float64 {
	switch {
	case p <= 0:
		return math.Inf(1)
	case p > 1-1e-4:
		// The limit at 1; the next term, (1-p)/3, is dropped.
		return 0.5
	}
	l := math.Log(p)
	return (1 - p + p*l) / (p * l * l)
}
