package analyze

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/burn/count"
)

func TestCountedFindings(t *testing.T) {
	pair := func(long, short time.Duration) plumbline.WindowPair {
		return plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: long, Short: short, Factor: 6}
	}
	o := plumbline.Objective{SLO: plumbline.SLO{Name: "s", Model: "m", Target: 0.99}, Pairs: []plumbline.WindowPair{pair(6*time.Hour, 30*time.Minute), pair(72*time.Hour, 6*time.Hour)}}
	found := countedFindings(count.Evaluation{Objective: o, Deploy: "d", Counted: []burn.Counted{
		{Pair: o.Pairs[0], End: now, Long: burn.Count{Bad: 20, Total: 100, Rows: 50}, Short: burn.Count{Bad: 5, Total: 10, Rows: 10}, Noise: 1e-6, Verdict: plumbline.VerdictBreach},
		{Pair: o.Pairs[1], End: now, Verdict: plumbline.VerdictMissing, Noise: 1},
	}})
	if len(found) != 3 {
		t.Fatalf("%d findings: %+v", len(found), found)
	}
	long, missing, short := found[0], found[1], found[2]
	if long.Window != 6*time.Hour || long.Value != 0.2 || long.P != 1e-6 || long.Count != 50 || long.Total != 100 || math.Abs(long.Effect-0.19) > 1e-12 || !long.WindowEnd.Equal(now) || long.Verdict != plumbline.VerdictBreach {
		t.Errorf("%+v", long)
	}
	if short.Window != 30*time.Minute || short.Value != 0.5 || !math.IsNaN(short.P) {
		t.Errorf("%+v", short)
	}
	if short.Total != 10 || missing.Total != 0 {
		t.Errorf("%d and %d requests, want 10, and of what is missing none", short.Total, missing.Total)
	}
	if missing.Window != 72*time.Hour || !math.IsNaN(missing.Value) || missing.Verdict != plumbline.VerdictMissing {
		t.Errorf("nothing came in, which is not health: %+v", missing)
	}
}

