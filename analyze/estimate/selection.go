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
	// State is insufficient where no stratum has enough labels of either kind.
	State metric.State
	// Early and Late labels were compared, those of strata that have enough of both.
	Early, Late int64
	// Gap is the mean residual of late labels less that of early ones, each stratum
	// weighed by how well it tells (Cochran 1954), with its interval.
	Gap float64
	metric.Interval
	// Chance is the probability of gaps so large, in a stratum or over all, were
	// labels not selected.
	Chance float64
}

const (
	// selectedLabels of either kind must be in a stratum that is compared.
	selectedLabels = 20
	// alikeChance is the chance from which on nothing counts as found, differsChance
	// the one below which labels count as selected. Between the two it is left open.
	alikeChance, differsChance = 0.05, 0.001
)

// Differs reports that labels are selected.
func (s Selection) Differs() bool { return s.State == metric.OK && s.Chance < differsChance }

// Alike reports that enough labels were compared, and nothing was found.
func (s Selection) Alike() bool { return s.State == metric.OK && s.Chance >= alikeChance }

// Selected compares labelled events. Within a stratum, early and late ones must be
// off their expectation alike: that is what an estimate assumes which lets early
// labels stand for those that are not in. Strata are looked at one by one and all
// together (Bonferroni). Strata whose labels all come early, or all late, tell
// nothing, and need not: there is nothing to choose from. Gaps within spread, the
// least error of a model from window to window (Config.Spread), are none.
func Selected(early, late []Event, spread float64) Selection {
	out := Selection{State: metric.Insufficient, Gap: math.NaN(), Interval: metric.Interval{Low: math.NaN(), High: math.NaN()}, Chance: 1}
	first, second := parts(early, Delayed), parts(late, Delayed)
	sum, weights, largest, looks := 0.0, 0.0, 0.0, 1.0
	for _, s := range sortedKeys(first) {
		a, b := first[s], second[s]
		if b == nil || a.known.Effective() < selectedLabels || b.known.Effective() < selectedLabels {
			continue
		}
		variance := a.meanNoise() + b.meanNoise() + spread*spread*b.expect()
		if !(variance > 0) {
			continue
		}
		gap := b.residual/b.known.Requests - a.residual/a.known.Requests
		largest = max(largest, math.Abs(gap)/math.Sqrt(variance))
		sum += gap / variance
		weights += 1 / variance
		looks++
		out.Early += int64(a.labels)
		out.Late += int64(b.labels)
	}
	if weights == 0 {
		return out
	}
	out.State, out.Gap = metric.OK, sum/weights
	half := z95 / math.Sqrt(weights)
	out.Interval = metric.Interval{Low: out.Gap - half, High: out.Gap + half}
	largest = max(largest, math.Abs(sum)/math.Sqrt(weights))
	out.Chance = min(1, looks*math.Erfc(largest/math.Sqrt2))
	return out
}

// meanNoise is the variance of the mean residual of labelled events, as the model
// expects it.
func (p *part) meanNoise() float64 {
	return p.known.Squares * p.expectSum() / (p.known.Requests * p.known.Requests)
}

// Says tells it to people; early is how long an early label took at most.
func (s Selection) Says(early string) string {
	gap := fmt.Sprintf("those that took longer than %s differ by %+.3g (%+.3g to %+.3g)", early, s.Gap, s.Low, s.High)
	switch {
	case s.State != metric.OK:
		return fmt.Sprintf("too few labels took less than %s, or longer, to tell whether those that come sooner say something else", early)
	case s.Differs():
		return "labels come the sooner for what they say: " + gap
	case s.Alike():
		return "labels that come sooner say nothing else, as far as past ones tell: " + gap
	}
	return "labels may come the sooner for what they say: " + gap
}
