package analyze

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/ledger"
	"github.com/plumbline-slo/plumbline/storage"
)

// conceptCase is a ticket of suspected concept drift of a model of its own, and what
// becomes of it. Labels denied scores until half a day before it opened.
type conceptCase struct {
	after   string  // what was promised of the day after that: accuracy, mae, or nothing
	correct int     // of ten predictions a minute of that day; -1 if it did not serve
	missing float64 // share of the day's minutes without labels
	unseen  bool    // nothing says what it stood on
	truth   ledger.Truth
	reason  string
}

func conceptCases() map[string]conceptCase {
	return map[string]conceptCase{
		"worse":   {after: "accuracy", correct: 7, truth: ledger.TruthTrue},
		"better":  {after: "accuracy", correct: 10, truth: ledger.TruthTrue},
		"chance":  {after: "accuracy", correct: 9, truth: ledger.TruthFalse},
		"young":   {after: "accuracy", correct: 9, missing: 0.5, truth: ledger.TruthUndecided, reason: "51 % of the labels are in, 90 % are needed: the others could make it either, 0.4562 to 0.9493 against 0.88 to 0.92"},
		"sure":    {after: "accuracy", correct: 5, missing: 0.5, truth: ledger.TruthTrue, reason: "7100 of 14400 labels are missing and cannot change it: whatever they say, it is 0.2535 to 0.7465 against 0.88 to 0.92"},
		"silent":  {after: "accuracy", correct: 5, missing: 1, truth: ledger.TruthUndecided, reason: "0 labels are in"},
		"gone":    {correct: -1, truth: ledger.TruthUndecided, reason: "nothing is promised of the 1d from 2026-05-10T00:00:00Z"},
		"unseen":  {after: "accuracy", correct: 5, unseen: true, truth: ledger.TruthUndecided, reason: "not among the findings"},
		"errors":  {after: "mae", correct: 0, truth: ledger.TruthTrue},
		"careful": {after: "mae", correct: 9, truth: ledger.TruthFalse},
	}
}

// conceptDenied is the end of the window whose labels denied scores.
var conceptDenied = alarmsOpened.Add(-12 * time.Hour)

// fillConcept stores all of it. Before the day that is judged nothing was right: those
// are the labels that raised the ticket, which no judgement may rest on.
func fillConcept(t *testing.T, db *storage.DB) {
	t.Helper()
	var incidents, findings, minutes, cells, hours []map[string]any
	for model, c := range conceptCases() {
		key := func(more map[string]any) map[string]any {
			more["model"], more["deploy_hash"], more["stage"] = model, "v2", "production"
			return more
		}
		incidents = append(incidents, map[string]any{"incident": model, "model": model, "deploy_hash": "v2", "slo": "", "name": plumbline.AlertConceptDrift, "severity": "ticket",
			"opened": alarmsOpened.UnixMilli(), "resolved": alarmsOpened.Add(48 * time.Hour).UnixMilli(), "version": 1})
		if !c.unseen {
			findings = append(findings, conceptFindings(key, c)...)
		}
		for i, at := 0, conceptDenied.Add(-day); at.Before(conceptDenied.Add(day)); i, at = i+1, at.Add(time.Minute) {
			correct, known := c.correct, at.Add(30*time.Hour).Truncate(time.Hour).Unix()
			if at.Before(conceptDenied) {
				correct = 0
			} else if correct < 0 {
				break
			}
			minutes = append(minutes, key(map[string]any{"series": "requests", "time": at.Unix(), "count": 10}))
			if !at.Before(conceptDenied) && float64(i%100) < 100*c.missing {
				continue
			}
			cells = append(cells, key(map[string]any{"time": at.Unix(), "known": known, "labelled": 10, "correct": correct, "rows": 10, "version": 1}))
			if i%60 == 0 { // errors are ten less the correct, of all of the hour alike
				loss := int64(10 - correct)
				hours = append(hours, key(map[string]any{"time": at.Unix(), "known": known, "count": 600, "errors": 600, "rows": 600, "version": 1,
					"absolute_atto": atto(600 * loss), "squared_atto": atto(600 * loss * loss)}))
			}
		}
	}
	// Neither is a ticket of suspected concept drift.
	incidents = append(incidents, map[string]any{"incident": "age", "model": "worse", "deploy_hash": "v2", "slo": "", "name": "Other", "opened": alarmsOpened.UnixMilli(), "version": 1},
		map[string]any{"incident": "service", "model": "", "slo": "", "name": plumbline.AlertConceptDrift, "opened": alarmsOpened.UnixMilli(), "version": 1})
	for table, rows := range map[string][]map[string]any{"incidents": incidents, "findings": findings, "series_minute": minutes, "outcome_cells": cells, "outcome_hours": hours} {
		insert(t, db, table, rows)
	}
	ms := func(d time.Duration) int64 { return alarmsOpened.Add(d).UnixMilli() }
	insert(t, db, "deployments", []map[string]any{
		{"model": "worse", "deploy_hash": "v1", "stage": "production", "ts": ms(-90 * day)}, {"model": "worse", "deploy_hash": "v2", "stage": "production", "ts": ms(-3 * day)},
		{"model": "worse", "deploy_hash": "v1", "stage": "production", "ts": ms(20 * time.Hour)},
	})
}

