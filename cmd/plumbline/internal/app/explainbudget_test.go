package app

import (
	"math"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/testenv"
)

// The budget of a period is told from what was counted in it, and not at all
// where the beginning of the period is not known.
func TestWhatIsLeftOfABudget(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	conn, end, day := env.DB.Conn(), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), 24*time.Hour
	quality := plumbline.SLO{Name: "right", Model: "fare", Period: 10 * day}
	latency := plumbline.SLO{Name: "fast", Model: "fare", Period: 10 * day, SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lt", Value: 200}}
	exec := func(query string, args ...any) {
		t.Helper()
		if err := conn.Exec(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, ago := range []time.Duration{11 * day, 10*day - time.Hour, 5 * day, time.Hour} {
		exec("INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, version) VALUES ('fare', 'd', 'production', '', ?, ?, 100, 96, 100, 1)", end.Add(-ago), end)
		exec("INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, version) VALUES ('fare', 'd', 'shadow', '', ?, ?, 100, 0, 100, 1)", end.Add(-ago), end)
	}
	for _, ago := range []time.Duration{5 * day, time.Hour} {
		exec("INSERT INTO sli (sli, model, deploy_hash, time, good, total, rows, version) VALUES (?, 'fare', 'd', ?, 99, 100, 100, 1)", string(latency.SLIID()), end.Add(-ago))
	}
	for name, c := range map[string]struct {
		slo  func(plumbline.SLO) plumbline.SLO
		of   plumbline.SLO
		had  []alerting.WindowShare
		want float64 // below 0 is nothing told
	}{
		"quality":               {nil, quality, nil, 0.04},
		"another deploy":        {func(s plumbline.SLO) plumbline.SLO { s.Deploy = "x"; return s }, quality, nil, -1},
		"half of it is unknown": {nil, latency, nil, -1},
		"counted":               {func(s plumbline.SLO) plumbline.SLO { s.Period = 5 * day; return s }, latency, nil, 0.01},
		"a finding goes before": {nil, quality, []alerting.WindowShare{{Window: "10d", Bad: 0.5}}, 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			slo, out := c.of, alerting.Explanation{Windows: c.had}
			if c.slo != nil {
				slo = c.slo(slo)
			}
			if err := (explainer{conn: conn}).budget(t.Context(), slo, end, &out); err != nil {
				t.Fatal(err)
			}
			got := -1.0
			for _, w := range out.Windows {
				if w.Window == plumbline.WindowName(slo.Period) {
					got = w.Bad
				}
			}
			if got != c.want || len(out.Windows) > 1 {
				t.Errorf("got %v, want %v", out.Windows, c.want)
			}
		})
	}
}

// Slices are judged with all of their deploys together, and a composite burns the
// budgets of its parts: against sums by hand.
func TestWhatIsLeftOfABudgetOfSlicesAndComposites(t *testing.T) {
	conn, end := testenv.Start(t, testenv.Setup{}).DB.Conn(), time.Date(2026, 11, 21, 12, 7, 0, 0, time.UTC)
	counted := func(name plumbline.SLOName, bound float64, change func(*plumbline.SLO)) plumbline.SLO {
		s := plumbline.SLO{Name: name, Model: "fare", Target: 0.9, Period: 10 * time.Hour, SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lt", Value: bound}}
		if change != nil {
			change(&s)
		}
		return s
	}
	hours := func(method plumbline.Budgeting) func(*plumbline.SLO) {
		return func(s *plumbline.SLO) { s.Budgeting, s.SliceWindow, s.SliceTarget = method, time.Hour, 0.95 }
	}
	steady := counted("steady", 100, func(s *plumbline.SLO) { s.Target = 0.8 })
	all := map[plumbline.SLOName]plumbline.SLO{
		"hours": counted("hours", 200, hours(plumbline.Timeslices)), "shares": counted("shares", 200, hours(plumbline.RatioTimeslices)),
		"young": counted("young", 300, hours(plumbline.Timeslices)), "steady": steady,
		"whole":   {Name: "whole", Model: "fare", Target: 0.85, Period: 10 * time.Hour, SLI: plumbline.SLI{Kind: plumbline.SLIComposite}, Parts: []plumbline.Part{{SLO: "hours", Weight: 3}, {SLO: "steady", Weight: 1}}},
		"unknown": {Name: "unknown", Model: "fare", Target: 0.85, Period: 10 * time.Hour, SLI: plumbline.SLI{Kind: plumbline.SLIComposite}, Parts: []plumbline.Part{{SLO: "hours", Weight: 3}, {SLO: "young", Weight: 1}}},
	}
	count := func(slo plumbline.SLO, deploy string, at time.Time, good, total int) {
		t.Helper()
		if err := conn.Exec(t.Context(), "INSERT INTO sli (sli, model, deploy_hash, time, good, total, rows, version) VALUES (?, 'fare', ?, ?, ?, ?, ?, 1)",
			string(slo.SLIID()), deploy, at, good, total, total); err != nil {
			t.Fatal(err)
		}
	}
	// Nine whole hours, from 3:00 to 12:00; what is before 3:00 is cut off, and what is
	// after 12:00 is not whole. One deploy is bad at 5:00, the other makes up for it at
	// 6:00; at 7:00 nothing came in.
	first := end.Truncate(time.Hour).Add(-9 * time.Hour)
	count(all["hours"], "a", first.Add(-30*time.Minute), 0, 100)
	count(all["hours"], "a", end.Add(-time.Minute), 0, 100)
	count(all["young"], "a", end.Add(-2*time.Hour), 100, 100)
	for h := range 9 {
		at := first.Add(time.Duration(h)*time.Hour + 59*time.Minute)
		good, other := 100, 300
		switch h {
		case 2:
			good, other = 0, 300 // 0.75 of 400
		case 3:
			good, other = 85, 300 // 0.9625 of 400
		case 4:
			continue
		}
		count(all["hours"], "a", at, good, 100)
		count(all["hours"], "b", at, other, 300)
		count(steady, "a", at, 95, 100)
	}
	count(steady, "a", end.Add(-10*time.Hour), 95, 100)
	for name, want := range map[plumbline.SLOName]float64{
		"hours":  1.0 / 8,
		"shares": (0.25 + 0.0375) / 8,
		"young":  -1,
		"steady": 0.05,
		// Burnt 1.25 times its budget, and 0.25 times: (3 x 1.25 + 0.25) / 4 = 1.
		"whole":   0.15,
		"unknown": -1,
	} {
		var out alerting.Explanation
		if err := (explainer{conn: conn, slos: all}).budget(t.Context(), all[name], end, &out); err != nil {
			t.Fatal(err)
		}
		got := -1.0
		if len(out.Windows) == 1 && out.Windows[0].Window == "10h" {
			got = out.Windows[0].Bad
		}
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, out.Windows, want)
		}
	}
}
