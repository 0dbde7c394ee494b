package rules

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/plumbline-slo/plumbline"
)

func TestFiresOnlyWhenBothWindowsHold(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.source.set("v1", 0.2, 0.18, 0.22)
		l.pass(4)
		l.expect("healthy")
		l.source.set("v1", 0.9, 0.85, 0.3)
		l.pass(4)
		l.expect("only the long window")
		l.source.set("v1", 0.5, 0.45, 0.95)
		l.pass(4)
		l.expect("only the short window")
		l.source.set("v1", 0.7, 0.60, 0.95)
		l.pass(4)
		l.expect("the long window's point without its lower end")
		l.source.set("v1", 0.766, 0.740, 0.754)
		l.pass(2)
		l.expect("both", "SLOBurn/v1=firing")
		l.source.set("v1", 0.766, 0.740, 0.3)
		l.pass(2)
		l.expect("the short window falls", "SLOBurn/v1=resolved")
	})
}

func TestThresholdIsExclusive(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.source.set("v1", 0.672, 0.672, 0.672)
		l.pass(4)
		l.expect("exactly at the threshold")
		l.source.set("v1", 0.673, 0.6721, 0.6721)
		l.pass(2)
		l.expect("just beyond", "SLOBurn/v1=firing")
	})
}

func TestOneAlertPerDeploy(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.source.set("v1", 0.2, 0.18, 0.2)
		l.source.set("v2", 0.766, 0.740, 0.754)
		l.pass(4)
		l.expect("one of two", "SLOBurn/v2=firing")
		l.source.set("v1", 0.8, 0.75, 0.8)
		l.pass(2)
		l.expect("the other too", "SLOBurn/v1=firing", "SLOBurn/v2=firing")
		// A rollback: v2 says nothing any more, v1 is well again.
		l.source.drop("v2")
		l.source.set("v1", 0.2, 0.18, 0.2)
		l.pass(5)
		l.expect("rolled back", "SLOBurn/v1=resolved", "SLOBurn/v2=resolved")
	})
}

// TestAnnotationsCarryTheNumbers holds what a person reads.
func TestAnnotationsCarryTheNumbers(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		deploy := `3f9c'\{{ 1 }}`
		l.start()
		l.source.set(deploy, 0.766, 0.740, 0.754)
		l.pass(2)
		a := l.inbox.last(t, plumbline.AlertSLOBurn)
		for name, want := range map[string]string{
			plumbline.LabelModel: "flight-delay", plumbline.LabelDeploy: deploy, plumbline.LabelSLO: "flights-accuracy",
			plumbline.LabelSeverity: "page", plumbline.LabelOwner: "ml-oncall", plumbline.LabelWindow: "6h",
		} {
			if got := a.Labels.Get(name); got != want {
				t.Errorf("label %s is %q, want %q", name, got, want)
			}
		}
		for name, want := range map[string]string{
			plumbline.AnnotationValue:      "74%",
			plumbline.AnnotationLongValue:  "76.6%",
			plumbline.AnnotationShortValue: "75.4%",
			plumbline.AnnotationCoverage:   "80%",
			plumbline.AnnotationBurnRate:   "2.47",
			plumbline.AnnotationThreshold:  "67.2%",
			plumbline.AnnotationTarget:     "70%",
			plumbline.AnnotationWindows:    "6h/30m",
			plumbline.AnnotationPeriod:     "28d",
			plumbline.AnnotationSummary:    "flight-delay: 76.6% of labelled predictions wrong over 6h, 30% allowed (deploy " + deploy + ")",
			plumbline.AnnotationDescription: "Over the last 6h (event time) 76.6% of the labelled predictions of flight-delay deploy " + deploy + " were wrong, " +
				"at least 74% with 95 % confidence, and 75.4% over the last 30m. SLO flights-accuracy allows 30% over 28d; this alert fires beyond 67.2%. " +
				"The budget burns at least 2.47 times as fast as planned. 80% of the window's predictions have a label. " +
				"Even if every label that is missing says right, chance would not do that to a model that meets its target more than once a year.",
			plumbline.AnnotationDashboard: "https://grafana.example/d/plumbline-oncall?var-model=flight-delay&var-deploy_hash=3f9c%27%5C%7B%7B+1+%7D%7D",
			plumbline.AnnotationPage:      "http://plumbline.example/?model=flight-delay&deploy_hash=3f9c%27%5C%7B%7B+1+%7D%7D&slo=flights-accuracy",
			plumbline.AnnotationRunbook:   "https://docs.example/runbooks/slo-burn.md",
			plumbline.AnnotationSQL: `SELECT low, value, count, coverage, window_end, at FROM findings WHERE signal = 'burn' AND measure = 'bad_share' AND stage = 'production' AND segment = '' AND window = '6h'` +
				` AND model = 'flight-delay' AND deploy_hash = '3f9c\'\\{{ 1 }}' AND slo = 'flights-accuracy' AND isFinite(low) ORDER BY at DESC LIMIT 1`,
		} {
			if got := a.Annotations.Get(name); got != want {
				t.Errorf("annotation %s is\n%q, want\n%q", name, got, want)
			}
		}
	})
}

