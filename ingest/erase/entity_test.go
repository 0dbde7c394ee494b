package erase_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/erase"
)

// Whole numbers beyond 2^53-1 are rounded where a feature is a number: others may be
// stored as the same one. Texts are what they are.
func TestEntityOfALargeNumber(t *testing.T) {
	const snowflake, most = 1234567890123456789, 1<<53 - 1
	k := keys(t)
	shortest := k.Hashes([]byte("1.2345678901234568e+18"))[0]
	tests := []struct {
		name, value string
		text        string
		number      float64
		shared      bool
	}{
		{"number", fmt.Sprint(snowflake), "", snowflake, true},
		{"neighbour", fmt.Sprint(snowflake + 1), "", snowflake, true},
		{"hashed number", fmt.Sprint(snowflake), shortest, 0, true},
		{"hashed, as it reads", "1.2345678901234568e+18", shortest, 0, true},
		{"text", fmt.Sprint(snowflake), fmt.Sprint(snowflake), 0, false},
		{"hashed text", fmt.Sprint(snowflake), k.Hashes([]byte(fmt.Sprint(snowflake)))[1], 0, false},
		{"largest number", fmt.Sprint(most), "", most, false},
		{"one that is infinite", "inf", "inf", 0, false},
	}
	w := newWorld(t)
	for i, tt := range tests { // each with a feature of its own, beside a text of the next number
		feature := "customer of " + tt.name
		texts, numbers := map[string]string{}, map[string]float64{"other": snowflake}
		if tt.text != "" {
			texts[feature] = tt.text
		} else {
			numbers[feature] = tt.number
		}
		w.predict(int64(2*i), tt.name, texts, numbers)
		w.predict(int64(2*i+1), "another", map[string]string{feature: fmt.Sprint(snowflake - 1)}, map[string]float64{"other": snowflake})
	}
	w.complete("p", "predictions", 0, int64(2*len(tests)))
	for _, tt := range tests {
		for _, dry := range []bool{true, false} {
			report, err := erase.Run(t.Context(), w.env.DB, erase.Request{Model: "m", Feature: "customer of " + tt.name, Value: tt.value, Keys: k, DryRun: dry}, time.Now())
			var shared erase.SharedError
			if errors.As(err, &shared) != tt.shared || !tt.shared && err != nil || tt.shared && shared.Predictions != 1 {
				t.Errorf("%s, dry run %t: %v, want it shared by others: %t", tt.name, dry, err, tt.shared)
			}
			if !tt.shared && report.IDs != 1 {
				t.Errorf("%s, dry run %t: %d identifiers, want 1", tt.name, dry, report.IDs)
			}
		}
		if n := w.count("SELECT count() FROM predictions WHERE prediction_id = '" + tt.name + "'"); (n == 0) != !tt.shared {
			t.Errorf("%s: %d predictions are left, shared by others: %t", tt.name, n, tt.shared)
		}
	}
	if n := w.count("SELECT count() FROM predictions WHERE prediction_id = 'another'"); n != uint64(len(tests)) {
		t.Errorf("%d predictions of others are left, want %d", n, len(tests))
	}
}

// An entity is looked for among predictions that are stored. The labels of the others
// are counted, wherever either of them stands.
func TestLabelsWithoutAPredictionAreCounted(t *testing.T) {
	a, b, db := newShards(t)
	b.counted("customer")
	a.predict(0, "here", map[string]string{"customer": "me"}, nil)
	b.predict(0, "there", nil, nil)
	for i, id := range []string{"here", "there", "sampled out", "sampled out", "late"} {
		[]world{a, b}[i%2].label(int64(i), id, "yes")
	}
	a.exec("INSERT INTO labels (model, prediction_id, ts, known, label) VALUES ('other', 'nowhere', now(), now(), 'yes')")
	a.complete("p", "predictions", 0, 0)
	a.complete("l", "labels", 0, 4)
	for _, tt := range []struct {
		request erase.Request
		orphans uint64
	}{
		{erase.Request{Feature: "customer", Value: "me", DryRun: true}, 2},
		{erase.Request{IDs: []string{"sampled out"}, DryRun: true}, 0}, // is found by itself
		{erase.Request{Feature: "customer", Value: "me"}, 2},
		{erase.Request{Feature: "customer", Value: "nobody"}, 2},
	} {
		tt.request.Model = "m"
		report, err := erase.Run(t.Context(), db, tt.request, time.Now())
		if err != nil || report.Orphans != tt.orphans || tt.request.Feature != "" && report.Share != 1 {
			t.Errorf("%+v: %d labels without a prediction, of a share of %v, %v; want %d", tt.request, report.Orphans, report.Share, err, tt.orphans)
		}
	}
}

// Of many labels a part is looked at, and said to be.
func TestManyLabelsWithoutAPredictionAreEstimated(t *testing.T) {
	w := newWorld(t)
	w.counted("customer")
	w.exec("INSERT INTO labels (model, prediction_id, ts, known, label) SELECT 'm', toString(number), now(), now(), 'yes' FROM numbers(2200000)")
	w.exec("INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, known) SELECT 'm', 'd', 'production', toString(number), now(), now() FROM numbers(200000)")
	report := w.erase(erase.Request{Feature: "customer", Value: "me", DryRun: true})
	if report.Share != 1./3 || report.Orphans < 1_980_000 || report.Orphans > 2_020_000 {
		t.Errorf("%d labels without a prediction, of a share of %v; want about 2 million of a third", report.Orphans, report.Share)
	}
}
