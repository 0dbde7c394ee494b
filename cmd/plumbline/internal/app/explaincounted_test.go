package app

import (
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/testenv"
)

// A new deploy answers late: what an SLO on latency counted says so by deploy,
// before and after, on the engine.
func TestWhatACountedSLOLost(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	end := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	slo := plumbline.SLO{Name: "fast", Model: "fare", SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lt", Value: 200}}
	conn := env.DB.Conn()
	insert := func(sli plumbline.SLIID, deploy string, at time.Time, good, total uint64) {
		t.Helper()
		if err := conn.Exec(t.Context(), "INSERT INTO sli (sli, model, deploy_hash, time, good, total, rows, version) VALUES (?, 'fare', ?, ?, ?, ?, ?, 1)",
			string(sli), deploy, at, good, total, total); err != nil {
			t.Fatal(err)
		}
	}
	insert(slo.SLIID(), "old", end.Add(-30*time.Hour), 990, 1000)
	insert(slo.SLIID(), "old", end.Add(-8*24*time.Hour), 0, 1000) // too long ago
	insert(slo.SLIID(), "old", end.Add(-30*time.Minute), 495, 500)
	insert(slo.SLIID(), "new", end.Add(-20*time.Minute), 300, 500)
	insert(slo.SLIID(), "new", end, 0, 500) // after the window
	insert("another", "new", end.Add(-20*time.Minute), 0, 500)

	x := explainer{conn: conn}
	var out alerting.Explanation
	lines, err := x.counted(t.Context(), alerting.Question{Model: "fare", Window: 6 * time.Hour}, slo, end, &out)
	if err != nil {
		t.Fatal(err)
	}
	// 99 % of 1,000 before, 79.5 % of 1,000 now. By Kitagawa's formula the new
	// deploy adds 0.5 x (0.6 - 0.8925), three quarters of it; the old one adds the
	// rest by having less of the traffic, as it was good, which explains nothing.
	want := alerting.QualityChange{Measure: "good events (latency)", Before: 0.99, After: 0.795, BeforeWhat: "the 7 days before", AfterWhat: "the last 6h"}
	if out.Quality == nil || *out.Quality != want {
		t.Errorf("quality %+v, want %+v", out.Quality, want)
	}
	if want := []string{`deploy "new", which is new, carries 75 % of the drop in good events with 50 % of the events`}; !slices.Equal(lines, want) {
		t.Errorf("lines %q, want %q", lines, want)
	}
	out = alerting.Explanation{}
	if lines, err := x.counted(t.Context(), alerting.Question{Model: "nobody"}, slo, end, &out); err != nil || lines != nil || out.Quality != nil {
		t.Errorf("of nothing: %q, %+v, %v", lines, out.Quality, err)
	}
}

// What burns of a composite is said by part, as it was found last of the deploy and
// the window that fired.
func TestWhichPartOfACompositeBurns(t *testing.T) {
	db, now := testenv.Start(t, testenv.Setup{Storage: testenv.KeepAll}).DB, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	row := func(part string, bad float64, deploy, window string, at time.Time) map[string]any {
		return map[string]any{"signal": "burn", "measure": "bad_share_of_part", "model": "fare", "deploy_hash": deploy, "stage": "production", "slo": "whole",
			"reference": part, "window": window, "value": bad, "verdict": "breach", "at": at.UnixMilli()}
	}
	testenv.Insert(t, db, "findings", []map[string]any{
		row("fast", 0.06, "a", "6h", now.Add(-time.Minute)), row("steady", 0.02, "a", "6h", now.Add(-time.Minute)), row("answered", 0, "a", "6h", now.Add(-time.Minute)),
		row("fast", 0.5, "a", "6h", now.Add(-6*time.Minute)), row("steady", 0.5, "b", "6h", now), row("steady", 0.5, "a", "1h", now), row("steady", 0.5, "a", "6h", now.Add(time.Minute)),
	})
	lines, err := explainer{conn: db.Conn()}.parts(t.Context(), alerting.Question{Model: "fare", Deploy: "a", SLO: "whole", Window: 6 * time.Hour, Now: now})
	if want := []string{"part fast carries 75 % of the burn", "part steady carries 25 % of the burn"}; err != nil || !slices.Equal(lines, want) {
		t.Errorf("%q, %v, want %q", lines, err, want)
	}
}

// Why nothing is known of an SLO is told as its newest findings say it, and no longer when
// something is.
func TestHowAStatementFailedIsTold(t *testing.T) {
	db, now := testenv.Start(t, testenv.Setup{Storage: testenv.KeepAll}).DB, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	row := func(slo, window, verdict, assumes string, value any, at time.Time) map[string]any {
		return map[string]any{"signal": "burn", "measure": "bad_share", "model": "fare", "stage": "production", "slo": slo,
			"window": window, "value": value, "verdict": verdict, "assumes": assumes, "at": at.UnixMilli(), "window_end": at.UnixMilli()}
	}
	const missing, mistyped = plumbline.VerdictMissing, plumbline.AssumesUncounted + "unknown column"
	testenv.Insert(t, db, "findings", []map[string]any{
		row("fails", "1h", plumbline.VerdictOK, "", 0.1, now.Add(-20*time.Minute)),
		row("fails", "1h", missing, plumbline.AssumesUncounted+"before", "nan", now.Add(-2*time.Minute)),
		row("fails", "5m", missing, plumbline.AssumesElsewhere, "nan", now.Add(-time.Minute)), row("fails", "1h", missing, mistyped, "nan", now.Add(-time.Minute)),
		row("failed", "1h", missing, mistyped, "nan", now.Add(-2*time.Minute)), row("failed", "1h", missing, "", "nan", now.Add(-time.Minute)),
		row("counted", "1h", plumbline.VerdictOK, mistyped, 0.1, now.Add(-time.Minute)),
	})
	x := explainer{conn: db.Conn()}
	for slo, want := range map[plumbline.SLOName]string{"fails": mistyped, "failed": "", "counted": "", "nobody's": ""} {
		var out alerting.Explanation
		if _, err := x.loss(t.Context(), alerting.Question{Model: "fare", SLO: slo, Now: now}, &out); err != nil || out.Unknown != want {
			t.Errorf("of SLO %s %q is said, want %q: %v", slo, out.Unknown, want, err)
		}
	}
}
