package budget

import (
	"context"
	"embed"
	"fmt"
	"math"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/*.sql
var statements embed.FS

// Querier asks for one row; clickhouse-go's driver.Conn is one.
type Querier interface {
	QueryRow(ctx context.Context, query string, args ...any) driver.Row
}

// Reader reads what objectives have spent.
type Reader struct {
	// Conn is where the tables outcome_cells and sli are.
	Conn Querier
	// SLOs are the declared ones, in which the parts of a composite are looked up.
	SLOs map[plumbline.SLOName]plumbline.SLO
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
	// nothing was. Of a composite it is that of the part that was counted last.
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
	if slo.SLI.Is(plumbline.SLIComposite) {
		return r.composite(ctx, slo, end)
	}
	s := Spent{From: periodOf(slo, end), End: end, Bad: math.NaN()}
	bad, total, first, err := r.count(ctx, slo, s.From, end)
	if err != nil {
		return Spent{}, fmt.Errorf("read the budget of %s: %w", slo.Name, err)
	}
	// Labels that are withdrawn leave a negative count for a moment.
	if total > 0 {
		s.Bad, s.Total, s.First = max(bad, 0)/total, uint64(total), first
	}
	return s, nil
}

func periodOf(slo plumbline.SLO, end time.Time) time.Time {
	if slo.Calendar != nil {
		return slo.Calendar.Since(end, slo.Period)
	}
	return end.Add(-slo.Period)
}

// composite is At for a composite, whose parts have its period. Nothing is known of it
// where nothing is of a part.
func (r Reader) composite(ctx context.Context, slo plumbline.SLO, end time.Time) (Spent, error) {
	whole := Spent{From: periodOf(slo, end), End: end, Bad: math.NaN()}
	nothing := whole
	var burnt, weights float64
	for _, p := range slo.Parts {
		part, declared := r.SLOs[p.SLO]
		if !declared || !(part.Target < 1) {
			return nothing, nil
		}
		spent, err := r.At(ctx, part, end)
		if err != nil || math.IsNaN(spent.Bad) {
			return nothing, err
		}
		burnt, weights = burnt+p.Weight*spent.Bad/(1-part.Target), weights+p.Weight
		if spent.First.After(whole.First) {
			whole.First = spent.First
		}
	}
	if !(weights > 0) {
		return nothing, nil
	}
	whole.Bad = burnt / weights * (1 - slo.Target)
	return whole, nil
}

// count counts the bad and all events, or slices of time, of a period, and says when the
// first was.
func (r Reader) count(ctx context.Context, slo plumbline.SLO, from, to time.Time) (bad, total float64, first time.Time, err error) {
	name := "events"
	args := []any{
		clickhouse.Named("model", string(slo.Model)), clickhouse.Named("deploy", string(slo.Deploy)), clickhouse.Named("segment", string(slo.Segment)),
		clickhouse.Named("sli", string(slo.SLIID())), clickhouse.Named("from", from.Unix()), clickhouse.Named("to", to.Unix()),
	}
	switch {
	case slo.Budgeting == plumbline.Timeslices:
		name, args = "slices", append(args, sliced(slo, slo.SliceTarget)...)
	case slo.Budgeting == plumbline.RatioTimeslices:
		name, args = "slices", append(args, sliced(slo, 0)...) // their bad shares count, whatever they are
	case slo.SLI.Is(plumbline.SLIQuality):
		name = "outcomes"
	}
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		return 0, 0, first, err
	}
	err = r.Conn.QueryRow(ctx, string(text), args...).Scan(&bad, &total, &first)
	return bad, total, first, err
}

func sliced(slo plumbline.SLO, target float64) []any {
	return []any{clickhouse.Named("slice", int64(slo.SliceWindow/time.Second)), clickhouse.Named("target", target)}
}
