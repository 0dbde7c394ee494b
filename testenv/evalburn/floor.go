package evalburn

import (
	"math"
	"time"
)

// FalsePagesFloor is how often a year, at the least, any rule at all pages falsely
// that pages every other burst of a pair within the closed form and one interval:
// whatever it computes, and though it knew the burst's size. A rule decides on what
// comes in between; events before are of the target either way and tell nothing.
// Of all tests that find half of the bursts the one by the likelihood ratio, that
// is by the number of bad events, has the fewest false alarms (Neyman and Pearson),
// and a year holds so many disjoint stretches of that length in which it may have
// one. Bad events come in clumps of the given size: 1 where they are independent.
func FalsePagesFloor(c Cell, d Detection, clump float64) float64 {
	within := d.Closed + time.Minute
	n := math.Round(c.PerHour * within.Hours() / clump)
	if n < 1 {
		return 1 // nothing comes in: it would have to page by chance
	}
	alarm := leastFalseAlarm(n, 1-c.Target, d.Bad)
	return alarm * 365.25 * 24 / within.Hours()
}

// leastFalseAlarm is the size of the most powerful test of a bad share among n
// events against a greater one that finds half of it, randomized as it takes.
func leastFalseAlarm(n, share, greater float64) float64 {
	found, alarm := 0.0, 0.0
	for k := n; k >= 0; k-- {
		p := binomialMass(n, k, greater)
		if found+p >= 0.5 {
			return alarm + (0.5-found)/p*binomialMass(n, k, share)
		}
		found, alarm = found+p, alarm+binomialMass(n, k, share)
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
