package analyze

import (
	"math"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/testenv"
)

// What is left of a budget is told of a period that was seen, told with a warning of one
// that was not, and missing where nothing was counted; that is never a whole budget.
func TestBudgetsLeft(t *testing.T) {
	db := testenv.Start(t, testenv.Setup{}).DB
	counted := func(name plumbline.SLOName, bound float64) plumbline.SLO {
		return plumbline.SLO{Name: name, Model: "fare", Target: 0.9, Period: 10 * day, SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lt", Value: bound}}
	}
	whole, spent, young, silent := counted("whole", 1), counted("spent", 2), counted("young", 3), counted("silent", 4)
	promql := counted("promql", 5)
	promql.SLI = plumbline.SLI{Kind: plumbline.SLIPromQL, Bad: "bad", Total: "all"}
	month := counted("month", 1)
	month.Period, month.Calendar = 30*day, &plumbline.Calendar{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Months: 1}
	partial := plumbline.SLO{Name: "partial", Model: "loans", Target: 0.9, Period: 10 * day}
	for _, c := range []struct {
		slo  plumbline.SLO
		ago  time.Duration
		good int
	}{{whole, 10*day - time.Hour, 95}, {whole, time.Hour, 97}, {spent, 10*day - time.Hour, 80}, {young, day, 100}, {promql, 10*day - time.Hour, 95}} {
		if err := db.Conn().Exec(t.Context(), "INSERT INTO sli (sli, model, deploy_hash, time, good, total, rows, version) VALUES (?, 'fare', 'd', ?, ?, 100, 100, 1)",
			string(c.slo.SLIID()), now.Add(-c.ago), c.good); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Conn().Exec(t.Context(), "INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, version) VALUES ('loans', 'd', 'production', '', ?, ?, 100, 100, 100, 1)",
		now.Add(-10*day), now); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Models = map[plumbline.Model]ModelConfig{"loans": {Feedback: Feedback{Kind: FeedbackPartial}}}
	var objectives []plumbline.Objective
	for _, slo := range []plumbline.SLO{whole, spent, young, silent, promql, month, partial} {
		objectives = append(objectives, plumbline.Objective{SLO: slo})
	}
	r, err := New(cfg, Dependencies{DB: db, Objectives: objectives})
	if err != nil {
		t.Fatal(err)
	}
	r.now = func() time.Time { return now }
	got := map[plumbline.SLOName]Finding{}
	if err := r.lookBudgets(t.Context(), now, func(all []Finding) error {
		for _, f := range all {
			got[f.SLO] = f
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[plumbline.SLOName]struct {
		left    float64
		verdict string
		window  string
		count   uint64
		says    string
	}{
		"whole":   {0.6, plumbline.VerdictOK, "10d", 200, assumesBudgetOfEvents},
		"spent":   {-1, plumbline.VerdictBreach, "10d", 100, assumesBudgetOfEvents},
		"young":   {1, plumbline.VerdictInsufficient, "10d", 100, "nothing was counted before 2026-05-13T18:20:00Z, of a period from 2026-05-04T18:20:00Z on"},
		"silent":  {math.NaN(), plumbline.VerdictMissing, "10d", 0, assumesBudgetOfEvents},
		"promql":  {0.5, plumbline.VerdictOK, "10d", 0, assumesBudgetOfEvents},
		"month":   {0.6, plumbline.VerdictInsufficient, "1M", 200, "nothing was counted before 2026-05-04"},
		"partial": {math.NaN(), plumbline.VerdictInsufficient, "10d", 100, "the model itself decides"},
	} {
		f := got[name]
		if same := math.Abs(f.Value-want.left) < 1e-9 || math.IsNaN(f.Value) && math.IsNaN(want.left); !same || f.Verdict != want.verdict || f.text("window") != want.window || f.Count != want.count || !strings.Contains(f.Assumes, want.says) {
			t.Errorf("%s: %+v, want %+v", name, f, want)
		}
	}
}

// However long a look takes, rules do not lose sight of what the one before found.
func TestPauseBetweenBudgets(t *testing.T) {
	r := Runner{cfg: DefaultConfig()}
	for took, want := range map[time.Duration]time.Duration{
		time.Second:      2*time.Minute - time.Second,
		20 * time.Second: 3 * time.Minute,
		time.Minute:      mostPause - time.Minute,
		10 * time.Minute: 0,
	} {
		if got := r.pauseBudgets(took); got != want {
			t.Errorf("%s after %s, want %s", got, took, want)
		}
	}
}
