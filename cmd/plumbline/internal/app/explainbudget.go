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
)

// mostUnseen is the share of a period that may lie before the first event for its
// budget to be told: what has expired or was never sent was spent unseen.
const mostUnseen = 0.1

// budget adds the bad share of the SLO's period, all of its deploys together, to
// the windows, unless a finding says it. It is what the error budget is counted
// from where events are (Occurrences); budgets of slices are left to the rules.
func (x explainer) budget(ctx context.Context, slo plumbline.SLO, end time.Time, out *alerting.Explanation) error {
	name := plumbline.WindowName(slo.Period)
	known := slices.ContainsFunc(out.Windows, func(w alerting.WindowShare) bool { return w.Window == name })
	if known || slo.Budgeting != "" && slo.Budgeting != plumbline.Occurrences || slo.SLI.Is(plumbline.SLIComposite) {
		return nil
	}
	from := end.Add(-slo.Period)
	if slo.Calendar != nil {
		from = slo.Calendar.Since(end, slo.Period)
	}
	statement := budgetSLISQL
	if slo.SLI.Is(plumbline.SLIQuality) {
		statement = budgetOutcomesSQL
	}
	var (
		total, good int64
		first       time.Time
	)
	row := x.conn.QueryRow(ctx, statement, clickhouse.Named("model", string(slo.Model)), clickhouse.Named("segment", string(slo.Segment)),
		clickhouse.Named("deploy", string(slo.Deploy)), clickhouse.Named("sli", string(slo.SLIID())), clickhouse.Named("from", from.Unix()), clickhouse.Named("to", end.Unix()))
	if err := row.Scan(&total, &good, &first); err != nil {
		return fmt.Errorf("read the budget of %s: %w", slo.Name, err)
	}
	if total <= 0 || first.Sub(from) > time.Duration(mostUnseen*float64(end.Sub(from))) {
		return nil
	}
	out.Windows = append(out.Windows, alerting.WindowShare{
		Window: name, Bad: float64(total-good) / float64(total), Low: math.NaN(), High: math.NaN(),
	})
	return nil
}
