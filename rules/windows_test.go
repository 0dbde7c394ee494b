package rules

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline"
)

const day = 24 * time.Hour

// derive fits the workbook's four pairs.
func derive(target float64, period time.Duration) (PairSet, error) {
	t, err := Windows()
	if err != nil {
		return PairSet{}, err
	}
	return t.Derive(target, period)
}

// TestWorkbookValues holds the table to the figures the SRE workbook prints for
// 99.9 % over 30 days.
func TestWorkbookValues(t *testing.T) {
	set, err := derive(0.999, 30*day)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		severity    string
		long, short time.Duration
		factor      float64
	}{
		{plumbline.SeverityPage, time.Hour, 5 * time.Minute, 14.4},
		{plumbline.SeverityPage, 6 * time.Hour, 30 * time.Minute, 6},
		{plumbline.SeverityTicket, day, 2 * time.Hour, 3},
		{plumbline.SeverityTicket, 3 * day, 6 * time.Hour, 1},
	}
	if len(set.Pairs) != len(want) || len(set.Refused) != 0 {
		t.Fatalf("got %+v", set)
	}
	for i, w := range want {
		p := set.Pairs[i]
		if p.Severity != w.severity || p.Long != w.long || p.Short != w.short || p.Factor != w.factor || p.Rederived {
			t.Errorf("pair %d: got %+v, want %+v", i, p, w)
		}
	}
}

// A burn rate of an hour's slices over half an hour would look at none of them.
func TestASliceFitsIntoWhatLooksAtIt(t *testing.T) {
	slo := plumbline.SLO{Name: "s", Model: "m", Owner: "o", SLI: plumbline.SLI{Kind: plumbline.SLISuccess}, Target: 0.9, Period: 30 * day,
		Budgeting: plumbline.Timeslices, SliceTarget: 0.9}
	for slice, want := range map[time.Duration]bool{30 * time.Minute: true, time.Hour: false} {
		slo.SliceWindow = slice
		slo.Conditions = []plumbline.BurnCondition{{Name: "mine", Severity: plumbline.SeverityPage, Factor: 2, Lookback: 30 * time.Minute}}
		_, err := PairsFor(slo)
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "no slice of 1h fits into 30m; lengthen its lookbackWindow") {
			t.Errorf("slices of %s: %v", slice, err)
		}
	}
}

func TestDerive(t *testing.T) {
	tests := []struct {
		name   string
		target float64
		period time.Duration
		// want is the long windows of the pairs, in order, with the factors.
		longs   []time.Duration
		factors []float64
		refused []string
	}{
		// 14.4 x 0.1 = 1.44 can never fire; 2 h asks for 0.72, and an hour of 0.8
		// pages too.
		{"90 % over 30 d", 0.9, 30 * day, []time.Duration{2 * time.Hour, 6 * time.Hour, day, 3 * day, time.Hour}, []float64{7.2, 6, 3, 1, 8}, nil},
		// 3.36 x 0.3 = 1.008; 2 h asks for 0.504. Tickets burn slower than plan.
		{"70 % over 7 d", 0.7, 7 * day, []time.Duration{2 * time.Hour, 6 * time.Hour}, []float64{1.68, 1.4}, []string{"ticket-fast", "ticket-slow"}},
		// The flights demo: 4 h would ask for 3.36 x 0.3 = 1.008, 6 h asks for
		// 0.672; the slow page would be on 6 h too; 3 d is within plan.
		{"70 % over 28 d", 0.7, 28 * day, []time.Duration{6 * time.Hour, 12 * time.Hour, day}, []float64{2.24, 2.8, 2.8}, []string{"ticket-slow"}},
		// 8 h asks for exactly 0.9; both tickets end on 3 d, where one is enough.
		{"50 % over 30 d", 0.5, 30 * day, []time.Duration{8 * time.Hour, day, 3 * day}, []float64{1.8, 1.5, 1}, []string{"ticket-slow"}},
		// Half an hour of a day's budget: even the first pair is within plan, so it
		// takes a larger share of the budget.
		{"99.99 % over 1 d", 0.9999, day, []time.Duration{time.Hour}, []float64{2}, []string{"page-slow", "ticket-fast", "ticket-slow"}},
		{"50 % over 1 d", 0.5, day, []time.Duration{time.Hour}, []float64{1.8}, []string{"page-slow", "ticket-fast", "ticket-slow"}},
		{"5 % over 1 d", 0.05, day, nil, nil, []string{"page-fast", "page-slow", "ticket-fast", "ticket-slow"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set, err := derive(tt.target, tt.period)
			if err != nil {
				t.Fatal(err)
			}
			if len(set.Pairs) != len(tt.longs) {
				t.Fatalf("got %+v", set.Pairs)
			}
			for i, p := range set.Pairs {
				if p.Long != tt.longs[i] || math.Abs(p.Factor-tt.factors[i]) > 1e-9 {
					t.Errorf("pair %d: got %s over %v at %v", i, p.Name, p.Long, p.Factor)
				}
			}
			var refused []string
			for _, r := range set.Refused {
				refused = append(refused, r.Name)
				if r.Reason == "" {
					t.Errorf("%s is refused without a reason", r.Name)
				}
			}
			if !slices.Equal(refused, tt.refused) {
				t.Errorf("refused %v, want %v", refused, tt.refused)
			}
		})
	}
}

