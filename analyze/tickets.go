package analyze

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/alarm"
)

// findings lists the decisions, of no deploy yet; the open tickets among them
// know their rank. What a rule needs to open one ticket is a finding of each
// segment: how many streams of it have one, and which.
func (a *alarms) findings(model plumbline.Model, all []decision) []Finding {
	ranks := ranked(all)
	findings := make([]Finding, len(all))
	for i, d := range all {
		f := newFinding(plumbline.SignalDriftAlarm, string(d.stream.measure))
		f.Model, f.Stage = model, plumbline.StageProduction
		f.Segment, f.Feature, f.Reference = d.stream.segment, nameOf(d.stream.series), d.stream.reference
		f.Window, f.WindowEnd, f.Count = day, d.end, d.events
		f.P, f.Assumes = d.verdict.P, d.verdict.Assumption
		f.Value, f.Verdict = d.verdict.Evidence/d.verdict.Threshold, plumbline.VerdictOK
		switch {
		case (d.verdict.Status == alarm.Insufficient || d.verdict.Status == learnt) && !d.verdict.Ticket:
			f.Value, f.Verdict = math.NaN(), plumbline.VerdictInsufficient
		case d.verdict.Ticket:
			f.Value, f.Verdict = max(1, f.Value), plumbline.VerdictBreach
			f.Assumes = fmt.Sprintf("open since the day that ended %s; %s; %s", d.Detector.Since.Format(time.DateOnly), ranks[i].text, f.Assumes)
		}
		if d.gone {
			f.Assumes = fmt.Sprintf("last seen on the day that ended %s, nothing says that it is over; %s", d.end.Format(time.DateOnly), f.Assumes)
		}
		findings[i] = f
	}
	return append(findings, tickets(model, all, ranks)...)
}

// mostNamed is how many streams a ticket names.
const mostNamed = 20

// tickets returns a finding of each segment. Its value is how many streams have
// a ticket open; insufficient, and not zero, where nothing could be decided of
// any.
func tickets(model plumbline.Model, all []decision, ranks map[int]place) []Finding {
	var segments []Finding
	at := map[plumbline.Segment]int{}
	open := map[plumbline.Segment][]int{}
	for i, d := range all {
		n, ok := at[d.stream.segment]
		if !ok {
			n = len(segments)
			at[d.stream.segment] = n
			f := newFinding(plumbline.SignalDriftAlarm, plumbline.MeasureTickets)
			f.Model, f.Stage, f.Segment, f.Window = model, plumbline.StageProduction, d.stream.segment, day
			f.Verdict, f.Assumes = plumbline.VerdictInsufficient, "nothing could be decided of any stream"
			segments = append(segments, f)
		}
		f := &segments[n]
		f.Count++
		if d.end.After(f.WindowEnd) {
			f.WindowEnd = d.end
		}
		if d.verdict.Ticket {
			open[d.stream.segment] = append(open[d.stream.segment], i)
		}
		if f.Verdict == plumbline.VerdictInsufficient && (d.verdict.Ticket || d.verdict.Status != alarm.Insufficient && d.verdict.Status != learnt) {
			f.Value, f.Verdict, f.Assumes = 0, plumbline.VerdictOK, "no stream has a ticket"
		}
	}
	for segment, which := range open {
		f := &segments[at[segment]]
		slices.SortFunc(which, func(a, b int) int { return cmp.Compare(ranks[a].number, ranks[b].number) })
		var names []string
		for _, i := range which[:min(len(which), mostNamed)] {
			s := all[i].stream
			names = append(names, fmt.Sprintf("%s by %s against %s since %s", nameOf(s.series), s.measure, s.reference, all[i].Detector.Since.Format(time.DateOnly)))
		}
		if more := len(which) - mostNamed; more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		f.Value, f.Verdict, f.Assumes = float64(len(which)), plumbline.VerdictBreach, strings.Join(names, "; ")
	}
	return segments
}

// place is where an open ticket stands among them.
type place struct {
	number int
	text   string
}

// ranked says of each open ticket which place it takes among them.
func ranked(all []decision) map[int]place {
	var (
		open []int
		p    []float64
	)
	for i, d := range all {
		if d.verdict.Ticket {
			open, p = append(open, i), append(p, d.verdict.P)
		}
	}
	places := map[int]place{}
	for n, r := range alarm.Rank(p) {
		places[open[r.Index]] = place{n + 1, fmt.Sprintf("number %d of %d, adjusted p %.2g", n+1, len(open), r.Adjusted)}
	}
	return places
}