// What a share is of is told where that is a number of what is counted, and of the window
// that it is told of.
func TestCountedFindingsSayOfHowMany(t *testing.T) {
	pair := plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: time.Hour, Short: 5 * time.Minute, Factor: 6}
	for name, tt := range map[string]struct {
		slo         plumbline.SLO
		before      bool
		long, short uint64
	}{
		"requests":          {plumbline.SLO{SLI: plumbline.SLI{Kind: plumbline.SLILatency}}, false, 3000, 100},
		"none for a while":  {plumbline.SLO{SLI: plumbline.SLI{Kind: plumbline.SLILatency}}, true, 3000, 0},
		"thousandths":       {plumbline.SLO{SLI: plumbline.SLI{Kind: plumbline.SLIPromQL}}, false, 0, 0},
		"slices of those":   {plumbline.SLO{SLI: plumbline.SLI{Kind: plumbline.SLIPromQL}, Budgeting: plumbline.Timeslices}, false, 3000, 100},
		"parts of a burn":   {plumbline.SLO{SLI: plumbline.SLI{Kind: plumbline.SLIComposite}}, false, 0, 0},
		"users' statements": {plumbline.SLO{SLI: plumbline.SLI{Kind: plumbline.SLISQL}}, false, 3000, 100},
	} {
		found := countedFindings(count.Evaluation{Objective: plumbline.Objective{SLO: tt.slo, Pairs: []plumbline.WindowPair{pair}}, Counted: []burn.Counted{
			{Pair: pair, Long: burn.Count{Bad: 20, Total: 3000, Rows: 300}, Short: burn.Count{Bad: 5, Total: 100, Rows: 10}, Before: tt.before, Verdict: plumbline.VerdictBreach},
		}})
		if len(found) != 2 || found[0].Total != tt.long || found[1].Total != tt.short || found[0].Count != 300 {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// A window that is empty because other deploys serve says so; the hour that is missing
// with it, and holds events, does not, nor does one that is told of.
func TestCountedFindingsSayWhoServes(t *testing.T) {
	pair := plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: time.Hour, Short: 5 * time.Minute, Factor: 14.4}
	o := plumbline.Objective{SLO: plumbline.SLO{Name: "s", Model: "m", Target: 0.99}, Pairs: []plumbline.WindowPair{pair}}
	gone := burn.Counted{Pair: pair, End: now, Long: burn.Count{Bad: 20, Total: 500, Rows: 500}, Noise: 1, Verdict: plumbline.VerdictMissing, Elsewhere: []time.Duration{pair.Short}}
	found := countedFindings(count.Evaluation{Objective: o, Deploy: "d", Counted: []burn.Counted{gone}})
	if len(found) != 2 || found[0].Assumes != assumesCounts || found[1].Assumes != plumbline.AssumesElsewhere || found[1].Verdict != plumbline.VerdictMissing {
		t.Errorf("%+v", found)
	}
	gone.Verdict = plumbline.VerdictOK
	for _, f := range countedFindings(count.Evaluation{Objective: o, Deploy: "d", Counted: []burn.Counted{gone}}) {
		if f.Assumes != assumesCounts {
			t.Errorf("%+v", f)
		}
	}
}

// What a statement failed by is told of the windows that nobody knows for it, and in one
// line.
func TestFindingsSayHowAStatementFailed(t *testing.T) {
	findings := func() []Finding {
		return []Finding{
			{Verdict: plumbline.VerdictMissing, Assumes: assumesPartly},
			{Verdict: plumbline.VerdictMissing, Assumes: plumbline.AssumesElsewhere},
			{Verdict: plumbline.VerdictOK, Assumes: assumesCounts},
		}
	}
	told := uncounted(findings(), errors.New("code 47:\n  unknown column"))
	if want := plumbline.AssumesUncounted + "code 47: unknown column"; told[0].Assumes != want {
		t.Errorf("a missing window says %q, want %q", told[0].Assumes, want)
	}
	if told[1].Assumes != plumbline.AssumesElsewhere || told[2].Assumes != assumesCounts {
		t.Errorf("windows of which something is known say %q and %q", told[1].Assumes, told[2].Assumes)
	}
	if long := uncounted(findings(), errors.New(strings.Repeat("ä", 1000)))[0].Assumes; utf8.RuneCountInString(long) > len(plumbline.AssumesUncounted)+longestReason+1 {
		t.Errorf("a long error is told with %d characters", utf8.RuneCountInString(long))
	}
	if told := uncounted(findings(), nil); told[0].Assumes != assumesPartly {
		t.Errorf("without a failure it is %q", told[0].Assumes)
	}
}

// Everything is written once an interval; in between what has another verdict is,
// with all its deploys, and only that is told.
func TestCountsAreWrittenWhenTheySaySomethingElse(t *testing.T) {
	var told []plumbline.SLOName
	c := &counted{
		counter:  count.New(count.DefaultConfig(), nil, nil, nil),
		changed:  func(slos ...plumbline.SLOName) { told = append(told, slos...) },
		interval: 10 * time.Second, said: make(map[plumbline.SLOName]string),
	}
	evaluations := func(ofA2 string) []count.Evaluation {
		evaluation := func(slo plumbline.SLOName, deploy plumbline.DeployHash, verdict string) count.Evaluation {
			o := plumbline.Objective{SLO: plumbline.SLO{Name: slo, Model: "m", Target: 0.99}}
			pair := plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: time.Hour, Short: 5 * time.Minute, Factor: 14.4}
			return count.Evaluation{Objective: o, Deploy: deploy, Counted: []burn.Counted{{Pair: pair, Verdict: verdict}}}
		}
		return []count.Evaluation{evaluation("a", "1", plumbline.VerdictOK), evaluation("a", "2", ofA2), evaluation("b", "1", plumbline.VerdictOK)}
	}
	const perDeploy = 2 // a finding of each window
	for _, step := range []struct {
		after    time.Duration
		all      []count.Evaluation
		stores   bool
		findings int
		told     []plumbline.SLOName
	}{
		{0, evaluations(plumbline.VerdictOK), true, 3 * perDeploy, []plumbline.SLOName{"a", "b"}},
		{time.Second, evaluations(plumbline.VerdictOK), true, 0, nil},
		{2 * time.Second, nil, true, 0, nil}, // nothing was read
		{3 * time.Second, evaluations(plumbline.VerdictBreach), false, 2 * perDeploy, nil},
		{4 * time.Second, evaluations(plumbline.VerdictBreach), true, 2 * perDeploy, []plumbline.SLOName{"a"}},
		{5 * time.Second, evaluations(plumbline.VerdictBreach), true, 0, nil},
		{10 * time.Second, evaluations(plumbline.VerdictBreach), true, 3 * perDeploy, nil},
		{19 * time.Second, evaluations(plumbline.VerdictOK), true, 2 * perDeploy, []plumbline.SLOName{"a"}},
		{20 * time.Second, evaluations(plumbline.VerdictOK), true, 3 * perDeploy, nil},
	} {
		told = nil
		at := now.Add(step.after)
		findings, said := c.news(step.all, at)
		if step.stores {
			c.keep(said, at)
		}
		slices.Sort(told)
		if len(findings) != step.findings || !slices.Equal(told, step.told) {
			t.Errorf("after %s: %d findings, told of %v; want %d and %v", step.after, len(findings), told, step.findings, step.told)
		}
	}
}

