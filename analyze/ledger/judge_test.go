package ledger

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

var opened = time.Date(2026, 5, 14, 12, 0, 0, 0, time.UTC)

// told is one label of one prediction: when it became known, and what it says.
type told struct {
	prediction int
	known      time.Time
	correct    bool
	withdrawn  bool
}

// bruteForce looks at every hour in turn, and in each at every prediction for the
// last label that is known by its end, and at what there would be if all others were
// wrong, or right. It returns the truth at the end and the hour from which on it has
// been that.
func bruteForce(requests int, labels []told, target float64, o Options) (truth Truth, matured time.Time) {
	slices.SortStableFunc(labels, func(a, b told) int { return cmp.Compare(a.known.UnixNano(), b.known.UnixNano()) })
	truth = TruthUndecided
	for hour := opened.Add(-48 * time.Hour); hour.Before(opened.Add(400 * time.Hour)); hour = hour.Add(time.Hour) {
		state := map[int]*bool{}
		for _, l := range labels {
			switch {
			case !l.known.Before(hour.Add(time.Hour)):
			case l.withdrawn:
				delete(state, l.prediction)
			default:
				state[l.prediction] = &l.correct
			}
		}
		right, missing := 0, requests-len(state)
		for _, correct := range state {
			if *correct {
				right++
			}
		}
		now, worst, best := TruthUndecided, float64(right)/float64(requests), float64(right+missing)/float64(requests)
		n, share := float64(len(state)), float64(right)/float64(len(state))
		if covered := n / float64(requests); covered >= o.Coverage {
			p := (float64(right) + 2) / (n + 4)
			se := math.Sqrt(p*(1-p)/(n+4)) * math.Sqrt(1-min(covered, 1))
			worst, best = max(worst, share-1.959963984540054*se), min(best, share+1.959963984540054*se)
		}
		switch {
		case len(state) < int(o.MinLabelled):
		case best < target:
			now = TruthTrue
		case worst >= target:
			now = TruthFalse
		}
		if now != truth {
			truth, matured = now, hour.Add(time.Hour)
		}
	}
	if truth == TruthUndecided {
		matured = time.Time{}
	}
	return truth, matured
}

// cellsOf are the changes that the join would have kept of the labels.
func cellsOf(labels []told) []Cell {
	type state struct{ labelled, correct bool }
	slices.SortStableFunc(labels, func(a, b told) int { return cmp.Compare(a.known.UnixNano(), b.known.UnixNano()) })
	now := map[int]state{}
	var cells []Cell
	count := func(yes bool) int64 {
		if yes {
			return 1
		}
		return 0
	}
	for _, l := range labels {
		before := now[l.prediction]
		after := state{!l.withdrawn, !l.withdrawn && l.correct}
		now[l.prediction] = after
		gained := count(after.labelled) - count(before.labelled)
		cells = append(cells, Cell{Known: l.known.Truncate(time.Hour), Labelled: gained, Correct: count(after.correct) - count(before.correct), Rows: gained})
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
	return cells
}

// What the cells say of an alarm is what every label says, hour by hour: late,
// corrected, withdrawn, and in any order.
func TestJudgeEqualsBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	truths := map[Truth]int{}
	for round := range 60 {
		requests := 20 + r.IntN(200)
		accuracy, target := 0.6+0.4*r.Float64(), 0.6+0.4*r.Float64()
		var labels []told
		for p := range requests {
			if r.IntN(25) == 0 {
				continue // it never comes
			}
			known := opened.Add(time.Duration((r.ExpFloat64()*30 - 20) * float64(time.Hour)))
			labels = append(labels, told{p, known, r.Float64() < accuracy, false})
			if r.IntN(10) == 0 {
				labels = append(labels, told{p, known.Add(time.Duration(r.IntN(100)) * time.Hour), r.IntN(2) == 0, r.IntN(4) == 0})
			}
		}
		o := Options{Coverage: 0.8 + 0.2*r.Float64(), MinLabelled: int64(r.IntN(60) + 1)}
		want, matured := bruteForce(requests, labels, target, o)
		got := Judge(Alarm{Opened: opened, Promise: Objective(target)}, int64(requests), cellsOf(labels), o)
		if got.Truth != want || !got.Matured.Equal(matured) || got.Leads != (want == TruthTrue) || got.Leads && got.Lead != matured.Sub(opened) {
			t.Fatalf("round %d: %+v, want %s since %s", round, got, want, matured)
		}
		if got.Reason == "" && want == TruthUndecided || got.Reason != "" && want != TruthUndecided && !strings.Contains(got.Reason, "are missing and cannot change it") {
			t.Fatalf("round %d: %s because of %q", round, got.Truth, got.Reason)
		}
		truths[want]++
	}
	for _, truth := range []Truth{TruthTrue, TruthFalse, TruthUndecided} {
		if truths[truth] < 5 {
			t.Errorf("%d rounds are %s: the test says little of it", truths[truth], truth)
		}
	}
}

