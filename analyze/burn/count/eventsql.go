package count

import (
	"context"
	_ "embed" // the statement
	"errors"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/events.sql
var eventsTemplate string

// eventsSQL is the statement that counts these indicators. It reads the columns that
// they need and no others: the maps of features and segments are most of a row. The
// requests that a row stands for are the expression that ingest counts by as well.
func eventsSQL(slos map[plumbline.SLIID]plumbline.SLO) string {
	var columns, values, segments string
	for _, kind := range []struct {
		of            plumbline.SLIKind
		column, value string
	}{
		{plumbline.SLILatency, "latency_ms,", "kind = 'latency', latency_ms,"},
		{plumbline.SLISuccess, "status,", "kind = 'success', toNullable(toFloat64(status = 'ok')),"},
		{plumbline.SLICost, "numbers,", "kind = 'cost' AND mapContains(numbers, feature), toNullable(numbers[feature]),"},
	} {
		for _, slo := range slos {
			if slo.SLI.Is(kind.of) {
				columns, values = columns+kind.column, values+kind.value
				break
			}
		}
	}
	for _, slo := range slos {
		if slo.Segment != "" {
			columns, segments = columns+"segments,", "WHERE arrayAll((k, v) -> segments[k] = v, keys, values)"
			break
		}
	}
	return strings.NewReplacer("/*requests*/", plumbline.RequestsSQL, "/*columns*/", columns, "/*values*/", values, "/*segments*/", segments).Replace(eventsTemplate)
}

// eventParameters says what is counted, in parallel arrays.
func eventParameters(slos map[plumbline.SLIID]plumbline.SLO) []any {
	var slis, models, kinds, ops, features []string
	var bounds []float64
	var keys, values [][]string
	for id, slo := range slos {
		op, bound := slo.SLI.Op, slo.SLI.Value
		if slo.SLI.Is(plumbline.SLISuccess) {
			op, bound = "gte", 1
		}
		k, v := []string{}, []string{}
		for _, part := range strings.Split(string(slo.Segment), ",") {
			if name, value, ok := strings.Cut(part, "="); ok {
				k, v = append(k, name), append(v, value)
			}
		}
		slis, models, kinds = append(slis, string(id)), append(models, string(slo.Model)), append(kinds, string(slo.SLI.Name()))
		ops, bounds, features = append(ops, op), append(bounds, bound), append(features, string(slo.SLI.Feature))
		keys, values = append(keys, k), append(values, v)
	}
	return []any{
		clickhouse.Named("slis", slis), clickhouse.Named("of", models), clickhouse.Named("kinds", kinds), clickhouse.Named("ops", ops),
		clickhouse.Named("bounds", bounds), clickhouse.Named("features", features), clickhouse.Named("keys", keys), clickhouse.Named("values", values),
		clickhouse.Named("models", modelsOf(slos)),
	}
}

func modelsOf(slos map[plumbline.SLIID]plumbline.SLO) []string {
	var models []string
	for _, slo := range slos {
		models = append(models, string(slo.Model))
	}
	slices.Sort(models)
	return slices.Compact(models)
}

// eventRows runs the statement that counts events.
func (c *Counter) eventRows(ctx context.Context, statement string, parameters []any) (all []row, err error) {
	rows, err := c.db.Conn().Query(ctx, statement, parameters...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			r                  row
			sli, model, deploy string
			minute             uint32
		)
		if err := rows.Scan(&sli, &model, &deploy, &minute, &r.good, &r.total, &r.rows, &r.late); err != nil {
			return nil, err
		}
		r.sli, r.model, r.deploy, r.minute = plumbline.SLIID(sli), plumbline.Model(model), plumbline.DeployHash(deploy), int64(minute)
		all = append(all, r)
	}
	return all, rows.Err()
}
