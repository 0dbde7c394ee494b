package analyze

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/ledger"
	"github.com/plumbline-slo/plumbline/storage"
)

// alarmsWorld is three incidents and a drift: "right" fired when deploy v2 was
// wrong for three of ten, "false" when v1 was as good as ever, "young" of which
// few labels are in. The labels of a minute come six hours later.
var alarmsOpened = time.Date(2026, 5, 10, 12, 0, 0, 0, time.UTC)

func ledgerObjectives() []plumbline.Objective {
	return []plumbline.Objective{{SLO: plumbline.SLO{Name: "accuracy", Model: "m", Measure: plumbline.MeasureAccuracy, Target: 0.9}}}
}

func fillAlarms(t *testing.T, db *storage.DB, labelsUntil time.Time) {
	t.Helper()
	var minutes, cells []map[string]any
	for at := alarmsOpened.Add(-30 * time.Hour); at.Before(alarmsOpened.Add(4 * time.Hour)); at = at.Add(time.Minute) {
		deploy, correct := "v1", 9
		if !at.Before(alarmsOpened.Add(-2 * time.Hour)) {
			deploy, correct = "v2", 7
		}
		minutes = append(minutes, map[string]any{"model": "m", "deploy_hash": deploy, "stage": "production", "series": "requests", "time": at.Unix(), "count": 10})
		if known := at.Add(6 * time.Hour); known.Before(labelsUntil) {
			cells = append(cells, map[string]any{"model": "m", "deploy_hash": deploy, "stage": "production", "time": at.Unix(), "known": known.Truncate(time.Hour).Unix(),
				"labelled": 10, "correct": correct, "rows": 10, "version": 1})
		}
	}
	insert(t, db, "series_minute", minutes)
	insert(t, db, "outcome_cells", cells)
}

func fillIncidents(t *testing.T, db *storage.DB) {
	t.Helper()
	ms := func(d time.Duration) int64 { return alarmsOpened.Add(d).UnixMilli() }
	incident := func(id, deploy, slo string, opened, resolved int64) map[string]any {
		return map[string]any{"incident": id, "model": "m", "deploy_hash": deploy, "slo": slo, "severity": "page", "opened": opened, "resolved": resolved, "version": 1}
	}
	insert(t, db, "incidents", []map[string]any{
		incident("right", "v2", "accuracy", ms(0), ms(5*time.Hour)), incident("false", "v1", "accuracy", ms(-10*time.Hour), ms(-9*time.Hour)),
		incident("other", "v2", "latency", ms(0), 0), incident("service", "", "", ms(0), 0),
	})
	burn := func(deploy, window, verdict string, at, end int64) map[string]any {
		return map[string]any{"signal": "burn", "model": "m", "deploy_hash": deploy, "stage": "production", "slo": "accuracy", "window": window, "window_end": end,
			"measure": "bad_share", "verdict": verdict, "at": at}
	}
	drift := func(day int, verdict string) map[string]any {
		end := alarmsOpened.Truncate(24 * time.Hour).Add(time.Duration(day) * 24 * time.Hour)
		return map[string]any{"signal": "drift_alarm", "model": "m", "deploy_hash": "v2", "stage": "production", "feature": "distance", "reference": "training", "measure": "psi",
			"window": "1d", "window_end": end.UnixMilli(), "verdict": verdict, "at": end.Add(time.Hour).UnixMilli()}
	}
	insert(t, db, "findings", []map[string]any{
		burn("v2", "1h", "breach", ms(-time.Minute), ms(-10*time.Minute)), burn("v2", "5m", "breach", ms(-time.Minute), ms(-10*time.Minute)),
		burn("v2", "6h", "ok", ms(-time.Minute), ms(-10*time.Minute)), burn("v2", "1d", "breach", ms(time.Hour), ms(0)),
		burn("v1", "6h", "breach", ms(-10*time.Hour), ms(-10*time.Hour)),
		drift(-1, "ok"), drift(0, "ok"), drift(1, "breach"), drift(2, "ok"),
	})
	insert(t, db, "deployments", []map[string]any{
		{"model": "m", "deploy_hash": "v1", "stage": "production", "ts": ms(-30 * time.Hour)}, {"model": "m", "deploy_hash": "v2", "stage": "production", "ts": ms(-2 * time.Hour)},
		{"model": "m", "deploy_hash": "v1", "stage": "production", "ts": ms(20 * time.Hour)},
	})
}