// atto is a whole number in units of 1e-18, as the wide sums have it.
func atto(v int64) string { return strconv.FormatInt(v, 10) + strings.Repeat("0", 18) }

// conceptFindings are what the service told of a model: of windows of a day, and of
// a week, which is no window that the ticket goes by.
func conceptFindings(key func(map[string]any) map[string]any, c conceptCase) []map[string]any {
	gap := func(window, verdict string, end, at time.Time) map[string]any {
		return key(map[string]any{"signal": "concept_drift", "measure": "estimate_gap", "reference": "estimate", "window": window, "window_end": end.UnixMilli(), "value": -0.2, "verdict": verdict, "at": at.UnixMilli()})
	}
	promise := func(measure string, end, at time.Time, value, half float64) map[string]any {
		return key(map[string]any{"signal": "concept_drift", "measure": measure, "reference": "estimate", "window": "1d", "window_end": end.UnixMilli(),
			"value": value, "low": value - half, "high": value + half, "verdict": "ok", "at": at.UnixMilli()})
	}
	soon := alarmsOpened.Add(-2 * time.Minute)
	all := []map[string]any{
		gap("1d", "breach", conceptDenied, soon), gap("7d", "breach", conceptDenied.Add(-2*day), soon),
		gap("1d", "breach", conceptDenied.Add(-day), soon.Add(-6*time.Hour)), gap("1d", "breach", conceptDenied.Add(day), alarmsOpened.Add(day)),
		promise("promised_accuracy", conceptDenied, conceptDenied.Add(time.Minute), 0.5, 0.01), // of the window that raised it
	}
	end := conceptDenied.Add(day)
	value := map[string]float64{"accuracy": 0.9, "mae": 1}
	if c.after != "" {
		all = append(all, promise("promised_"+c.after, end, end.Add(time.Minute), value[c.after], 0.02),
			promise("promised_"+c.after, end, end.Add(20*time.Minute), 0.3, 0.02), promise("promised_"+c.after, end.Add(time.Hour), end.Add(time.Hour), 0.3, 0.02))
	}
	return all
}

// A ticket of suspected concept drift is judged by the day of predictions after the one
// that raised it: whether they are, by all of their labels, what scores promised.
func TestTicketsOfConceptDriftAreJudged(t *testing.T) {
	db := startDB(t)
	fillConcept(t, db)
	j := newLedgerKeeper(ledger.Reader{Conn: db.Conn()}, DefaultConfig(), nil)
	entries, err := j.look(t.Context(), alarmsOpened.Add(5*day))
	if err != nil || len(entries) != len(conceptCases()) {
		t.Fatalf("%d entries of %d tickets, %v", len(entries), len(conceptCases()), err)
	}
	for _, e := range entries {
		c := conceptCases()[e.ID]
		if e.Kind != ledger.KindConcept || e.Signal != plumbline.SignalConceptDrift || e.SLO != "" || e.Truth != c.truth || !strings.Contains(e.Reason, c.reason) {
			t.Errorf("%s is %+v, want %s because of %q", e.ID, e, c.truth, c.reason)
		}
		if c.unseen {
			continue
		}
		if !e.From.Equal(conceptDenied) || !e.To.Equal(conceptDenied.Add(day)) || !strings.HasPrefix(e.Claim, "labels lay -0.2 off what scores promised in the 1d before 2026-05-10T00:00:00Z") {
			t.Errorf("%s is about %s to %s: %s", e.ID, e.From, e.To, e.Claim)
		}
		if e.Promise.Made() != (c.after != "") || c.after == "accuracy" && (e.Promise.Value != 0.9 || e.Requests != 14400) || (e.Back.Deploy == "v1") != (e.ID == "worse") {
			t.Errorf("%s is judged by %+v: %+v", e.ID, e.Promise, e)
		}
	}
	of := func(id string) ledger.Entry {
		return entries[slices.IndexFunc(entries, func(e ledger.Entry) bool { return e.ID == id })]
	}
	if e := of("errors"); e.Quality != 10 || e.Low != 10 || e.Coverage != 1 || e.Promise != (ledger.Promise{Measure: ledger.MeanError, Value: 1, Low: 0.98, High: 1.02, Scores: true}) {
		t.Errorf("the errors are %+v, want 10 of all", e)
	}
	// Once 577 minutes of the day have three wrong labels each, the rest cannot make it
	// 0.88: they are in 40 hours after it began, which was half a day before the ticket.
	if e := of("worse"); e.Quality != 0.7 || e.Lead != 28*time.Hour {
		t.Errorf("%+v, want 0.7, and a lead of 28 hours", e)
	}
}

