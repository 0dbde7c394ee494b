package analyze

import (
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/ledger"
	"github.com/plumbline-slo/plumbline/storage"
)

// missingCase is an incident of a model of its own, about an hour of 600 predictions
// against a target of 0.9, of which so many get a label within the hour.
type missingCase struct {
	feedback          string
	labelled, correct int64
	truth             string
	reason            string // a week after the last label
	before            string // and two days after it
}

func missingCases() map[string]missingCase {
	awaited := "40 % of the labels are in, 90 % are needed: the others could make it either, "
	return map[string]missingCase{
		"bounded":  {"", 240, 120, plumbline.TruthTrue, "360 of 600 labels are missing and cannot change it: whatever they say, it is 0.2 to 0.8", "360 of 600 labels"},
		"good":     {"", 580, 545, plumbline.TruthFalse, "20 of 600 labels are missing and cannot change it", "20 of 600 labels"},
		"never":    {"", 240, 185, plumbline.TruthUndecided, "60 % of the labels never came, and could make it either, 0.3083 to 0.9083 against a target of 0.9; by those that came alone it would be right (0.7708, ", awaited},
		"sample":   {FeedbackRandom, 60, 40, plumbline.TruthTrue, "", ""},
		"praise":   {FeedbackRandom, 60, 60, plumbline.TruthFalse, "", ""},
		"small":    {FeedbackRandom, 60, 55, plumbline.TruthUndecided, "60 labels of a random sample are too few", "60 labels of a random sample are too few"},
		"chosen":   {FeedbackPartial, 570, 515, plumbline.TruthUndecided, "5 % of the labels never came, and could make it either, 0.8583 to 0.9083", "the model's decisions choose which labels come: the others could make it either, 0.8583 to 0.9083"},
		"rejected": {FeedbackPartial, 240, 120, plumbline.TruthTrue, "360 of 600 labels are missing and cannot change it", "360 of 600 labels"},
	}
}

// fillMissing stores the cases; the labels of all came half an hour after the alarm.
func fillMissing(t *testing.T, db *storage.DB) (cfg Config, objectives []plumbline.Objective) {
	t.Helper()
	cfg = DefaultConfig()
	cfg.Models = map[plumbline.Model]ModelConfig{}
	var incidents, minutes, cells []map[string]any
	for name, c := range missingCases() {
		model, from := plumbline.Model(name), alarmsOpened.Add(-time.Hour)
		cfg.Models[model] = ModelConfig{Feedback: Feedback{Kind: c.feedback}}
		objectives = append(objectives, plumbline.Objective{SLO: plumbline.SLO{Name: "accuracy", Model: model, Measure: plumbline.MeasureAccuracy, Target: 0.9}})
		incidents = append(incidents, map[string]any{"incident": name, "model": name, "deploy_hash": "v1", "slo": "accuracy", "severity": "page",
			"opened": alarmsOpened.UnixMilli(), "resolved": 0, "version": 1})
		for i := range 60 {
			minutes = append(minutes, map[string]any{"model": name, "deploy_hash": "v1", "stage": "production", "series": "requests", "time": from.Add(time.Duration(i) * time.Minute).Unix(), "count": 10})
		}
		cells = append(cells, map[string]any{"model": name, "deploy_hash": "v1", "stage": "production", "time": from.Unix(), "known": alarmsOpened.Unix(),
			"labelled": c.labelled, "correct": c.correct, "rows": c.labelled, "version": 1})
	}
	for table, rows := range map[string][]map[string]any{"incidents": incidents, "series_minute": minutes, "outcome_cells": cells} {
		insert(t, db, table, rows)
	}
	return cfg, objectives
}

// Alarms of models most of whose labels never come are judged where the missing ones
// cannot change it, or the owner declares that those that come are a random sample; the
// views count these, and no others.
func TestAlarmsAreJudgedThoughLabelsAreMissing(t *testing.T) {
	db := startDB(t)
	cfg, objectives := fillMissing(t, db)
	look := func(at time.Time) map[string]ledgerRow {
		r, err := New(cfg, Dependencies{DB: db, Objectives: objectives})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.lookLedger(t.Context(), at, nil); err != nil {
			t.Fatal(err)
		}
		return ledgerRows(t, db)
	}
	for _, now := range []struct {
		days   time.Duration
		reason func(missingCase) string
	}{{2, func(c missingCase) string { return c.before }}, {8, func(c missingCase) string { return c.reason }}} {
		rows := look(alarmsOpened.Add(now.days * day))
		for name, c := range missingCases() {
			got, reason := rows[name], now.reason(c)
			if got.truth != c.truth || !strings.HasPrefix(got.reason, reason) || (got.reason == "") != (reason == "") {
				t.Errorf("%s after %d days: %+v, want %s because of %q", name, now.days, got, c.truth, reason)
			}
			if decided := c.truth != string(ledger.TruthUndecided); got.matured.Equal(alarmsOpened.Add(time.Hour)) != decided {
				t.Errorf("%s matured at %s", name, got.matured)
			}
		}
	}
	for query, want := range map[string]string{
		"SELECT toString((sum(alarms), sum(was_right), sum(was_wrong), sum(undecided), sum(judged))) FROM alarm_precision":                   "(8,3,2,3,5)",
		"SELECT toString((alarms, judged, precision)) FROM alarm_precision WHERE model = 'sample'":                                           "(1,1,1)",
		"SELECT toString((alarms, judged, precision)) FROM alarm_precision WHERE model = 'never'":                                            "(1,0,NULL)",
		"SELECT toString(groupArray((model, lead_s))) FROM (SELECT model, lead_s FROM alarm_lead ORDER BY model)":                            "[('bounded',3600),('rejected',3600),('sample',3600)]",
		"SELECT toString((round(low, 4), round(high, 4), round(coverage, 4), labelled, requests)) FROM ledger FINAL WHERE alarm = 'bounded'": "(0.2,0.8,0.4,240,600)",
	} {
		var got string
		if err := db.Conn().QueryRow(t.Context(), query).Scan(&got); err != nil || got != want {
			t.Errorf("%s\n%s, %v; want %s", query, got, err, want)
		}
	}
}

// The mean error of a regression has no greatest: a ticket that is right whatever the
// labels say that are missing is stored with an end that is infinite.
func TestATicketOfErrorsIsJudgedThoughLabelsAreMissing(t *testing.T) {
	db := startDB(t)
	fillConcept(t, db)
	key := map[string]any{"model": "errors", "deploy_hash": "v2", "stage": "production", "series": "requests", "time": conceptDenied.Unix(), "count": 3600}
	insert(t, db, "series_minute", []map[string]any{key})
	keepLedger(t, db, alarmsOpened.Add(5*day))
	var got string
	query := "SELECT toString((truth, low, high, coverage, lead_s > 0)) FROM ledger FINAL WHERE alarm = 'errors'"
	if err := db.Conn().QueryRow(t.Context(), query).Scan(&got); err != nil || got != "('true',8,inf,0.8,1)" {
		t.Errorf("%s, %v", got, err)
	}
}