// TestNoImpossiblePair is the property over targets of 50 to 99.99 % and periods
// of 1 to 90 days: what comes out can fire and means a burn beyond plan, keeps
// the budget share, is on the workbook's windows or the ladder, and nothing is
// lost without a reason.
func TestNoImpossiblePair(t *testing.T) {
	table, err := Windows()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		target := 0.5 + rng.Float64()*0.4999
		period := time.Duration(1+rng.IntN(90*24)) * time.Hour
		set, err := table.Derive(target, period)
		if err != nil {
			t.Fatal(err)
		}
		known := len(set.Pairs) + len(set.Refused)
		if slices.ContainsFunc(set.Pairs, func(p Pair) bool { return p.Name == table.Outage.Name }) ||
			slices.ContainsFunc(set.Refused, func(r Refused) bool { return r.Name == table.Outage.Name }) {
			known--
		}
		if !slices.ContainsFunc(set.Pairs, func(p Pair) bool { return p.Severity == plumbline.SeverityPage }) {
			t.Fatalf("target %v over %v: nothing pages: %+v", target, period, set)
		}
		if known != len(table.Pairs) {
			t.Fatalf("target %v over %v: %d pairs and %d refused", target, period, len(set.Pairs), len(set.Refused))
		}
		for _, p := range set.Pairs {
			if th := p.Threshold(target); !(th < 1) || th > table.Reachable || p.Factor < 1 {
				t.Fatalf("target %v over %v: %+v asks for %v", target, period, p, th)
			}
			if got := p.Factor * float64(p.Long) / float64(period); math.Abs(got-p.BudgetShare) > 1e-6 {
				t.Fatalf("target %v over %v: %s spends %v of the budget, not %v", target, period, p.Name, got, p.BudgetShare)
			}
			if p.Long != 12*p.Short || p.Rederived != (p.Reason != "") {
				t.Fatalf("target %v over %v: %+v", target, period, p)
			}
		}
	}
}

// TestPairStaysIfItCan holds that a pair is lengthened no further than it must:
// the step before was out of reach.
func TestPairStaysIfItCan(t *testing.T) {
	table, err := Windows()
	if err != nil {
		t.Fatal(err)
	}
	base := table.Pairs[0]
	for target := 0.5; target < 0.9999; target += 0.003 {
		p, err := table.DerivePair(base, target, 30*day)
		if errors.Is(err, ErrNoPair) {
			continue
		}
		before := base.Long
		for _, step := range table.Ladder {
			if step < p.Long {
				before = step
			}
		}
		if p.Rederived && base.on(before, 0, 30*day).Threshold(target) <= table.Reachable {
			t.Errorf("target %v: %v would have done, got %v", target, before, p.Long)
		}
	}
}

func TestDeriveRefusesNonsense(t *testing.T) {
	for _, target := range []float64{0, 1, -0.1, 1.5, math.NaN()} {
		if _, err := derive(target, day); err == nil {
			t.Errorf("target %v is taken", target)
		}
	}
	if _, err := derive(0.9, 0); err == nil {
		t.Error("period 0 is taken")
	}
}

func TestPairsForQuality(t *testing.T) {
	set, err := PairsFor(plumbline.SLO{Name: "a", Target: 0.7, Period: 7 * day})
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Pairs) != 1 || set.Pairs[0].Long != 2*time.Hour || set.Pairs[0].Short != 10*time.Minute {
		t.Errorf("got %+v", set.Pairs)
	}
	if _, err := PairsFor(plumbline.SLO{Name: "a", Target: 0.05, Period: day}); err == nil {
		t.Error("an SLO that cannot alert is taken")
	}
}

// TestWindowTable holds what windows.yml says of itself.
func TestWindowTable(t *testing.T) {
	table, err := Windows()
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range table.Ladder {
		if step%(time.Duration(table.ShortDivisor)*time.Minute) != 0 {
			t.Errorf("a %d-th of %v is no whole number of minutes", table.ShortDivisor, step)
		}
		if i > 0 && (step <= table.Ladder[i-1] || step > 3*table.Ladder[i-1]) {
			t.Errorf("ladder step %v after %v", step, table.Ladder[i-1])
		}
	}
	names := make(map[string]bool)
	for _, p := range table.Pairs {
		names[p.Name] = true
		if p.Long != 12*p.Short {
			t.Errorf("%s: %v / %v", p.Name, p.Long, p.Short)
		}
	}
	for kind, used := range table.Use {
		for _, name := range used {
			if !names[name] {
				t.Errorf("%s uses %s, which is not there", kind, name)
			}
		}
	}
}

// TestWindowName holds that a window's name reads back as its length: the name
// joins findings, series and rules.
func TestWindowName(t *testing.T) {
	for d, want := range map[time.Duration]string{
		5 * time.Minute: "5m", 90 * time.Minute: "90m", 2 * time.Hour: "2h", 14 * time.Hour: "14h", day: "1d", 28 * day: "28d", 90 * time.Second: "90s",
	} {
		if got := plumbline.WindowName(d); got != want {
			t.Errorf("%v is named %s, want %s", d, got, want)
		}
		if back, err := ParseDuration(want); d%time.Minute == 0 && (err != nil || back != d) {
			t.Errorf("%s reads back as %v, %v", want, back, err)
		}
	}
}
