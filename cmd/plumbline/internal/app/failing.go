package app

import (
	"context"
	_ "embed" // the statement
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

//go:embed failing.sql
var failingSQL string

// mostFailing is how far back raw rows are read for a page: a longer window's statuses
// would keep it waiting.
const mostFailing = time.Hour

// failing says with which statuses requests failed, before what carries it: whoever is
// woken looks at a quota, a dependency or a deploy. That of one segment is not told. Not
// knowing costs nothing of the rest.
func (x explainer) failing(ctx context.Context, about alerting.Question, slo plumbline.SLO, end time.Time, carriers []string) []string {
	if !slo.SLI.Is(plumbline.SLISuccess) || slo.Segment != "" {
		return carriers
	}
	lines, err := x.statuses(ctx, about, end)
	if err != nil {
		lines = []string{"which statuses fail is not known: " + reasonOf(err)}
	}
	return append(lines, carriers...)
}

func (x explainer) statuses(ctx context.Context, about alerting.Question, end time.Time) (lines []string, err error) {
	window := mostFailing
	if about.Window > 0 {
		window = min(about.Window, mostFailing)
	}
	rows, err := x.conn.Query(ctx, failingSQL, clickhouse.Named("model", string(about.Model)), clickhouse.Named("deploy", string(about.Deploy)),
		clickhouse.Named("from", end.Add(-window).UnixMilli()), clickhouse.Named("to", end.UnixMilli()))
	if err != nil {
		return nil, fmt.Errorf("read the statuses of %s: %w", about.Model, err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			status string
			share  float64
			first  time.Time
		)
		if err := rows.Scan(&status, &share, &first); err != nil {
			return nil, fmt.Errorf("read the statuses of %s: %w", about.Model, err)
		}
		name := "status " + strconv.Quote(status)
		if status == "" {
			name = "no status"
		}
		lines = append(lines, fmt.Sprintf("%s of %s %% of the requests in the last %s, first at %s UTC", name, plumbline.ThreeDigits(100*share), plumbline.WindowName(window), first.UTC().Format("15:04")))
	}
	return lines, rows.Err()
}
