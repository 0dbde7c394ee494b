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

// Period is labelled events of one period, parted by how long their labels took.
type Period struct{ Early, Late []Event }

// Selected compares labels. Within a stratum and period, early and late ones must be
// off their expectation alike: that is what an estimate assumes which lets early
// labels stand for those that are not in. By period, for a model that became worse
// while its labels became quicker shows nothing but that. Strata are looked at one by
// one and all together (Bonferroni). Those whose labels all come early, or all late,
// tell nothing, and need not: there is nothing to choose from. Gaps within spread,
// the least error of a model from window to window (Config.Spread), are none.
func Selected(periods []Period, spread float64) Selection {
	out := Selection{State: metric.Insufficient, Gap: math.NaN(), Interval: metric.Interval{Low: math.NaN(), High: math.NaN()}, Chance: 1}
	strata := map[Stratum]*gaps{}
	for _, p := range periods {
		first, second := parts(p.Early, Delayed), parts(p.Late, Delayed)
		for _, s := range sortedKeys(first) {
			if second[s] == nil {
				continue
			}
			if strata[s] == nil {
				strata[s] = &gaps{}
			}
			strata[s].add(first[s], second[s])
		}
	}
	sum, weights, largest, looks := 0.0, 0.0, 0.0, 1.0
	for _, s := range sortedKeys(strata) {
		d := strata[s]
		if d.weights == 0 || d.early.Effective() < selectedLabels || d.late.Effective() < selectedLabels {
			continue
		}
		gap, variance := d.sum/d.weights, 1/d.weights+spread*spread*d.expected/d.weights
		largest = max(largest, math.Abs(gap)/math.Sqrt(variance))
		sum += gap / variance
		weights += 1 / variance
		looks++
		out.Early += d.earlyLabels
		out.Late += d.lateLabels
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

// gaps sums, over the periods of a stratum, the mean residual of late labels
// less that of early ones, each weighed by the inverse of its variance, and the
// variance of one residual weighed alike.
type gaps struct {
	sum, weights, expected  float64
	early, late             Weight
	earlyLabels, lateLabels int64
}

func (d *gaps) add(early, late *part) {
	variance := early.meanNoise() + late.meanNoise()
	if !(variance > 0) {
		return
	}
	d.sum += (late.residual/late.known.Requests - early.residual/early.known.Requests) / variance
	d.weights += 1 / variance
	d.expected += late.expect() / variance
	d.early.Add(early.known)
	d.late.Add(late.known)
	d.earlyLabels += int64(early.labels)
	d.lateLabels += int64(late.labels)
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
