package budget

import (
	"context"
	"math"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Reader reads what objectives have spent.
type Reader struct {
	// Conn is where the tables outcome_cells and sli are.
	Conn Querier
	// SLOs are the declared ones, in which the parts of a composite are looked up.
	SLOs map[plumbline.SLOName]plumbline.SLO
	// Patience is how long one statement may take; 0 is for as long as the context lives.
	Patience time.Duration
}

// mostUnseen is the share of a period that may lie before the first event for what is
// left of its budget to be known: what has expired or was never sent was spent unseen.
const mostUnseen = 0.1

// Spent is what was counted in an objective's period.
type Spent struct {
	// From and End are the ends of the period in event time: End less the objective's
	// period, or where its calendar's began.
	From, End time.Time
	// First is the minute, or the slice of time, of the first that was counted; zero if
	// nothing was, and From if something was before it, too. Of a composite it is that of
	// the part that was counted last.
	First time.Time
	// Bad is the share of what was counted that was bad, 0 to 1: of events, of slices, or
	// the mean bad share of slices. Of a composite it is the weighted mean of the budgets
	// that its parts burnt, times its own, and so may be beyond 1. NaN if nothing was
	// counted.
	Bad float64
	// Total is how many events or slices were counted; 0 for a composite, whose parts
	// count different things.
	Total uint64
}

// Seen returns the share of the period, 0 to 1, that lies after the first that was
// counted.
func (s Spent) Seen() float64 {
	if s.First.IsZero() || !s.End.After(s.From) {
		return 0
	}
	return min(max(float64(s.End.Sub(s.First))/float64(s.End.Sub(s.From)), 0), 1)
}

// Known reports whether enough of the period was seen to tell what is left.
func (s Spent) Known() bool { return !math.IsNaN(s.Bad) && s.Seen() >= 1-mostUnseen }

// Left returns the share of the budget that is left: 1 of an untouched one, 0 of one
// that is spent, and below 0 of one that is overspent. NaN if nothing was counted, or
// if the target leaves no budget.
func (s Spent) Left(target float64) float64 {
	if !(target < 1) {
		return math.NaN()
	}
	return 1 - s.Bad/(1-target)
}

// At returns what was spent of the objective's period that ends at, or of a calendar's
// holds, end.
func (r Reader) At(ctx context.Context, slo plumbline.SLO, end time.Time) (Spent, error) {
	all, err := r.All(ctx, []plumbline.SLO{slo}, end)
	if err != nil {
		return Spent{}, err
	}
	return all[slo.Name], nil
}

// All returns what At does of each of many objectives. Those that are counted alike are
// asked for together, which takes a twentieth of the time. One that could not be counted
// is left out, and the error says why: the others are there.
func (r Reader) All(ctx context.Context, slos []plumbline.SLO, end time.Time) (map[plumbline.SLOName]Spent, error) {
	b := newBatch(end)
	for _, slo := range slos {
		b.add(slo)
		for _, p := range slo.Parts {
			if part, declared := r.SLOs[p.SLO]; declared {
				b.add(part)
			}
		}
	}
	err := b.read(ctx, r)
	all := make(map[plumbline.SLOName]Spent, len(slos))
	for _, slo := range slos {
		spent, ok := b.spent(slo)
		if slo.SLI.Is(plumbline.SLIComposite) {
			spent, ok = r.composite(slo, b)
		}
		if ok {
			all[slo.Name] = spent
		}
	}
	return all, err
}

// periodOf returns the ends of the objective's period. One of slices that rolls ends with
// the last whole slice, as its windows do, so that it holds whole ones alone.
func periodOf(slo plumbline.SLO, end time.Time) (from, to time.Time) {
	if slo.Calendar != nil {
		return slo.Calendar.Since(end, slo.Period), end
	}
	if slo.SliceWindow > 0 {
		end = end.Truncate(slo.SliceWindow)
	}
	return end.Add(-slo.Period), end
}

// composite is what a composite spent, whose parts have its period; false where a part
// could not be counted. Nothing is known of it where nothing is of a part.
func (r Reader) composite(slo plumbline.SLO, b batch) (Spent, bool) {
	whole := Spent{Bad: math.NaN()}
	whole.From, whole.End = periodOf(slo, b.end)
	nothing := whole
	var burnt, weights float64
	for _, p := range slo.Parts {
		part, declared := r.SLOs[p.SLO]
		if !declared || !(part.Target < 1) {
			return nothing, true
		}
		spent, ok := b.spent(part)
		if !ok {
			return nothing, false
		}
		if math.IsNaN(spent.Bad) {
			return nothing, true
		}
		burnt, weights = burnt+p.Weight*spent.Bad/(1-part.Target), weights+p.Weight
		if spent.First.After(whole.First) {
			whole.First = spent.First
		}
	}
	if !(weights > 0) {
		return nothing, true
	}
	whole.Bad = burnt / weights * (1 - slo.Target)
	return whole, true
}
