package analyze

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/concept"
	"github.com/plumbline-slo/plumbline/storage"
)

// outcome is a labelled prediction.
type outcome struct {
	deploy           string
	at               time.Time
	predicted, label string
	value, truth     float64 // of a regression, where predicted is empty
	delay            time.Duration
}

// storeOutcomes writes outcomes, each as a first label.
func storeOutcomes(t *testing.T, db *storage.DB, model string, rows []outcome) traffic {
	t.Helper()
	var raw, requests []map[string]any
	for i, o := range rows {
		row := map[string]any{"model": model, "deploy_hash": o.deploy, "stage": "production", "prediction_id": fmt.Sprint(i), "ts": o.at.UnixMilli(),
			"known": o.at.Add(o.delay).UnixMilli(), "predicted": o.predicted, "label": o.label, "labelled": 1, "version": 1}
		if o.predicted == "" {
			row["predicted_value"], row["label_value"] = o.value, o.truth
		}
		raw = append(raw, row)
		requests = append(requests, map[string]any{"model": model, "deploy_hash": o.deploy, "stage": "production", "series": "requests", "time": o.at.Truncate(time.Hour).Unix(), "count": 1})
	}
	insert(t, db, "outcomes", raw)
	insert(t, db, "series_hour", requests)
	models, err := serving(t.Context(), db.Conn(), plumbline.Model(model), now)
	if err != nil || len(models) != 1 {
		t.Fatal(models, err)
	}
	return models[0]
}

// world labels predictions over six weeks: late labels are "late" more often,
// and the last week is what change makes of it.
func world(r *rand.Rand, regression bool, change func(o *outcome)) []outcome {
	var rows []outcome
	for at := now.Add(-40 * day); at.Before(now); at = at.Add(20 * time.Minute) {
		o := outcome{deploy: "v1", at: at, predicted: []string{"on time", "late"}[r.IntN(2)], delay: time.Hour}
		o.label = o.predicted
		if r.IntN(5) == 0 {
			o.label = map[string]string{"on time": "late", "late": "on time"}[o.predicted]
		}
		if o.label == "late" {
			o.delay = 5 * time.Hour
		}
		if r.IntN(20) == 0 {
			o.delay = 90 * time.Hour
		}
		if regression {
			o.predicted, o.label, o.value = "", "", 50+10*r.NormFloat64()
			o.truth = o.value + 5*r.NormFloat64()
		}
		if at.After(now.Add(-6 * day)) {
			change(&o)
		}
		if o.at.Add(o.delay).Before(now) {
			rows = append(rows, o)
		}
	}
	return rows
}

func TestLabelAndConceptDrift(t *testing.T) {
	flip := map[string]string{"on time": "late", "late": "on time"}
	r, db := rand.New(rand.NewPCG(21, 21)), startDB(t)
	for _, tt := range []struct {
		name           string
		regression     bool
		change         func(o *outcome)
		label, concept string
	}{
		{"quiet", false, func(*outcome) {}, plumbline.VerdictOK, plumbline.VerdictOK},
		{"other labels for the same answers", false, func(o *outcome) {
			if r.IntN(3) == 0 {
				o.label = flip[o.label]
			}
		}, plumbline.VerdictOK, plumbline.VerdictBreach},
		{"more late ones, known as such", false, func(o *outcome) {
			if o.predicted == "on time" && r.IntN(2) == 0 {
				o.predicted, o.label = "late", flip[o.label]
			}
		}, plumbline.VerdictBreach, plumbline.VerdictOK},
		{"a quiet regression", true, func(*outcome) {}, plumbline.VerdictOK, plumbline.VerdictOK},
		{"a regression that is too low", true, func(o *outcome) { o.truth += 6 }, plumbline.VerdictBreach, plumbline.VerdictBreach},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newRunner(t, db).labelLook
			served := storeOutcomes(t, db, tt.name, world(r, tt.regression, tt.change))
			findings, err := l.look(t.Context(), served, now)
			if err != nil {
				t.Fatal(err)
			}
			got := map[plumbline.SignalName]string{}
			for _, f := range findings {
				if got[f.Signal] != plumbline.VerdictBreach {
					got[f.Signal] = f.Verdict
				}
				if f.Reference != plumbline.ReferenceHistory || f.Count < 350 || math.IsNaN(f.P) || math.Abs(f.Effect-(f.Value-f.NullMean)) > 1e-12 || f.Assumes == "" {
					t.Errorf("%+v is not told in full", f)
				}
				// Nine of ten labels come within five hours,
				if age := served.end.Sub(f.WindowEnd); age != 5*time.Hour {
					t.Errorf("the window ends at %s", f.WindowEnd)
				}
			}
			if got[plumbline.SignalLabelDrift] != tt.label || got[plumbline.SignalConceptDrift] != tt.concept {
				t.Errorf("labels %s, concept %s; want %s, %s: %+v", got[plumbline.SignalLabelDrift], got[plumbline.SignalConceptDrift], tt.label, tt.concept, findings)
			}
			if again, err := l.look(t.Context(), served, now.Add(time.Minute)); err != nil || len(again) != 0 {
				t.Errorf("labels are looked at again at once: %v, %v", again, err)
			}
		})
	}
}

