package estimate

import (
	"fmt"
	"math"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Selection is whether labels come the sooner for what they say, as those of fraud
// do: of labels that were all waited for, those that came early are held against
// those that came late.
type Selection struct {
	// State is insufficient where no stratum had labels of both kinds at one time.
	State metric.State
	// Early and Late labels were compared.
	Early, Late int64
	// Gap is the mean residual of late labels less that of early ones, with its 95 %
	// interval. Effect and Error are that gap and its standard error in standard
	// deviations of a residual.
	Gap float64
	metric.Interval
	Effect, Error float64
	// Chance bounds the probability of an Effect as far beyond what hardly matters,
	// were labels not selected.
	Chance float64
}

const (
	// hardly is an effect that hardly matters: of a share of .8, 4 points.
	hardly = 0.1
	// selectedChance of taking labels for selected that are not.
	selectedChance = 0.001
)

// Differs reports that labels are selected, and that it matters.
func (s Selection) Differs() bool { return s.State == metric.OK && s.Chance < selectedChance }

// Bias is an unbiased estimate of the square of the effect, at least 0, and
// infinite where nothing is known of it.
func (s Selection) Bias() float64 {
	if s.State != metric.OK {
		return math.Inf(1)
	}
	return max(s.Effect*s.Effect-s.Error*s.Error, 0)
}

// Period is labelled events of one deploy and time, parted by how long their labels
// took.
type Period struct{ Early, Late []Event }

// Selected compares labels. Within a stratum and period, early and late ones must be
// off their expectation alike: that is what an estimate assumes which lets early
// labels stand for those that are not in. By period, for a model that became worse
// while its labels became quicker shows nothing but that. Strata whose labels all
// come early, or all late, tell nothing, and need not: there is nothing to choose
// from. Differences are weighed by the inverse of their variance (Cochran 1954). Each
// stratum is looked at, and all together (Bonferroni), by Bernstein's bound, which
// holds for rare events, too.
func Selected(periods []Period) Selection {
	var all compared
	strata := map[Stratum]*compared{}
	for _, p := range periods {
		first, second := parts(p.Early, Delayed), parts(p.Late, Delayed)
		for _, s := range sortedKeys(first) {
			early, late := first[s], second[s]
			if late == nil || !(early.meanNoise()+late.meanNoise() > 0) {
				continue
			}
			furthest := max(furthest(p.Early, s, early.known.Thin()), furthest(p.Late, s, late.known.Thin()))
			if strata[s] == nil {
				strata[s] = &compared{}
			}
			strata[s].add(early, late, furthest)
			all.add(early, late, furthest)
		}
	}
	out := Selection{State: metric.Insufficient, Gap: math.NaN(), Interval: metric.Interval{Low: math.NaN(), High: math.NaN()}, Chance: 1}
	if all.weights == 0 {
		return out
	}
	out.State, out.Early, out.Late = metric.OK, int64(all.early), int64(all.late)
	out.Gap, out.Effect, out.Error = all.gap/all.weights, all.effect/all.weights, 1/math.Sqrt(all.weights)
	half := z95 * out.Error * all.spread / all.weights
	out.Interval = metric.Interval{Low: out.Gap - half, High: out.Gap + half}
	chance := all.chance()
	for _, c := range strata {
		chance = min(chance, c.chance())
	}
	out.Chance = min(1, chance*float64(len(strata)+1))
	return out
}

// compared sums, over periods and strata, the differences of late and early labels
// in standard deviations of a residual and as they are, and those deviations, each
// weighed by how many labels it is worth.
type compared struct {
	effect, gap, spread, weights float64
	early, late                  float64
	furthest                     float64 // of a label, in standard deviations
}

func (c *compared) add(early, late *part, furthest float64) {
	w := 1 / (1/early.known.Effective() + 1/late.known.Effective())
	sd := math.Sqrt(w * (early.meanNoise() + late.meanNoise()))
	d := late.residual/late.known.Requests - early.residual/early.known.Requests
	c.effect += w * d / sd
	c.gap += w * d
	c.spread += w * sd
	c.weights += w
	c.early += early.labels
	c.late += late.labels
	c.furthest = max(c.furthest, furthest/sd)
}

// chance bounds that of an effect so far beyond what hardly matters.
func (c *compared) chance() float64 {
	beyond := math.Abs(c.effect/c.weights) - hardly
	if beyond <= 0 {
		return 1
	}
	return 2 * math.Exp(-c.weights*beyond*beyond/2/(1+c.furthest*beyond/3))
}

// meanNoise is the variance of the mean residual of labelled events, as the model
// expects it.
func (p *part) meanNoise() float64 {
	return p.known.Squares * p.expectSum() / (p.known.Requests * p.known.Requests)
}

// furthest is how far a label of a stratum was from what was expected, at most, or
// three times their scatter, if that is more: as a weight that makes it count more
// than others has it.
func furthest(events []Event, s Stratum, thin float64) float64 {
	most := 0.0
	for _, e := range events {
		if e.Stratum == s {
			weight := e.Weight.ofEach(e.n())
			most = max(most, max(math.Abs(e.Actual-e.Expected), 3*math.Sqrt(e.Scatter))*thin*weight.Squares/weight.Requests)
		}
	}
	return most
}

// Says tells it to people; early is how long an early label took at most.
func (s Selection) Says(early string) string {
	if s.State != metric.OK {
		return fmt.Sprintf("no labels of alike predictions took less than %s, and longer, to tell whether those that come sooner say something else", early)
	}
	gap := fmt.Sprintf("of labels that were waited for, those that took longer than %s differ by %+.3g (%+.3g to %+.3g)", early, s.Gap, s.Low, s.High)
	switch {
	case s.Differs() && math.Abs(s.Effect) <= hardly:
		return "labels of some strata come the sooner for what they say, though over all it evens out: " + gap
	case s.Differs():
		return "labels come the sooner for what they say: " + gap
	}
	return gap
}
