package plumbline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// SLIKind says where an SLO's good and bad events come from.
type SLIKind string

// The kinds of SLIs; docs/slo.md says what is good in each.
const (
	// SLIQuality counts labelled predictions as right or wrong.
	SLIQuality SLIKind = "quality"
	// SLILatency, SLISuccess and SLICost count deliveries as they are.
	SLILatency SLIKind = "latency"
	SLISuccess SLIKind = "success"
	SLICost    SLIKind = "cost"
	// SLIFreshness counts minutes in which the endpoint had answered lately.
	SLIFreshness SLIKind = "freshness"
	// SLILabelArrival counts predictions whose label came in time.
	SLILabelArrival SLIKind = "label-arrival"
	// SLIDrift, SLIFairness and SLIKPI count minutes in which a finding was
	// within its bound.
	SLIDrift    SLIKind = "drift"
	SLIFairness SLIKind = "fairness"
	SLIKPI      SLIKind = "kpi"
	// SLISQL and SLIPromQL count what a query of the user returns.
	SLISQL    SLIKind = "sql"
	SLIPromQL SLIKind = "promql"
	// SLIComposite weighs other objectives.
	SLIComposite SLIKind = "composite"
)

// SLI is the indicator of an objective: what is counted and what is good.
type SLI struct {
	// Kind is empty for SLIQuality.
	Kind SLIKind
	// Op is lt, lte, gt or gte: an event is good if its number Op Value.
	Op    string
	Value float64
	// Feature is the number that Op compares, for SLICost, and the feature of the
	// finding for SLIDrift.
	Feature Feature
	// Signal, Measure and Reference choose the finding for SLIDrift, SLIFairness
	// and SLIKPI, and for SLILabelArrival without Within. Reference may be empty:
	// any.
	Signal    SignalName
	Measure   string
	Reference string
	// Within is how lately the endpoint must have answered, for SLIFreshness, and
	// how soon a label must come, for SLILabelArrival; there 0 is as soon as labels
	// came in the weeks before, all together.
	Within time.Duration
	// Query is the statement that returns time, good and total, for SLISQL; Good
	// or Bad and Total, or Raw, are expressions for SLIPromQL.
	Query                 string
	Good, Bad, Total, Raw string
	// RawFailure says that Raw is the share of bad events, not of good ones.
	RawFailure bool
}

// Is reports whether the SLI is of the kind.
func (s SLI) Is(k SLIKind) bool { return s.Name() == k }

// Name returns the kind, SLIQuality if none is given.
func (s SLI) Name() SLIKind {
	if s.Kind == "" {
		return SLIQuality
	}
	return s.Kind
}

// Runbook names the page of an SLO that burns, by what it counts.
func (s SLI) Runbook() string {
	switch s.Name() {
	case SLILatency:
		return "latency"
	case SLISuccess, SLIFreshness:
		return "exhaustion"
	case SLILabelArrival:
		return "label-delay"
	case SLIDrift:
		return "data-drift"
	case SLIKPI:
		return "proxies"
	}
	return "slo-burn"
}

// SLIID names what is counted: two SLOs that count the same share it, and a
// threshold that changes gets another, so that counts never mix.
type SLIID string

// SLIID returns the identity of what the objective counts.
func (s SLO) SLIID() SLIID {
	what := s.SLI
	what.Kind = s.SLI.Name()
	text := fmt.Sprintf("%q %q %q", s.Model, s.Segment, fmt.Sprintf("%#v", what))
	sum := sha256.Sum256([]byte(text))
	return SLIID(string(what.Kind) + "-" + hex.EncodeToString(sum[:8]))
}

// Budgeting is OpenSLO's budgeting method.
type Budgeting string

// The budgeting methods. Occurrences, also the empty one, counts events,
// Timeslices counts slices of time that were good, RatioTimeslices averages the
// good shares of the slices.
const (
	Occurrences     Budgeting = "Occurrences"
	Timeslices      Budgeting = "Timeslices"
	RatioTimeslices Budgeting = "RatioTimeslices"
)

// Calendar aligns budgets with the calendar.
type Calendar struct {
	// Start is the beginning of some period.
	Start time.Time
	// Months is the length of a period in months; 0 where it is SLO.Period.
	Months int
}

// Since returns the beginning of the period that now lies in.
func (c Calendar) Since(now time.Time, period time.Duration) time.Time {
	if c.Months == 0 {
		// Days and weeks are counted on the calendar of the zone, so that a period
		// begins at the same time of day on both sides of a clock change.
		local, days := now.In(c.Start.Location()), int(period/(24*time.Hour))
		if days < 1 || period%(24*time.Hour) != 0 {
			n := now.Sub(c.Start) / period
			if now.Before(c.Start.Add(n * period)) {
				n--
			}
			return c.Start.Add(n * period)
		}
		n := int(local.Sub(c.Start)/(24*time.Hour)) / days
		return stepDown(now, n, func(i int) time.Time { return c.Start.AddDate(0, 0, i*days) })
	}
	local := now.In(c.Start.Location())
	n := ((local.Year()-c.Start.Year())*12 + int(local.Month()-c.Start.Month())) / c.Months
	return stepDown(now, n, func(i int) time.Time { return monthsAfter(c.Start, i*c.Months) })
}

// monthsAfter returns the same day of a month so many later, its last day where it has
// no such: a period that begins on the 31st begins on the 28th of February.
func monthsAfter(start time.Time, months int) time.Time {
	month := start.Month() + time.Month(months)
	last := time.Date(start.Year(), month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return time.Date(start.Year(), month, min(start.Day(), last), start.Hour(), start.Minute(), start.Second(), start.Nanosecond(), start.Location())
}

// stepDown returns the last step at or before now, beginning near the n-th.
func stepDown(now time.Time, n int, step func(int) time.Time) time.Time {
	for n++; step(n).After(now); n-- {
	}
	return step(n)
}

// Part is one objective of a composite.
type Part struct {
	SLO    SLOName
	Weight float64
}

// BurnCondition is a burn-rate condition that an SLO file asks for beside the
// workbook's pairs.
type BurnCondition struct {
	Name     string
	Severity string
	Factor   float64
	Lookback time.Duration
	// After is how long the condition must hold.
	After time.Duration
}