// TestMissingIsATicket holds that an SLO of which nothing is ever known gets a
// ticket after 15 minutes, and that the ticket ends with the first number.
func TestMissingIsATicket(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.pass(56)
		l.expect("after 14 minutes")
		l.pass(8)
		ticket := l.inbox.last(t, plumbline.AlertSLOMissing)
		for name, want := range map[string]string{
			plumbline.AnnotationSummary:   "flight-delay: nothing is known about SLO flights-accuracy",
			plumbline.AnnotationPage:      "http://plumbline.example/?model=flight-delay&slo=flights-accuracy",
			plumbline.AnnotationDashboard: "https://grafana.example/d/plumbline-oncall?var-model=flight-delay",
		} {
			if got := ticket.Annotations.Get(name); got != want {
				t.Errorf("annotation %s is %q, want %q", name, got, want)
			}
		}
		l.expect("after 16 minutes", "SLOMissing/=firing")
		l.source.row("v1", "6h", math.NaN(), math.NaN())
		l.pass(5)
		l.expect("an insufficient finding", "SLOMissing/=firing")
		l.source.set("v1", 0.2, 0.18, 0.2)
		l.pass(2)
		l.expect("a number", "SLOMissing/=resolved")
	})
}

// TestBlindnessResolvesNothing holds that a page outlives the numbers it rests
// on, with a ticket beside it, until HoldBlind has passed or numbers are back.
func TestBlindnessResolvesNothing(t *testing.T) {
	for name, blind := range map[string]func(l *lab){
		"the source cannot be read": func(l *lab) { l.source.fail(errors.New("connection refused")) },
		"no findings at all":        func(l *lab) { l.source.drop("v2") },
		"too few labels":            func(l *lab) { l.source.set("v2", math.NaN(), math.NaN(), math.NaN()) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, l *lab) {
				l.cfg.HoldBlind = 30 * time.Minute
				l.start()
				l.source.set("v2", 0.766, 0.740, 0.754)
				l.pass(4)
				l.expect("burning", "SLOBurn/v2=firing")
				blind(l)
				l.pass(50)
				l.expect("just blind", "SLOBurn/v2=firing")
				l.pass(40)
				l.expect("blind for over 15 minutes", "SLOBurn/v2=firing", "SLOMissing/=firing")
				if got := testutil.ToFloat64(l.eval.metrics.held); got != 5 {
					t.Errorf("%v series are held, want 5", got)
				}
				l.source.fail(nil)
				l.source.set("v2", 0.2, 0.18, 0.2)
				l.pass(2)
				l.expect("numbers are back", "SLOBurn/v2=resolved", "SLOMissing/=resolved")
				l.source.drop("v2")
				l.pass(int(l.cfg.HoldBlind/l.cfg.Interval) + 8)
				if _, ok := l.eval.value(plumbline.MetricErrorRatio("6h"), "v2"); ok {
					t.Error("a ratio is held for ever")
				}
			})
		})
	}
}

