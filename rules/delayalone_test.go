package rules

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
)

// delays says how late the label of a prediction comes, of a minute since the begin.
var delays = map[string]func(r *rand.Rand, minute int, bad bool) time.Duration{
	// As of fraud: what is bad is known at once, and the rest after days.
	"bad labels come first": func(_ *rand.Rand, _ int, bad bool) time.Duration {
		if bad {
			return 0
		}
		return 3 * day
	},
	// A source of good labels stands still for a week.
	"good labels stall": func(_ *rand.Rand, minute int, bad bool) time.Duration {
		if week := minute / (7 * 24 * 60); week == 1 && !bad {
			return 7 * day
		}
		return time.Hour
	},
	// Whatever they say, and as few are in at the end of every window as may be.
	"labels are slow": func(r *rand.Rand, _ int, _ bool) time.Duration {
		return time.Duration(r.ExpFloat64() * float64(day))
	},
}

// No page is due to delay alone: a model that is exactly at its target is not paged,
// whatever its labels say first, and one that fails is.
func TestNoPageIsDueToDelayAlone(t *testing.T) {
	const (
		minutes, perMinute = 28 * 24 * 60, 6
		breaks             = 21 * 24 * 60
		every              = 7
	)
	unguarded := 0
	for name, delay := range delays {
		for _, target := range []float64{0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99} {
			t.Run(fmt.Sprint(name, ", ", target), func(t *testing.T) {
				all, err := Objectives([]plumbline.SLO{{Name: "s", Model: "m", Target: target, Period: 30 * day, MinCoverage: DefaultMinCoverage}})
				if err != nil {
					t.Fatal(err)
				}
				random := rand.New(rand.NewPCG(41, uint64(1000*target)))
				begin := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
				m := burn.NewMinutes(begin, minutes)
				come := make([][2]map[int]int64, 2*minutes) // by the minute in which they are known: bad and good, by minute
				early, found, beyond := 0, -1, -1
				for now := range minutes {
					for range perMinute {
						bad := random.Float64() < 1-target
						if now >= breaks {
							bad = random.Float64() < 0.98
						}
						says := 1
						if bad {
							says = 0
						}
						known := min(now+int(delay(random, now, bad)/time.Minute), 2*minutes-1)
						if come[known][says] == nil {
							come[known][says] = map[int]int64{}
						}
						come[known][says][now]++
					}
					m.Requests[now] = perMinute
					for says, labels := range come[now] {
						for at, n := range labels {
							m.Labelled[at] += n
							m.Rows[at] += n
							m.Correct[at] += n * int64(says)
						}
					}
					if now%every != 0 {
						continue
					}
					for _, p := range all[0].Pairs {
						if p.Severity != plumbline.SeverityPage {
							continue
						}
						e := burn.Evaluate(m, begin.Add(time.Duration(now)*time.Minute), all[0].SLO, p, 1)
						if now >= breaks {
							if beyond < 0 && e.Breach() {
								beyond = now
							}
							if found < 0 && e.Severity() == plumbline.SeverityPage {
								found = now
							}
							continue
						}
						if e.Severity() == plumbline.SeverityPage {
							early++
						}
						if e.Breach() {
							unguarded++
						}
					}
				}
				if early > 0 || found < 0 {
					t.Errorf("%d evaluations page a model at its target; one that fails is paged in minute %d", early, found)
				}
				t.Logf("labels are beyond the threshold %d minutes after it fails, and page after %d", beyond-breaks, found-breaks)
			})
		}
	}
	if unguarded == 0 {
		t.Error("no delay made labels burn: the test shows nothing")
	}
	t.Logf("without evidence %d evaluations would have paged", unguarded)
}
