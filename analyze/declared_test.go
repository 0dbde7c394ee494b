package analyze

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	qualityask "github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/fairness"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// storeLoans writes an hour of loans: 40 of each region and truth; those of region
// eu who are bad are called so in 20 cases, those of us in 36; of the good, 4 of
// either region. Labels of a third region are too few.
func storeLoans(t *testing.T, r *Runner, at time.Time) {
	t.Helper()
	hours := map[string]map[string]any{}
	predicted := map[string]int{}
	add := func(region, class, label string, n int) {
		for _, segment := range []string{"", "region=" + region} {
			key := segment + class + label
			if hours[key] == nil {
				hours[key] = map[string]any{"model": "loans", "deploy_hash": "v1", "stage": "production", "segment": segment, "time": at.Truncate(time.Hour).Unix(), "known": at.Truncate(time.Hour).Unix(),
					"predicted": class, "label": label, "count": 0, "correct": 0, "rows": 0, "squares": 0, "version": 1}
			}
			for _, column := range []string{"count", "rows", "squares"} {
				hours[key][column] = hours[key][column].(int) + n
			}
			if class == label {
				hours[key]["correct"] = hours[key]["correct"].(int) + n
			}
			predicted[segment+"|"+class] += n
		}
	}
	for region, found := range map[string]int{"eu": 20, "us": 36} {
		add(region, "bad", "bad", found)
		add(region, "good", "bad", 40-found)
		add(region, "bad", "good", 4)
		add(region, "good", "good", 36)
	}
	add("other", "good", "good", 3)
	insert(t, r.db, "outcome_hours", slices.Collect(maps.Values(hours)))
	var classes []map[string]any
	for key, n := range predicted {
		var segment, class string
		for i := range key {
			if key[i] == '|' {
				segment, class = key[:i], key[i+1:]
			}
		}
		classes = append(classes, map[string]any{"model": "loans", "deploy_hash": "v1", "stage": "production", "segment": segment, "series": "predicted", "time": at.Truncate(time.Hour).Unix(), "value": class, "count": n, "rows": n})
	}
	insert(t, r.db, "categories_hour", classes)
	requests := map[string]any{"model": "loans", "deploy_hash": "v1", "stage": "production", "segment": "", "series": "requests", "time": at.Truncate(time.Hour).Unix(), "count": 200, "rows": 200}
	insert(t, r.db, "series_hour", []map[string]any{requests})
	insert(t, r.db, "outcome_cells", []map[string]any{{"model": "loans", "deploy_hash": "v1", "stage": "production", "segment": "", "time": at.Truncate(time.Minute).Unix(), "known": at.Truncate(time.Hour).Unix(), "labelled": 163, "correct": 131, "rows": 163, "version": 1}})
	requests["time"] = at.Truncate(time.Minute).Unix()
	insert(t, r.db, "series_minute", []map[string]any{requests})
}

