package ask

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/fairness"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/storage"
)

// decides is an asker to which the model decides itself who gets a label.
func decides(asker *Asker) *Asker {
	d := fraud()
	d.Partial = true
	return &Asker{conn: asker.conn, reads: asker.reads, declared: map[plumbline.Model]Declaration{"loan": d}, now: asker.now}
}

// Of a model that decides itself who gets a label there are bounds of the accuracy
// and no number that rests on labels.
func decidedByTheModel(t *testing.T, asker *Asker, world []prediction) {
	deciding := decides(asker)
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

// boundsOfWhatIsLeft: rows of labelled predictions have expired, too few for the
// rollups to be read, and all of them wrong. What they were is not known any more, so
// that they are among those that may be anything.
func boundsOfWhatIsLeft(t *testing.T, db *storage.DB, asker *Asker, world []prediction) {
	all, truths, requests := chosen(world, far, func(prediction) bool { return true })
	var right, labelled, gone int64
	for _, p := range all {
		labelled += int64(p.weight)
	}
	var ids []string
	for i, p := range all {
		if truths[i] == p.predicted {
			right += int64(p.weight)
		} else if more := gone + int64(p.weight); float64(more) < mostGone*float64(labelled) {
			gone, ids = more, append(ids, p.id)
		}
	}
	exec := func(ctx context.Context, statement string) {
		if err := db.Conn().Exec(ctx, statement, clickhouse.Named("ids", ids)); err != nil {
			t.Fatal(err)
		}
	}
	const those = " WHERE model = 'loan' AND prediction_id IN {ids:Array(String)}"
	exec(t.Context(), "CREATE TABLE expired AS outcomes")
	exec(t.Context(), "INSERT INTO expired SELECT * FROM outcomes"+those)
	exec(t.Context(), "ALTER TABLE outcomes DELETE"+those+" SETTINGS mutations_sync = 1")
	t.Cleanup(func() { exec(context.Background(), "INSERT INTO outcomes SELECT * FROM expired") })
	answer, err := decides(asker).Ask(t.Context(), Question{Model: "loan", From: begin, To: end, Metrics: []metric.ID{metric.Accuracy}})
	if err != nil {
		t.Fatal(err)
	}
	v, p := answer.Parts[0].Values[0], answer.Parts[0]
	low, high := float64(right)/float64(requests), float64(right+requests-labelled+gone)/float64(requests)
	if p.Labelled != labelled || float64(gone) < mostGone/2*float64(labelled) || !near(v.Low, low) || !near(v.High, high) {
		t.Errorf("%+v of %d labelled, want between %g and %g of %d, of which %d are gone", v, p.Labelled, low, high, labelled, gone)
	}
}
