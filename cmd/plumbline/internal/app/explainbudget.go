package app

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

var (
	//go:embed budgetoutcomes.sql
	budgetOutcomesSQL string
	//go:embed budgetsli.sql
	budgetSLISQL string
	//go:embed budgetslices.sql
	budgetSlicesSQL string
)

// mostUnseen is the share of a period that may lie before the first event for its
// budget to be told: what has expired or was never sent was spent unseen.
const mostUnseen = 0.1

// budget adds the bad share of the SLO's period, all of its deploys together, to
// the windows, unless a finding says it. It is what the error budget is counted
// from: events, or slices of time; of a composite, what its parts burnt, weighed.
func (x explainer) budget(ctx context.Context, slo plumbline.SLO, end time.Time, out *alerting.Explanation) error {
	name := slo.PeriodName()
	if slices.ContainsFunc(out.Windows, func(w alerting.WindowShare) bool { return w.Window == name }) {
		return nil
	}
	share := x.periodShare
	if slo.SLI.Is(plumbline.SLIComposite) {
		share = x.compositeShare
	}
	bad, known, err := share(ctx, slo, end)
	if err != nil || !known {
		return err
	}
	out.Windows = append(out.Windows, alerting.WindowShare{Window: name, Bad: bad, Low: math.NaN(), High: math.NaN()})
	return nil
}

// compositeShare is the bad share of a composite: the weighted mean of the budgets
// that its parts burnt, of its own budget. It is not known where that of a part is
// not.
func (x explainer) compositeShare(ctx context.Context, slo plumbline.SLO, end time.Time) (bad float64, known bool, err error) {
	var burnt, weights float64
	for _, p := range slo.Parts {
		part, declared := x.slos[p.SLO]
		if !declared || !(part.Target < 1) {
			return 0, false, nil
		}
		share, known, err := x.periodShare(ctx, part, end)
		if err != nil || !known {
			return 0, false, err
		}
		burnt, weights = burnt+p.Weight*share/(1-part.Target), weights+p.Weight
	}
	if !(weights > 0) {
		return 0, false, nil
	}
	return burnt / weights * (1 - slo.Target), true, nil
}

// periodShare is the bad share of the events, or of the slices of time, of the
// SLO's period. It is not known where too much of the period lies before the first
// of them.
func (x explainer) periodShare(ctx context.Context, slo plumbline.SLO, end time.Time) (share float64, known bool, err error) {
	from := end.Add(-slo.Period)
	if slo.Calendar != nil {
		from = slo.Calendar.Since(end, slo.Period)
	}
	var (
		bad, total float64
		first      time.Time
	)
	args := []any{clickhouse.Named("model", string(slo.Model)), clickhouse.Named("deploy", string(slo.Deploy)), clickhouse.Named("from", from.Unix()), clickhouse.Named("to", end.Unix())}
	if slo.Budgeting == plumbline.Timeslices || slo.Budgeting == plumbline.RatioTimeslices {
		target := slo.SliceTarget
		if slo.Budgeting == plumbline.RatioTimeslices {
			target = 0 // their bad shares count, whatever they are
		}
		var n uint64
		err = x.conn.QueryRow(ctx, budgetSlicesSQL, append(args, clickhouse.Named("sli", string(slo.SLIID())),
			clickhouse.Named("slice", int64(slo.SliceWindow/time.Second)), clickhouse.Named("target", target))...).Scan(&n, &bad, &first)
		total = float64(n)
	} else {
		statement := budgetSLISQL
		if slo.SLI.Is(plumbline.SLIQuality) {
			statement = budgetOutcomesSQL
		}
		var all, good int64
		err = x.conn.QueryRow(ctx, statement, append(args, clickhouse.Named("segment", string(slo.Segment)), clickhouse.Named("sli", string(slo.SLIID())))...).Scan(&all, &good, &first)
		bad, total = float64(all-good), float64(all)
	}
	if err != nil {
		return 0, false, fmt.Errorf("read the budget of %s: %w", slo.Name, err)
	}
	if total <= 0 || first.Sub(from) > time.Duration(mostUnseen*float64(end.Sub(from))) {
		return 0, false, nil
	}
	return bad / total, true, nil
}
