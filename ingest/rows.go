package ingest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// rows is the column buffer of one topic's kind of events. A topic chooses its
// decoder by choosing its rows.
type rows interface {
	// Append decodes one event; on an error nothing has changed.
	Append(decode.Record) error
	Len() int
	Reset()
	// span returns the range of their event times.
	span() span
	// unknown is the number of fields the decoder skipped.
	unknown() int
	// tables builds the records of every table the events go to, raw rows
	// first. They are views: Append and Reset must wait until they are released.
	tables(at source, last int64) []tableRows
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

// predictionRows are events of the topic predictions: raw rows and rollups.
type predictionRows struct {
	*decode.Predictions
	ordered *decode.Predictions
	fold    *fold
}

func newPredictionRows(cfg Config) *predictionRows {
	return &predictionRows{decode.NewPredictions(cfg.Limits), decode.NewPredictions(cfg.Limits), newFold(cfg.ScoreKinds)}
}

func (r *predictionRows) unknown() int { return r.Unknown }
func (r *predictionRows) span() span   { return spanOf(r.TS) }

func (r *predictionRows) tables(at source, last int64) []tableRows {
	days := keyer{of: dayKey}
	runs, order := partitions(r.Len(), func(row int) partKey { return days.at(r.TS[row]) })
	raw := r.Predictions
	if order != nil {
		r.ordered.Reset()
		for _, row := range order {
			r.ordered.Pick(r.Predictions, int(row))
		}
		raw = r.ordered
	}
	tables := []tableRows{{plumbline.TablePredictions, predictionsRecord(at, raw), runs, false}}
	r.fold.run(r.Predictions)
	for _, rollup := range r.fold.rollups(at, last) {
		tables = append(tables, tableRows{rollup.table, rollup.record, rollup.runs, true})
	}
	return tables
}

type labelRows struct {
	*decode.Labels
	ordered *decode.Labels
}

func newLabelRows(cfg Config) *labelRows {
	return &labelRows{decode.NewLabels(cfg.Limits), decode.NewLabels(cfg.Limits)}
}

func (r *labelRows) unknown() int { return r.Unknown }
func (r *labelRows) span() span   { return spanOf(r.TS) }

func (r *labelRows) tables(at source, _ int64) []tableRows {
	months := keyer{of: monthKey}
	runs, order := partitions(r.Len(), func(row int) partKey { return months.at(r.Source.Known[row]) })
	raw := r.Labels
	if order != nil {
		r.ordered.Reset()
		for _, row := range order {
			r.ordered.Pick(r.Labels, int(row))
		}
		raw = r.ordered
	}
	return []tableRows{{plumbline.TableLabels, labelsRecord(at, raw), runs, false}}
}

type deploymentRows struct {
	*decode.Deployments
	ordered *decode.Deployments
}

func newDeploymentRows(cfg Config) *deploymentRows {
	return &deploymentRows{decode.NewDeployments(cfg.Limits), decode.NewDeployments(cfg.Limits)}
}

func (r *deploymentRows) unknown() int { return r.Unknown }
func (r *deploymentRows) span() span   { return spanOf(r.TS) }

func (r *deploymentRows) tables(at source, _ int64) []tableRows {
	months := keyer{of: monthKey}
	runs, order := partitions(r.Len(), func(row int) partKey { return months.at(r.TS[row]) })
	raw := r.Deployments
	if order != nil {
		r.ordered.Reset()
		for _, row := range order {
			r.ordered.Pick(r.Deployments, int(row))
		}
		raw = r.ordered
	}
	return []tableRows{{plumbline.TableDeployments, deploymentsRecord(at, raw), runs, false}}
}

// newRows returns the buffer for a topic's events.
func (c Config) newRows(topic string) (rows, error) {
	switch topic {
	case c.Topics.Predictions:
		return newPredictionRows(c), nil
	case c.Topics.Labels:
		return newLabelRows(c), nil
	case c.Topics.Deployments:
		return newDeploymentRows(c), nil
	}
	return nil, fmt.Errorf("topic %q is none of the configured ones", topic)
}

// rawTable returns the raw table of a topic and the expression of its part key.
func (c Config) rawTable(topic string) (plumbline.TableName, string) {
	switch topic {
	case c.Topics.Predictions:
		return plumbline.TablePredictions, "toYYYYMMDD(ts)"
	case c.Topics.Labels:
		return plumbline.TableLabels, "toYYYYMM(known)"
	}
	return plumbline.TableDeployments, "toYYYYMM(ts)"
}
