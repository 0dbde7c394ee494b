package rules_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/rules"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func TestSamples(t *testing.T) {
	base := rules.FindingRow{
		At: time.Unix(1000, 0), Model: "m", Deploy: "d", SLO: "s", Window: "2h",
		Measure: plumbline.MeasureBadShare, Value: 0.3, Low: 0.2, Coverage: 0.9, Noise: math.NaN(), Verdict: plumbline.VerdictOK,
	}
	change := func(f func(*rules.FindingRow)) rules.FindingRow {
		r := base
		f(&r)
		return r
	}
	const coverage, ratio, low = "slo:sli_coverage:ratio_rate2h", "slo:sli_error:ratio_rate2h", "slo:sli_error:ratio_low2h"
	tests := []struct {
		name string
		row  rules.FindingRow
		want map[string]float64
	}{
		{"ok", base, map[string]float64{coverage: 0.9, ratio: 0.3, low: 0.2}},
		{"breach", change(func(r *rules.FindingRow) { r.Verdict = plumbline.VerdictBreach }), map[string]float64{coverage: 0.9, ratio: 0.3, low: 0.2}},
		{"insufficient", change(func(r *rules.FindingRow) { r.Verdict, r.Coverage = plumbline.VerdictInsufficient, 0.1 }), map[string]float64{coverage: 0.1}},
		{"missing", change(func(r *rules.FindingRow) { r.Verdict = plumbline.VerdictMissing; r.Coverage = math.NaN() }), nil},
		{"NaN", change(func(r *rules.FindingRow) { r.Value, r.Low = math.NaN(), math.NaN() }), map[string]float64{coverage: 0.9}},
		{"no interval", change(func(r *rules.FindingRow) { r.Low = math.NaN() }), map[string]float64{coverage: 0.9, ratio: 0.3}},
		{"infinite", change(func(r *rules.FindingRow) { r.Value = math.Inf(1) }), map[string]float64{coverage: 0.9, low: 0.2}},
		{"zero is a number", change(func(r *rules.FindingRow) { r.Value, r.Low = 0, 0 }), map[string]float64{coverage: 0.9, ratio: 0, low: 0}},
		{"noise", change(func(r *rules.FindingRow) { r.Noise = 1e-9 }), map[string]float64{coverage: 0.9, ratio: 0.3, low: 0.2, "slo:sli_error:ratio_noise2h": 1e-9}},
		{"another measure", change(func(r *rules.FindingRow) { r.Measure = plumbline.MeasurePSI }), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := make(map[string]float64)
			for _, s := range rules.Samples([]rules.FindingRow{tt.row}) {
				got[s.Name] = s.Value
				if s.Labels["model"] != "m" || s.Labels["deploy_hash"] != "d" || s.Labels["slo"] != "s" || len(s.Labels) != 3 || !s.At.Equal(base.At) {
					t.Errorf("%+v", s)
				}
			}
			if len(got) != len(tt.want) {
				t.Fatalf("got %v, want %v", got, tt.want)
			}
			for name, v := range tt.want {
				if g, ok := got[name]; !ok || g != v {
					t.Errorf("%s is %v, want %v", name, g, v)
				}
			}
		})
	}
}

