package app

import (
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
		"quality":                {nil, quality, nil, 0.04},
		"another deploy":         {func(s plumbline.SLO) plumbline.SLO { s.Deploy = "x"; return s }, quality, nil, -1},
		"half of it is unknown":  {nil, latency, nil, -1},
		"counted":                {func(s plumbline.SLO) plumbline.SLO { s.Period = 5 * day; return s }, latency, nil, 0.01},
		"by slices":              {func(s plumbline.SLO) plumbline.SLO { s.Budgeting = plumbline.Timeslices; return s }, quality, nil, -1},
		"a finding goes before":  {nil, quality, []alerting.WindowShare{{Window: "10d", Bad: 0.5}}, 0.5},
		"a composite has no own": {func(s plumbline.SLO) plumbline.SLO { s.SLI.Kind = plumbline.SLIComposite; return s }, quality, nil, -1},
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