// TestARollbackIsQuietWithinTheShortWindow holds that a page ends with the short window
// in which other deploys are known to serve and its own is not, though longer windows
// still hold what it did; and that a window that is missing for another reason ends
// nothing.
func TestARollbackIsQuietWithinTheShortWindow(t *testing.T) {
	missing := func(l *lab, why string) {
		l.source.row("v2", "30m", math.NaN(), math.NaN())
		l.source.mu.Lock()
		defer l.source.mu.Unlock()
		r := l.source.rows["v230m"]
		r.Verdict, r.Assumes, r.Coverage = plumbline.VerdictMissing, why, math.NaN()
		l.source.rows["v230m"] = r
	}
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.source.set("v1", 0.2, 0.18, 0.2)
		l.source.set("v2", 0.766, 0.740, 0.754)
		l.pass(4)
		l.expect("burning", "SLOBurn/v2=firing")
		missing(l, "not all is counted")
		l.pass(40)
		l.expect("nobody knows", "SLOBurn/v2=firing")
		l.stop()
		l.start()
		l.pass(4)
		l.expect("restarted", "SLOBurn/v2=firing")
		missing(l, plumbline.AssumesElsewhere)
		l.pass(4)
		if _, ok := l.eval.value(plumbline.MetricErrorRatio("30m"), "v2"); ok {
			t.Error("the ratio of a window without an event is held")
		}
		if _, ok := l.eval.value(plumbline.MetricErrorRatio("6h"), "v2"); !ok {
			t.Error("the long window has events of before, and has ended")
		}
		if got := l.inbox.take(); !slices.Contains(got, "SLOBurn/v2=resolved") {
			t.Errorf("rolled back: sent %v", got)
		}
		missing(l, "not all is counted")
		l.pass(4)
		if _, ok := l.eval.value(plumbline.MetricErrorRatio("30m"), "v2"); ok {
			t.Error("what has ended is back")
		}
	})
}

func TestSourceErrorsAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.source.fail(errors.New("connection refused"))
		l.pass(4)
		if got := testutil.ToFloat64(l.eval.metrics.sourceErrors); got < 3 {
			t.Errorf("%v errors counted in 4 intervals", got)
		}
	})
}

// TestSeriesEnds holds that a deploy that no longer speaks leaves PromQL's sight
// after two intervals and not before.
func TestSeriesEnds(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.source.set("v1", 0.2, 0.18, 0.2)
		l.source.set("v2", 0.3, 0.28, 0.3)
		l.pass(3)
		l.source.drop("v2")
		l.pass(1)
		if _, ok := l.eval.value(plumbline.MetricErrorRatio("6h"), "v2"); !ok {
			t.Error("gone after one interval")
		}
		l.pass(3)
		if v, ok := l.eval.value(plumbline.MetricErrorRatio("6h"), "v2"); ok {
			t.Errorf("still %v after four intervals", v)
		}
		if v, ok := l.eval.value(plumbline.MetricErrorRatio("6h"), "v1"); !ok || v != 0.2 {
			t.Errorf("the other deploy is at %v, %v", v, ok)
		}
	})
}

// TestRestart holds that a firing page keeps the time it began at, that `for` is
// resumed and not begun again, and that what was firing is known before Run.
func TestRestart(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		if alerts, err := l.eval.ActiveAlerts(); err != nil || len(alerts) != 0 {
			t.Fatalf("a first start has %v, %v", alerts, err)
		}
		l.source.set("v2", 0.766, 0.740, 0.754)
		l.pass(4)
		began := l.inbox.last(t, plumbline.AlertSLOBurn).FiredAt
		l.expect("burning", "SLOBurn/v2=firing")
		// Ten of the ticket's fifteen minutes pass, then the process ends.
		l.source.fail(errors.New("connection refused"))
		l.pass(40)
		l.inbox.take()
		l.stop()

		advance(2 * time.Minute)
		l.start()
		alerts, err := l.eval.ActiveAlerts()
		if err != nil || len(alerts) != 1 || alerts[0].Labels.Get(plumbline.LabelDeploy) != "v2" {
			t.Fatalf("before Run: %v, %v", alerts, err)
		}
		if alerts[0].Annotations.Get(plumbline.AnnotationBurnRate) != "2.47" || !alerts[0].ValidUntil.After(time.Now()) {
			t.Errorf("before Run: %+v", alerts[0])
		}
		l.pass(2)
		if a := l.inbox.last(t, plumbline.AlertSLOBurn); !a.FiredAt.Equal(began) {
			t.Errorf("fired at %v, before the restart at %v", a.FiredAt, began)
		}
		l.expect("still blind, still burning", "SLOBurn/v2=firing")
		l.pass(10)
		l.expect("12.5 of 15 minutes", "SLOBurn/v2=firing")
		l.pass(14)
		l.expect("the ticket's minutes went on counting", "SLOBurn/v2=firing", "SLOMissing/=firing")
	})
}

