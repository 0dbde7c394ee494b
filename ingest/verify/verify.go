// Package verify recomputes rollups from the stored raw rows in SQL and compares
// them with what ingest counted, bit for bit: counts, sums, extremes and
// histograms; and so with the good and all events of indicators. It is the independent second opinion of `plumbline rollup
// verify`, and the same SQL makes rollups for ingest when only the raw rows can
// be trusted.
//
// It reads ClickHouse only. It may not import ingest, whose counting it checks;
// the package segment, which both do, declares and counts nothing.
package verify

import (
	"context"
	_ "embed" // the SQL texts
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/segment"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

//go:embed series.sql
var seriesSQL string

//go:embed categories.sql
var categoriesSQL string

//go:embed compare_series.sql
var compareSeriesSQL string

//go:embed compare_categories.sql
var compareCategoriesSQL string

//go:embed sliced_otherwise.sql
var slicedOtherwiseSQL string

// PlanSeparator stands in a plan of batches before the ID of the segments that
// were declared when the batch was counted.
const PlanSeparator = "+"

// ErrIncomplete says that the raw rows of the range are not all there, because
// they have expired, were left out while the disk was nearly full or were
// erased, so that nothing can be verified against them.
var ErrIncomplete = errors.New("raw rows are incomplete")

// Options say what is verified.
type Options struct {
	// From and To bound the event time; they are widened to whole hours.
	From, To time.Time
	// NumberModels are the models whose score is a number and no probability.
	NumberModels []plumbline.Model
	// Segments are those that are declared.
	Segments segment.Declared
	// SLOs are those whose indicators are compared, too.
	SLOs []plumbline.SLO
}

// maxExamples bounds the differences that are spelled out, by table.
const maxExamples = 20

// Report is the outcome of a verification.
type Report struct {
	From, To time.Time
	// Rows is the number of raw rows the rollups were compared with.
	Rows uint64
	// HoursWithoutSegments is the number of hours, of each model apart, in which
	// raw rows were counted by other segments than those that are declared now.
	// Of these hours only the whole is compared.
	HoursWithoutSegments uint64
	// Tables has an entry a rollup table, and one for sli if indicators were compared.
	Tables []TableReport
	// Indicators says which were.
	Indicators IndicatorsReport
	// InFlight is the number of raw rows of batches that were not complete when
	// the comparison began: with ingest running, differences may be theirs.
	InFlight uint64
}

// TableReport is the outcome for one table.
type TableReport struct {
	Table plumbline.TableName
	// Keys is the number of rows compared, by their whole key.
	Keys uint64
	// Differing is how many of them were not equal in every bit.
	Differing uint64
	// Differences describes the first of them.
	Differences []string
}

// Equal reports whether every key of every table was equal.
func (r Report) Equal() bool {
	for _, t := range r.Tables {
		if t.Differing > 0 {
			return false
		}
	}
	return true
}

// Run verifies a range. It returns ErrIncomplete if raw rows of the range have
// expired or were never stored, since then the rollups rightly know more.
func Run(ctx context.Context, conn driver.Conn, opts Options) (Report, error) {
	r := Report{From: opts.From.UTC().Truncate(time.Hour), To: opts.To.UTC().Add(time.Hour - 1).Truncate(time.Hour)}
	if !r.From.Before(r.To) {
		return r, fmt.Errorf("verify rollups: %s is not before %s", opts.From, opts.To)
	}
	if err := r.checkRaw(ctx, conn); err != nil {
		return r, err
	}
	counted, err := r.counted(ctx, conn, opts.Segments)
	if err != nil {
		return r, err
	}
	scope := "ts >= {from:DateTime} AND ts < {to:DateTime}"
	args := append(r.bounds(), clickhouse.Named("examples", fmt.Sprint(maxExamples)), NumberModels(opts.NumberModels), opts.Segments.Parameter(), clickhouse.Named("declared", opts.Segments.ID()))
	for _, table := range []plumbline.TableName{plumbline.TableSeriesHour, plumbline.TableSeriesMinute, plumbline.TableCategories} {
		query := compareSeriesSQL
		if table == plumbline.TableCategories {
			query = compareCategoriesSQL
		}
		query = strings.NewReplacer("$expected", SelectSQL(table, string(plumbline.TablePredictions), scope), "$table", string(table), "$counted", counted).Replace(query)
		t := TableReport{Table: table}
		row := conn.QueryRow(ctx, query, args...)
		if err := row.Scan(&t.Keys, &t.Differing, &t.Differences); err != nil {
			return r, fmt.Errorf("compare %s with raw rows: %w", table, err)
		}
		r.Tables = append(r.Tables, t)
	}
	return r, r.indicators(ctx, conn, opts.SLOs)
}

func (r *Report) bounds() []any {
	return []any{clickhouse.Named("from", fmt.Sprint(r.From.Unix())), clickhouse.Named("to", fmt.Sprint(r.To.Unix()))}
}

// counted returns the condition for the rollup rows that are compared: all of
// the whole, and those of segments in the hours that were counted by the
// segments of now. Rows that were stored under other declarations keep their
// rollups, which nothing that is declared now explains.
func (r *Report) counted(ctx context.Context, conn driver.Conn, declared segment.Declared) (string, error) {
	args := append(r.bounds(), clickhouse.Named("declared", declared.ID()))
	var batches uint64
	row := conn.QueryRow(ctx, "SELECT count() FROM batches WHERE table = 'predictions' AND splitByChar('"+PlanSeparator+"', toString(plan))[2] != {declared:String}", args...)
	if err := row.Scan(&batches); err != nil {
		return "", fmt.Errorf("look for batches of other segments: %w", err)
	}
	if batches == 0 {
		return "1", nil
	}
	row = conn.QueryRow(ctx, "SELECT count() FROM ("+slicedOtherwiseSQL+")", args...)
	if err := row.Scan(&r.HoursWithoutSegments); err != nil {
		return "", fmt.Errorf("look for raw rows that were counted by other segments: %w", err)
	}
	if r.HoursWithoutSegments == 0 {
		return "1", nil
	}
	return "(segment = '' OR (toString(model), toUInt32(toStartOfHour(time))) NOT IN (" + slicedOtherwiseSQL + "))", nil
}

// checkRaw compares the raw rows with what the batches say was stored.
func (r *Report) checkRaw(ctx context.Context, conn driver.Conn) error {
	if err := r.checkErased(ctx, conn); err != nil {
		return err
	}
	var all, recorded uint64
	var oldest time.Time
	row := conn.QueryRow(ctx, `SELECT count(), countIf(ts >= {from:DateTime} AND ts < {to:DateTime}), min(ts),
    (SELECT sum(rows) FROM batches FINAL WHERE table = 'predictions') FROM predictions`, r.bounds()...)
	if err := row.Scan(&all, &r.Rows, &oldest, &recorded); err != nil {
		return fmt.Errorf("count raw rows: %w", err)
	}
	if all > recorded {
		r.InFlight = all - recorded
	}
	// Raw rows expire oldest first, and by whole days.
	if all < recorded && r.From.Before(oldest.Truncate(24*time.Hour).Add(24*time.Hour)) {
		return fmt.Errorf("verify rollups from %s: %w: %d of %d are stored, the oldest of %s; choose a later start", r.From.Format(time.RFC3339), ErrIncomplete, all, recorded, oldest.Format(time.RFC3339))
	}
	return r.checkLeftOut(ctx, conn)
}

// checkErased refuses a range out of which somebody's rows were erased: the
// rollups count them still.
func (r *Report) checkErased(ctx context.Context, conn driver.Conn) error {
	var runs, rows uint64
	var oldest, newest time.Time
	row := conn.QueryRow(ctx, `SELECT uniqExact(at), sum(rows), min(ts_min), max(ts_max) FROM erasures
WHERE table = 'predictions' AND ts_min < {to:DateTime} AND ts_max >= {from:DateTime}`, r.bounds()...)
	if err := row.Scan(&runs, &rows, &oldest, &newest); err != nil {
		return fmt.Errorf("look for raw rows that were erased: %w", err)
	}
	if runs > 0 {
		return fmt.Errorf("verify rollups from %s to %s: %w: %d raw rows between %s and %s were erased at somebody's request (%d erasures); choose a range without them",
			r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), ErrIncomplete, rows, oldest.UTC().Format(time.RFC3339), newest.UTC().Format(time.RFC3339), runs)
	}
	return nil
}

