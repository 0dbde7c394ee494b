package ask

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

const (
	// expressionName is the metric of a question's own expression.
	expressionName metric.ID = "expr"
	// groups is how many of them the jackknife leaves out in turn, and whole the
	// number under which nothing is.
	groups, whole = 20, 20
	// leastCustom is how many labels it takes for each group to be about alike.
	leastCustom = 100
)

// joinedSQL is the labelled predictions, with their features where needed.
func joinedSQL(features bool) string {
	if !features {
		return "/*labelled*/ AS l"
	}
	return "/*labelled*/ AS l LEFT JOIN (" + featuresSQL + ") AS f ON l.prediction_id = f.id"
}

// measureCustom computes a metric of the owner's: its value over all rows, and
// its interval by a delete-a-group jackknife (Kott 2001) with Student's t of 19
// degrees of freedom, which holds for smooth functions of means, and not for a
// minimum or maximum. Where no group makes a difference there is no interval. It
// runs as the user that may only read, as the SQL of SLOs does, with that user's caps.
func (a *Asker) measureCustom(ctx context.Context, q Question, d Declaration, c Custom, m *measured) error {
	e, err := ParseExpression(c.SQL)
	if err != nil {
		return ParameterError{Name: "expr", Err: err}
	}
	if a.reads == nil {
		for part := range m.counted {
			m.add(part, Value{Value: missing(metric.ID(c.Name), "there is no user to run its SQL as: name one that may only read in rules.query_dsn_file")})
		}
		return nil
	}
	all, err := a.replicates(ctx, q, d, c.Name, e)
	if exception := new(clickhouse.Exception); errors.As(err, &exception) && slices.Contains([]int32{memoryLimit, timeout, tooManyRows}, exception.Code) {
		return ParameterError{Name: "window", Err: fmt.Errorf("%w; this is more than the user that may only read is allowed: ask about a shorter one", err)}
	}
	if err != nil {
		return err
	}
	absent := e.absent(all)
	for part, r := range all {
		v := Value{Value: jackknife(metric.ID(c.Name), r.values, r.size)}
		if absent != "" {
			v.Value.Value = math.NaN() // of 0s and empty texts, which nobody sent
			v = v.unsaid(absent)
		}
		m.add(part, v)
	}
	for part, known := range m.counted {
		left := int64(0)
		if r := all[part]; r != nil {
			left = r.size.labelled
		}
		if tooMany(known.sure-left, known.sure) { // whatever the others are read from, it has no rollups
			m.expire(part, metric.ID(c.Name))
		}
	}
	return nil
}

// replicates are the values of an expression without each group, the last that of all,
// and what it is a value of.
type replicates struct {
	values [groups + 1]float64
	size   counted
	// How many rows have each number and each category that the expression names.
	numbers, categories []uint64
}

// absent names the features of an expression that no row of any part has; empty where
// there are none.
func (e Expression) absent(all map[string]*replicates) string {
	if len(all) == 0 {
		return "" // no labels
	}
	var missing []string
	of := func(kind string, names []string, have func(*replicates) []uint64) {
		for i, name := range names {
			rows := uint64(0)
			for _, r := range all {
				rows += have(r)[i]
			}
			if rows == 0 {
				missing = append(missing, kind+" "+strconv.Quote(name))
			}
		}
	}
	of("numeric feature", e.numbers, func(r *replicates) []uint64 { return r.numbers })
	of("categorical feature", e.categories, func(r *replicates) []uint64 { return r.categories })
	if len(missing) == 0 {
		return ""
	}
	return "no labelled prediction of this window has the " + strings.Join(missing, " or the ")
}

// replicates computes an expression without each group in turn, by part.
func (a *Asker) replicates(ctx context.Context, q Question, d Declaration, name string, e Expression) (map[string]*replicates, error) {
	columns, have := "", "emptyArrayUInt64() AS with_number, emptyArrayUInt64() AS with_category"
	if e.features {
		columns = "f.numbers AS numbers, f.categories AS categories, "
		have = "sumForEach(arrayMap(n -> toUInt64(mapContains(numbers, n)), {numbers_named:Array(String)})) AS with_number, sumForEach(arrayMap(n -> toUInt64(mapContains(categories, n)), {categories_named:Array(String)})) AS with_category"
	}
	all := map[string]*replicates{}
	statement := q.statement(customSQL, "/*expression*/", e.text, "/*features*/", columns, "/*joined*/", joinedSQL(e.features), "/*have*/", have)
	args := append(q.parameters(d), clickhouse.Named("numbers_named", e.numbers), clickhouse.Named("categories_named", e.categories))
	err := eachOf(ctx, a.reads, "metric "+name, statement, args, func(rows driver.Rows) error {
		var (
			part           string
			left, n, total int64
			value          *float64
			numbers, words []uint64
		)
		if err := rows.Scan(&part, &left, &n, &total, &value, &numbers, &words); err != nil {
			return err
		}
		if all[part] == nil {
			all[part] = &replicates{}
			for i := range all[part].values {
				all[part].values[i] = math.NaN()
			}
		}
		if value != nil {
			all[part].values[left] = *value
		}
		if left == whole {
			all[part].size, all[part].numbers, all[part].categories = counted{labelled: total, rows: n}, numbers, words
		}
		return nil
	})
	return all, err
}

// What ClickHouse answers to a statement beyond its caps.
const (
	memoryLimit = 241
	timeout     = 159
	tooManyRows = 396
)

// jackknife makes a value of replicates.
func jackknife(id metric.ID, r [groups + 1]float64, size counted) metric.Value {
	v := missing(id, "")
	v.Value, v.Labelled, v.State = r[whole], size.labelled, metric.Insufficient
	var mean, squares float64
	for _, x := range r[:groups] {
		mean += x / groups
	}
	for _, x := range r[:groups] {
		squares += (x - mean) * (x - mean)
	}
	half := metric.StudentQuantile((1+metric.Level)/2, groups-1) * math.Sqrt(squares*(groups-1)/groups)
	switch {
	case size.rows == 0:
		v.State, v.Why = metric.Missing, "no labels"
	case size.rows < leastCustom:
		v.Why = fmt.Sprintf("too few labels: an interval needs %d", leastCustom)
	case math.IsNaN(v.Value) || math.IsInf(v.Value, 0) || math.IsNaN(half) || math.IsInf(half, 0):
		v.Why = "not defined on these labels"
	case half <= 1e-12*math.Abs(v.Value):
		// Replicates that are all the same have seen nothing of what would change it.
		v.Why = "it is the same without any twentieth of the labels, which tells nothing of how far others may move it"
	default:
		v.Low, v.High, v.State = v.Value-half, v.Value+half, metric.OK
	}
	return v
}
