package ask

import (
	"math"
	"slices"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/fairness"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Of a model that decides itself who gets a label there are bounds of the accuracy
// and no number that rests on labels.
func decidedByTheModel(t *testing.T, asker *Asker, world []prediction) {
	d := fraud()
	d.Partial = true
	deciding := &Asker{conn: asker.conn, reads: asker.reads, declared: map[plumbline.Model]Declaration{"loan": d}, now: asker.now}
	all, truths, requests := chosen(world, far, func(prediction) bool { return true })
	var right, labelled int64
	for i, p := range all {
		labelled += int64(p.weight)
		if truths[i] == p.predicted {
			right += int64(p.weight)
		}
	}
	answer, err := deciding.Ask(t.Context(), Question{Model: "loan", From: begin, To: end, Fairness: true, Expression: "avg(score)", Why: &Since{From: begin, To: begin.Add(day / 24)}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range answer.Parts[0].Values {
		if !math.IsNaN(v.Value.Value) || v.State == metric.OK || v.Why == "" {
			t.Errorf("%+v is a number", v)
		}
		low, high := math.NaN(), math.NaN()
		if v.Metric == metric.Accuracy {
			low, high = float64(right)/float64(requests), float64(right+requests-labelled)/float64(requests)
		}
		if !near(v.Low, low) && !(math.IsNaN(v.Low) && math.IsNaN(low)) || !near(v.High, high) && !(math.IsNaN(v.High) && math.IsNaN(high)) {
			t.Errorf("%s is between %g and %g, want %g and %g", v.Metric, v.Low, v.High, low, high)
		}
	}
	parities := 0
	for _, gap := range answer.Fairness[0].Gaps {
		if gap.Criterion == fairness.DemographicParity {
			parities++
		}
		if known := !math.IsNaN(gap.Difference.Value); known != (gap.Criterion == fairness.DemographicParity) {
			t.Errorf("%+v", gap)
		}
	}
	if parities == 0 || answer.Why != nil || len(answer.Notes) == 0 || answer.Parts[0].Matrix != nil || slices.Contains(answer.Notes, randomShare) {
		t.Errorf("%d parities, %+v, notes %v", parities, answer.Why, answer.Notes)
	}
}
