package ask

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/cluster"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// declared is what is known of every model.
type declared struct{ effects cluster.Effects }

func (d declared) Effects(context.Context, plumbline.Model, plumbline.Stage, time.Time) (cluster.Effects, bool, error) {
	return d.effects, true, nil
}

// clustered: noise is as many times as wide as clusters make it, each measure in
// its own unit, the distance stays what it is, and the row says so. Where nothing
// is known of declared clusters no breach is claimed.
func clustered(t *testing.T, asker *Asker, q Question, plain Answer) {
	effects := cluster.Effects{Key: "user", Clusters: 1200, To: end, Size: 9, Series: map[plumbline.Series]cluster.Effect{"feature:amount": {Mean: 4, Worst: 9}}}
	answer, err := asker.Clustered(declared{effects}).Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for id, times := range map[measure.ID]float64{measure.ChiSquare: 4, measure.KS: 3} {
		before, now := plain.row(t, "feature:amount", "training", id), answer.row(t, "feature:amount", "training", id)
		if now.Value != before.Value || math.Abs(now.NullMean/before.NullMean-times) > .05*times || now.P < before.P {
			t.Errorf("%s: %v of noise %v, p %v; without clusters %v of %v, p %v", id, now.Value, now.NullMean, now.P, before.Value, before.NullMean, before.P)
		}
		if !strings.Contains(now.Assumption, "times as much as those of independent events; events of one user depend on each other as those of 1200 did on the day that ended") {
			t.Errorf("%s assumes %q", id, now.Assumption)
		}
	}
	if r := answer.row(t, "feature:kind", "training", measure.PSI); r.Design != effects.Size {
		t.Errorf("a series of which nothing is known is widened %v times", r.Design)
	}
	if text, err := json.Marshal(answer); err != nil || !strings.Contains(string(text), `"design_effect":9`) {
		t.Errorf("JSON has no design effect: %v", err)
	}
	unknown, err := asker.Clustered(declared{cluster.Effects{Key: "user", Size: 1}}).Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	breaches := 0
	for i, r := range unknown.Rows {
		if plain.Rows[i].Verdict == plumbline.VerdictBreach {
			breaches++
			if r.Verdict != plumbline.VerdictInsufficient || !strings.Contains(r.Why, "no raw rows tell by how much") {
				t.Errorf("%s by %s: %s, %s", r.Series, r.Measure, r.Verdict, r.Why)
			}
		}
	}
	if breaches == 0 {
		t.Error("no row in breach without clusters: nothing was tested")
	}
}