func TestDeclaredMetricsAndFairnessAreFindings(t *testing.T) {
	cfg := DefaultConfig()
	cfg.QualityWindows = []time.Duration{6 * time.Hour}
	db := startDB(t)
	r, err := New(cfg, Dependencies{DB: db, Queries: db.Conn(), Quality: map[plumbline.Model]qualityask.Declaration{"loans": {
		Task: qualityask.Binary, Positive: "bad", Metrics: []metric.ID{metric.Accuracy, metric.Recall, metric.ROCAUC, "size"}, Custom: []qualityask.Custom{{Name: "size", SQL: "toFloat64(count())"}}, Protected: []qualityask.Protected{{Segment: "region", Reference: "us"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	r.now = func() time.Time { return now }
	storeLoans(t, r, now.Add(-90*time.Minute))
	found, err := r.Step(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]Finding{}
	for _, f := range found {
		if f.Signal == plumbline.SignalFairness || f.Signal == plumbline.SignalQuality {
			key := fmt.Sprint(f.Measure, " ", f.Segment, f.Feature)
			if _, twice := all[key]; twice {
				t.Errorf("%s is found twice", key)
			}
			all[key] = f
		}
	}
	for key, want := range map[string]struct {
		value   float64
		verdict string
	}{
		"accuracy ":                                 {131. / 163, "ok"},
		"recall ":                                   {56. / 80, "ok"},
		"roc_auc ":                                  {math.NaN(), "missing"},
		"equal_opportunity_difference region=eu":    {-.4, "ok"},
		"equal_opportunity_ratio region=eu":         {20. / 36, "ok"},
		"false_positive_parity_gap region":          {0, "ok"},
		"equalised_odds_gap region":                 {.4, "ok"},
		"equal_opportunity_gap region":              {.4, "ok"},
		"demographic_parity_difference region=eu":   {-.2, "ok"},
		"predictive_parity_gap region":              {36./40 - 20./24, "ok"},
		"equal_opportunity_difference region=other": {math.NaN(), "missing"},
	} {
		f, ok := all[key]
		if !ok || f.Verdict != want.verdict || !(math.Abs(f.Value-want.value) < 1e-9 || math.IsNaN(f.Value) && math.IsNaN(want.value)) || f.Assumes == "" {
			t.Errorf("%s: %t %+v, want %+v", key, ok, f, want)
		}
		if f.Verdict == "ok" && f.Measure == "recall" && (!(f.Low < f.Value && f.Value < f.High) || f.Coverage != 163./200 || f.Count != 163 || f.Deploy != "v1" || f.Window != 6*time.Hour) {
			t.Errorf("%+v", f)
		}
	}
	// No raw rows are stored here; but it was asked, as the user that may only read.
	if f := all["size "]; f.Measure == "" || strings.Contains(f.Assumes, "query_dsn_file") {
		t.Errorf("an owner's own metric: %+v", f)
	}
	// The next look within the interval finds neither.
	again, err := r.Step(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range again {
		if f.Signal == plumbline.SignalFairness || f.Measure == "recall" {
			t.Errorf("looked again at once: %+v", f)
		}
	}
}

func TestTheWidestGapHasAnInterval(t *testing.T) {
	gap := func(value, low, high float64) fairness.Gap {
		g := fairness.Gap{Criterion: fairness.EqualOpportunity, Group: fmt.Sprint("region=", value), AtOnce: metric.Interval{Low: low, High: high}}
		g.Difference = metric.Value{Value: value, State: metric.OK}
		if math.IsNaN(value) {
			g.Difference.State, g.Difference.Why = metric.Insufficient, "too few events in a group"
		}
		return g
	}
	nan := math.NaN()
	for name, c := range map[string]struct {
		gaps             []fairness.Gap
		value, low, high float64
		verdict          string
	}{
		"one":                    {[]fairness.Gap{gap(-0.4, 0.1, 0.6)}, 0.4, 0.1, 0.6, "ok"},
		"around 0":               {[]fairness.Gap{gap(0.1, 0, 0.3)}, 0.1, 0, 0.3, "ok"},
		"less sure, but further": {[]fairness.Gap{gap(-0.2, 0.15, 0.25), gap(0.22, 0, 0.5)}, 0.22, 0.15, 0.5, "ok"},
		"one is silent":          {[]fairness.Gap{gap(nan, nan, nan), gap(0.2, 0.1, 0.3)}, 0.2, 0.1, 1, "ok"},
		"all are silent":         {[]fairness.Gap{gap(nan, nan, nan)}, nan, nan, nan, "insufficient"},
	} {
		f := newFinding(plumbline.SignalFairness, "equal_opportunity_gap")
		f.widest(fairness.EqualOpportunity, c.gaps)
		for i, pair := range [][2]float64{{f.Value, c.value}, {f.Low, c.low}, {f.High, c.high}} {
			if !(pair[0] == pair[1] || math.IsNaN(pair[0]) && math.IsNaN(pair[1])) {
				t.Errorf("%s: number %d is %g, want %g", name, i, pair[0], pair[1])
			}
		}
		if f.Verdict != c.verdict {
			t.Errorf("%s: %s, want %s", name, f.Verdict, c.verdict)
		}
	}
}
