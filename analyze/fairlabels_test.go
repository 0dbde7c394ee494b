package analyze

import (
	"math/rand/v2"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
)

// Of a model that is right seven times of ten and calls nothing fraud, frauds are
// known within three hours and the rest after two days. By the labels that are in,
// it is always wrong, and a third of all is enough by its SLO: it is paged for
// nothing but how its labels come, unless they are waited for.
func TestLabelsThatComeForWhatTheySayPageNobody(t *testing.T) {
	db := startDB(t)
	r := rand.New(rand.NewPCG(81, 81))
	all := lateWorld(r, now.Truncate(time.Hour).Add(-14*day), now, 60)
	for i, p := range all {
		p.score, p.predicted, p.truth = 0.2+0.2*r.Float64(), "no", "no"
		p.known = p.at.Add(time.Duration(40*60+r.IntN(8*60)) * time.Minute)
		if r.Float64() < p.score {
			p.truth, p.known = "yes", p.at.Add(time.Duration(r.IntN(180))*time.Minute)
		}
		all[i] = p
	}
	storeLate(t, db, "m", all, now)
	o := lateObjective()
	o.SLO.Target, o.SLO.MinCoverage = 0.6, 0.2
	runner := newRunner(t, db, o)
	models, err := serving(t.Context(), db.Conn(), "m", now)
	if err != nil {
		t.Fatal(err)
	}
	verdicts := func() (out []string, ends []time.Time) {
		findings, err := runner.lookBurn(t.Context(), o, models[0])
		if err != nil || len(findings) == 0 {
			t.Fatal(findings, err)
		}
		for _, f := range findings {
			out, ends = append(out, f.Verdict), append(ends, f.WindowEnd)
		}
		return out, ends
	}
	// Nothing is counted yet, so that nothing is known of how labels come.
	if got, _ := verdicts(); got[0] != plumbline.VerdictBreach {
		t.Fatalf("labels that are selected show no burn: %v", got)
	}
	countAll(t, runner, db, "m")
	got, ends := verdicts()
	for i, verdict := range got {
		if verdict != plumbline.VerdictOK || ends[i].After(now.Add(-40*time.Hour)) {
			t.Errorf("%s by the labels of a window that ends at %s", verdict, ends[i])
		}
	}
	pages := 0
	past := NewPastNowcasts(DefaultConfig(), db, []plumbline.Objective{o})
	if err := runner.Burn().Replay(t.Context(), o, past, now.Add(-2*day), now, func(c burn.Replayed) {
		if c.Clock == plumbline.ClockMatured && c.Fires {
			pages++
		}
	}, func(float64) {}); err != nil || pages > 0 {
		t.Errorf("%d pages and tickets by labels are replayed: %v", pages, err)
	}
	if same, err := newFairLabels(DefaultConfig(), db).objective(t.Context(), objective(evil), now); err != nil || same.SLO.MinCoverage != objective(evil).SLO.MinCoverage {
		t.Errorf("of a model that nobody counted: %+v, %v", same.SLO, err)
	}
}
