package benchpage

import (
	"math/rand/v2"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/rules"
)

// counted is one event as the brute force keeps it.
type counted struct {
	at     time.Time
	bad    bool
	weight int
}

// bruteForce says of the last event whether it takes a page's two windows beyond
// their thresholds: every event is looked at, for every window.
func bruteForce(events []counted, pairs []plumbline.WindowPair, target float64) bool {
	end := events[len(events)-1].at.Truncate(time.Minute).Add(time.Minute)
	share := func(window time.Duration) float64 {
		var bad, all int
		for _, e := range events {
			if e.at.Before(end.Add(-window)) {
				continue
			}
			all += e.weight
			if e.bad {
				bad += e.weight
			}
		}
		return float64(bad) / float64(all)
	}
	for _, p := range pairs {
		if p.Severity == plumbline.SeverityPage && share(p.Long) > p.Factor*(1-target) && share(p.Short) > p.Factor*(1-target) {
			return true
		}
	}
	return false
}

func objective(t *testing.T, target float64) plumbline.Objective {
	t.Helper()
	all, err := rules.Objectives([]plumbline.SLO{{
		Name: "answers", Model: "m", Target: target, Period: 30 * 24 * time.Hour, SLI: plumbline.SLI{Kind: plumbline.SLISuccess},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

// As often as there is plenty of evidence, the tally burns at exactly the events
// at which a count of all of them does, also where a fault comes and goes and
// minutes are empty.
func TestTallyIsBruteForce(t *testing.T) {
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 0))
		o := objective(t, 0.99)
		tally := NewTally(o)
		var events []counted
		at := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
		burning, changes := false, 0
		for i := range 1500 {
			at = at.Add(time.Duration(random.ExpFloat64() * float64(20*time.Second)))
			if random.IntN(200) == 0 {
				at = at.Add(time.Duration(random.IntN(20)) * time.Minute)
			}
			share := 0.002
			if i%500 > 350 {
				share = 0.9
			}
			e := counted{at: at, bad: random.Float64() < share, weight: 1 + random.IntN(3)}
			events = append(events, e)
			tally.Add(e.at, e.bad, e.weight)
			want := bruteForce(events, o.Pairs, 0.99)
			got := false
			for _, p := range tally.pairs {
				threshold := p.Threshold(0.99)
				got = got || tally.windows[p.Long].Share() > threshold && tally.windows[p.Short].Share() > threshold
			}
			if got != want {
				t.Fatalf("seed %d, event %d: the tally says %t, a count of all events %t", seed, i, got, want)
			}
			if want != burning {
				burning = want
				changes++
			}
		}
		if changes < 4 {
			t.Errorf("seed %d: it began or ceased to burn %d times, the fault came and went more often", seed, changes)
		}
	}
}

// A total outage of 99.9 % after a long calm crosses when the bad requests are
// 1.44 % of an hour: the workbook's 52 seconds.
func TestTallyCrossesAsTheWorkbookSays(t *testing.T) {
	tally := NewTally(objective(t, 0.999))
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	for _, s := range past() {
		for at := now.Add(-s.begin); at.Before(now.Add(-s.end)); at = at.Add(s.step) {
			tally.Add(at, false, int(s.step.Seconds())*50)
		}
	}
	for i := range 50 * 200 {
		at := now.Add(time.Duration(i) * 20 * time.Millisecond)
		tally.Add(at, true, 1)
		if pair, burns := tally.Burns(); burns {
			if took := at.Sub(now).Seconds(); took < 51 || took > 53 {
				t.Errorf("it took %.1f s to cross, 0.0144 of an hour is 51.8 s", took)
			}
			if pair.Long != time.Hour || pair.Short != 5*time.Minute {
				t.Errorf("crossed over %s and %s first, the workbook's fast pair is 1h and 5m", pair.Long, pair.Short)
			}
			return
		}
	}
	t.Error("it never crossed")
}

// One bad event of three crosses every threshold and is no evidence.
func TestTallyAsksForEvidence(t *testing.T) {
	tally := NewTally(objective(t, 0.99))
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	for i := range 3 {
		tally.Add(now.Add(time.Duration(i)*time.Second), i == 2, 1)
	}
	if _, burns := tally.Burns(); burns {
		t.Error("one bad event of three burns, though noise does that every day")
	}
}
