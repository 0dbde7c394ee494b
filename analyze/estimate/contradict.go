package estimate

import (
	"fmt"
	"math"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Contradiction is what the labels of a window say of the model's expectation.
type Contradiction struct {
	// Suspected says that labels contradict the expectation beyond their noise
	// and beyond the spread that past windows showed: suspected concept drift.
	Suspected bool
	// Labels is their number, Gap their mean less what was expected of them.
	Labels int64
	Gap    float64
	// Z is the largest standardised gap, Chance the probability of one so large
	// if nothing changed, with as many looks as there are strata and one more.
	Z, Chance float64
	// Stratum is where it is; Whole says that it is the window as a whole.
	Stratum Stratum
	Whole   bool
	State   metric.State
	Says    string
}

const (
	// contradictLabels is the least number of labels that can contradict.
	contradictLabels = 20
	// contradictChance of a false suspicion a window.
	contradictChance = 0.001
)

// Contradict asks whether labels that are in fit what the model expected of the
// very same predictions, in the window as a whole and in each stratum
// (Bonferroni). It looks at labelled predictions only, so that labels that come
// late or not at random do not contradict anything by that.
func Contradict(events []Event, c Config) (Contradiction, error) {
	if err := c.Validate(); err != nil {
		return Contradiction{}, err
	}
	out := Contradiction{State: metric.Insufficient, Chance: 1, Says: "too few labels to contradict the estimate"}
	strata := parts(events, Delayed)
	gap, variance, looks := 0.0, 0.0, 1.0
	var known Weight
	for _, s := range sortedKeys(strata) {
		p := strata[s]
		if p.labels == 0 {
			continue
		}
		known.Add(p.known)
		out.Labels += int64(p.labels)
		gap += p.residual
		n := p.known.Requests // what the model expects is counted with: it is the model that is tested
		own := p.known.Squares*p.expectSum() + n*n*c.Spread*c.Spread*p.expect()
		variance += own
		if p.known.Effective() >= contradictLabels {
			looks++
			if z := p.residual / math.Sqrt(own); math.Abs(z) > math.Abs(out.Z) {
				out.Z, out.Stratum = z, s
			}
		}
	}
	if out.Labels == 0 {
		return out, nil
	}
	out.Gap = gap / known.Requests
	if known.Effective() < contradictLabels {
		return out, nil
	}
	if z := gap / math.Sqrt(variance); math.Abs(z) >= math.Abs(out.Z) {
		out.Z, out.Whole = z, true
	}
	out.State = metric.OK
	out.Chance = min(1, looks*math.Erfc(math.Abs(out.Z)/math.Sqrt2))
	out.Suspected = out.Chance < contradictChance
	out.Says = "the labels that are in fit the estimate"
	if out.Suspected {
		where := "in the window as a whole"
		if !out.Whole {
			where = fmt.Sprintf("in stratum %d", out.Stratum)
		}
		out.Says = fmt.Sprintf("suspected concept drift: %d labels differ from what their scores promised by %+.3g, most %s (%.1f standard errors)", out.Labels, out.Gap, where, out.Z)
	}
	return out, nil
}
