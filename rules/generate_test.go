package rules

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/plumbline-slo/plumbline"
)

// mustLoad fails unless Prometheus' own parser takes the rule file, expressions
// and templates included.
func mustLoad(t *testing.T, content []byte) *rulefmt.RuleGroups {
	t.Helper()
	groups, errs := rulefmt.Parse(content, false, model.UTF8Validation, parser.NewParser(parser.Options{}), promslog.NewNopLogger())
	for _, err := range errs {
		t.Errorf("%v\nin\n%s", err, content)
	}
	return groups
}

func linked() GenerateConfig {
	cfg := DefaultGenerateConfig()
	cfg.PageURL = "http://plumbline.example/"
	cfg.DashboardURL = "https://grafana.example/d/plumbline-oncall"
	cfg.RunbookURL = "https://docs.example/runbooks/"
	return cfg
}

func TestGenerateGolden(t *testing.T) {
	for _, name := range []string{"flights", "awkward"} {
		t.Run(name, func(t *testing.T) {
			slos, err := ParseFiles("testdata/" + name + ".yml")
			if err != nil {
				t.Fatal(err)
			}
			got, err := Generate(slos, linked())
			if err != nil {
				t.Fatal(err)
			}
			mustLoad(t, got)
			golden(t, "testdata/"+name+".rules.golden", got)
		})
	}
}

// TestGenerateAlerts holds the parts of the rules that other packages build on.
func TestGenerateAlerts(t *testing.T) {
	slo := plumbline.SLO{Name: "q", Model: "m", Owner: "o", Measure: plumbline.MeasureAccuracy, Target: 0.9, Period: 30 * day}
	content, err := Generate([]plumbline.SLO{slo}, linked())
	if err != nil {
		t.Fatal(err)
	}
	var severities, windows, clocks []string
	for _, r := range mustLoad(t, content).Groups[0].Rules {
		if r.Alert != plumbline.AlertSLOBurn {
			continue
		}
		severities = append(severities, r.Labels[plumbline.LabelSeverity])
		windows = append(windows, r.Annotations[plumbline.AnnotationWindows])
		clocks = append(clocks, r.Labels[plumbline.LabelClock])
		for _, name := range []string{
			plumbline.AnnotationSummary, plumbline.AnnotationDescription, plumbline.AnnotationRunbook, plumbline.AnnotationDashboard,
			plumbline.AnnotationPage, plumbline.AnnotationSQL, plumbline.AnnotationBurnRate, plumbline.AnnotationValue,
			plumbline.AnnotationThreshold, plumbline.AnnotationTarget, plumbline.AnnotationWindows, plumbline.AnnotationPeriod, plumbline.AnnotationCoverage,
		} {
			if r.Annotations[name] == "" {
				t.Errorf("%s: annotation %s is missing", r.Labels[plumbline.LabelWindow], name)
			}
		}
	}
	// Labels' own alerts, beside that of a page what is left of one that is held back,
	// then those of estimates.
	if !slices.Equal(severities, []string{"page", "ticket", "ticket", "ticket", "page", "ticket"}) ||
		!slices.Equal(windows, []string{"2h/10m", "2h/10m", "1d/2h", "3d/6h", "2h/1h", "2h/1h"}) ||
		!slices.Equal(clocks, []string{"", plumbline.ClockMatured, "", "", plumbline.ClockNowcast, plumbline.ClockNowcast}) {
		t.Errorf("got %v over %v by %v", severities, windows, clocks)
	}
}

// What a page says of requests and months is true: they were answered, with an
// error, and no month has 730 hours.
func TestWhatAlertsOfCountsSay(t *testing.T) {
	slo := plumbline.SLO{Name: "s", Model: "m", Owner: "o", SLI: plumbline.SLI{Kind: plumbline.SLISuccess}, Target: 0.99, Period: 730 * time.Hour, Calendar: &plumbline.Calendar{Months: 1}}
	content, err := Generate([]plumbline.SLO{slo}, linked())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"of requests did not succeed over 1h", "allows 1% over a calendar month;", "period: 1M"} {
		if !strings.Contains(string(content), want) {
			t.Errorf("the rules do not say %q:\n%s", want, content)
		}
	}
	if strings.Contains(string(content), "730h") {
		t.Error("a month is said to have 730 hours")
	}
}

func TestGenerateIsOrderFree(t *testing.T) {
	a := plumbline.SLO{Name: "a", Model: "m", Owner: "o", Target: 0.9, Period: 30 * day}
	b := a
	b.Name = "b"
	one, err := Generate([]plumbline.SLO{a, b}, DefaultGenerateConfig())
	if err != nil {
		t.Fatal(err)
	}
	two, err := Generate([]plumbline.SLO{b, a}, DefaultGenerateConfig())
	if err != nil {
		t.Fatal(err)
	}
	if string(one) != string(two) {
		t.Error("the order of SLOs shows in the file")
	}
}

func TestGenerateRefuses(t *testing.T) {
	good := plumbline.SLO{Name: "a", Model: "m", Owner: "o", Target: 0.9, Period: 30 * day}
	never := good
	never.Period, never.Target = day, 0.05
	for name, tt := range map[string]struct {
		slos []plumbline.SLO
		cfg  func(*GenerateConfig)
		want string
	}{
		"an SLO that cannot alert": {[]plumbline.SLO{never}, nil, "no window pair can fire"},
		"one name twice":           {[]plumbline.SLO{good, good}, nil, "given twice"},
		"a link that is none":      {nil, func(c *GenerateConfig) { c.PageURL = "javascript:alert(1)" }, "page_url"},
		"an impatient ticket":      {nil, func(c *GenerateConfig) { c.MissingFor = time.Second }, "missing_for"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultGenerateConfig()
			if tt.cfg != nil {
				tt.cfg(&cfg)
			}
			if _, err := Generate(tt.slos, cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestWriteFileReplaces(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rules")
	slos, err := ParseFiles("testdata/flights.yml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := WriteFile(dir, slos, DefaultGenerateConfig()); err != nil {
		t.Fatal(err)
	}
	path, err := WriteFile(dir, nil, DefaultGenerateConfig())
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if groups := mustLoad(t, content); len(groups.Groups) != 0 {
		t.Errorf("the former rules are still there:\n%s", content)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
