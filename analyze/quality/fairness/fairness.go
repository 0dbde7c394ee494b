package fairness

import (
	"fmt"
	"math"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Criterion names a notion of fairness.
type Criterion string

// The criteria, and what each compares.
const (
	// DemographicParity compares the share of predictions called positive. It
	// needs no labels (Dwork et al. 2012; Calders, Kamiran & Pechenizkiy 2009).
	DemographicParity Criterion = "demographic_parity"
	// EqualOpportunity compares the share of positives called positive (Hardt,
	// Price & Srebro 2016, definition 2.2).
	EqualOpportunity Criterion = "equal_opportunity"
	// FalsePositiveParity compares the share of negatives called positive, which
	// is the other half of equalised odds.
	FalsePositiveParity Criterion = "false_positive_parity"
	// EqualisedOdds is the larger of the two gaps of EqualOpportunity and
	// FalsePositiveParity (Hardt, Price & Srebro 2016, definition 2.1).
	EqualisedOdds Criterion = "equalised_odds"
	// PredictiveParity compares the share of those called positive that are
	// (Chouldechova 2017, definition 2).
	PredictiveParity Criterion = "predictive_parity"
)

// Criteria returns every criterion in the order of Compare.
func Criteria() []Criterion {
	return []Criterion{DemographicParity, EqualOpportunity, FalsePositiveParity, EqualisedOdds, PredictiveParity}
}

// Group is the predictions of one protected segment.
type Group struct {
	// Name is the segment's, as its owner declared it.
	Name string
	// Predictions and Called count all predictions, labelled or not.
	Predictions, Called int64
	// Labelled counts those whose label is in.
	Labelled metric.Confusion
	// Thinning is what a counted prediction is worth where the producer samples;
	// 0 means metric.Each.
	Thinning metric.Thinning
}

// Gap is one criterion between a group and the group it is compared with.
type Gap struct {
	Criterion   Criterion
	Group, With string
	// Share and WithShare are the two shares. For equalised odds they are those
	// of the half with the larger gap.
	Share, WithShare float64
	// Difference is Share - WithShare, in [-1, 1]; for equalised odds the one
	// further from 0. Its interval is simultaneous over both halves there.
	Difference metric.Value
	// AtOnce is between what the distance from 0 of Difference lies, of both halves for
	// equalised odds, at once with those of the other groups that are compared
	// (Bonferroni), so that the largest of them may be chosen after looking. NaN where
	// Difference is not ok.
	AtOnce metric.Interval
	// Ratio is Share / WithShare; 0.8 is the four-fifths rule of the US Uniform
	// Guidelines (1978). NaN where WithShare is 0.
	Ratio metric.Value
}

// rate is hits of n, each worth a thinning.
type rate struct {
	hits, n int64
	thin    float64
}

func (r rate) share() float64 {
	if r.n == 0 {
		return math.NaN()
	}
	return float64(r.hits) / float64(r.n)
}

// size is the effective number of events.
func (r rate) size() float64 { return float64(r.n) * r.thin }

func (c Criterion) rate(g Group) rate {
	l, thin := g.Labelled, float64(g.Thinning)
	if g.Thinning == 0 {
		thin = float64(metric.Each)
	}
	switch c {
	case DemographicParity:
		return rate{g.Called, g.Predictions, thin}
	case EqualOpportunity:
		return rate{l.TP, l.TP + l.FN, thin}
	case FalsePositiveParity:
		return rate{l.FP, l.FP + l.TN, thin}
	}
	return rate{l.TP, l.TP + l.FP, thin}
}

// Compare returns every criterion of a group against another, which so many groups
// are compared with, at least this one.
func Compare(group, with Group, groups int) ([]Gap, error) {
	for _, g := range []Group{group, with} {
		l := g.Labelled
		if min(g.Called, l.TP, l.FP, l.FN, l.TN) < 0 || g.Called > g.Predictions || l.Labelled() > g.Predictions {
			return nil, fmt.Errorf("compare group %q with %q: the counts of %q do not fit: %+v", group.Name, with.Name, g.Name, g)
		}
	}
	var out []Gap
	for _, c := range Criteria() {
		if c == EqualisedOdds {
			out = append(out, equalisedOdds(group, with, groups))
			continue
		}
		out = append(out, compare(c, group, with, 1, groups))
	}
	return out, nil
}

// leastGroup is the least number of events of either group behind a share.
const leastGroup = 20

// beyond is the normal quantile with which so many two-sided intervals hold at once
// at the level of one (Bonferroni).
func beyond(intervals int) float64 {
	return metric.NormalQuantile(1 - (1-metric.Level)/2/float64(max(intervals, 1)))
}

// equalisedOdds is the larger of two gaps. The interval of the larger holds
// simultaneously for both, so that choosing does not cost its level (Bonferroni).
func equalisedOdds(group, with Group, groups int) Gap {
	opportunity := compare(EqualOpportunity, group, with, 2, groups)
	alarm := compare(FalsePositiveParity, group, with, 2, groups)
	out := opportunity
	if opportunity.Difference.State == metric.OK && alarm.Difference.State == metric.OK {
		if math.Abs(alarm.Difference.Value) > math.Abs(opportunity.Difference.Value) {
			out = alarm
		}
		out.AtOnce = metric.Interval{Low: max(opportunity.AtOnce.Low, alarm.AtOnce.Low), High: max(opportunity.AtOnce.High, alarm.AtOnce.High)}
	} else if alarm.Difference.State != metric.OK {
		out = alarm // both halves are needed
	}
	out.Criterion = EqualisedOdds
	out.Difference.Metric, out.Ratio.Metric = id(EqualisedOdds, "difference"), id(EqualisedOdds, "ratio")
	return out
}

func id(c Criterion, kind string) metric.ID { return metric.ID(string(c) + "_" + kind) }

// compare has intervals that hold at once with those of all halves of a criterion.
func compare(c Criterion, group, with Group, halves, groups int) Gap {
	z, none := beyond(halves), metric.Interval{Low: math.NaN(), High: math.NaN()}
	a, b := c.rate(group), c.rate(with)
	out := Gap{Criterion: c, Group: group.Name, With: with.Name, Share: a.share(), WithShare: b.share(), AtOnce: none}
	labelled := group.Labelled.Labelled() + with.Labelled.Labelled()
	if c == DemographicParity {
		labelled = a.n + b.n
	}
	out.Difference = value(id(c, "difference"), a.share()-b.share(), labelled)
	out.Ratio = value(id(c, "ratio"), a.share()/b.share(), labelled)
	if min(a.n, b.n) == 0 {
		out.Difference.State, out.Ratio.State = metric.Missing, metric.Missing
		out.Difference.Why, out.Ratio.Why = "a group has no events", "a group has no events"
		return out
	}
	if min(a.size(), b.size())*(1+1e-12) < leastGroup {
		return out
	}
	out.Difference.Interval, out.Difference.State, out.Difference.Why = newcombe(a, b, z), metric.OK, ""
	out.AtOnce = distance(newcombe(a, b, beyond(halves*groups)))
	if math.IsNaN(out.Ratio.Value) || math.IsInf(out.Ratio.Value, 0) {
		out.Ratio.Value, out.Ratio.Why = math.NaN(), "the other group's share is 0"
		return out
	}
	out.Ratio.Interval, out.Ratio.State, out.Ratio.Why = ratioInterval(a, b, z), metric.OK, ""
	return out
}

func value(metricID metric.ID, v float64, labelled int64) metric.Value {
	return metric.Value{Metric: metricID, Value: v, Labelled: labelled, State: metric.Insufficient,
		Interval: metric.Interval{Low: math.NaN(), High: math.NaN()}, Why: "too few events in a group"}
}

// wilson is the score interval of a share at another level than 95 %.
func wilson(r rate, z float64) (low, high float64) {
	n, p := r.size(), r.share()
	centre := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(centre-half, 0), min(centre+half, 1)
}

// newcombe is the hybrid score interval of a difference of shares (Newcombe 1998,
// method 10), which holds its level where shares are near 0 or 1.
func newcombe(a, b rate, z float64) metric.Interval {
	lowA, highA := wilson(a, z)
	lowB, highB := wilson(b, z)
	p, q := a.share(), b.share()
	return metric.Interval{
		Low:  p - q - math.Hypot(p-lowA, highB-q),
		High: p - q + math.Hypot(highA-p, q-lowB),
	}
}

// distance is between what the distance from 0 lies of what lies within an interval.
func distance(i metric.Interval) metric.Interval {
	return metric.Interval{Low: max(i.Low, -i.High, 0), High: max(-i.Low, i.High)}
}

// ratioInterval is the interval of a ratio of shares on the log scale (Katz et al.
// 1978), with half an event added on every side, so that no hits have an upper
// end (Walter 1975).
func ratioInterval(a, b rate, z float64) metric.Interval {
	ha, na, hb, nb := float64(a.hits)*a.thin+0.5, a.size()+0.5, float64(b.hits)*b.thin+0.5, b.size()+0.5
	centre := math.Log(ha / na * nb / hb)
	half := z * math.Sqrt(max(1/ha-1/na+1/hb-1/nb, 0))
	i := metric.Interval{Low: math.Exp(centre - half), High: math.Exp(centre + half)}
	if a.hits == 0 {
		i.Low = 0
	}
	return i
}
