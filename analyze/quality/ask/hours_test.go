package ask

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/storage"
)

// agrees holds the answer of the rollups against that of the raw rows: equal, but
// for a bound, and for what is rounded to 1e-9.
func agrees(t *testing.T, what string, got, want Part) {
	t.Helper()
	if got.Name != want.Name || got.Labelled != want.Labelled || got.Rows != want.Rows || len(got.Values) != len(want.Values) {
		t.Errorf("%s: %+v, want %+v", what, got, want)
		return
	}
	for i, v := range got.Values {
		w := want.Values[i]
		off := 1e-6*max(1, math.Abs(w.Value.Value)) + v.Bound
		if v.Metric != w.Metric || v.State != w.State || v.Labelled != w.Labelled || !(math.Abs(v.Value.Value-w.Value.Value) <= off || math.IsNaN(v.Value.Value) && math.IsNaN(w.Value.Value)) || v.Bound > 0.1 && v.State == metric.OK {
			t.Errorf("%s: %+v, want %+v", what, v, w)
		}
		if v.State == metric.OK && (math.Abs(v.Low-w.Low) > 3*off+1e-3 || math.Abs(v.High-w.High) > 3*off+1e-3) {
			t.Errorf("%s: interval %+v, want %+v", what, v, w)
		}
	}
}

// rollups: the hours say what the rows say.
func rollups(t *testing.T, asker *Asker) {
	for _, q := range []Question{
		{Model: "loan"}, {Model: "loan", AsOf: end.Add(7 * time.Hour)}, {Model: "loan", AsOf: begin.Add(-time.Hour)}, {Model: "loan", By: ByDeploy}, {Model: "loan", By: ByHour},
		{Model: "loan", By: BySegment + ":region"}, {Model: "loan", By: BySegment}, {Model: "loan", Segment: "region=eu", Deploys: []plumbline.DeployHash{"b"}},
		{Model: "pets", Metrics: []metric.ID{metric.Accuracy, metric.MacroF1, metric.MultiMCC, metric.MacroRecall}}, {Model: "price"}, {Model: "price", By: ByHour},
	} {
		q.From, q.To = begin, end
		if q.Model == "loan" {
			q.Metrics = fraud().metrics()
		}
		rows, err := asker.Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		q.Rollups = true
		hours, err := asker.Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if len(hours.Parts) != len(rows.Parts) {
			t.Errorf("%+v: %d parts, want %d", q, len(hours.Parts), len(rows.Parts))
			continue
		}
		for i := range hours.Parts {
			agrees(t, string(q.Model)+" "+string(q.By)+" "+string(q.Segment)+" "+hours.Parts[i].Name, hours.Parts[i], rows.Parts[i])
		}
	}
	fair := Question{Model: "loan", From: begin, To: end, Metrics: []metric.ID{metric.Accuracy}, Fairness: true}
	rows, err := asker.Ask(t.Context(), fair)
	if err != nil {
		t.Fatal(err)
	}
	fair.Rollups = true
	hours, err := asker.Ask(t.Context(), fair)
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range rows.Fairness[0].Gaps {
		if h := hours.Fairness[0].Gaps[i]; h.Group != g.Group || !near(h.Difference.Value, g.Difference.Value) || !near(h.Difference.Low, g.Difference.Low) {
			t.Errorf("%+v, want %+v", h, g)
		}
	}
}

// expired: once the rows are gone, whole hours are answered from the rollups, and
// other windows say that nothing can be said.
func expired(t *testing.T, db *storage.DB, asker *Asker) {
	q := Question{Model: "loan", From: begin, To: end, Metrics: []metric.ID{metric.Accuracy, metric.Recall, metric.ROCAUC}}
	want, err := asker.Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Conn().Exec(t.Context(), "ALTER TABLE outcomes DELETE WHERE model = 'loan' SETTINGS mutations_sync = 1"); err != nil {
		t.Fatal(err)
	}
	got, err := asker.Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	agrees(t, "expired", got.Parts[0], want.Parts[0])
	if !strings.Contains(strings.Join(got.Notes, "\n"), "have expired") {
		t.Errorf("%q do not say that rows have expired", got.Notes)
	}
	q.From = q.From.Add(time.Minute)
	if got, err = asker.Ask(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if v := got.Parts[0].Values; v[0].State != metric.OK || v[1].State != metric.Insufficient || v[2].State != metric.Insufficient {
		t.Errorf("%+v", v)
	}
}

// expiredLists: of ranked lists, which no rollup holds, nothing is said once too many
// rows are gone, now and as known at any time before; nor of a metric of the owner's
// own, or of the scores of classes, that are read beside rollups.
func expiredLists(t *testing.T, db *storage.DB, asker *Asker) {
	ask := func(model plumbline.Model, asOf time.Time) ([]Value, string) {
		t.Helper()
		answer, err := asker.Ask(t.Context(), Question{Model: model, From: begin, To: end, AsOf: asOf, Rollups: model != "search", Metrics: []metric.ID{"all"}, Expression: "length(prediction_id)"})
		if err != nil {
			t.Fatal(err)
		}
		return answer.Parts[0].Values, strings.Join(answer.Notes, "\n")
	}
	for _, gone := range []time.Duration{0, end.Sub(begin) / 4, end.Sub(begin)} {
		if err := db.Conn().Exec(t.Context(), "ALTER TABLE outcomes DELETE WHERE model IN ('search', 'price', 'pets') AND ts < parseDateTimeBestEffort('"+instant(begin.Add(gone))+"', 'UTC') SETTINGS mutations_sync = 1"); err != nil {
			t.Fatal(err)
		}
		said := func(what string, v Value, ofRows bool) {
			lost := gone > 0 && ofRows
			if (v.State == metric.OK) == lost && v.State != metric.Missing || (v.Why == expiredRows) != lost || v.State == metric.OK == math.IsNaN(v.Low) {
				t.Errorf("%s, rows of %s gone: %+v", what, gone, v)
			}
		}
		for _, asOf := range []time.Time{{}, end.Add(time.Hour), end.Add(13*time.Hour + 17*time.Minute)} {
			values, notes := ask("search", asOf)
			for _, v := range values {
				said("lists as of "+asOf.Format(time.RFC3339), v, true)
			}
			if strings.Contains(notes, "have no row that holds an answer") != (gone > 0) {
				t.Errorf("rows of %s gone, as of %s: %q", gone, asOf, notes)
			}
		}
		for _, model := range []plumbline.Model{"price", "pets"} {
			values, _ := ask(model, time.Time{})
			for _, v := range values {
				said(string(model), v, v.Metric == metric.TopK || slices.Contains(scoredIDs(), v.Metric) || v.Metric == expressionName)
			}
		}
	}
}