// TestEndedWhileDown holds that an alert that ended while the process was down
// is handed to alerting before Run and not kept by the evaluator afterwards.
func TestEndedWhileDown(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.source.set("v2", 0.766, 0.740, 0.754)
		l.pass(4)
		l.stop()
		l.inbox.take()
		l.source.set("v2", 0.2, 0.18, 0.2)
		l.start()
		if alerts, err := l.eval.ActiveAlerts(); err != nil || len(alerts) != 1 {
			t.Fatalf("before Run: %v, %v", alerts, err)
		}
		l.pass(40)
		l.expect("after Run")
		if alerts, err := l.eval.ActiveAlerts(); err != nil || len(alerts) != 0 {
			t.Errorf("ten minutes later: %v, %v", alerts, err)
		}
		l.stop()
		l.start()
		if alerts, err := l.eval.ActiveAlerts(); err != nil || len(alerts) != 0 {
			t.Errorf("another start brought back %v, %v", alerts, err)
		}
	})
}

// TestKilledAfterNotify holds that an alert is in the state file before it is
// handed on: whoever reads the file at that moment finds it.
func TestKilledAfterNotify(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		var atNotify []firingAlert
		inner := l.inbox.notify
		l.start()
		l.eval.deps.Notify = func(ctx context.Context, expr string, alerts ...*Alert) {
			s, err := readState(l.cfg.StateFile)
			if err != nil {
				t.Error(err)
			}
			atNotify = append(atNotify, s.Firing...)
			inner(ctx, expr, alerts...)
		}
		l.source.set("v2", 0.766, 0.740, 0.754)
		l.pass(2)
		if len(atNotify) == 0 || atNotify[0].Labels.Get(plumbline.LabelDeploy) != "v2" {
			t.Errorf("on disk at notify: %v", atNotify)
		}
	})
}

func TestReload(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		l.source.set("v2", 0.766, 0.740, 0.754)
		l.pass(4)
		l.expect("burning", "SLOBurn/v2=firing")
		own := filepath.Join(l.cfg.RulesDir, "own.yml")
		write := func(text string) {
			if err := os.WriteFile(own, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write("groups: [{name: own, rules: [{alert: Own, expr: 'vector(1', labels: {}}]}]\n")
		if err := l.eval.Reload(); err == nil || !strings.Contains(err.Error(), own) {
			t.Errorf("a broken file: %v", err)
		}
		write("groups: [{name: own, rules: [{alert: Own, expr: 'max_over_time(slo:sli_error:ratio_rate6h[1m]) > 0.7'}]}]\n")
		if err := l.eval.Reload(); err != nil {
			t.Fatal(err)
		}
		l.pass(8)
		l.expect("the user's own rule", "Own/v2=firing", "SLOBurn/v2=firing")
	})
}

// A service is ready once its rules are: a reload as soon as it said so was refused.
func TestReadyReloads(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.start()
		<-l.eval.Ready()
		if err := l.eval.Reload(); err != nil {
			t.Error(err)
		}
	})
}

func TestRunErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		damage func(l *lab)
		want   string
	}{
		"no rules folder": {func(l *lab) { l.cfg.RulesDir += "x" }, "read rule files"},
		"a state file that is none": {func(l *lab) {
			if err := os.WriteFile(l.cfg.StateFile, []byte("{"), 0o600); err != nil {
				l.t.Fatal(err)
			}
		}, "remove the file"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			tt.damage(l)
			eval, err := New(l.cfg, Dependencies{
				Source: l.source, Notify: l.inbox.notify, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := eval.Run(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			select {
			case <-eval.Ready():
				t.Error("it is ready, and has no rules")
			default:
			}
		})
	}
}

func TestConfigValidate(t *testing.T) {
	good := DefaultConfig()
	good.RulesDir, good.StateFile = "rules", "state"
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for field, damage := range map[string]func(*Config){
		"interval":     func(c *Config) { c.Interval = 0 },
		"lookback":     func(c *Config) { c.Lookback = c.Interval },
		"rules_dir":    func(c *Config) { c.RulesDir = "" },
		"state_file":   func(c *Config) { c.StateFile = "" },
		"external_url": func(c *Config) { c.ExternalURL = ":" },
		"hold_blind":   func(c *Config) { c.HoldBlind = -1 },
	} {
		c := good
		damage(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := New(good, Dependencies{}); err == nil {
		t.Error("an evaluator without dependencies")
	}
}