type ledgerRow struct {
	truth, reason, rollback        string
	from, to, opened, matured, now time.Time
	quality, coverage, lead        float64
}

func ledgerRows(t *testing.T, db *storage.DB) map[string]ledgerRow {
	t.Helper()
	rows, err := db.Conn().Query(t.Context(), `SELECT if(kind = 'drift', 'drift', alarm), toString(truth), reason, toString(rollback_to), window_from, window_to, opened, matured, judged, quality, coverage, ifNull(lead_s, nan)
FROM ledger FINAL`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]ledgerRow{}
	for rows.Next() {
		var id string
		var r ledgerRow
		if err := rows.Scan(&id, &r.truth, &r.reason, &r.rollback, &r.from, &r.to, &r.opened, &r.matured, &r.now, &r.quality, &r.coverage, &r.lead); err != nil {
			t.Fatal(err)
		}
		all[id] = r
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// keepLedger makes a runner, as after a restart, and has it keep the ledger.
func keepLedger(t *testing.T, db *storage.DB, at time.Time) *Runner {
	t.Helper()
	r, err := New(DefaultConfig(), Dependencies{DB: db, Objectives: ledgerObjectives()})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.lookLedger(t.Context(), at, nil); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAlarmsAreJudgedOnceLabelsAreIn(t *testing.T) {
	db := startDB(t)
	fillIncidents(t, db)
	early := alarmsOpened.Add(5 * time.Hour)
	fillAlarms(t, db, early)
	keepLedger(t, db, early)
	got := ledgerRows(t, db)
	if r := got["right"]; r.truth != plumbline.TruthUndecided || !strings.Contains(r.reason, "labels are in") || !math.IsNaN(r.lead) {
		t.Errorf("before its labels are in: %+v", r)
	}
	// The window in breach is the hour that ended ten minutes before the alarm.
	if r := got["right"]; !r.from.Equal(alarmsOpened.Add(-70*time.Minute)) || !r.to.Equal(alarmsOpened.Add(-10*time.Minute)) {
		t.Errorf("the claim is about %s to %s", r.from, r.to)
	}
	if r := got["false"]; r.truth != plumbline.TruthFalse {
		t.Errorf("the labels of the false alarm are all in: %+v", r)
	}
	if _, ok := got["other"]; ok || len(got) != 3 {
		t.Errorf("%d alarms, want two incidents of the objective and the drift: %v", len(got), got)
	}

	late := alarmsOpened.Add(40 * time.Hour)
	if err := db.Conn().Exec(t.Context(), "TRUNCATE TABLE series_minute"); err != nil {
		t.Fatal(err)
	}
	fillAlarms(t, db, late)
	r := keepLedger(t, db, late)
	got = ledgerRows(t, db)
	// Brute force: the labels of minute m come in the hour of m + 6 h. Of 600 predictions
	// 61 must be wrong for a quality under 0.9 whatever the others are: 21 minutes have
	// more.
	matured := alarmsOpened.Add(-70*time.Minute + 20*time.Minute).Add(6 * time.Hour).Truncate(time.Hour).Add(time.Hour)
	if right := got["right"]; right.truth != plumbline.TruthTrue || right.quality != 0.7 || right.coverage != 1 || !right.matured.Equal(matured) ||
		right.lead != matured.Sub(alarmsOpened).Seconds() || right.rollback != "v1" {
		t.Errorf("%+v, want 0.7 of all, known at %s, and a rollback", right, matured)
	}
	if wrong := got["false"]; wrong.truth != plumbline.TruthFalse || wrong.quality != 0.9 || !math.IsNaN(wrong.lead) || wrong.rollback != "" {
		t.Errorf("%+v, want a false alarm", wrong)
	}
	// The day has traffic for 16 hours, 10 of them v1's. Of 9600 predictions 961 must be
	// wrong: 600 are v1's, and the last that it takes is of 12:00, known at 18:00.
	day := alarmsOpened.Truncate(24 * time.Hour)
	if drift := got["drift"]; drift.truth != plumbline.TruthTrue || drift.rollback != "v1" || !drift.opened.Equal(day.Add(25*time.Hour)) ||
		drift.quality != (600*0.9+360*0.7)/960 || !drift.matured.Equal(day.Add(19*time.Hour)) || drift.lead != -6*3600 {
		t.Errorf("%+v, want a drift that was right, six hours after the labels, and was followed by the rollback", drift)
	}

	// Looked at again nothing changes, and after a restart the same is written.
	if entries, err := r.ledger.look(t.Context(), late.Add(time.Hour)); err != nil || len(entries) != 0 {
		t.Errorf("another look of the same found %d entries, %v", len(entries), err)
	}
	keepLedger(t, db, late.Add(2*time.Hour))
	for id, again := range ledgerRows(t, db) {
		before := got[id]
		before.now, again.now = time.Time{}, time.Time{}
		if fmt.Sprint(before) != fmt.Sprint(again) {
			t.Errorf("%s after a restart is\n%+v, was\n%+v", id, again, before)
		}
	}
	checkLedgerViews(t, db)
}

func checkLedgerViews(t *testing.T, db *storage.DB) {
	t.Helper()
	for query, want := range map[string]string{
		"SELECT toString((alarms, was_right, was_wrong, undecided, precision, round(low, 4), round(high, 4))) FROM alarm_precision WHERE kind = 'quality'": "(2,1,1,0,0.5,0.0945,0.9055)", // statsmodels 0.14: proportion_confint(1, 2, method='wilson')
		"SELECT toString(groupArray((kind, lead_s))) FROM (SELECT kind, lead_s FROM alarm_lead ORDER BY kind)":                                             "[('drift',-21600),('quality',21600)]",
		"SELECT toString((drifts, rolled_back, ratio)) FROM drift_rollback":                                                                                "(1,1,1)",
	} {
		var got string
		if err := db.Conn().QueryRow(t.Context(), query).Scan(&got); err != nil || got != want {
			t.Errorf("%s\n%s, %v; want %s", query, got, err, want)
		}
	}
}

// A model without an objective of quality has no truth to be judged by.
func TestADriftWithoutAnObjectiveIsUndecided(t *testing.T) {
	db := startDB(t)
	fillIncidents(t, db)
	j := newLedgerKeeper(ledger.Reader{Conn: db.Conn()}, DefaultConfig(), nil)
	entries, err := j.look(t.Context(), alarmsOpened.Add(40*time.Hour))
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	if e := entries[0]; e.Kind != ledger.KindDrift || e.Truth != ledger.TruthUndecided || !strings.Contains(e.Reason, "no objective") || e.Promise.Made() {
		t.Errorf("%+v", e)
	}
}

// An incident of an objective of drift is a drift alarm: it is judged by the quality
// of its deploy in the windows that it stood on. The one of May 9 was false. That of
// May 10 and the detector's ticket of that day are the same drift, counted once.
func TestIncidentsOfDriftAreJudged(t *testing.T) {
	db := startDB(t)
	fillIncidents(t, db)
	fillAlarms(t, db, alarmsOpened.Add(40*time.Hour))
	ms := func(d time.Duration) int64 { return alarmsOpened.Add(d).UnixMilli() }
	var incidents, burns []map[string]any
	for id, of := range map[string]struct {
		deploy string
		opened time.Duration
	}{"moved": {"v2", time.Hour}, "cried": {"v1", -20 * time.Hour}} {
		incidents = append(incidents, map[string]any{"incident": id, "model": "m", "deploy_hash": of.deploy, "slo": "stable", "severity": "page",
			"opened": ms(of.opened), "resolved": ms(of.opened + 2*time.Hour), "version": 1})
		burns = append(burns, map[string]any{"signal": "burn", "model": "m", "deploy_hash": of.deploy, "stage": "production", "slo": "stable", "window": "1h",
			"window_end": ms(of.opened), "measure": "bad_share", "verdict": "breach", "at": ms(of.opened)})
	}
	insert(t, db, "incidents", incidents)
	insert(t, db, "findings", burns)
	stable := plumbline.SLO{Name: "stable", Model: "m", Measure: plumbline.MeasurePSI, Target: 0.99,
		SLI: plumbline.SLI{Kind: plumbline.SLIDrift, Signal: plumbline.SignalDrift, Measure: plumbline.MeasurePSI, Feature: "distance", Reference: plumbline.ReferenceTraining}}
	objectives := append(ledgerObjectives(), plumbline.Objective{SLO: stable})
	j := newLedgerKeeper(ledger.Reader{Conn: db.Conn()}, DefaultConfig(), objectives)
	entries, err := j.look(t.Context(), alarmsOpened.Add(40*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]ledger.Entry{}
	for _, e := range entries {
		got[e.ID] = e
	}
	if len(got) != 4 {
		t.Errorf("%d alarms, want two of quality and two of drift: %+v", len(got), got)
	}
	for id, truth := range map[string]ledger.Truth{"moved": ledger.TruthTrue, "cried": ledger.TruthFalse} {
		e := got[id]
		if e.Kind != ledger.KindDrift || e.Truth != truth || e.SLO != "accuracy" || e.Promise.Value != 0.9 || e.Requests != 600 || !e.To.Equal(e.Opened) || e.To.Sub(e.From) != time.Hour ||
			!strings.HasPrefix(e.Claim, "objective stable, psi of distance against training: ") || (e.Back.Deploy == "v1") != (id == "moved") {
			t.Errorf("%s is %+v, want a drift alarm of one hour that is %s by the accuracy", id, e, truth)
		}
	}

	j = newLedgerKeeper(ledger.Reader{Conn: db.Conn()}, DefaultConfig(), objectives[1:])
	entries, err = j.look(t.Context(), alarmsOpened.Add(40*time.Hour))
	if err != nil || len(entries) != 2 || entries[0].Truth != ledger.TruthUndecided || entries[0].SLO != "" {
		t.Errorf("without an objective of quality: %+v, %v; want two drifts that nothing judges", entries, err)
	}
}

// An incident of a composite is about the part that burnt most: of a drift it is
// judged as one, and of anything else not at all.
func TestIncidentsOfCompositesAreJudgedByTheirParts(t *testing.T) {
	db := startDB(t)
	fillAlarms(t, db, alarmsOpened.Add(40*time.Hour))
	var incidents, findings []map[string]any
	opened := alarmsOpened.Add(time.Hour)
	for id, parts := range map[string]map[string]float64{"drifted": {"stable": 0.3, "fast": 0.1}, "slow": {"stable": 0.1, "fast": 0.3}, "told by none": nil} {
		slo := "whole " + id
		incidents = append(incidents, map[string]any{"incident": id, "model": "m", "deploy_hash": "v2", "slo": slo, "severity": "page", "opened": opened.UnixMilli(), "resolved": 0, "version": 1})
		row := func(measure, part string, value float64) map[string]any {
			return map[string]any{"signal": "burn", "model": "m", "deploy_hash": "v2", "stage": "production", "slo": slo, "reference": part, "window": "1h",
				"window_end": opened.UnixMilli(), "measure": measure, "value": value, "verdict": "breach", "at": opened.UnixMilli()}
		}
		findings = append(findings, row("bad_share", "", 0.4))
		for part, bad := range parts {
			findings = append(findings, row("bad_share_of_part", part, bad))
		}
	}
	insert(t, db, "incidents", incidents)
	insert(t, db, "findings", findings)
	objectives := append(ledgerObjectives(),
		plumbline.Objective{SLO: plumbline.SLO{Name: "stable", Model: "m", PartOf: "whole", Target: 0.99,
			SLI: plumbline.SLI{Kind: plumbline.SLIDrift, Signal: plumbline.SignalDrift, Measure: plumbline.MeasurePSI, Feature: "distance", Reference: plumbline.ReferenceTraining}}},
		plumbline.Objective{SLO: plumbline.SLO{Name: "fast", Model: "m", PartOf: "whole", Target: 0.99, SLI: plumbline.SLI{Kind: plumbline.SLILatency}}})
	for _, i := range incidents {
		objectives = append(objectives, plumbline.Objective{SLO: plumbline.SLO{Name: plumbline.SLOName(i["slo"].(string)), Model: "m", Target: 0.99, SLI: plumbline.SLI{Kind: plumbline.SLIComposite},
			Parts: []plumbline.Part{{SLO: "stable", Weight: 1}, {SLO: "fast", Weight: 1}}}})
	}
	entries, err := newLedgerKeeper(ledger.Reader{Conn: db.Conn()}, DefaultConfig(), objectives).look(t.Context(), alarmsOpened.Add(40*time.Hour))
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d alarms, %v; want that of the drift alone: %+v", len(entries), err, entries)
	}
	if e := entries[0]; e.ID != "drifted" || e.Kind != ledger.KindDrift || e.Truth != ledger.TruthTrue || e.SLO != "accuracy" || e.Requests != 600 ||
		!strings.HasPrefix(e.Claim, "objective whole drifted, psi of distance against training: ") {
		t.Errorf("%+v, want a drift that was right by the accuracy", e)
	}
}
