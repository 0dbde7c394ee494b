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
// from. Differences are weighed by the inverse of their variance (Cochran 1954), and
// the chance of the effect is Bernstein's bound, which holds for rare events, too.
func Selected(periods []Period) Selection {
	out := Selection{State: metric.Insufficient, Gap: math.NaN(), Interval: metric.Interval{Low: math.NaN(), High: math.NaN()}, Chance: 1}
	effect, gap, spread, weights, largest := 0.0, 0.0, 0.0, 0.0, 0.0
	for _, p := range periods {
		first, second := parts(p.Early, Delayed), parts(p.Late, Delayed)
		for _, s := range sortedKeys(first) {
			early, late := first[s], second[s]
			if late == nil || !(early.meanNoise()+late.meanNoise() > 0) {
				continue
			}
			w := 1 / (1/early.known.Effective() + 1/late.known.Effective())
			sd := math.Sqrt(w * (early.meanNoise() + late.meanNoise()))
			d := late.residual/late.known.Requests - early.residual/early.known.Requests
			effect += w * d / sd
			gap += w * d
			spread += w * sd
			weights += w
			largest = max(largest, furthest(p.Early, s, early.known.Thin())/sd, furthest(p.Late, s, late.known.Thin())/sd)
			out.Early += int64(early.labels)
			out.Late += int64(late.labels)
		}
	}
	if weights == 0 {
		return out
	}
	out.State, out.Gap, out.Effect, out.Error = metric.OK, gap/weights, effect/weights, 1/math.Sqrt(weights)
	half := z95 * out.Error * spread / weights
	out.Interval = metric.Interval{Low: out.Gap - half, High: out.Gap + half}
	if beyond := math.Abs(out.Effect) - hardly; beyond > 0 {
		out.Chance = min(1, 2*math.Exp(-weights*beyond*beyond/2/(1+largest*beyond/3)))
	}
	return out
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
	if s.Differs() {
		return "labels come the sooner for what they say: " + gap
	}
	return gap
}