// A new deploy is compared with the one before it, and says so.
func TestConceptDriftOfANewDeploy(t *testing.T) {
	db := startDB(t)
	served := storeOutcomes(t, db, "m", world(rand.New(rand.NewPCG(22, 22)), false, func(o *outcome) { o.deploy = "v2" }))
	findings, err := newRunner(t, db).labelLook.look(t.Context(), served, now)
	if err != nil {
		t.Fatal(err)
	}
	v2 := find(findings, func(f Finding) bool { return f.Signal == plumbline.SignalConceptDrift && f.Deploy == "v2" })
	if len(v2) != 1 || v2[0].Reference != plumbline.ReferencePreviousDeploy || v2[0].Verdict != plumbline.VerdictOK || v2[0].Measure != concept.MeasureConditional {
		t.Errorf("%+v", v2)
	}
}

// Without a label nothing is known, which is not healthy.
func TestNoLabelsAreMissing(t *testing.T) {
	db := startDB(t)
	insert(t, db, "series_hour", []map[string]any{{"model": "m", "deploy_hash": "v1", "stage": "production", "series": "requests", "time": now.Add(-day).Truncate(time.Hour).Unix(), "count": 1000}})
	models, err := serving(t.Context(), db.Conn(), "m", now)
	if err != nil {
		t.Fatal(err)
	}
	findings, err := newRunner(t, db).labelLook.look(t.Context(), models[0], now)
	if err != nil || len(findings) < 3 {
		t.Fatalf("%d findings, %v", len(findings), err)
	}
	for _, f := range findings {
		if f.Verdict != plumbline.VerdictMissing || !math.IsNaN(f.Value) {
			t.Errorf("%+v is not missing", f)
		}
	}
}

// A deploy without a hash is one of the others, and takes the place of none.
func TestConceptDriftBesideADeployWithoutAHash(t *testing.T) {
	labels := func(n uint64) concept.Labels {
		return concept.Labels{Strata: map[string]map[string]uint64{"yes": {"yes": 8 * n, "no": 2 * n}}}
	}
	p := concept.Periods{
		Before: map[plumbline.DeployHash]concept.Labels{"v1": labels(100)},
		Now:    map[plumbline.DeployHash]concept.Labels{"v2": labels(50), "": labels(2)},
	}
	f, err := newLabelLook(concept.Reader{}, DefaultConfig()).conceptDrift(deploy{hash: "v2", stage: plumbline.StageProduction}, p, concept.Query{Model: "m"})
	if err != nil || f.Verdict != plumbline.VerdictOK || f.Reference != plumbline.ReferencePreviousDeploy || f.Count != 500 {
		t.Errorf("%+v, %v: not compared with the labels of v1", f, err)
	}
}
