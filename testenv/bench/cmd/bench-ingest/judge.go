package main

import (
	"slices"

	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// The bars of the issue.
const (
	wholeBar  = 5   // times the naive path
	memoryBar = 256 // MiB
)

// judge makes the figures of the whole path. What has no bar is held against 0.
func (w *world) judge(o options, results map[string]costs) []figure.Figure {
	var all []figure.Figure
	events := w.events
	report := func(name string, value float64, unit string) {
		all = append(all, figure.AtLeast(name, value, unit, 0))
	}
	for _, format := range o.formats {
		ours := results["ours "+format]
		name := "ingest whole path, " + format
		report(name, 1e6/ours.perEvent(events, whole), "events/CPU-s")
		report(name+", of which client", ours.perEvent(events, client), "us/event")
		report(name+", of which engine", ours.perEvent(events, server), "us/event")
		report(name+", merging every table once, apart", ours.perEvent(events, merging), "us/event")
		report("engine alone, the same inserts of raw rows, "+format, results["insert raw "+format].perEvent(events, server), "us/event")
		report("engine alone, the same inserts, rollups too, "+format, results["insert all "+format].perEvent(events, server), "us/event")
		report("ingest peak memory of the process, "+format, ours.peak(), "MiB")
		all = append(all, figure.AtMost("ingest peak memory above two batches in flight, "+format, ours.peak()-w.inFlight[format], "MiB", memoryBar))
	}
	for _, rival := range []string{"naive json", "bento-sql json", "bento-http json"} {
		theirs := results[rival]
		ours := results["ours json"]
		if theirs == nil || ours == nil {
			continue
		}
		report(rival+", whole path", 1e6/theirs.perEvent(events, whole), "events/CPU-s")
		report(rival+", of which client", theirs.perEvent(events, client), "us/event")
		report(rival+", of which engine", theirs.perEvent(events, server), "us/event")
		report(rival+", merging every table once, apart", theirs.perEvent(events, merging), "us/event")
		bar := 0.0
		if rival == "naive json" {
			bar = wholeBar
		}
		all = append(all,
			figure.AtLeast("ingest whole path over "+rival, theirs.over(ours, events, whole), "times", bar),
			figure.AtLeast("ingest client over "+rival, theirs.over(ours, events, client), "times", 0))
	}
	return all
}

func (c costs) peak() float64 {
	var peaks []float64
	for _, round := range c {
		peaks = append(peaks, round.peak)
	}
	return slices.Max(peaks)
}
