package rules

import (
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	promrules "github.com/prometheus/prometheus/rules"

	plumbline "github.com/plumbline-slo/plumbline"
)

// An evaluator that does not have a group's duty says nothing, and when it takes
// over says everything at its next evaluation, with `for` as far as it was.
func TestTakeoverGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		mine := new(atomic.Bool)
		l.turn = func(string) bool { return mine.Load() }
		l.start()
		l.pass(56) // 14 of the 15 minutes that nothing may be known
		l.expect("another has the duty")
		mine.Store(true)
		l.pass(8)
		l.expect("the minutes under the other count", "SLOMissing/=firing")
		mine.Store(false)
		l.source.set("v2", 0.766, 0.740, 0.754)
		l.pass(10)
		l.expect("the other says it")
		mine.Store(true)
		l.pass(1)
		l.expect("at the next evaluation", "SLOBurn/v2=firing", "SLOMissing/=resolved")
	})
}

// Groups of one name in two of the user's files are two: each is evaluated when its
// turn comes, and each says everything after a takeover.
func TestGroupsOfOneNameInTwoFiles(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		for _, name := range []string{"One", "Two"} {
			rule := "groups:\n- name: own\n  rules:\n  - alert: " + name + "\n    expr: vector(1)\n"
			if err := os.WriteFile(filepath.Join(l.cfg.RulesDir, name+".yml"), []byte(rule), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		mine := new(atomic.Bool)
		l.turn = func(string) bool { return mine.Load() }
		l.start()
		l.pass(4)
		l.expect("another has the duty")
		mine.Store(true)
		l.pass(1)
		l.expect("after the takeover", "One/=firing", "Two/=firing")
		of := make(map[string]*promrules.Group)
		for _, g := range l.eval.manager.RuleGroups() {
			of[filepath.Base(g.File())] = g
		}
		now, earlier := time.Now().Add(time.Hour), time.Now().Add(time.Minute)
		l.eval.inOrder(t.Context(), of["One.yml"], now)
		l.eval.inOrder(t.Context(), of["Two.yml"], earlier)
		if got := of["Two.yml"].GetLastEvalTimestamp(); !got.Equal(earlier) {
			t.Errorf("its turn at %s was left out for that of the other's: evaluated for %s", earlier, got)
		}
	})
}

// keptRule fires while the series of the window pair does, and a quarter of an
// hour longer.
const keptRule = `groups:
- name: own
  rules:
  - alert: Kept
    expr: `

// An alert that its rule keeps firing goes on over a restart, for as long as it
// would have without, and then resolves.
func TestKeepFiringForSurvivesARestart(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		rule := keptRule + plumbline.MetricErrorRatio("6h") + " > 0.7\n    keep_firing_for: 15m\n"
		if err := os.WriteFile(filepath.Join(l.cfg.RulesDir, "own.yml"), []byte(rule), 0o600); err != nil {
			t.Fatal(err)
		}
		kept := func() string {
			for _, s := range l.inbox.take() {
				if s == "Kept/v2=firing" || s == "Kept/v2=resolved" {
					return s
				}
			}
			return ""
		}
		l.start()
		l.source.set("v2", 0.766, 0.740, 0.754)
		l.pass(4)
		began := l.inbox.last(t, "Kept").FiredAt
		l.source.set("v2", 0.2, 0.18, 0.2)
		l.pass(20) // five minutes
		if got := kept(); got != "Kept/v2=firing" {
			t.Fatalf("kept: %q", got)
		}
		l.stop()
		advance(2 * time.Minute)
		l.start()
		l.pass(4)
		if a := l.inbox.last(t, "Kept"); !a.ResolvedAt.IsZero() || !a.FiredAt.Equal(began) {
			t.Errorf("after a restart %+v, want it firing since %s", a, began)
		}
		l.pass(20) // 13 of the 15 minutes
		if got := kept(); got != "Kept/v2=firing" {
			t.Errorf("after 13 minutes: %q", got)
		}
		l.pass(16)
		if a := l.inbox.last(t, "Kept"); a.ResolvedAt.IsZero() {
			t.Errorf("after 17 minutes it fires: %+v", a)
		}
		l.inbox.take()
		l.pass(80)
		if got := kept(); got != "" {
			t.Errorf("and then: %q", got)
		}
		if alerts, err := l.eval.ActiveAlerts(); err != nil || len(alerts) != 0 {
			t.Errorf("still known as firing: %v, %v", alerts, err)
		}
	})
}

// While the rule has a kept alert pending again its condition holds: it does not
// end before `for` lets the rule say so itself.
func TestKeptWhilePending(t *testing.T) {
	noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	k, of := new(keeper), labels.FromStrings("alertname", "Kept")
	k.remember([]firingAlert{{Labels: of, Expr: "up", FiredAt: noon}})
	pending := map[string]promrules.AlertState{encode(of): promrules.StatePending}
	for _, step := range []struct {
		minute int
		now    map[string]promrules.AlertState
		want   []promrules.AlertState
	}{
		{0, nil, []promrules.AlertState{StateFiring}},
		{9, pending, []promrules.AlertState{StateFiring}},
		{14, pending, []promrules.AlertState{StateFiring}},
		{15, nil, []promrules.AlertState{StateFiring}},
		{24, nil, []promrules.AlertState{StateFiring}},
		{25, nil, []promrules.AlertState{promrules.StateInactive}},
		{26, nil, nil},
	} {
		var got []promrules.AlertState
		for _, a := range k.due("up", "Kept", 10*time.Minute, step.now, noon.Add(time.Duration(step.minute)*time.Minute), time.Minute) {
			got = append(got, a.State)
		}
		if !slices.Equal(got, step.want) {
			t.Errorf("minute %d: %v, want %v", step.minute, got, step.want)
		}
	}
}
