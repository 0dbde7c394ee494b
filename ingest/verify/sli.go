package verify

import (
	"context"
	_ "embed" // the statement
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed compare_sli.sql
var compareSLISQL string

// lateHours is how late an event may be for its minute to be compared. Events more
// than seven days late are not counted any more (docs/decisions/0018), but are where
// an indicator was first counted after they had come; about that long after, it
// depends on the minute in which a batch was looked at.
const lateHours = 7*24 - 1

// IndicatorsReport says which indicators were compared in the table sli.
type IndicatorsReport struct {
	// Compared is how many were, NotCounted how many nothing is stored of yet.
	Compared, NotCounted int
	// Otherwise are the kinds of those that are not counted from raw rows of
	// predictions alone, and are not compared.
	Otherwise []plumbline.SLIKind
	// Open counts minutes, by deploy, that batches since may have changed, and Late
	// those in which an event came about seven days late or later: both are left
	// out. What lies before the first minute that was counted is, too.
	Open, Late uint64
}

// indicators compares the counts of the indicators that events are counted for.
func (r *Report) indicators(ctx context.Context, conn driver.Conn, slos []plumbline.SLO) error {
	table := TableReport{Table: plumbline.TableSLI}
	seen := make(map[plumbline.SLIID]bool)
	for _, slo := range slos {
		id := slo.SLIID()
		if seen[id] {
			continue
		}
		seen[id] = true
		good, judged, args, ok := eventConditions(slo)
		if !ok {
			kind := slo.SLI.Name()
			if kind != plumbline.SLIQuality && kind != plumbline.SLIComposite && !slices.Contains(r.Indicators.Otherwise, kind) {
				r.Indicators.Otherwise = append(r.Indicators.Otherwise, kind)
			}
			continue
		}
		if err := r.indicator(ctx, conn, id, slo.Model, &table, strings.NewReplacer("$requests", plumbline.RequestsSQL, "$good", good, "$judged", judged), args); err != nil {
			return fmt.Errorf("compare %s of %s with raw rows: %w", plumbline.TableSLI, id, err)
		}
	}
	slices.Sort(r.Indicators.Otherwise)
	if table.Keys > 0 {
		r.Tables = append(r.Tables, table)
	}
	return nil
}

func (r *Report) indicator(ctx context.Context, conn driver.Conn, id plumbline.SLIID, model plumbline.Model, table *TableReport, conditions *strings.Replacer, args []any) error {
	var (
		stored, version uint64
		first           time.Time
	)
	row := conn.QueryRow(ctx, "SELECT count(), max(version), min(time) FROM sli WHERE sli = {sli:String}", clickhouse.Named("sli", string(id)))
	if err := row.Scan(&stored, &version, &first); err != nil {
		return err
	}
	if stored == 0 {
		r.Indicators.NotCounted++
		return nil
	}
	args = append(append(args, r.bounds()...), clickhouse.Named("sli", string(id)), clickhouse.Named("model", string(model)), clickhouse.Named("version", int64(version)),
		clickhouse.Named("first", first.Unix()), clickhouse.Named("late", lateHours), clickhouse.Named("examples", fmt.Sprint(max(maxExamples-len(table.Differences), 0))))
	var (
		keys, differing, open, late uint64
		differences                 []string
	)
	if err := conn.QueryRow(ctx, conditions.Replace(compareSLISQL), args...).Scan(&keys, &differing, &open, &late, &differences); err != nil {
		return err
	}
	r.Indicators.Compared++
	r.Indicators.Open, r.Indicators.Late = r.Indicators.Open+open, r.Indicators.Late+late
	table.Keys, table.Differing = table.Keys+keys, table.Differing+differing
	table.Differences = append(table.Differences, differences...)
	return nil
}

// eventConditions writes what is good and what can be judged at all as SQL, for the
// kinds that count events; ok is false for the others. What comes from SLO files is
// in the parameters.
func eventConditions(slo plumbline.SLO) (good, judged string, args []any, ok bool) {
	value := ""
	switch slo.SLI.Name() {
	case plumbline.SLISuccess:
		good, judged = "status = 'ok'", "1"
	case plumbline.SLILatency:
		value, judged = "assumeNotNull(latency_ms)", "isNotNull(latency_ms)"
	case plumbline.SLICost:
		value, judged = "numbers[{feature:String}]", "has(mapKeys(numbers), {feature:String})"
		args = append(args, clickhouse.Named("feature", string(slo.SLI.Feature)))
	default:
		return "", "", nil, false
	}
	if value != "" {
		symbol := map[string]string{"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}[slo.SLI.Op]
		if symbol == "" {
			return "", "", nil, false
		}
		good = value + " " + symbol + " {bound:Float64}"
		args = append(args, clickhouse.Named("bound", slo.SLI.Value))
	}
	for i, part := range strings.Split(string(slo.Segment), ",") {
		name, is, found := strings.Cut(part, "=")
		if !found {
			continue
		}
		n := strconv.Itoa(i)
		judged += " AND segments[{name" + n + ":String}] = {value" + n + ":String}"
		args = append(args, clickhouse.Named("name"+n, name), clickhouse.Named("value"+n, is))
	}
	return good, judged, args, true
}
