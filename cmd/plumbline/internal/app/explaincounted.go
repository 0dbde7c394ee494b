package app

import (
	"context"
	_ "embed" // the statement
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	qualityask "github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/cause"
)

//go:embed counted.sql
var countedSQL string

//go:embed burnparts.sql
var burnPartsSQL string

// parts says how much of the burn of a composite each of its parts makes up.
func (x explainer) parts(ctx context.Context, about alerting.Question) (carriers []string, err error) {
	rows, err := x.conn.Query(ctx, burnPartsSQL, clickhouse.Named("model", string(about.Model)), clickhouse.Named("slo", string(about.SLO)),
		clickhouse.Named("deploy", string(about.Deploy)), clickhouse.Named("window", plumbline.WindowName(about.Window)),
		clickhouse.Named("since", about.Now.Add(-oldWindows).UnixMilli()), clickhouse.Named("now", about.Now.UnixMilli()))
	if err != nil {
		return nil, fmt.Errorf("read what the parts of %s burn: %w", about.SLO, err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			part       string
			bad, whole float64
		)
		if err := rows.Scan(&part, &bad, &whole); err != nil {
			return nil, fmt.Errorf("read what the parts of %s burn: %w", about.SLO, err)
		}
		if bad > 0 {
			carriers = append(carriers, fmt.Sprintf("part %s carries %.0f %% of the burn", part, 100*bad/whole))
		}
	}
	return carriers, rows.Err()
}

// counted says how many of the events that an SLO counts were good before and
// are now, and which deploys carry the difference.
func (x explainer) counted(ctx context.Context, about alerting.Question, slo plumbline.SLO, end time.Time, out *alerting.Explanation) ([]string, error) {
	from := end.Add(-max(about.Window, leastWindow))
	rows, err := x.conn.Query(ctx, countedSQL, clickhouse.Named("sli", string(slo.SLIID())), clickhouse.Named("model", string(about.Model)),
		clickhouse.Named("from", from.Unix()), clickhouse.Named("since", from.Add(-beforeDrop).Unix()), clickhouse.Named("to", end.Unix()))
	if err != nil {
		return nil, fmt.Errorf("read indicator %s: %w", slo.SLI.Name(), err)
	}
	defer rows.Close()
	var (
		cells                     []cause.Cell
		beforeN, afterN           int64
		before, after             int64
		deploy                    string
		oldTotal, oldGood         int64
		currentTotal, currentGood int64
	)
	for rows.Next() {
		if err := rows.Scan(&deploy, &oldTotal, &oldGood, &currentTotal, &currentGood); err != nil {
			return nil, fmt.Errorf("read indicator %s: %w", slo.SLI.Name(), err)
		}
		cells = append(cells, cause.Cell{Name: deploy, BeforeN: oldTotal, BeforeSum: float64(oldGood), AfterN: currentTotal, AfterSum: float64(currentGood)})
		beforeN, before, afterN, after = beforeN+oldTotal, before+oldGood, afterN+currentTotal, after+currentGood
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read indicator %s: %w", slo.SLI.Name(), err)
	}
	if beforeN == 0 || afterN == 0 {
		return nil, nil // nothing to compare with
	}
	out.Quality = &alerting.QualityChange{
		Measure: "good events (" + string(slo.SLI.Name()) + ")", Before: float64(before) / float64(beforeN), After: float64(after) / float64(afterN),
		BeforeWhat: "the 7 days before", AfterWhat: "the last " + plumbline.WindowName(end.Sub(from)),
	}
	d, err := cause.Decompose(cells)
	if err != nil || len(cells) < 2 {
		return nil, err // one deploy carries all that there is
	}
	return dropWords([]qualityask.Way{{By: "deploy", Spread: 1, Decomposition: d}}, "good events", "events"), nil
}
