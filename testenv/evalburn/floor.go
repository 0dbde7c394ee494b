package evalburn

import (
	"math"
	"time"
)

// Floor is how often a year, at the least, any rule at all pages falsely that pages
// every other burst of a pair within the closed form and one interval: whatever it
// computes, and though it knew the burst's size. A rule decides on what comes in
// between; events before are of the target either way and tell nothing. Of all
// tests that find half of the bursts the one by the likelihood ratio, that is by
// the number of bad events, has the fewest false alarms (Neyman and Pearson), and a
// year holds so many disjoint stretches of that length in which it may have one.
type Floor struct {
	// Clumps is with bad events in clumps of the overdispersion; independent events
	// are clumps of 1.
	Clumps float64
	// Varying is with a rate of bad events that varies, by a gamma distribution, from
	// stretch to stretch and stays within each, so that the number of bad events of
	// a stretch is negative binomial and says all; 0 without overdispersion.
	Varying float64
}

// Impossible reports whether no rule is as quick with one false page a year.
func (f Floor) Impossible() bool { return max(f.Clumps, f.Varying) > 1 }

// FalsePagesFloor returns the floor of a pair under an overdispersion, at least 1.
func FalsePagesFloor(c Cell, d Detection, overdispersion float64) Floor {
	within := d.Closed + time.Minute
	stretches := 365.25 * 24 / within.Hours()
	events := c.PerHour * within.Hours()
	target := 1 - c.Target
	var f Floor
	if n := math.Round(events / overdispersion); n < 1 {
		f.Clumps = stretches // nothing comes in: it would have to page by chance
	} else {
		f.Clumps = stretches * leastFalseAlarm(n,
			func(k float64) float64 { return binomialMass(n, k, target) },
			func(k float64) float64 { return binomialMass(n, k, d.Bad) })
	}
	if overdispersion > 1 {
		varying := func(share float64) func(float64) float64 {
			return func(k float64) float64 { return varyingMass(events*share, overdispersion, k) }
		}
		// Beyond that there is less than 1e-9 of a burst: 40 of its standard deviations
		// and 40 of the exponential tail's.
		most := math.Ceil(events*d.Bad + 40*math.Sqrt(overdispersion*events*d.Bad) + 40*overdispersion)
		f.Varying = stretches * leastFalseAlarm(most, varying(target), varying(d.Bad))
	}
	return f
}

// leastFalseAlarm is the size of the most powerful test of one distribution of a
// number up to most against one of greater numbers that finds half of it,
// randomized as it takes.
func leastFalseAlarm(most float64, mass, greater func(k float64) float64) float64 {
	found, alarm := 0.0, 0.0
	for k := most; k >= 0; k-- {
		p := greater(k)
		if found+p >= 0.5 {
			return alarm + (0.5-found)/p*mass(k)
		}
		found, alarm = found+p, alarm+mass(k)
	}
	return 1
}

func binomialMass(n, k, p float64) float64 {
	if p >= 1 {
		if k == n {
			return 1
		}
		return 0
	}
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return math.Exp(a - b - c + k*math.Log(p) + (n-k)*math.Log1p(-p))
}

// varyingMass is the negative binomial with this mean and that many times a
// Poisson number's variance.
func varyingMass(mean, overdispersion, k float64) float64 {
	r := mean / (overdispersion - 1)
	a, _ := math.Lgamma(k + r)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(r)
	return math.Exp(a - b - c + k*math.Log1p(-1/overdispersion) - r*math.Log(overdispersion))
}
