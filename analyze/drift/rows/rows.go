package rows

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

//go:embed sql/rows.sql
var rowsSQL string

//go:embed sql/total.sql
var totalSQL string

//go:embed sql/labels.sql
var labelsSQL string

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Reader reads raw rows.
type Reader struct {
	// Conn is where the predictions are.
	Conn Querier
}

// Query says which rows to read.
type Query struct {
	// Windows name them; unlike rollups, rows are cut at From and To exactly. A
	// reference may be several windows; each gives an equal number of rows at
	// most.
	Windows []drift.Query
	// Limit is the greatest number of rows, at least one a window.
	Limit int
	// Labels reads the winning labels too.
	Labels bool
}

// Words is a column of categories; where Null is true there is none.
type Words struct {
	Values []string
	Null   []bool
}

// Table holds rows by column, in the order of their event times.
type Table struct {
	// Total is how many rows the window has; Len says how many of them are here.
	Total uint64
	Times []time.Time
	// Numbers has NaN where a row has no number, finite or not.
	Numbers map[plumbline.Feature][]float64
	Words   map[plumbline.Feature]Words
	// Scores has NaN, and Predicted and Labels are empty, where a row has none.
	// Labels is nil if they were not asked for.
	Scores    []float64
	Predicted []string
	Labels    []string
}

// Len is the number of rows.
func (t Table) Len() int { return len(t.Times) }

// Features returns the names of all columns, in order.
func (t Table) Features() []plumbline.Feature {
	names := maps.Clone(t.Numbers)
	if names == nil {
		names = map[plumbline.Feature][]float64{}
	}
	for f := range t.Words {
		names[f] = nil
	}
	return slices.Sorted(maps.Keys(names))
}

// Only returns the table with no more than these columns; rows are shared.
func (t Table) Only(features []plumbline.Feature) Table {
	numbers, words := map[plumbline.Feature][]float64{}, map[plumbline.Feature]Words{}
	for _, f := range features {
		if v, ok := t.Numbers[f]; ok {
			numbers[f] = v
		}
		if w, ok := t.Words[f]; ok {
			words[f] = w
		}
	}
	t.Numbers, t.Words = numbers, words
	return t
}

// Sample counts one column on the grid, as a rollup of these rows would.
func (t Table) Sample(f plumbline.Feature) (drift.Sample, error) {
	s := drift.Sample{Values: map[string]uint64{}}
	counts := map[int32]uint64{}
	for _, v := range t.Numbers[f] {
		switch {
		case math.IsInf(v, 0):
			s.Infs++
		case !math.IsNaN(v):
			counts[grid.Bucket(v)]++
		}
	}
	for i, w := range t.Words[f].Values {
		if !t.Words[f].Null[i] {
			s.Values[w]++
		}
	}
	buckets := slices.Collect(maps.Keys(counts))
	each := make([]uint64, len(buckets))
	for i, b := range buckets {
		each[i] = counts[b]
	}
	var err error
	if s.Numbers, err = drift.NewHistogram(buckets, each); err != nil {
		return drift.Sample{}, err
	}
	s.Absent = uint64(t.Len()) - s.Present()
	return s, nil
}

// row is one row before the rows are put in order.
type row struct {
	id        string
	at        time.Time
	numbers   []string
	values    []float64
	words     []string
	texts     []string
	score     float64
	predicted string
	label     string
}

// Read returns the rows of the query.
func (r Reader) Read(ctx context.Context, q Query) (Table, error) {
	var (
		t   Table
		all []row
	)
	for _, w := range q.Windows {
		limit := q.Limit / len(q.Windows)
		rows, total, err := r.window(ctx, w, limit, q.Labels)
		if err != nil {
			return Table{}, fmt.Errorf("read rows of model %q: %w", w.Model, err)
		}
		t.Total += total
		all = append(all, rows...)
	}
	slices.SortStableFunc(all, func(a, b row) int { return a.at.Compare(b.at) })
	t.fill(all, q.Labels)
	return t, nil
}

