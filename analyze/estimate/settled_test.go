package estimate_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
)

// watched are predictions that came evenly over some time up to now. Their labels come
// after a delay, in hours; NaN is never.
func watched(random *rand.Rand, predictions int, lasting time.Duration, delay func() float64) []estimate.Wait {
	var waits []estimate.Wait
	for range predictions {
		age := time.Duration(random.Int64N(int64(lasting)))
		if d := delay(); d <= age.Hours() {
			waits = append(waits, estimate.Wait{Delay: time.Duration(d * float64(time.Hour)).Truncate(time.Hour), Known: true, Count: 1})
		} else {
			waits = append(waits, estimate.Wait{Delay: age.Truncate(time.Hour), Count: 1})
		}
	}
	return waits
}

// Predictions whose labels still come are not said to have a share that never does,
// and those that have one are found once they were watched for some time.
func TestNeverIsKnownOnceTheCurveIsLevel(t *testing.T) {
	random := rand.New(rand.NewPCG(71, 71))
	uniform := func(low, high, never float64) func() float64 {
		return func() float64 {
			if random.Float64() < never {
				return math.NaN()
			}
			return 24 * (low + (high-low)*random.Float64())
		}
	}
	exponential := func(mean, never float64) func() float64 {
		return func() float64 {
			if random.Float64() < never {
				return math.NaN()
			}
			return 24 * mean * random.ExpFloat64()
		}
	}
	// Some labels come at once, by themselves; those that people give take days.
	mixture := func(atOnce float64, delay func() float64) func() float64 {
		return func() float64 {
			if random.Float64() < atOnce {
				return 0
			}
			return delay()
		}
	}
	for _, tt := range []struct {
		name        string
		predictions int
		days        time.Duration
		delay       func() float64
		least, most int // of 200
	}{
		{"all labels come after 14 to 84 days, 63 were watched", 1615, 63, uniform(14, 84, 0), 0, 2},
		{"many of them", 30_000, 63, uniform(14, 84, 0), 0, 2},
		{"few of them", 60, 63, uniform(14, 84, 0), 0, 2},
		{"a fifth never comes, and the others still do", 1615, 63, uniform(14, 84, 0.2), 0, 2},
		{"all labels come, after 30 days on average", 1615, 63, exponential(30, 0), 0, 2},
		{"a fifth never comes, the others within 10 days", 1000, 37, uniform(0, 10, 0.2), 200, 200},
		{"they are few", 100, 37, uniform(0, 10, 0.2), 195, 200},
		{"hardly watched for longer than that", 5000, 14, uniform(0, 10, 0.2), 195, 200},
		{"one of a hundred comes, within 10 days", 5000, 60, uniform(0, 10, 0.99), 195, 200},
		{"a fifth never comes, the others after 2 days on average", 1000, 40, exponential(2, 0.2), 195, 200},
		{"every label comes, within 2 days", 500, 20, uniform(0, 2, 0), 195, 200},
		{"after 14 to 84 days, and twice as long was watched", 1615, 168, uniform(14, 84, 0.1), 195, 200},
		{"two of a thousand at once, the others after 5 to 15 days, 3 were watched", 1000, 3, mixture(0.002, uniform(5, 15, 0)), 0, 2},
		{"the same, and a fifth of the others never", 1000, 4, mixture(0.002, uniform(5, 15, 0.2)), 0, 2},
		{"the same, and labels have begun to come", 1000, 8, mixture(0.002, uniform(5, 15, 0.2)), 0, 2},
		{"the same, and no more come", 1000, 45, mixture(0.002, uniform(5, 15, 0.2)), 195, 200},
		{"a third at once, the others within a night and a day", 1000, 1, mixture(0.3, uniform(1, 2, 0)), 0, 2},
		{"four fifths at once, and the others never", 1000, 3, mixture(0.8, exponential(0, 1)), 200, 200},
	} {
		known := 0
		for range 200 {
			if estimate.NewCurve(watched(random, tt.predictions, tt.days*day, tt.delay)).Settled() {
				known++
			}
		}
		if known < tt.least || known > tt.most {
			t.Errorf("%s: known in %d of 200 worlds, want %d to %d", tt.name, known, tt.least, tt.most)
		}
	}
}

// The curve may end at 1 because the one oldest prediction has its label.
func TestOneLabelDoesNotCompleteACurve(t *testing.T) {
	waits := []estimate.Wait{{Delay: day, Known: true, Count: 50}, {Delay: 2 * day, Count: 49}, {Delay: 3 * day, Known: true, Count: 1}}
	if c := estimate.NewCurve(waits); c.Ever() != 1 || c.Settled() {
		t.Errorf("ever %g, settled %v", c.Ever(), c.Settled())
	}
	waits[1].Known = true
	if c := estimate.NewCurve(waits); !c.Settled() {
		t.Error("every prediction has its label, and that settles nothing")
	}
	prompt := []estimate.Wait{{Delay: time.Hour, Known: true, Count: 1000}, {Delay: 30 * time.Minute, Count: 10}}
	if c := estimate.NewCurve(prompt); !c.Settled() {
		t.Error("all that were watched for an hour have a label, and that settles nothing")
	}
}

// However long nothing came after them, few labels that came at once say nothing of
// those that take days; nor do many within the first day.
func TestLabelsThatComeAtOnceSettleNothingByThemselves(t *testing.T) {
	for _, tt := range []struct {
		name    string
		delay   time.Duration
		labels  int64
		watched time.Duration
		settled bool
	}{
		{"two labels after a second", time.Second, 2, 3 * time.Hour, false},
		{"two labels without delay", 0, 2, 3 * time.Hour, false},
		{"ten labels, in a month", time.Second, 10, 30 * day, false},
		{"as many without delay", 0, 10, 30 * day, false},
		{"more of them, in a month", time.Second, 11, 30 * day, true},
		{"as many without delay", 0, 11, 30 * day, true},
		{"many, in three hours", time.Second, 500, 3 * time.Hour, false},
		{"many without delay, in three hours", 0, 500, 3 * time.Hour, false},
	} {
		waits := []estimate.Wait{{Delay: tt.delay, Known: true, Count: tt.labels}, {Delay: tt.watched, Count: 1000 - tt.labels}}
		if c := estimate.NewCurve(waits); c.Settled() != tt.settled {
			t.Errorf("%s: settled %v", tt.name, c.Settled())
		}
	}
}
