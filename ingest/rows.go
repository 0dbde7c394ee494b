package ingest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/privacy"
)

// rows is the column buffer of one topic: what its source holds, nil for the
// rest, each with what it needs to become rows of tables, and the decoder.
type rows struct {
	decode.Columns
	decoder     decode.Decoder
	predictions *predictionRows
	labels      *labelRows
	deployments *deploymentRows
	kpis        *kpiRows
	// protected says that the privacy policy has been applied.
	protected bool
	// most is the number of rows of its largest batch.
	most int
}

// newRows returns the buffer for a topic's events.
func (c Config) newRows(topic string, policy *privacy.Filter) (*rows, error) {
	source, ok := c.source(topic)
	if !ok {
		return nil, fmt.Errorf("topic %q is none of the configured ones", topic)
	}
	columns := source.Columns(c.Limits)
	decoder, err := source.Open(columns)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", topic, err)
	}
	r := &rows{Columns: columns, decoder: decoder}
	if columns.Predictions != nil {
		r.predictions = &predictionRows{columns.Predictions, decode.NewPredictions(c.Limits), newFold(c.ScoreKinds, c.Segments), policy.NewColumns()}
	}
	if columns.Labels != nil {
		r.labels = &labelRows{columns.Labels, decode.NewLabels(c.Limits), decode.NewLabels(c.Limits), policy.NewColumns()}
	}
	if columns.Deployments != nil {
		r.deployments = &deploymentRows{columns.Deployments, decode.NewDeployments(c.Limits)}
	}
	if columns.KPIs != nil {
		r.kpis = &kpiRows{columns.KPIs, decode.NewKPIs(c.Limits), decode.NewKPIs(c.Limits), policy.NewColumns()}
	}
	return r, nil
}

// of returns the number of events that a table's rows are made of.
func (r *rows) of(table plumbline.TableName) int {
	switch table {
	case plumbline.TableLabels:
		return r.labels.Len()
	case plumbline.TableDeployments:
		return r.deployments.Len()
	case plumbline.TableKPIs:
		return r.kpis.Len()
	}
	return r.predictions.Len()
}

func (r *rows) Reset() {
	r.protected = false
	r.Columns.Reset()
}

// span returns the range of the rows' event times.
func (r *rows) span() span {
	var s span
	if r.predictions != nil {
		s = s.with(r.predictions.TS)
	}
	if r.labels != nil {
		s = s.with(r.labels.TS)
	}
	if r.deployments != nil {
		s = s.with(r.deployments.TS)
	}
	if r.kpis != nil {
		s = s.with(r.kpis.TS)
	}
	return s
}

// protect applies the privacy policy, once: what is counted and what is stored
// are the same values.
func (r *rows) protect() {
	if r.predictions != nil && !r.protected {
		r.predictions.privacy.Predictions(r.predictions.Predictions)
	}
	r.protected = true
}

// tables builds the records of every table the events go to, raw rows first.
// They are views: Append and Reset must wait until they are released.
func (r *rows) tables(at source, last int64) []tableRows {
	r.protect()
	var raw, rollups []tableRows
	if r.predictions != nil {
		raw = append(raw, r.predictions.raw(at))
		rollups = r.predictions.rollups(at, last)
	}
	if r.labels != nil {
		raw = append(raw, r.labels.raw(at))
	}
	if r.deployments != nil {
		raw = append(raw, r.deployments.raw(at))
	}
	if r.kpis != nil {
		raw = append(raw, r.kpis.raw(at))
	}
	return append(raw, rollups...)
}

// tableRows is what one batch puts into one table, by ClickHouse partition.
type tableRows struct {
	table  plumbline.TableName
	record arrow.Record
	runs   []run
	// marked tables hold a marker row in each run; the others are raw tables,
	// whose rows carry their offset.
	marked bool
}

func release(tables []tableRows) {
	for _, t := range tables {
		t.record.Release()
	}
}

// partitions returns the runs of rows by part key, or the order in which the
// rows must be put to form one run a key.
func partitions(n int, key func(row int) partKey) (runs []run, order []int32) {
	sorted := true
	for row := range n {
		k := key(row)
		if last := len(runs) - 1; last >= 0 && runs[last].key == k {
			runs[last].to = row + 1
			continue
		}
		sorted = sorted && (len(runs) == 0 || runs[len(runs)-1].key < k)
		runs = append(runs, run{k, row, row + 1})
	}
	if sorted {
		return runs, nil
	}
	keys := make([]partKey, n)
	order = make([]int32, n)
	for row := range n {
		keys[row], order[row] = key(row), int32(row)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(keys[a], keys[b]) })
	runs, _ = partitions(n, func(row int) partKey { return keys[order[row]] })
	return runs, order
}