// window reads the rows of one window, and how many it has.
func (r Reader) window(ctx context.Context, q drift.Query, limit int, labels bool) (all []row, total uint64, err error) {
	if limit < 1 {
		return nil, 0, fmt.Errorf("limit of %d rows: must be at least 1", limit)
	}
	if _, values := pairs(q.Segment); slices.Contains(values, otherValue) {
		return nil, 0, fmt.Errorf("segment %q: raw rows do not tell which values are counted as %s", q.Segment, otherValue)
	}
	parameters := parameters(q, limit)
	err = r.each(ctx, rowsSQL, parameters, func(rows driver.Rows) error {
		var w row
		if err := rows.Scan(&w.id, &w.at, &w.numbers, &w.values, &w.words, &w.texts, &w.score, &w.predicted); err != nil {
			return err
		}
		all = append(all, w)
		return nil
	})
	if err == nil && labels {
		err = r.label(ctx, parameters, all)
	}
	if err != nil {
		return nil, 0, err
	}
	// Last, so that rows which come in meanwhile make no sample larger than what
	// it was drawn from.
	err = r.each(ctx, totalSQL, parameters, func(rows driver.Rows) error { return rows.Scan(&total) })
	return all, total, err
}

// label adds the labels of the rows.
func (r Reader) label(ctx context.Context, parameters []any, all []row) error {
	labels := map[string]string{}
	err := r.each(ctx, labelsSQL, parameters, func(rows driver.Rows) error {
		var id, label string
		if err := rows.Scan(&id, &label); err != nil {
			return err
		}
		labels[id] = label
		return nil
	})
	for i := range all {
		all[i].label = labels[all[i].id]
	}
	return err
}

func (r Reader) each(ctx context.Context, statement string, parameters []any, scan func(driver.Rows) error) error {
	rows, err := r.Conn.Query(ctx, statement, parameters...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// lastMilli is beyond every event time.
const lastMilli = int64(1) << 42

func parameters(q drift.Query, limit int) []any {
	deploys := []string{}
	for _, d := range q.Deploys {
		deploys = append(deploys, string(d))
	}
	from, to := int64(0), lastMilli
	if !q.From.IsZero() {
		from = q.From.UnixMilli()
	}
	if !q.To.IsZero() {
		to = q.To.UnixMilli()
	}
	keys, values := pairs(q.Segment)
	return []any{
		clickhouse.Named("model", string(q.Model)), clickhouse.Named("stage", string(q.Stage)),
		clickhouse.Named("deploys", deploys), clickhouse.Named("from", from), clickhouse.Named("to", to),
		clickhouse.Named("keys", keys), clickhouse.Named("values", values), clickhouse.Named("limit", uint64(limit)),
	}
}

// otherValue is the value of a segment that holds what its declaration does not
// list (docs/segments.md).
const otherValue = "other"

// pairs takes a segment key=value, or several of them with commas between, apart.
func pairs(s plumbline.Segment) (keys, values []string) {
	keys, values = []string{}, []string{}
	if s == plumbline.SegmentAll {
		return keys, values
	}
	for pair := range strings.SplitSeq(string(s), ",") {
		key, value, _ := strings.Cut(pair, "=")
		keys, values = append(keys, key), append(values, value)
	}
	return keys, values
}

// fill turns rows into columns.
func (t *Table) fill(all []row, labels bool) {
	t.Numbers, t.Words = map[plumbline.Feature][]float64{}, map[plumbline.Feature]Words{}
	for i, w := range all {
		t.Times = append(t.Times, w.at)
		t.Scores, t.Predicted = append(t.Scores, w.score), append(t.Predicted, w.predicted)
		if labels {
			t.Labels = append(t.Labels, w.label)
		}
		for k, name := range w.numbers {
			f := plumbline.Feature(name)
			if t.Numbers[f] == nil {
				t.Numbers[f] = slices.Repeat([]float64{math.NaN()}, len(all))
			}
			t.Numbers[f][i] = w.values[k]
		}
		for k, name := range w.words {
			f := plumbline.Feature(name)
			if t.Words[f].Values == nil {
				t.Words[f] = Words{Values: make([]string, len(all)), Null: slices.Repeat([]bool{true}, len(all))}
			}
			t.Words[f].Values[i], t.Words[f].Null[i] = w.texts[k], false
		}
	}
}