// Before enough labels are in, nothing is decided that those could change which are
// missing.
func TestNothingIsJudgedBeforeItsTime(t *testing.T) {
	bad := func(n int64) []Cell { return []Cell{{Known: opened, Labelled: n, Correct: 0, Rows: n}} }
	for name, tt := range map[string]struct {
		requests int64
		cells    []Cell
		open     bool
		reason   string
	}{
		"89 of 100":         {100, []Cell{{Known: opened, Labelled: 89, Correct: 80, Rows: 89}}, false, "89 % of the labels are in, 90 % are needed: the others could make it either, 0.8 to 0.91 against a target of 0.9"},
		"none":              {100, nil, false, "0 labels are in, 30 are needed"},
		"no prediction":     {0, bad(5), false, "no prediction"},
		"few":               {20, bad(20), false, "20 labels are in, 30 are needed"},
		"few that are many": {1000, []Cell{{Known: opened, Labelled: 1000, Correct: 0, Rows: 20}}, false, "20 labels are in, 30 are needed"},
		"still open":        {100, bad(100), true, "the alarm is open"},
		"either":            {1000, []Cell{{Known: opened, Labelled: 900, Correct: 810, Rows: 900}}, false, "could make it either"},
		"withdrawn":         {100, append(bad(100), Cell{Known: opened.Add(time.Hour), Labelled: -65, Correct: 30, Rows: -65}), false, "35 % of the labels are in"},
		"all but at target": {100, []Cell{{Known: opened, Labelled: 95, Correct: 86, Rows: 95}}, false, "could make it either"},
	} {
		got := Judge(Alarm{Opened: opened, Open: tt.open, Promise: Objective(0.9)}, tt.requests, tt.cells, DefaultOptions())
		if got.Truth != TruthUndecided || !strings.Contains(got.Reason, tt.reason) || !got.Matured.IsZero() || got.Leads {
			t.Errorf("%s: %+v, want undecided because of %q", name, got, tt.reason)
		}
	}
	// With every label in there is no doubt left, at the target exactly.
	for correct, want := range map[int64]Truth{90: TruthFalse, 89: TruthTrue} {
		if got := Judge(Alarm{Opened: opened, Promise: Objective(0.9)}, 100, []Cell{{Known: opened, Labelled: 100, Correct: correct, Rows: 100}}, DefaultOptions()); got.Truth != want || got.Low != got.High {
			t.Errorf("%d of 100: %+v, want %s", correct, got, want)
		}
	}
}

// Where labels are a random share of all, what is decided is wrong for at most
// 5 % of the alarms: the quality of the window is the one of all its labels.
func TestDecisionsAreSeldomWrong(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 3))
	const rounds, requests, in = 1500, 400, 364
	wrong, decided := 0, 0
	for range rounds {
		correct := make([]int, requests)
		total := 0
		for i := range correct {
			if r.Float64() < 0.9 {
				correct[i] = 1
				total++
			}
		}
		r.Shuffle(requests, func(i, j int) { correct[i], correct[j] = correct[j], correct[i] })
		c := Cell{Known: opened, Labelled: in, Rows: in}
		for _, v := range correct[:in] {
			c.Correct += int64(v)
		}
		got := Judge(Alarm{Opened: opened, Promise: Objective(0.9)}, requests, []Cell{c}, DefaultOptions())
		if got.Truth == TruthUndecided {
			continue
		}
		decided++
		if (got.Truth == TruthTrue) != (float64(total)/requests < 0.9) {
			wrong++
		}
	}
	if decided < rounds/2 || float64(wrong) > 0.05*rounds {
		t.Errorf("%d of %d are decided, %d wrongly", decided, rounds, wrong)
	}
}

