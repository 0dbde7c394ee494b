package analyze

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// evil is a model's name that would end a careless statement.
const evil = `flight'; DROP TABLE findings; -- \`

func objective(model plumbline.Model) plumbline.Objective {
	return plumbline.Objective{
		SLO:   plumbline.SLO{Name: plumbline.SLOName(model) + "-accuracy", Model: model, Target: .7, Period: 28 * day, MinCoverage: .3},
		Pairs: []plumbline.WindowPair{{Severity: plumbline.SeverityPage, Long: 2 * time.Hour, Short: 10 * time.Minute, Factor: 2}},
	}
}

func newRunner(t *testing.T, db *storage.DB, objectives ...plumbline.Objective) *Runner {
	t.Helper()
	r, err := New(DefaultConfig(), Dependencies{DB: db, Objectives: objectives, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	r.now = func() time.Time { return now }
	return r
}

func find(findings []Finding, match func(Finding) bool) []Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return !match(f) })
}

func TestStepFindsTheFault(t *testing.T) {
	db := startDB(t)
	random := rand.New(rand.NewPCG(1, 1))
	store(t, db, evil, flights(random))
	store(t, db, "undeclared", flights(random))
	r := newRunner(t, db, objective(evil), objective("silent"))
	findings, err := r.Step(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	t.Run("burn", func(t *testing.T) { checkBurn(t, findings) })
	t.Run("drift", func(t *testing.T) { checkDrift(t, findings) })
	t.Run("quality", func(t *testing.T) { checkQuality(t, findings) })
	t.Run("stored", func(t *testing.T) { checkStored(t, db, findings) })
}

func checkBurn(t *testing.T, findings []Finding) {
	t.Helper()
	for _, test := range []struct {
		model   plumbline.Model
		deploy  plumbline.DeployHash
		verdict string
	}{{evil, "v1", plumbline.VerdictOK}, {evil, "v2", plumbline.VerdictBreach}, {"silent", "", plumbline.VerdictMissing}} {
		found := find(findings, func(f Finding) bool {
			return f.Signal == plumbline.SignalBurn && f.Model == test.model && f.Deploy == test.deploy
		})
		// v1 has not served within two hours, so nothing of it burns.
		want := 2
		if test.deploy == "v1" {
			want = 0
		}
		if len(found) != want {
			t.Fatalf("%s %s has %d burn findings, want %d", test.model, test.deploy, len(found), want)
		}
		for _, f := range found {
			if f.Verdict != test.verdict || f.SLO != objective(test.model).SLO.Name {
				t.Errorf("%+v, want verdict %s", f, test.verdict)
			}
			if test.verdict == plumbline.VerdictMissing != math.IsNaN(f.Value) {
				t.Errorf("%s %s: value %v of a finding that is %s", test.model, f.Deploy, f.Value, f.Verdict)
			}
		}
	}
	if found := find(findings, func(f Finding) bool { return f.Signal == plumbline.SignalBurn && f.Model == "undeclared" }); len(found) != 0 {
		t.Errorf("an undeclared model has burn findings: %+v", found)
	}
}

func checkDrift(t *testing.T, findings []Finding) {
	t.Helper()
	for _, model := range []plumbline.Model{evil, "undeclared"} {
		breaches := find(findings, func(f Finding) bool {
			return f.Signal == plumbline.SignalDrift && f.Model == model && f.Verdict == plumbline.VerdictBreach
		})
		for _, f := range breaches {
			if f.Feature != "distance" || f.Deploy != "v2" || f.Value < 1 || f.P > 1e-6 || f.Effect >= f.Value || f.Reference != plumbline.ReferenceTraining {
				t.Errorf("a drift breach of %s: %+v, want those of distance of v2 alone", model, f)
			}
		}
		if len(breaches) != 2 || breaches[0].Measure != plumbline.MeasurePSI || breaches[1].Measure != "wasserstein_normalised" {
			t.Errorf("%d drift breaches of %s, want PSI and Wasserstein distance: %+v", len(breaches), model, breaches)
		}
		clock := find(findings, func(f Finding) bool {
			return f.Signal == plumbline.SignalDrift && f.Model == model && f.Deploy == "v2" && f.Feature == "weekday" && f.Measure == plumbline.MeasurePSI
		})
		if len(clock) != 1 || clock[0].Value < 1 || clock[0].Verdict != plumbline.VerdictOK {
			t.Errorf("the weekday of three hours: %+v, want a large PSI that is no breach", clock)
		}
	}
}

func checkQuality(t *testing.T, findings []Finding) {
	t.Helper()
	for window, accuracy := range map[time.Duration]float64{6 * time.Hour: .2, 24 * time.Hour: .2} {
		found := find(findings, func(f Finding) bool {
			return f.Signal == plumbline.SignalQuality && f.Model == evil && f.Deploy == "v2" && f.Window == window
		})
		if len(found) != 1 || math.Abs(found[0].Value-accuracy) > .07 || !(found[0].Low < found[0].Value && found[0].Value < found[0].High) {
			t.Errorf("accuracy of v2 over %s: %+v", window, found)
		}
	}
	found := find(findings, func(f Finding) bool {
		return f.Signal == plumbline.SignalQuality && f.Deploy == "v2" && f.Window == time.Hour && f.Model == evil
	})
	if len(found) != 1 || found[0].Verdict != plumbline.VerdictInsufficient || !math.IsNaN(found[0].Value) {
		t.Errorf("an hour without labels: %+v", found)
	}
}

// checkStored compares the rows of the table with what Step returned.
func checkStored(t *testing.T, db *storage.DB, findings []Finding) {
	t.Helper()
	rows, err := db.Conn().Query(t.Context(), "SELECT at, signal, model, deploy_hash, stage, feature, slo, reference, window, window_end, measure, value, null_mean, low, high, p, effect, count, coverage, verdict, assumes FROM findings")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	type key struct{ signal, model, deploy, stage, feature, slo, reference, window, measure string }
	want := map[key]Finding{}
	for _, f := range findings {
		want[key{string(f.Signal), string(f.Model), string(f.Deploy), string(f.Stage), string(f.Feature), string(f.SLO), f.Reference, plumbline.WindowName(f.Window), f.Measure}] = f
	}
	if len(want) != len(findings) {
		t.Errorf("%d findings have %d identities", len(findings), len(want))
	}
	n := 0
	for rows.Next() {
		var (
			k                          key
			at, end                    time.Time
			verdict, reason            string
			value, low, high, coverage float64
			null, p, effect            float64
			count                      uint64
		)
		if err := rows.Scan(&at, &k.signal, &k.model, &k.deploy, &k.stage, &k.feature, &k.slo, &k.reference, &k.window, &end, &k.measure, &value, &null, &low, &high, &p, &effect, &count, &coverage, &verdict, &reason); err != nil {
			t.Fatal(err)
		}
		n++
		f, ok := want[k]
		same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
		if !ok || !at.Equal(f.At) || !same(value, f.Value) || !same(low, f.Low) || !same(high, f.High) || !same(coverage, f.Coverage) ||
			!same(null, f.NullMean) || !same(p, f.P) || !same(effect, f.Effect) ||
			count != f.Count || verdict != f.Verdict || reason != f.Assumes || !f.WindowEnd.IsZero() && !end.Equal(f.WindowEnd) {
			t.Errorf("row %+v at %s ending %s: %v [%v, %v] of %d, %s; want %+v", k, at, end, value, low, high, count, verdict, f)
		}
	}
	if err := rows.Err(); err != nil || n != len(findings) {
		t.Errorf("%d rows of %d findings, %v", n, len(findings), err)
	}
}

// A data directory of a version whose findings had no null mean is read and
// written on.
func TestOldFindingsAreKept(t *testing.T) {
	db := startDB(t)
	for _, statement := range []string{
		"ALTER TABLE findings DROP COLUMN null_mean, DROP COLUMN p, DROP COLUMN effect",
		"INSERT INTO findings (at, signal, model, measure, value, verdict) VALUES (toDateTime64('2026-05-01 00:00:00', 3), 'drift', 'old', 'psi', 0.5, 'ok')",
	} {
		if err := db.Conn().Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := newRunner(t, db, objective("silent")).Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	var value, null, p, effect float64
	row := db.Conn().QueryRow(t.Context(), "SELECT value, null_mean, p, effect FROM findings WHERE model = 'old'")
	if err := row.Scan(&value, &null, &p, &effect); err != nil || value != 0.5 || !math.IsNaN(null) || !math.IsNaN(p) || !math.IsNaN(effect) {
		t.Errorf("an old row: %v, %v, %v, %v; %v", value, null, p, effect, err)
	}
}

func TestExplainNamesTheFeature(t *testing.T) {
	db := startDB(t)
	store(t, db, evil, flights(rand.New(rand.NewPCG(2, 2))))
	// It had served before, and each of its replicas tells of it.
	var told []map[string]any
	for _, d := range []struct {
		hash, by string
		ts       int64
	}{
		{"v2", "ci", fault.Add(-48 * time.Hour).UnixMilli()}, {"v1", "ci", fault.Add(-40 * time.Hour).UnixMilli()},
		{"v2", "ci", fault.UnixMilli()}, {"v2", "a replica", fault.Add(time.Minute).UnixMilli()}, {"v2", "a replica that started again", now.Add(-time.Minute).UnixMilli()},
	} {
		told = append(told, map[string]any{"model": evil, "deploy_hash": d.hash, "stage": "production", "ts": d.ts, "version": "2.0", "by": d.by, "known": d.ts})
	}
	insert(t, db, "deployments", told)
	r := newRunner(t, db)
	e, err := r.Explain(t.Context(), evil, "v2", "accuracy")
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Drifted) != 1 || e.Drifted[0].Feature != "distance" || e.Share(0) != 1 {
		t.Fatalf("drifted: %+v", e.Drifted)
	}
	if d := e.Drifted[0]; !strings.HasPrefix(d.Before, "median 5") || !strings.HasSuffix(d.After, ",000") {
		t.Errorf("in words: %q -> %q", d.Before, d.After)
	}
	if w := e.Why.Series; len(w) != 1 || w[0].Series != "feature:distance" || w[0].Share != 1 || !strings.Contains(w[0].Words(), " or more, was 0 %") {
		t.Errorf("why: %+v", w)
	}
	for _, s := range e.Features {
		if s.Feature != "distance" && math.Abs(s.Excess) > .25 {
			t.Errorf("%s has an excess of %v: a feature of the clock cries wolf", s.Feature, s.Excess)
		}
	}
	if e.Previous != "v1" || e.Deployment.Version != "2.0" || e.Deployment.By != "a replica that started again" || !e.Deployment.Time.Equal(fault) || !e.From.Equal(fault.Truncate(time.Hour)) || !e.To.Equal(now) {
		t.Errorf("deploy: %+v", e)
	}
	if e.Before == nil || math.Abs(e.Before.Accuracy()-.8) > .03 || e.After == nil || math.Abs(e.After.Accuracy()-.2) > .07 {
		t.Errorf("quality %+v -> %+v", e.Before, e.After)
	}
	if c := e.After.Coverage(); math.Abs(c-150./210) > .03 {
		t.Errorf("coverage %v, want about 150 of 210 minutes", c)
	}
	rows, err := db.Conn().Query(t.Context(), e.SQL)
	if err != nil {
		t.Fatalf("%s: %v", e.SQL, err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if n < 20 {
		t.Errorf("the statement returns %d hours", n)
	}
}

func TestExplainKnowsNothingWithoutAnError(t *testing.T) {
	r := newRunner(t, startDB(t))
	e, err := r.Explain(t.Context(), "none", "v1", "")
	if err != nil || e.Before != nil || e.After != nil || len(e.Features) != 0 || e.Previous != "" {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestConfigSaysEveryMistake(t *testing.T) {
	err := Config{DriftWindows: []time.Duration{90 * time.Minute}, QualityWindows: []time.Duration{0}, ReferenceRefresh: -1, DriftMinEffect: -1,
		References: []string{"yesterday"}, Measures: Measures{Numbers: []measure.ID{"mad"}, Categories: []measure.ID{measure.KS}}, MinEffect: map[measure.ID]float64{"mad": 1}, Segments: -1,
		LabelWindow: time.Hour, LabelHistory: 25 * time.Hour, DataQualityWindow: 90 * time.Minute, DataQualityMinEffect: map[string]float64{"mad": 1}}.Validate()
	for _, field := range []string{"interval", "drift_windows", "quality_windows", "reference_refresh", "max_label_lag", "drift_min_effect",
		"references", "measures.numbers", "measures.categories", "min_effect", "segments", "drift_interval", "segment_interval", "alarm.budget", "alarm.history",
		"label_interval", "label_window", "label_history", "data_quality_interval", "data_quality_window", "data_quality_min_effect"} {
		if err == nil || !strings.Contains(err.Error(), "analyze."+field) {
			t.Errorf("%v does not name %s", err, field)
		}
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	o := objective("m")
	o.Pairs[0].Short = 90 * time.Second
	if err := checkPairs(o); err == nil {
		t.Error("a window of 90 seconds is accepted")
	}
}

// Rules would lose sight of findings between two looks.
func TestConfigRefusesLongPauses(t *testing.T) {
	const most = 7*time.Minute + 30*time.Second
	interval := DefaultConfig().Interval
	for field, of := range map[string]func(*Config) (*time.Duration, time.Duration){
		"interval": func(c *Config) (*time.Duration, time.Duration) {
			c.EstimateInterval, c.LabelArrival.Interval = time.Nanosecond, time.Nanosecond
			return &c.Interval, most - time.Nanosecond
		},
		"burn_interval":          func(c *Config) (*time.Duration, time.Duration) { return &c.BurnInterval, most },
		"estimate_interval":      func(c *Config) (*time.Duration, time.Duration) { return &c.EstimateInterval, most - interval },
		"label_arrival.interval": func(c *Config) (*time.Duration, time.Duration) { return &c.LabelArrival.Interval, most - interval },
	} {
		cfg := DefaultConfig()
		d, longest := of(&cfg)
		*d = longest
		if err := cfg.Validate(); err != nil {
			t.Errorf("%s of %s: %v", field, longest, err)
		}
		*d = longest + 2
		err := cfg.Validate()
		for _, want := range []string{"analyze." + field + ": " + d.String(), "rules see a finding for 10m", "write 7m30s"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of %s: %v does not say %q", field, *d, err, want)
			}
		}
	}
}

// Run looks again and again, and ends with its context.
func TestRunLooksAgain(t *testing.T) {
	db := startDB(t)
	r := newRunner(t, db, objective("silent"))
	r.cfg.Interval = time.Millisecond
	var looks atomic.Int64
	r.now = func() time.Time { return now.Add(time.Duration(looks.Add(1)) * time.Millisecond) }
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	var stored uint64
	for stored < 2 && ctx.Err() == nil {
		if err := db.Conn().QueryRow(t.Context(), "SELECT uniqExact(at) FROM findings WHERE verdict = 'missing'").Scan(&stored); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if stored < 2 {
		t.Errorf("%d looks are stored", stored)
	}
}

// Each model's findings bear the time at which they were written, and nobody
// looks at one for longer than the runner is patient.
func TestModelsAreKeptOneByOne(t *testing.T) {
	db := startDB(t)
	var rows []map[string]any
	for _, model := range []string{"a", "b"} {
		rows = append(rows, map[string]any{"model": model, "deploy_hash": "v1", "stage": "production", "series": "requests", "time": now.Add(-day).Truncate(time.Hour).Unix(), "count": 1000})
	}
	insert(t, db, "series_hour", rows)
	r := newRunner(t, db)
	var calls atomic.Int64
	r.now = func() time.Time { return now.Add(time.Duration(calls.Add(1)) * time.Second) }
	if _, err := r.step(t.Context(), look{name: "features", make: r.lookFeatures}); err != nil {
		t.Fatal(err)
	}
	var times, models uint64
	if err := db.Conn().QueryRow(t.Context(), "SELECT uniqExact(at), uniqExact(model) FROM findings").Scan(&times, &models); err != nil || times != 2 || models != 2 {
		t.Errorf("%d times of %d models, %v", times, models, err)
	}
	r.patience = time.Millisecond
	found, err := r.within(t.Context(), func(ctx context.Context) ([]Finding, error) {
		<-ctx.Done()
		return []Finding{{Model: "a"}}, ctx.Err()
	})
	if !errors.Is(err, context.DeadlineExceeded) || len(found) != 1 {
		t.Errorf("%d findings of a look without end, %v", len(found), err)
	}
}

// What fails is tried again after its interval, and until then it is incomplete.
func TestAFailureStandsUntilTheNextAttempt(t *testing.T) {
	r := newRunner(t, startDB(t))
	served := traffic{model: "m", end: now, deploys: []deploy{{hash: "v1", stage: plumbline.StageProduction, first: now.Add(-2 * day), last: now.Add(-time.Hour)}}}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		look  func(context.Context, traffic, time.Time) ([]Finding, error)
		pause time.Duration
	}{"labels": {r.labelLook.look, r.cfg.LabelInterval}, "drift": {r.lookDrift, r.cfg.DriftInterval}} {
		_, err := tt.look(ended, served, now)
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		if findings, again := tt.look(t.Context(), served, now.Add(tt.pause-1)); len(findings) > 0 || !errors.Is(again, err) {
			t.Errorf("%s: %d findings before the next attempt, %v", name, len(findings), again)
		}
		if findings, err := tt.look(t.Context(), served, now.Add(tt.pause)); len(findings) == 0 || err != nil {
			t.Errorf("%s: %d findings after the pause, %v", name, len(findings), err)
		}
	}
}

// Ten times as many requests, counted from the same deliveries, say no more.
func TestSampledTrafficSaysNoMoreThanItsDeliveries(t *testing.T) {
	sample := func(weight uint64, counts ...uint64) drift.Sample {
		s := drift.Sample{Weight: float64(weight)}
		for i, n := range counts {
			s.Numbers.Buckets, s.Numbers.Counts = append(s.Numbers.Buckets, grid.Bucket(float64(i+1))), append(s.Numbers.Counts, n*weight)
		}
		return s
	}
	pair := func(weight uint64) (reference, current drift.Sample) {
		return sample(weight, 100, 120, 90, 110), sample(weight, 90, 80, 85, 95)
	}
	for _, id := range []measure.ID{measure.PSI, measure.ChiSquare, measure.KS} {
		reference, current := pair(1)
		want, ok := apart(reference, current, id, DefaultConfig().distances())
		reference, current = pair(10)
		got, also := apart(reference, current, id, DefaultConfig().distances())
		if !ok || !also || want.P < .05 || math.Abs(got.P-want.P) > .05 || math.Abs(got.NullMean/want.NullMean-1) > .1 {
			t.Errorf("%s: %+v of deliveries of weight 10, %+v of weight 1", id, got, want)
		}
		reference.Weight, current.Weight = 1, 1
		if more, _ := apart(reference, current, id, DefaultConfig().distances()); more.P > want.P/5 {
			t.Errorf("%s: %+v of ten times as many", id, more)
		}
	}
}
