package evalquality

import (
	"math"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Breaches is how one way of looking found the times when accuracy was under its
// target.
type Breaches struct {
	// Episodes are runs of days whose window was in truth under the target (runs
	// less than a week apart are one), Found those with an alarm.
	Episodes, Found int
	// False are runs of alarms that touch no episode, FalseDays the days alarmed
	// whose window was not under the target.
	False, FalseDays int
	// Lead is the mean number of days from the alarm to the day on which 90 % of
	// the labels of the first window under target were in; Late from the episode's
	// first day to the alarm. NaN where nothing was found.
	Lead, Late float64
}

const episodeGap = 7.0

// run is days [from, to] of points, by index.
type run struct{ from, to int }

func runs(points []Point, gap float64, on func(Point) bool) []run {
	var out []run
	for i, p := range points {
		if !on(p) {
			continue
		}
		if last := len(out) - 1; last >= 0 && p.End-points[out[last].to].End <= gap {
			out[last].to = i
			continue
		}
		out = append(out, run{i, i})
	}
	return out
}

// Breached judges alarms raised at the end of each window against what the labels
// said in the end.
func (s *Study) Breached(points []Point, target float64, alarm func(Point) bool) Breaches {
	under := func(p Point) bool { return p.Truth < target }
	gap := max(episodeGap, s.StepDays)
	episodes, alarms := runs(points, gap, under), runs(points, gap, alarm)
	out := Breaches{Episodes: len(episodes), Lead: math.NaN(), Late: math.NaN()}
	lead, late := 0.0, 0.0
	for _, e := range episodes {
		for i := e.from; i <= e.to; i++ {
			if !alarm(points[i]) {
				continue
			}
			out.Found++
			first := points[e.from].End
			rows := between(s.world.monitored, first-s.WindowDays, first)
			lead += s.world.Maturity(rows, 0.9, first) - points[i].End
			late += points[i].End - first
			break
		}
	}
	if out.Found > 0 {
		out.Lead, out.Late = lead/float64(out.Found), late/float64(out.Found)
	}
	for _, a := range alarms {
		touches := false
		for _, e := range episodes {
			touches = touches || a.from <= e.to && e.from <= a.to
		}
		if !touches {
			out.False++
		}
	}
	for _, p := range points {
		if alarm(p) && !under(p) {
			out.FalseDays++
		}
	}
	return out
}

// Targets are the accuracies whose breach is looked for: the one configured, or
// those some points under what the reference has.
func (s *Study) Targets() []float64 {
	if s.Target > 0 {
		return []float64{s.Target}
	}
	var out []float64
	for _, points := range []float64{2, 3, 5, 7, 10} {
		out = append(out, accuracy(s.world.reference)-points/100)
	}
	return out
}

// Ways of looking at a window at its end, by name: the interval that each holds
// against a target.
func ways() []way {
	return []way{
		{"ours", func(p Point) metric.Interval { return p.Interval }},
		{"labels only", func(p Point) metric.Interval { return p.Labels }},
		{"plain CBPE", func(p Point) metric.Interval { return p.Peer }},
	}
}

type way struct {
	name     string
	interval func(Point) metric.Interval
}

// BreachesOf sums over all targets. Each way alarms when its whole interval is
// under the target.
func (s *Study) BreachesOf(points []Point, w way) Breaches {
	out := Breaches{}
	lead, late := 0.0, 0.0
	for _, target := range s.Targets() {
		b := s.Breached(points, target, func(p Point) bool { return w.interval(p).High < target })
		out.Episodes, out.Found, out.False, out.FalseDays = out.Episodes+b.Episodes, out.Found+b.Found, out.False+b.False, out.FalseDays+b.FalseDays
		if b.Found > 0 {
			lead, late = lead+b.Lead*float64(b.Found), late+b.Late*float64(b.Found)
		}
	}
	out.Lead, out.Late = lead/float64(out.Found), late/float64(out.Found)
	return out
}
