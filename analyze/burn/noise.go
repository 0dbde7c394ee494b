package burn

import (
	"math"
	"time"
)

// DefaultOverdispersion is how many times the variance of bad counts exceeds
// that of independent events where an objective does not say.
const DefaultOverdispersion = 3

// Noise returns the chance, a minute, that noise starts a window of this length
// with so many bad events, if each event is bad with the probability budget: that
// is, at a burn rate of exactly 1. It is an upper bound, and the sum over all
// minutes of a year bounds the false alerts of a year, whatever the minutes share
// with each other:
//
// What starts in a minute had fewer than k bad events in the window that ended a
// minute before, so fewer in the minutes that both windows have, and has k or more
// with the last minute. The chance of that is the chance of k in a window less that
// of k in one that is a minute shorter.
//
// Overdispersion phi >= 1, the same in windows of either length, is taken as the
// worse of two shapes: events that are bad in clumps of phi (a binomial of n/phi
// clumps), and a rate that itself varies (a negative binomial with the variance
// phi x mean). Tails are the regularized incomplete beta function:
// P(Bin(n, p) >= k) = I_p(k, n-k+1), and P(NB >= k) = I_q(k, r) with
// q = (phi-1)/phi, r = mean/(phi-1) (Johnson, Kemp and Kotz, Univariate Discrete
// Distributions, sections 3.4 and 5.3).
func Noise(bad, total, budget, overdispersion float64, window time.Duration) float64 {
	if !(total > 0) || !(bad > total*budget) {
		return 1
	}
	phi, minutes := max(overdispersion, 1), max(window.Minutes(), 1)
	n, k := total/phi, bad/phi
	// Where less than a clump comes in a minute, what one of them changes.
	last := min(max(n/minutes, 1), n)
	noise := n / minutes / last * (betaRegularized(k, n-k+1, budget) - betaRegularized(k, n-last-k+1, budget))
	if phi > 1 {
		r, q := total*budget/(phi-1), (phi-1)/phi
		noise = max(noise, betaRegularized(bad, r, q)-betaRegularized(bad, r*(1-1/minutes), q))
	}
	return min(max(noise, 0), 1)
}

// betaRegularized is I_x(a, b), and 1 for a <= 0, by the continued fraction of
// DLMF 8.17.22, evaluated as Lentz does.
func betaRegularized(a, b, x float64) float64 {
	switch {
	case a <= 0 || x >= 1:
		return 1
	case b <= 0 || x <= 0:
		return 0
	case x > (a+1)/(a+b+2):
		return 1 - betaRegularized(b, a, 1-x)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab - la - lb + a*math.Log(x) + b*math.Log1p(-x))
	if front == 0 {
		return 0
	}
	return min(front*betaFraction(a, b, x)/a, 1)
}

func betaFraction(a, b, x float64) float64 {
	const (
		tiny  = 1e-300
		exact = 1e-14
		// Convergence takes some sqrt(max(a, b)) steps.
		most = 100_000
	)
	away := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/away(1-(a+b)*x/(a+1))
	h := d
	for i := 1; i <= most; i++ {
		m := float64(i)
		for _, numerator := range [2]float64{
			m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)),
			-(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1)),
		} {
			d = 1 / away(1+numerator*d)
			c = away(1 + numerator/c)
			h *= c * d
		}
		if math.Abs(c*d-1) < exact {
			break
		}
	}
	return h
}