// checkLeftOut refuses a range in which batches were stored without all of their
// raw rows: their valid events are in the rollups and not all in predictions.
func (r *Report) checkLeftOut(ctx context.Context, conn driver.Conn) error {
	var batches, events uint64
	var oldest, newest time.Time
	row := conn.QueryRow(ctx, `SELECT count(), sum(toUInt64(events - dead - rows)), min(ts_min), max(ts_max) FROM batches FINAL
WHERE table = 'predictions' AND rows + dead < events AND ts_min < {to:DateTime} AND ts_max >= {from:DateTime}`, r.bounds()...)
	if err := row.Scan(&batches, &events, &oldest, &newest); err != nil {
		return fmt.Errorf("look for raw rows that were left out: %w", err)
	}
	if batches > 0 {
		return fmt.Errorf("verify rollups from %s to %s: %w: the raw rows of %d predictions between %s and %s (%d batches) were left out because the disk was nearly full, or the privacy policy samples; choose a range without them",
			r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), ErrIncomplete, events, oldest.UTC().Format(time.RFC3339), newest.UTC().Format(time.RFC3339), batches)
	}
	return nil
}

// NumberModels is the query parameter number_models of SelectSQL.
func NumberModels(models []plumbline.Model) any {
	names := make([]string, len(models))
	for i, m := range models {
		names[i] = string(m)
	}
	return clickhouse.Named("number_models", names)
}

// SelectSQL returns the SELECT that makes the rows of a rollup table from the
// predictions that match the SQL condition scope. It needs the parameters
// number_models (see NumberModels) and declared_segments (see package segment),
// and those of the scope.
func SelectSQL(table plumbline.TableName, from, scope string) string {
	query, time := seriesSQL, "toStartOfHour(ts)"
	bucket, gridSQL := "bucket", fmt.Sprintf("if(odds, '%s', '%s')", grid.FullOdds, grid.Full)
	switch table {
	case plumbline.TableCategories:
		query = categoriesSQL
	case plumbline.TableSeriesMinute:
		time, bucket = "toStartOfMinute(ts)", grid.SQLCoarse("bucket")
		gridSQL = fmt.Sprintf("multiIf(odds, '%s', series IN ('%s', '%s'), '%s', '')", grid.CoarseOdds, plumbline.SeriesScore, plumbline.SeriesLatency, grid.Coarse)
	}
	return strings.NewReplacer("$time", time, "$requests", plumbline.RequestsSQL, "$segments", "arrayConcat([''], "+segment.SQL+")", "$from", from, "$scope", scope, "$grid", gridSQL, "$bucket", bucket, "$fullbucket", grid.SQLBucket("x")).Replace(query)
}