// What other deploys serve instead is over, and not unknown.
func TestSamplesOfAWindowServedElsewhere(t *testing.T) {
	row := rules.FindingRow{
		At: time.Unix(1000, 0), Model: "m", Deploy: "d", SLO: "s", Window: "5m", Measure: plumbline.MeasureBadShare,
		Value: math.NaN(), Low: math.NaN(), Coverage: math.NaN(), Noise: math.NaN(), Verdict: plumbline.VerdictMissing, Assumes: plumbline.AssumesElsewhere,
	}
	var names []string
	for _, s := range rules.Samples([]rules.FindingRow{row}) {
		names = append(names, s.Name)
		if !s.Ended || !math.IsNaN(s.Value) || s.Labels["deploy_hash"] != "d" || !s.At.Equal(row.At) {
			t.Errorf("%+v", s)
		}
	}
	if want := []string{"slo:sli_error:ratio_rate5m", "slo:sli_error:ratio_low5m", "slo:sli_error:ratio_noise5m"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

// Whether labels stay away is told of the model, of no SLO and no deploy.
// A budget is of all deploys, unless the SLO is of one; what too little is known of is
// no number.
func TestSamplesOfBudgets(t *testing.T) {
	row := rules.FindingRow{At: time.Unix(1000, 0), Model: "m", SLO: "s", Window: "30d", Measure: plumbline.MeasureBudgetLeft, Value: -0.5, Coverage: 1, Verdict: plumbline.VerdictBreach}
	canary, young, silent := row, row, row
	canary.Deploy, canary.Value, canary.Verdict = "d", 1, plumbline.VerdictOK
	young.Verdict = plumbline.VerdictInsufficient
	silent.Value, silent.Verdict = math.NaN(), plumbline.VerdictMissing
	for name, tt := range map[string]struct {
		row  rules.FindingRow
		want string
	}{
		"all deploys": {row, "map[model:m slo:s] -0.5"},
		"one deploy":  {canary, "map[deploy_hash:d model:m slo:s] 1"},
		"not seen":    {young, ""},
		"nothing":     {silent, ""},
	} {
		var got []string
		for _, s := range rules.Samples([]rules.FindingRow{tt.row}) {
			got = append(got, fmt.Sprint(s.Labels, " ", s.Value))
			if s.Name != plumbline.MetricBudgetLeft {
				t.Errorf("%s: %s", name, s.Name)
			}
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: got %v, want %s", name, got, tt.want)
		}
	}
}

func TestSamplesOfBlindness(t *testing.T) {
	row := rules.FindingRow{At: time.Unix(1000, 0), Model: "m", Measure: plumbline.MeasureBlind, Value: 1, Verdict: plumbline.VerdictBreach}
	nothing := row
	nothing.Value = math.NaN()
	got := rules.Samples([]rules.FindingRow{row, nothing})
	if len(got) != 1 || got[0].Name != plumbline.MetricLabelsBlind || got[0].Value != 1 || !got[0].At.Equal(row.At) || len(got[0].Labels) != 1 || got[0].Labels["model"] != "m" {
		t.Errorf("got %+v", got)
	}
}

// finding is one row to insert.
type finding struct {
	at                                                   time.Time
	signal, stage, segment, deploy, slo, window, verdict string
	measure                                              string // empty is a bad share
	value, low, coverage                                 float64
}

func insert(t *testing.T, db *storage.DB, rows ...finding) {
	t.Helper()
	batch, err := db.Conn().PrepareBatch(t.Context(), "INSERT INTO findings (at, signal, model, deploy_hash, stage, segment, slo, window, window_end, measure, value, low, high, count, coverage, verdict)")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range rows {
		if err := batch.Append(f.at, f.signal, "flight-delay", f.deploy, f.stage, f.segment, f.slo, f.window, f.at, cmp.Or(f.measure, plumbline.MeasureBadShare),
			f.value, f.low, 1.0, uint64(1065), f.coverage, f.verdict); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

// awkward is a deploy hash that ends a SQL string and a PromQL one.
const awkward = `3f9c'" OR 1=1 \`

func burn(at time.Time, window string, value, low float64) finding {
	return finding{
		at: at, signal: "burn", stage: "production", deploy: awkward, slo: "flights-accuracy", window: window,
		verdict: plumbline.VerdictOK, value: value, low: low, coverage: 0.8,
	}
}

func TestFindingReader(t *testing.T) {
	db := testenv.Start(t, testenv.Setup{}).DB
	now := time.Now().Truncate(time.Millisecond)
	insert(t, db,
		burn(now.Add(-2*time.Minute), "6h", 0.1, 0.05),
		burn(now.Add(-time.Minute), "6h", 0.766, 0.740),
		burn(now.Add(-20*time.Minute), "30m", 0.9, 0.8),
		func() finding { f := burn(now, "6h", 0.99, 0.99); f.stage = "canary"; return f }(),
		func() finding { f := burn(now, "6h", 0.99, 0.99); f.segment = "region=eu"; return f }(),
		func() finding { f := burn(now, "6h", 0.99, 0.99); f.signal = "quality"; return f }(),
		func() finding {
			f := burn(now, "30d", 0.4, math.NaN())
			f.deploy, f.signal, f.measure = "", "budget", "left"
			return f
		}(),
		func() finding {
			f := burn(now, "6h", math.NaN(), math.NaN())
			f.deploy, f.verdict = "v1", plumbline.VerdictInsufficient
			return f
		}(),
	)
	reader := rules.FindingReader{Conn: db.Conn()}
	rows, err := reader.Rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(rows, func(a, b rules.FindingRow) int { return strings.Compare(string(a.Deploy), string(b.Deploy)) })
	if len(rows) != 3 || rows[0].Measure != plumbline.MeasureBudgetLeft || rows[0].Value != 0.4 {
		t.Fatalf("got %+v", rows)
	}
	rows = rows[1:]
	want := rules.FindingRow{
		At: now.Add(-time.Minute).UTC(), Model: "flight-delay", Deploy: awkward, SLO: "flights-accuracy", Window: "6h",
		Measure: "bad_share", End: now.Add(-time.Minute).UTC(), Value: 0.766, Low: 0.740, High: 1, Coverage: 0.8, Verdict: plumbline.VerdictOK,
	}
	if !math.IsNaN(rows[0].Noise) {
		t.Errorf("nothing was tested, but the noise is %v", rows[0].Noise)
	}
	rows[0].Noise, rows[0].End = 0, rows[0].End.UTC()
	if got := rows[0]; !got.At.Equal(want.At) {
		t.Errorf("at %v, want %v", got.At, want.At)
	} else if got.At = want.At; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !math.IsNaN(rows[1].Value) || rows[1].Deploy != "v1" {
		t.Errorf("got %+v", rows[1])
	}
	samples, err := reader.Current(t.Context())
	if err != nil || len(samples) != 5 {
		t.Errorf("%d samples, %v: 3 of the one deploy, the coverage of the other and a budget are 5", len(samples), err)
	}
}

func TestFindingReaderReportsErrors(t *testing.T) {
	db := testenv.Start(t, testenv.Setup{}).DB
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (rules.FindingReader{Conn: db.Conn()}).Current(ctx); err == nil || !strings.Contains(err.Error(), "burn findings") {
		t.Errorf("got %v", err)
	}
}

// TestSQLOfTheAlertReturnsItsNumber goes the whole way: findings in ClickHouse,
// the generated rule, the alert; then the alert's own SQL statement is run and
// its first column has to be the number the rule compared, whatever was found
// meanwhile of a segment, a canary or another SLO.
func TestSQLOfTheAlertReturnsItsNumber(t *testing.T) {
	flights, err := rules.ParseFiles("testdata/flights.yml")
	if err != nil {
		t.Fatal(err)
	}
	fast := plumbline.SLO{
		Name: "fast", Model: "flight-delay", Owner: "o", Target: 0.99, Period: 30 * 24 * time.Hour,
		SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lt", Value: 200},
	}
	for name, c := range map[string]struct {
		slos        []plumbline.SLO
		slo         string
		long, short string
		want        float64
	}{
		"quality": {flights, "flights-accuracy", "6h", "30m", 0.740},
		"latency": {[]plumbline.SLO{fast}, "fast", "1d", "2h", 0.766},
	} {
		t.Run(name, func(t *testing.T) {
			db := testenv.Start(t, testenv.Setup{}).DB
			now := time.Now()
			of := func(f finding) finding { f.slo = c.slo; return f }
			segment, canary := of(burn(now.Add(time.Second), c.long, 0.99, 0.98)), of(burn(now.Add(time.Second), c.long, 0.99, 0.98))
			segment.segment, canary.stage = "region=eu", "canary"
			another := burn(now.Add(time.Second), c.long, 0.99, 0.98)
			another.slo = "another"
			insert(t, db, of(burn(now, c.long, 0.766, 0.740)), of(burn(now, c.short, 0.754, 0.67)), segment, canary, another)
			alert := firstAlert(t, db, c.slos)
			var (
				first, second, coverage float64
				count                   uint64
				windowEnd, at           time.Time
			)
			statement := alert.Annotations.Get(plumbline.AnnotationSQL)
			if err := db.Conn().QueryRow(t.Context(), statement).Scan(&first, &second, &count, &coverage, &windowEnd, &at); err != nil {
				t.Fatalf("%v\n%s", err, statement)
			}
			if first != alert.Value || first != c.want || count != 1065 {
				t.Errorf("SQL gives %v of %d; the alert compared %v", first, count, alert.Value)
			}
		})
	}
}

// firstAlert evaluates the rules of the SLOs over the findings until one fires.
func firstAlert(t *testing.T, db *storage.DB, slos []plumbline.SLO) *rules.Alert {
	t.Helper()
	dir := t.TempDir()
	if _, err := rules.WriteFile(filepath.Join(dir, "rules"), slos, rules.DefaultGenerateConfig()); err != nil {
		t.Fatal(err)
	}
	cfg := rules.DefaultConfig()
	cfg.Interval, cfg.RulesDir, cfg.StateFile = 100*time.Millisecond, filepath.Join(dir, "rules"), filepath.Join(dir, "alerts.json")
	fired := make(chan *rules.Alert, 16)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	eval, err := rules.New(cfg, rules.Dependencies{
		Source: rules.FindingReader{Conn: db.Conn()},
		Notify: func(_ context.Context, _ string, alerts ...*rules.Alert) {
			for _, a := range alerts {
				select {
				case fired <- a:
				case <-ctx.Done():
				}
			}
		},
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- eval.Run(ctx) }()
	var alert *rules.Alert
	select {
	case alert = <-fired:
	case err := <-done:
		t.Fatalf("Run: %v", err)
	case <-time.After(5 * time.Minute):
		t.Fatal("no alert within five minutes")
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	return alert
}