// predictionRows are prediction events: raw rows and rollups.
type predictionRows struct {
	*decode.Predictions
	ordered *decode.Predictions
	fold    *fold
	privacy *privacy.Columns
}

func (r *predictionRows) raw(at source) tableRows {
	days := keyer{of: dayKey}
	raw := r.Predictions
	kept, sampled := r.privacy.Sample(raw)
	if sampled {
		r.ordered.Reset()
		for _, row := range kept {
			r.ordered.Pick(raw, int(row))
			r.ordered.Weight[r.ordered.Len()-1] /= r.privacy.Rate(raw, int(row))
		}
		raw = r.ordered
	}
	runs, order := partitions(raw.Len(), func(row int) partKey { return days.at(raw.TS[row]) })
	space := r.ordered
	if sampled && order != nil {
		space = decode.NewPredictions(decode.Limits{}) // rare: sampled, and over midnight in disorder
	}
	return tableRows{plumbline.TablePredictions, predictionsRecord(at, inOrder(raw, space, order)), runs, false}
}

func (r *predictionRows) rollups(at source, last int64) (tables []tableRows) {
	r.fold.run(r.Predictions)
	for _, rollup := range r.fold.rollups(at, last) {
		tables = append(tables, tableRows{rollup.table, rollup.record, rollup.runs, true})
	}
	return tables
}

// picker is a kind of columns whose rows can be put in another order.
type picker[C any] interface {
	Reset()
	Pick(from C, row int)
}

// inOrder returns the columns with their rows in an order, nil for the one they
// have; the space receives them.
func inOrder[C picker[C]](columns, space C, order []int32) C {
	if order == nil {
		return columns
	}
	space.Reset()
	for _, row := range order {
		space.Pick(columns, int(row))
	}
	return space
}

type labelRows struct {
	*decode.Labels
	ordered, hashed *decode.Labels
	privacy         *privacy.Columns
}

func (r *labelRows) raw(at source) tableRows {
	months := keyer{of: monthKey}
	raw := r.privacy.Labels(r.Labels, r.hashed)
	runs, order := partitions(raw.Len(), func(row int) partKey { return months.at(raw.Source.Known[row]) })
	return tableRows{plumbline.TableLabels, labelsRecord(at, inOrder(raw, r.ordered, order)), runs, false}
}

type deploymentRows struct {
	*decode.Deployments
	ordered *decode.Deployments
}

func (r *deploymentRows) raw(at source) tableRows {
	months := keyer{of: monthKey}
	runs, order := partitions(r.Len(), func(row int) partKey { return months.at(r.TS[row]) })
	return tableRows{plumbline.TableDeployments, deploymentsRecord(at, inOrder(r.Deployments, r.ordered, order)), runs, false}
}

type kpiRows struct {
	*decode.KPIs
	ordered, hidden *decode.KPIs
	privacy         *privacy.Columns
}

func (r *kpiRows) raw(at source) tableRows {
	months := keyer{of: monthKey}
	raw := r.privacy.KPIs(r.KPIs, r.hidden)
	runs, order := partitions(raw.Len(), func(row int) partKey { return months.at(raw.TS[row]) })
	return tableRows{plumbline.TableKPIs, kpisRecord(at, inOrder(raw, r.ordered, order)), runs, false}
}

// source returns what a topic holds.
func (c Config) source(topic string) (decode.Source, bool) {
	for _, s := range c.AllSources() {
		if s.Topic == topic {
			return s, true
		}
	}
	return decode.Source{}, false
}

// rawTables returns the raw tables of a topic, in the order in which they are
// stored.
func (c Config) rawTables(topic string) (tables []plumbline.TableName) {
	source, _ := c.source(topic)
	for _, kind := range []struct {
		kind  decode.Kind
		table plumbline.TableName
	}{
		{decode.KindPredictions, plumbline.TablePredictions},
		{decode.KindLabels, plumbline.TableLabels},
		{decode.KindDeployments, plumbline.TableDeployments},
		{decode.KindKPIs, plumbline.TableKPIs},
	} {
		if slices.Contains(source.Holds, kind.kind) {
			tables = append(tables, kind.table)
		}
	}
	return tables
}

// holdsPredictions reports whether a topic's events are rolled up.
func (c Config) holdsPredictions(topic string) bool {
	return slices.Contains(c.rawTables(topic), plumbline.TablePredictions)
}

// partOf returns the expression of a raw table's part key.
func partOf(table plumbline.TableName) string {
	switch table {
	case plumbline.TablePredictions:
		return "toYYYYMMDD(ts)"
	case plumbline.TableLabels:
		return "toYYYYMM(known)"
	}
	return "toYYYYMM(ts)"
}
