package app

import (
	"math"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/testenv"
)

// A page of failing requests names their statuses, each with its share and its first
// minute, of the deploy and the window it is about.
func TestWithWhichStatusesRequestsFail(t *testing.T) {
	db, end := testenv.Start(t, testenv.Setup{Storage: testenv.KeepAll}).DB, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var rows []map[string]any
	insert := func(n int, status, deploy, half string, ago time.Duration, weight float64) {
		for range n {
			rows = append(rows, map[string]any{"model": "fare", "deploy_hash": deploy, "stage": "production", "prediction_id": status, "half": half,
				"ts": end.Add(-ago).UnixMilli(), "status": status, "weight": weight})
		}
	}
	insert(39, "ok", "a", "", 30*time.Minute, 2)
	insert(5, "timeout", "a", "response", 10*time.Minute, 2)
	insert(5, "timeout", "a", "", 25*time.Minute, 2)
	insert(2, "", "a", "", 5*time.Minute, 1)
	insert(9, "timeout", "a", "request", 10*time.Minute, 1)
	insert(9, "quota", "b", "", 10*time.Minute, 1)
	insert(9, "old", "a", "", 2*time.Hour, 1)
	insert(9, "late", "a", "", 0, 1)
	testenv.Insert(t, db, "predictions", rows)
	x, slo := explainer{conn: db.Conn()}, plumbline.SLO{Name: "answered", SLI: plumbline.SLI{Kind: plumbline.SLISuccess}}
	about := alerting.Question{Model: "fare", Deploy: "a", SLO: "answered", Window: 6 * time.Hour}
	got := x.failing(t.Context(), about, slo, end, []string{"deploy"})
	want := []string{`status "timeout" of 20 % of the requests in the last 1h, first at 11:35 UTC`, "no status of 2 % of the requests in the last 1h, first at 11:55 UTC", "deploy"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	latency := plumbline.SLO{SLI: plumbline.SLI{Kind: plumbline.SLILatency}}
	if got := x.failing(t.Context(), about, latency, end, nil); got != nil {
		t.Errorf("of latency: %q", got)
	}
}

// The windows of an SLO say of how many events of what they are.
func TestOfHowManyEventsAWindowIs(t *testing.T) {
	db, now := testenv.Start(t, testenv.Setup{Storage: testenv.KeepAll}).DB, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, slo := range []string{"answered", "undeclared"} {
		testenv.Insert(t, db, "findings", []map[string]any{{"signal": "burn", "measure": "bad_share", "model": "fare", "deploy_hash": "a", "stage": "production", "slo": slo,
			"window": "1h", "value": 0.159, "low": 0.138, "high": 0.183, "count": 1000, "verdict": "breach", "at": now.UnixMilli(), "window_end": now.UnixMilli()}})
	}
	x := explainer{conn: db.Conn(), slos: map[plumbline.SLOName]plumbline.SLO{"answered": {SLI: plumbline.SLI{Kind: plumbline.SLISuccess}}}}
	for slo, want := range map[plumbline.SLOName]alerting.WindowShare{
		"answered":   {Window: "1h", Bad: 0.159, Low: 0.138, High: 0.183, Events: 1000, What: "requests"},
		"undeclared": {Window: "1h", Bad: 0.159, Low: 0.138, High: 0.183},
	} {
		var out alerting.Explanation
		end, err := x.windows(t.Context(), alerting.Question{Model: "fare", Deploy: "a", SLO: slo, Now: now}, &out)
		if err != nil || !end.Equal(now) || len(out.Windows) != 1 || out.Windows[0] != want || math.IsNaN(out.Windows[0].Low) {
			t.Errorf("%s: %+v, %s, %v; want %+v", slo, out.Windows, end, err, want)
		}
	}
}
