package ask

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

var (
	//go:embed sql/labelled.sql
	labelledSQL string
	//go:embed sql/counts.sql
	countsSQL string
	//go:embed sql/classes.sql
	classesSQL string
	//go:embed sql/numbers.sql
	numbersSQL string
	//go:embed sql/kinds.sql
	kindsSQL string
	//go:embed sql/names.sql
	namesSQL string
	//go:embed sql/features.sql
	featuresSQL string
	//go:embed sql/best.sql
	bestSQL string
	//go:embed sql/scored.sql
	scoredSQL string
	//go:embed sql/left.sql
	leftSQL string
	//go:embed sql/lists.sql
	listsSQL string
	//go:embed sql/custom.sql
	customSQL string
	//go:embed sql/cuts.sql
	cutsSQL string
	//go:embed sql/pieces.sql
	piecesSQL string
	//go:embed sql/called.sql
	calledSQL string
	//go:embed sql/hours_classes.sql
	hourClassesSQL string
	//go:embed sql/hours_numbers.sql
	hourNumbersSQL string
)

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// far is later than any label.
var far = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

// asOf is before when a label must have been known.
func (q Question) asOf() time.Time {
	if q.AsOf.IsZero() {
		return far
	}
	return q.AsOf
}

// parameters are those that every statement may use.
func (q Question) parameters(d Declaration) []any {
	deploys := make([]string, len(q.Deploys))
	for i, hash := range q.Deploys {
		deploys[i] = string(hash)
	}
	name, _ := q.By.segment()
	return []any{
		clickhouse.Named("model", string(q.Model)), clickhouse.Named("stage", string(q.Stage)), clickhouse.Named("segment", string(q.Segment)), clickhouse.Named("deploys", deploys),
		clickhouse.Named("since", instant(q.From)), clickhouse.Named("until", instant(q.To)), clickhouse.Named("as_of", instant(q.asOf())),
		clickhouse.Named("positive", d.Positive), clickhouse.Named("quantile", d.Quantile), clickhouse.Named("k", d.K), clickhouse.Named("class_scores", d.ClassScores),
		clickhouse.Named("query_name", d.Query), clickhouse.Named("by_name", name+"="),
	}
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// statement puts the shared parts into an SQL text. They are chosen from fixed
// ones: names reach a statement as parameters only.
func (q Question) statement(text string, more ...string) string {
	labelled := strings.Replace(labelledSQL, "/*labelled*/", plumbline.LabelledSQL(), 1)
	text = strings.NewReplacer(append(more, "/*parts*/", q.parts())...).Replace(text)
	return strings.ReplaceAll(text, "/*labelled*/", labelled)
}

// parts is the array of the parts that a labelled prediction belongs to.
func (q Question) parts() string {
	switch q.By {
	case ByNothing:
		return "['']"
	case ByDeploy:
		return "[deploy_hash]"
	case ByHour:
		return "[formatDateTime(ts, '%Y-%m-%dT%H:00:00Z', 'UTC')]"
	}
	return "arrayMap(s -> toString(s), " + q.filtered("segments") + ")"
}

func (q Question) filtered(segments string) string {
	if name, _ := q.By.segment(); name == "" {
		return segments
	}
	return "arrayFilter(s -> startsWith(s, {by_name:String}) AND position(s, ',') = 0, " + segments + ")"
}

// rolled are the part and the slice of a row of a rollup.
func (q Question) rolled() (part, slice string) {
	slice = "segment = {segment:String}"
	switch q.By {
	case ByNothing:
		return "''", slice
	case ByDeploy:
		return "toString(deploy_hash)", slice
	case ByHour:
		return "formatDateTime(time, '%Y-%m-%dT%H:00:00Z', 'UTC')", slice
	}
	if name, _ := q.By.segment(); name == "" {
		return "toString(segment)", "segment != ''"
	}
	return "toString(segment)", "startsWith(segment, {by_name:String}) AND position(segment, ',') = 0"
}

// series is the rollup whose grain the window fits.
func (q Question) series() plumbline.TableName {
	if q.From.Equal(q.From.Truncate(time.Hour)) && q.To.Equal(q.To.Truncate(time.Hour)) {
		return plumbline.TableSeriesHour
	}
	return plumbline.TableSeriesMinute
}

// place orders scores: as they are, or by their buckets on the grid, which is
// finest at both ends of 0 to 1.
func place(exact bool) string {
	if exact {
		return "f"
	}
	return "if(f <= 0.5, toInt64(" + grid.SQLBucket("f") + "), 10000000000 - toInt64(" + grid.SQLBucket("1 - f") + "))"
}

// each runs a statement and calls take for every row.
func (a *Asker) each(ctx context.Context, what, statement string, args []any, take func(driver.Rows) error) error {
	return eachOf(ctx, a.conn, what, statement, args, take)
}

// eachOf takes every row of a statement on a connection.
func eachOf(ctx context.Context, conn Querier, what, statement string, args []any, take func(driver.Rows) error) error {
	rows, err := conn.Query(ctx, statement, args...)
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := take(rows); err != nil {
			return fmt.Errorf("read %s: %w", what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}
