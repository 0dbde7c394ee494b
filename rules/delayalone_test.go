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

// A delayed world answers six times a minute for four weeks, exactly at its target for
// three of them and then nearly always wrong.
const (
	delayedMinutes   = 28 * 24 * 60
	delayedPerMinute = 6
	delayedBreaks    = 21 * 24 * 60
)

type delayedWorld struct {
	burn.Minutes
	random *rand.Rand
	target float64
	delay  func(r *rand.Rand, minute int, bad bool) time.Duration
	// come are the labels by the minute in which they are known: of each the minute of
	// its prediction, and 1 if that was right.
	come [2 * delayedMinutes][][2]int
}

func newDelayedWorld(target float64, delay func(*rand.Rand, int, bool) time.Duration) *delayedWorld {
	begin := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	return &delayedWorld{Minutes: burn.NewMinutes(begin, delayedMinutes), random: rand.New(rand.NewPCG(41, uint64(1000*target))), target: target, delay: delay}
}

// step answers in a minute, and takes the labels that are known by then.
func (w *delayedWorld) step(now int) {
	for range delayedPerMinute {
		rate, right := 1-w.target, 1
		if now >= delayedBreaks {
			rate = 0.98
		}
		bad := w.random.Float64() < rate
		if bad {
			right = 0
		}
		known := min(now+int(w.delay(w.random, now, bad)/time.Minute), len(w.come)-1)
		w.come[known] = append(w.come[known], [2]int{now, right})
	}
	w.Requests[now] = delayedPerMinute
	for _, label := range w.come[now] {
		at, right := label[0], int64(label[1])
		w.Labelled[at], w.Rows[at], w.Correct[at] = w.Labelled[at]+1, w.Rows[at]+1, w.Correct[at]+right
	}
}

// seen is what evaluations of page pairs said: how many were beyond the threshold and
// how many paged while the target was met, and the minutes in which the first was
// and did afterwards, -1 if none.
type seen struct{ beyond, paged, firstBeyond, firstPage int }

func (s *seen) take(now int, e burn.Evaluation) {
	pages := e.Severity() == plumbline.SeverityPage
	switch {
	case now >= delayedBreaks && e.Breach() && s.firstBeyond < 0:
		s.firstBeyond = now - delayedBreaks
	case now < delayedBreaks && e.Breach():
		s.beyond++
	}
	switch {
	case now >= delayedBreaks && pages && s.firstPage < 0:
		s.firstPage = now - delayedBreaks
	case now < delayedBreaks && pages:
		s.paged++
	}
}

// watch evaluates the page pairs of a world every few minutes.
func watch(o plumbline.Objective, w *delayedWorld) seen {
	const every = 7
	s := seen{firstBeyond: -1, firstPage: -1}
	for now := range delayedMinutes {
		w.step(now)
		if now%every != 0 {
			continue
		}
		for _, p := range o.Pairs {
			if p.Severity == plumbline.SeverityPage {
				s.take(now, burn.Evaluate(w.Minutes, w.Start.Add(time.Duration(now)*time.Minute), o.SLO, p, 1))
			}
		}
	}
	return s
}

// No page is due to delay alone: a model that is exactly at its target is not paged,
// whatever its labels say first, and one that fails is.
func TestNoPageIsDueToDelayAlone(t *testing.T) {
	beyond := 0
	for name, delay := range delays {
		for _, target := range []float64{0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99} {
			t.Run(fmt.Sprint(name, ", ", target), func(t *testing.T) {
				all, err := Objectives([]plumbline.SLO{{Name: "s", Model: "m", Target: target, Period: 30 * day, MinCoverage: DefaultMinCoverage}})
				if err != nil {
					t.Fatal(err)
				}
				s := watch(all[0], newDelayedWorld(target, delay))
				if s.paged > 0 || s.firstPage < 0 {
					t.Errorf("%d evaluations page a model at its target; one that fails is paged in minute %d", s.paged, s.firstPage)
				}
				t.Logf("labels are beyond the threshold %d minutes after it fails, and page after %d", s.firstBeyond, s.firstPage)
				beyond += s.beyond
			})
		}
	}
	if beyond == 0 {
		t.Error("no delay made labels burn: the test shows nothing")
	}
	t.Logf("without evidence %d evaluations would have paged", beyond)
}
