package ask

import (
	"math"
	"slices"

	"github.com/plumbline-slo/plumbline/analyze/quality/fairness"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

const (
	// decidesItself is why there is no number under partial feedback.
	decidesItself = "the model itself decides which predictions ever get a label, so that those say nothing of the others"
	// bounded is said where there are bounds instead.
	bounded = decidesItself + ": the interval reaches from all of the others wrong to all of them right, without what chance adds"
)

// withhold takes back what labels alone say of a model that decides itself who ever
// gets one: never a point, for the others may be anything. Accuracy has the bounds
// between which it is, whatever they are (Manski 1989, "Anatomy of the selection
// problem", section 2). Labelled ones that the share was not counted from, for their
// rows have expired, may be anything, too. Demographic parity needs no label and stays.
func (a *Answer) withhold(q Question) {
	for at := range a.Parts {
		p := &a.Parts[at]
		p.Matrix = nil // a point is one division away
		for i := range p.Values {
			v := &p.Values[i]
			low, high := math.NaN(), math.NaN()
			if share := v.Value.Value; v.Metric == metric.Accuracy && !math.IsNaN(share) && p.Requests >= max(p.Labelled, v.Labelled) && v.Labelled > 0 {
				right, all := share*float64(v.Labelled), float64(p.Requests)
				low, high = right/all, (right+all-float64(v.Labelled))/all
			}
			withheld(&v.Value, low, high)
			v.Bound = 0
		}
	}
	for _, g := range a.Fairness {
		for i := range g.Gaps {
			if gap := &g.Gaps[i]; gap.Criterion != fairness.DemographicParity {
				gap.Share, gap.WithShare = math.NaN(), math.NaN()
				withheld(&gap.Difference, math.NaN(), math.NaN())
				withheld(&gap.Ratio, math.NaN(), math.NaN())
			}
		}
	}
	a.Notes = slices.DeleteFunc(a.Notes, func(note string) bool { return note == randomShare })
	if q.Why != nil {
		a.Notes = append(a.Notes, "a change is not taken apart: "+decidesItself)
	}
}

// withheld leaves of a value the bounds that are known, if any.
func withheld(v *metric.Value, low, high float64) {
	v.Value, v.Interval = math.NaN(), metric.Interval{Low: low, High: high}
	if v.State == metric.Missing {
		return
	}
	v.State, v.Why = metric.Insufficient, decidesItself
	if !math.IsNaN(low) {
		v.Why = bounded
	}
}