func days(pattern string) []Day {
	var all []Day
	for i, c := range pattern {
		end := opened.Truncate(24 * time.Hour).Add(time.Duration(i) * 24 * time.Hour)
		all = append(all, Day{
			Stream: Stream{Model: "m", Feature: "distance", Reference: "training", Measure: "psi"}, Deploy: "v2",
			End: end, Ticket: c == 'x', Seen: end.Add(20 * time.Minute),
		})
	}
	return all
}

func TestDrifts(t *testing.T) {
	at := func(day int) time.Time {
		return opened.Truncate(24 * time.Hour).Add(time.Duration(day) * 24 * time.Hour)
	}
	seen := func(day int) time.Time { return at(day).Add(20 * time.Minute) }
	for pattern, want := range map[string][]Alarm{
		"....":         nil,
		"..xx.":        {{Opened: seen(2), Closed: seen(4), From: at(1), To: at(3)}},
		".x":           {{Opened: seen(1), From: at(0), To: at(1), Open: true}},
		".x.x.":        {{Opened: seen(1), Closed: seen(2), From: at(0), To: at(1)}, {Opened: seen(3), Closed: seen(4), From: at(2), To: at(3)}},
		".xxxxxxxxxxx": {{Opened: seen(1), From: at(0), To: at(7)}},
	} {
		got := Drifts(days(pattern), at(-9))
		if len(got) != len(want) {
			t.Errorf("%s: %d alarms, want %d", pattern, len(got), len(want))
			continue
		}
		for i, w := range want {
			g := got[i]
			if !g.Opened.Equal(w.Opened) || !g.Closed.Equal(w.Closed) || !g.From.Equal(w.From) || !g.To.Equal(w.To) || g.Open != w.Open || g.Kind != KindDrift || g.Deploy != "v2" {
				t.Errorf("%s: alarm %d is %+v, want %+v", pattern, i, g, w)
			}
		}
	}
	two := Drifts(days(".x.x."), at(-9))
	again := Drifts(days(".x.x.xx"), at(-9))
	if two[0].ID == two[1].ID || two[0].ID != again[0].ID || two[1].ID != again[1].ID {
		t.Errorf("alarms are named %q, %q and then %q, %q", two[0].ID, two[1].ID, again[0].ID, again[1].ID)
	}
	if old := Drifts(days(".xx."), at(2)); len(old) != 0 {
		t.Errorf("an alarm from before what is asked: %+v", old)
	}
	// Streams that follow one another are apart.
	other := days("x")
	other[0].Feature = "hour"
	if both := Drifts(append(days(".x"), other...), at(-9)); len(both) != 2 || !both[0].Open || !both[1].Open || both[0].ID == both[1].ID {
		t.Errorf("two streams: %+v", both)
	}
}

func TestRollback(t *testing.T) {
	hours := func(h int) time.Time { return opened.Add(time.Duration(h) * time.Hour) }
	alarm := Alarm{Deploy: "v2", Opened: opened}
	for name, tt := range map[string]struct {
		all  []Deployment
		want plumbline.DeployHash
	}{
		"back":           {[]Deployment{{"v1", hours(-90)}, {"v2", hours(-3)}, {"v1", hours(5)}}, "v1"},
		"forward":        {[]Deployment{{"v1", hours(-90)}, {"v2", hours(-3)}, {"v3", hours(5)}}, ""},
		"too late":       {[]Deployment{{"v1", hours(-90)}, {"v2", hours(-3)}, {"v1", hours(200)}}, ""},
		"before it":      {[]Deployment{{"v1", hours(-90)}, {"v2", hours(-3)}, {"v1", hours(-1)}}, ""},
		"past a fix":     {[]Deployment{{"v1", hours(-90)}, {"v2", hours(-3)}, {"v3", hours(2)}, {"v1", hours(5)}}, "v1"},
		"the same again": {[]Deployment{{"v1", hours(-90)}, {"v2", hours(-3)}, {"v2", hours(5)}}, ""},
		"never sent":     {nil, ""},
	} {
		if got, ok := Rollback(alarm, tt.all, 7*24*time.Hour); got.Deploy != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: back to %q, want %q", name, got.Deploy, tt.want)
		}
	}
}

