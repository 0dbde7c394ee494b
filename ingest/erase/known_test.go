package erase_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/erase"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
)

// counted puts a feature of model m into the rollups.
func (w world) counted(feature string) {
	w.Helper()
	w.exec("INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count) VALUES ('m', 'd', 'production', '', ?, 'g', ?, 1)", "feature:"+feature, at)
}

// What a policy leaves nothing of cannot be looked for, and finding nothing of it would
// be a false assurance.
func TestEntityThatThePolicyTakesAwayIsRefused(t *testing.T) {
	drop, keep := privacy.Rule{Action: privacy.Drop}, privacy.Rule{Action: privacy.Keep}
	policy := privacy.Policy{
		Model: "m", Features: map[string]privacy.Rule{"*": drop, "customer": keep, "mail": {Action: privacy.Hash}},
		Segments: map[string]privacy.Rule{"customer": drop, "account": drop},
	}
	for feature, want := range map[string]string{
		"name": "drops name", "account": "account is a segment", "customer": "", "mail": "",
	} {
		err := erase.Request{Model: "m", Feature: feature, Value: "Bob", Policy: policy}.Validate()
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", feature, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "erase by --prediction-id")):
			t.Errorf("%s: %v, want %q and what to do", feature, err, want)
		}
	}
}

// A name that is misspelt is told from a person of whom nothing is stored.
func TestMisspeltNamesAreSaid(t *testing.T) {
	w := newWorld(t)
	k := keys(t)
	w.exec(`INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, known, predicted, categories, numbers, nulls, segments, _topic, _epoch, _offset)
VALUES ('m', 'd', 'production', 'p1', ?, ?, 'yes', map('email', 'a', 'email@k1', 'b'), map('age', 3), ['phone'], map('region', 'eu'), 'p', 'e', 0)`, at, at)
	w.complete("p", "predictions", 0, 0)
	w.counted("income")
	for _, tt := range []struct {
		name    string
		request erase.Request
		want    string
	}{
		{"feature", erase.Request{Model: "m", Feature: "emial", Value: "a"}, `no event of model m has a feature "emial"; known ones are "age", "email", "income", "phone"`},
		{"segment", erase.Request{Model: "m", Feature: "region", Value: "eu"}, "it is a segment"},
		{"model", erase.Request{Model: "n", Feature: "email", Value: "a"}, `nothing is stored of a model "n"; known ones are "m"`},
		{"model of an id", erase.Request{Model: "n", IDs: []string{"p1"}}, `nothing is stored of a model "n"`},
		{"value", erase.Request{Model: "m", Feature: "email", Value: "other"}, ""},
		{"number", erase.Request{Model: "m", Feature: "age", Value: "4"}, ""},
		{"null", erase.Request{Model: "m", Feature: "phone", Value: "4"}, ""},
		{"counted only", erase.Request{Model: "m", Feature: "income", Value: "4"}, ""},
		{"id", erase.Request{Model: "m", IDs: []string{"p2"}}, ""},
		{"gone", erase.Request{Model: "m", IDs: []string{"p1"}}, ""},
		{"gone before", erase.Request{Model: "m", IDs: []string{"p1"}}, ""},
	} {
		tt.request.Keys = k
		_, err := erase.Run(t.Context(), w.env.DB, tt.request, time.Now())
		var unknown erase.UnknownError
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (!errors.As(err, &unknown) || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}
