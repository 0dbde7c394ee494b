package benchdrift

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/series.sql
var seriesSQL string

//go:embed sql/requests.sql
var requestsSQL string

//go:embed sql/categories.sql
var categoriesSQL string

//go:embed sql/raw.sql
var rawSQL string

//go:embed sql/late.sql
var lateSQL string

//go:embed sql/naive.sql
var naiveSQL string

// World is one model's traffic: deploy v1 for the first part of it, v2 for the
// rest, and a training set.
type World struct {
	Model plumbline.Model
	// Numeric and Categorical are how many features there are of each.
	Numeric, Categorical int
	// Start is when the traffic begins, at the start of an hour.
	Start time.Time
	// Hours of v1 and of v2.
	Before, After int
	// PerHour is the number of events an hour, Training that of the training set.
	PerHour, Training int
}

// Events is the number of events that the rollups of the traffic stand for.
func (w World) Events() float64 { return float64(w.PerHour) * float64(w.Before+w.After) }

// End is when the traffic ends.
func (w World) End() time.Time { return w.Start.Add(time.Duration(w.Before+w.After) * time.Hour) }

// stretch is a run of hours of one deploy.
type stretch struct {
	deploy  string
	stage   plumbline.Stage
	from    time.Time
	hours   int
	perHour int
}

func (w World) stretches() []stretch {
	return []stretch{
		{"v1", plumbline.StageTraining, w.Start, 1, w.Training},
		{"v1", plumbline.StageProduction, w.Start, w.Before, w.PerHour},
		{"v2", plumbline.StageProduction, w.Start.Add(time.Duration(w.Before) * time.Hour), w.After, w.PerHour},
	}
}

func (w World) parameters(s stretch) []any {
	return []any{
		clickhouse.Named("model", string(w.Model)), clickhouse.Named("deploy", s.deploy), clickhouse.Named("stage", string(s.stage)),
		clickhouse.Named("numeric", w.Numeric), clickhouse.Named("categorical", w.Categorical),
		clickhouse.Named("from", s.from.Unix()), clickhouse.Named("hours", s.hours), clickhouse.Named("events", float64(s.perHour)),
	}
}

// maxHours is how many hours one statement makes: it holds their histograms in
// memory.
const maxHours = 168

// Store writes the rollups, a week in a part; the engine merges them as it likes.
func (w World) Store(ctx context.Context, conn driver.Conn) error {
	for _, all := range w.stretches() {
		for done := 0; done < all.hours; done += maxHours {
			s := all
			s.from, s.hours = all.from.Add(time.Duration(done)*time.Hour), min(maxHours, all.hours-done)
			for _, statement := range []string{requestsSQL, seriesSQL, categoriesSQL} {
				if err := conn.Exec(ctx, statement, w.parameters(s)...); err != nil {
					return fmt.Errorf("make the rollups of %s: %w", w.Model, err)
				}
			}
		}
	}
	return nil
}

// StoreRaw writes raw rows, half of them of each deploy.
func (w World) StoreRaw(ctx context.Context, conn driver.Conn, rows int) error {
	for _, s := range w.stretches()[1:] {
		if err := conn.Exec(ctx, rawSQL, append(w.parameters(s), clickhouse.Named("rows", rows/2))...); err != nil {
			return fmt.Errorf("make raw rows of %s: %w", w.Model, err)
		}
	}
	return nil
}

// Late writes one more event, of an hour that is so long before the end.
func (w World) Late(ctx context.Context, conn driver.Conn, before time.Duration) error {
	s := w.stretches()[2]
	s.from = w.End().Add(-before).Truncate(time.Hour)
	if err := conn.Exec(ctx, lateSQL, w.parameters(s)...); err != nil {
		return fmt.Errorf("make a late event of %s: %w", w.Model, err)
	}
	return nil
}

// Naive computes the PSI of every numeric feature from the raw rows in SQL and
// returns how many features it did.
func (w World) Naive(ctx context.Context, conn driver.Conn) (features int, err error) {
	rows, err := conn.Query(ctx, naiveSQL, clickhouse.Named("model", string(w.Model)))
	if err != nil {
		return 0, fmt.Errorf("recompute from raw rows: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		features++
	}
	return features, rows.Err()
}

// Size is how many hourly rows the numeric series of the model have, and how
// many buckets with a count.
func (w World) Size(ctx context.Context, conn driver.Conn) (rows, buckets uint64, err error) {
	row := conn.QueryRow(ctx, "SELECT count(), sum(length(hist.1)) FROM series_hour WHERE model = {model:String}", clickhouse.Named("model", string(w.Model)))
	if err := row.Scan(&rows, &buckets); err != nil {
		return 0, 0, fmt.Errorf("size of the rollups of %s: %w", w.Model, err)
	}
	return rows, buckets, nil
}