func TestWindowLength(t *testing.T) {
	for _, d := range []time.Duration{10 * time.Minute, 2 * time.Hour, 72 * time.Hour, 90 * time.Second} {
		if got, err := windowLength(plumbline.WindowName(d)); err != nil || got != d {
			t.Errorf("%s: %s, %v", plumbline.WindowName(d), got, err)
		}
	}
	for _, bad := range []string{"", "h", "0h", "-1h", "1w", "1.5h"} {
		if got, err := windowLength(bad); err == nil {
			t.Errorf("%q is taken for %s", bad, got)
		}
	}
}

// Of a ticket and an incident of one stream that overlap the first is kept, at the
// higher level; everything else stays.
func TestADriftIsCountedOnce(t *testing.T) {
	stream := Stream{Model: "m", Feature: "distance", Reference: "training", Measure: "psi"}
	whichever := stream
	whichever.Reference = ""
	noon := time.Date(2026, 5, 10, 12, 0, 0, 0, time.UTC)
	alarm := func(id string, signal plumbline.SignalName, of Stream, from, opened, closed int) Alarm {
		a := Alarm{ID: id, Kind: KindDrift, Signal: signal, Severity: plumbline.SeverityTicket, Stream: of, From: noon.Add(time.Duration(from) * time.Hour), Opened: noon.Add(time.Duration(opened) * time.Hour)}
		if closed > 0 {
			a.Closed = noon.Add(time.Duration(closed) * time.Hour)
		}
		if signal == plumbline.SignalBurn {
			a.Severity = plumbline.SeverityPage
		}
		return a
	}
	ticket := alarm("ticket", plumbline.SignalDriftAlarm, stream, 0, 25, 49)
	quality := alarm("quality", plumbline.SignalBurn, Stream{}, 9, 10, 0)
	quality.Kind = KindQuality
	early := alarm("incident", plumbline.SignalBurn, stream, -3, -2, 0)
	early.Closed = noon.Add(-time.Hour)
	for _, tt := range []struct {
		what     string
		incident Alarm
		want     string
	}{
		{"before it, in its day", alarm("incident", plumbline.SignalBurn, stream, 9, 10, 12), "[{quality page} {incident page}]"},
		{"against any reference, and lasts", alarm("incident", plumbline.SignalBurn, whichever, 9, 10, 0), "[{quality page} {incident page}]"},
		{"after it, while it is open", alarm("incident", plumbline.SignalBurn, stream, 29, 30, 60), "[{quality page} {ticket page}]"},
		{"when it was over", alarm("incident", plumbline.SignalBurn, stream, 49, 50, 60), "[{quality page} {ticket ticket} {incident page}]"},
		{"over before its day", early, "[{incident page} {quality page} {ticket ticket}]"},
		{"of another model", alarm("incident", plumbline.SignalBurn, Stream{Model: "n", Feature: "distance", Reference: "training", Measure: "psi"}, 9, 10, 12), "[{quality page} {incident page} {ticket ticket}]"},
	} {
		var got []struct{ ID, Severity string }
		for _, a := range Once([]Alarm{quality, tt.incident, ticket}) {
			got = append(got, struct{ ID, Severity string }{a.ID, a.Severity})
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("an incident %s: %v, want %s", tt.what, got, tt.want)
		}
	}
	if both := Once([]Alarm{ticket, ticket}); len(both) != 2 {
		t.Errorf("two tickets are %d alarms", len(both))
	}
}