// What is judged is written, the same after a restart, and the views have it as a kind
// of its own that counts among drifts.
func TestTicketsOfConceptDriftAreInTheLedger(t *testing.T) {
	db := startDB(t)
	fillConcept(t, db)
	keepLedger(t, db, alarmsOpened.Add(5*day))
	before := ledgerRows(t, db)
	keepLedger(t, db, alarmsOpened.Add(6*day))
	after := ledgerRows(t, db)
	if len(before) != len(conceptCases()) || len(after) != len(before) {
		t.Fatalf("%d rows, then %d, of %d tickets", len(before), len(after), len(conceptCases()))
	}
	for id, row := range after {
		was := before[id]
		row.now, was.now = time.Time{}, time.Time{}
		if fmt.Sprint(row) != fmt.Sprint(was) {
			t.Errorf("%s after a restart is\n%+v, was\n%+v", id, row, was)
		}
	}
	for query, want := range map[string]string{
		"SELECT toString((target, promised_low, promised_high)) FROM ledger FINAL WHERE alarm = 'careful'":                                 "(1,0.98,1.02)",
		"SELECT toString((target, promised_low, promised_high)) FROM ledger FINAL WHERE alarm = 'gone'":                                    "(nan,nan,nan)",
		"SELECT toString((sum(alarms), sum(was_right), sum(was_wrong), sum(undecided))) FROM alarm_precision WHERE kind = 'concept_drift'": "(10,4,2,4)",
		"SELECT toString((kind, lead_s)) FROM alarm_lead WHERE model = 'worse'":                                                            "('concept_drift',100800)",
		"SELECT toString((drifts, rolled_back, rolled_back_rightly)) FROM drift_rollback WHERE model = 'worse'":                            "(1,1,1)",
	} {
		var got string
		if err := db.Conn().QueryRow(t.Context(), query).Scan(&got); err != nil || got != want {
			t.Errorf("%s\n%s, %v; want %s", query, got, err, want)
		}
	}
}

// From what the service tells when labels deny scores to its judgement by those of the
// next day. Of a drift that goes on the ticket was right; of one that ended with the
// window that raised it, it was not.
func TestATicketIsJudgedByWhatTheServiceTold(t *testing.T) {
	for name, tt := range map[string]struct {
		until time.Duration
		truth ledger.Truth
	}{"goes on": {day, ledger.TruthTrue}, "is over": {-42 * time.Hour, ledger.TruthFalse}} {
		t.Run(name, func(t *testing.T) {
			db := startDB(t)
			r := rand.New(rand.NewPCG(63, 63))
			hour := now.Truncate(time.Hour)
			all := lateWorld(r, hour.Add(-16*day), hour.Add(day), 15)
			for i, p := range all {
				if p.at.After(hour.Add(-3*day)) && p.at.Before(hour.Add(tt.until)) && r.IntN(2) == 0 {
					all[i].truth = classes[1-slices.Index(classes, p.truth)]
				}
			}
			storeLate(t, db, "m", all, hour.Add(5*day))
			service := newRunner(t, db)
			for _, at := range []time.Time{now, now.Add(day)} {
				service.now = func() time.Time { return at }
				if err := service.write(t.Context(), estimates(t, service, db, "m", at)); err != nil {
					t.Fatal(err)
				}
			}
			insert(t, db, "incidents", []map[string]any{{"incident": "i", "model": "m", "deploy_hash": "v1", "name": plumbline.AlertConceptDrift, "severity": "ticket", "opened": now.Add(15 * time.Second).UnixMilli(), "version": 1}})
			entries, err := service.ledger.look(t.Context(), now.Add(5*day))
			if err != nil || len(entries) != 1 {
				t.Fatal(entries, err)
			}
			e := entries[0]
			truth, _, _ := truthOf(all, e.To)
			// Of the last day too few labels were in, so that the ticket is of the one that
			// ended at midnight before; the next that the service told of ended now.
			if !e.To.Equal(hour) || e.Truth != tt.truth || e.Coverage != 1 || math.Abs(e.Quality-truth) > 1e-9 || e.Promise.Value < 0.6 || e.Promise.High-e.Promise.Low > 0.2 {
				t.Errorf("%+v of an accuracy of %.3f, want %s", e, truth, tt.truth)
			}
		})
	}
}
