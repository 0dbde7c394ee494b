package app

import (
	"fmt"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/analyze"
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

// The windows of an SLO say of how many requests they are, as they are counted and written:
// of a producer that samples, of those that its deliveries stand for; of a window that had
// none, and of an SLO that nobody declares, of how many is not said.
func TestOfHowManyEventsAWindowIs(t *testing.T) {
	db, now := testenv.Start(t, testenv.Setup{Storage: testenv.KeepAll}).DB, time.Now()
	offset := 0
	answered := func(model, status string, ago time.Duration, weight float64) {
		at := now.Add(-ago).UnixMilli()
		testenv.Insert(t, db, "predictions", []map[string]any{{"model": model, "deploy_hash": "a", "stage": "production", "prediction_id": fmt.Sprint(offset), "status": status,
			"weight": weight, "ts": at, "known": at, "_topic": "t", "_epoch": "e", "_offset": offset}})
		testenv.Insert(t, db, "batches", []map[string]any{{"topic": "t", "epoch": "e", "first": offset, "last": offset, "table": "predictions", "rows": 1, "events": 1,
			"known_min": at, "known_max": at, "ts_min": at, "ts_max": at, "stored": at}})
		offset++
	}
	for i := range 100 {
		status := "ok"
		if i%5 == 0 {
			status = "timeout"
		}
		answered("sampled", status, time.Duration(i)*30*time.Second, 10)
	}
	answered("quiet", "timeout", 40*time.Minute, 1)
	slos := make(map[plumbline.SLOName]plumbline.SLO)
	var objectives []plumbline.Objective
	for _, model := range []plumbline.Model{"sampled", "quiet"} {
		slo := plumbline.SLO{Name: plumbline.SLOName(model), Model: model, Target: 0.99, Period: 28 * 24 * time.Hour, SLI: plumbline.SLI{Kind: plumbline.SLISuccess}}
		slos[slo.Name] = slo
		objectives = append(objectives, plumbline.Objective{SLO: slo, Pairs: []plumbline.WindowPair{{Severity: plumbline.SeverityPage, Long: time.Hour, Short: 5 * time.Minute, Factor: 2}}})
	}
	runner, err := analyze.New(analyze.DefaultConfig(), analyze.Dependencies{DB: db, Objectives: objectives})
	if err != nil {
		t.Fatal(err)
	}
	x := explainer{conn: db.Conn(), slos: slos}
	windows := func(slo plumbline.SLOName) map[string]alerting.WindowShare {
		var out alerting.Explanation
		if _, err := x.windows(t.Context(), alerting.Question{Model: plumbline.Model(slo), Deploy: "a", SLO: slo, Now: time.Now()}, &out); err != nil {
			t.Fatal(err)
		}
		byLength := make(map[string]alerting.WindowShare)
		for _, w := range out.Windows {
			byLength[w.Window] = w
		}
		return byLength
	}
	for until := now.Add(time.Minute); len(windows("sampled")) < 2 || len(windows("quiet")) < 2; {
		if _, err := runner.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(until) {
			t.Fatalf("after a minute: %+v, %+v", windows("sampled"), windows("quiet"))
		}
	}
	sampled, quiet := windows("sampled"), windows("quiet")
	if w := sampled["1h"]; w.Events != 1000 || w.Bad != 0.2 || w.What != "requests" {
		t.Errorf("%+v, want 200 of 1,000 requests", w)
	}
	if w := sampled["5m"]; w.Events < 70 || w.Events > 100 || w.Events%10 != 0 {
		t.Errorf("%+v, want of 7 to 10 deliveries that stand for 10 requests each", w)
	}
	if w := quiet["1h"]; w.Events != 1 || w.Bad != 1 {
		t.Errorf("%+v, want 1 of 1", w)
	}
	if w := quiet["5m"]; w.Events != 0 || w.Bad != 1 {
		t.Errorf("%+v of five minutes without an event", w)
	}
	alert := alerting.Alert{Labels: map[string]string{plumbline.LabelSeverity: plumbline.SeverityPage}, Annotations: map[string]string{plumbline.AnnotationWindows: "1h/5m"}}
	for slo, want := range map[plumbline.SLOName]int{"sampled": 2, "quiet": 1} {
		ex := alerting.Explanation{}
		for _, w := range windows(slo) {
			ex.Windows = append(ex.Windows, w)
		}
		counts := alerting.NewText([]alerting.Alert{alert}, plumbline.OwnerEntry{}, ex, nil, now).Counts
		if len(counts) != want || counts[0].Window != "1h" || slo == "sampled" && (counts[0].Bad != 200 || counts[0].All != 1000) {
			t.Errorf("%s: a page says %+v", slo, counts)
		}
	}
	x.slos = nil
	if w := windows("sampled")["1h"]; w.Events != 0 || w.Bad != 0.2 {
		t.Errorf("nobody declares it: %+v", w)
	}
}