func TestLooksAtCountsLeaveTimeToOthers(t *testing.T) {
	r := &Runner{cfg: DefaultConfig(), counted: &counted{}}
	for took, want := range map[time.Duration]time.Duration{
		0:                      time.Second,
		100 * time.Millisecond: time.Second,
		700 * time.Millisecond: time.Second,
		2 * time.Second:        2 * time.Second,
		30 * time.Second:       0,
	} {
		if got := r.pauseCounts(took); got != want {
			t.Errorf("after a look of %s a pause of %s, want %s", took, got, want)
		}
	}
	// Backlogs were counted in a part of the pause, or in all of it.
	for filled, want := range map[time.Duration]time.Duration{600 * time.Millisecond: 400 * time.Millisecond, 2 * time.Second: 0} {
		r.counted.filled = filled
		if got := r.pauseCounts(100*time.Millisecond + filled); got != want {
			t.Errorf("after backlogs of %s a pause of %s, want %s", filled, got, want)
		}
	}
	r.counted.filled, r.counted.idle = 0, true
	if got := r.pauseCounts(100 * time.Millisecond); got != 4900*time.Millisecond {
		t.Errorf("where nothing comes in a pause of %s, want half an interval", got)
	}
}

// What is there of an objective that is new is counted when what is known of the others
// has been written.
func TestBacklogsHoldUpNoPage(t *testing.T) {
	db := startDB(t)
	insert(t, db, "predictions", []map[string]any{{"model": "m", "deploy_hash": "d", "stage": "production", "prediction_id": "1", "latency_ms": 10, "weight": 1,
		"ts": now.Add(-time.Hour).UnixMilli(), "known": now.Add(-time.Hour).UnixMilli()}})
	insert(t, db, "batches", []map[string]any{{"topic": "t", "epoch": "e", "table": "predictions", "rows": 1, "stored": now.Add(-time.Hour).UnixMilli()}})
	o := objective("m")
	o.SLO.SLI = plumbline.SLI{Kind: plumbline.SLILatency, Op: "lt", Value: 20}
	r := newRunner(t, db, o)
	r.counted.wrote = now.Add(-time.Second) // it was running before
	r.counted.leastFill = 5 * time.Minute
	rows := func() (n uint64) {
		if err := db.Conn().QueryRow(t.Context(), "SELECT count() FROM sli").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	look := func(keep keeper) {
		if err := r.lookCounts(t.Context(), now, keep); err != nil {
			t.Fatal(err)
		}
	}
	look(func(findings []Finding) error {
		if n := rows(); n != 0 || len(findings) == 0 {
			t.Errorf("%d minutes are counted before %d findings are written", n, len(findings))
		}
		return nil
	})
	for rows() == 0 {
		look(func([]Finding) error { return nil })
	}
	if r.counted.idle {
		t.Error("what was counted is looked at late")
	}
}

// What users ask for by statements is not asked every second.
func TestOnlyEventsAreCountedInBetween(t *testing.T) {
	var objectives []plumbline.Objective
	for _, kind := range []plumbline.SLIKind{plumbline.SLILatency, plumbline.SLISQL, plumbline.SLISuccess, plumbline.SLIPromQL, plumbline.SLIFreshness, plumbline.SLICost, plumbline.SLIQuality} {
		objectives = append(objectives, plumbline.Objective{SLO: plumbline.SLO{SLI: plumbline.SLI{Kind: kind}}})
	}
	if got := len(ofEvents(objectives)); got != 3 {
		t.Errorf("%d of them are counted in between, want latency, success and cost", got)
	}
}

// Of a composite each part's share is told beside the whole, once a window, and they
// sum to it; of what is missing nothing is.
func TestPartsOfACompositeAreTold(t *testing.T) {
	pair := plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: 6 * time.Hour, Short: 30 * time.Minute, Factor: 6}
	c := burn.Counted{Pair: pair, Long: burn.Count{Bad: 8, Total: 100}, Short: burn.Count{Bad: 1, Total: 10}, Verdict: plumbline.VerdictBreach,
		Parts: []burn.Part{{SLO: "fast", Bad: 0.06}, {SLO: "steady", Bad: 0.02}}}
	told := func(c burn.Counted) (shares map[string]float64, whole float64) {
		shares = map[string]float64{}
		for _, f := range countedFindings(count.Evaluation{Objective: plumbline.Objective{SLO: plumbline.SLO{Name: "whole", Model: "m", Target: 0.99}}, Deploy: "a", Counted: []burn.Counted{c, c}}) {
			switch {
			case f.Measure == plumbline.MeasureBadShareOfPart:
				shares[f.Reference] += f.Value
				if f.Window != 6*time.Hour || f.SLO != "whole" || f.Deploy != "a" || f.Verdict != c.Verdict {
					t.Errorf("%+v", f)
				}
			case f.Window == 6*time.Hour:
				whole = f.Value
			}
		}
		return shares, whole
	}
	if shares, whole := told(c); len(shares) != 2 || shares["fast"] != 0.06 || math.Abs(shares["fast"]+shares["steady"]-whole) > 1e-12 {
		t.Errorf("%v of %v", shares, whole)
	}
	c.Verdict = plumbline.VerdictMissing
	if shares, _ := told(c); len(shares) != 0 {
		t.Errorf("of what is missing %v", shares)
	}
}
