package ask

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// mostScores bounds the scores that one question about classes reads.
const mostScores = 5_000_000

// scoredIDs are the metrics of scores of several classes.
func scoredIDs() []metric.ID {
	return []metric.ID{metric.MacroROCAUC, metric.WeightedROCAUC, metric.MacroPRAUC, metric.WeightedPRAUC, metric.MultiLogLoss, metric.MultiBrier, metric.MacroECE}
}

// scoredRows are the labelled predictions of one part with the scores of their
// classes, as they are read.
type scoredRows struct {
	scores [][]float64
	labels []string
	times  []int64
}

// scored is what scores of classes say, by part. Which classes there are is only
// known once all is read.
type scored struct {
	rows    map[string]*scoredRows
	number  map[string]int
	read    int
	tooMany bool
}

// row takes one prediction in.
func (s *scored) row(part, label string, times int64, classes []string, values []float64) {
	if s.read += len(values); s.read > mostScores || len(s.number) > mostClasses {
		s.tooMany, s.rows = true, map[string]*scoredRows{}
		return
	}
	scores := slices.Repeat([]float64{math.NaN()}, len(s.number))
	for i, class := range classes {
		if _, known := s.number[class]; !known {
			s.number[class] = len(s.number)
			scores = append(scores, math.NaN())
		}
		scores[s.number[class]] = values[i]
	}
	if s.rows[part] == nil {
		s.rows[part] = &scoredRows{}
	}
	r := s.rows[part]
	r.scores, r.labels, r.times = append(r.scores, scores), append(r.labels, label), append(r.times, times)
}

// of judges the predictions of one part. One that lacks the score of a class, or
// whose label is none of them, cannot be ranked and is left out.
func (s *scored) of(part string) (values []metric.Value, left int, err error) {
	r := s.rows[part]
	if len(s.number) < 2 {
		return nil, len(r.scores), nil // one class is nothing to tell apart
	}
	judged, err := metric.NewScored(len(s.number))
	if err != nil {
		return nil, 0, err
	}
	for i, scores := range r.scores {
		truth, known := s.number[r.labels[i]]
		if !known || len(scores) < len(s.number) || slices.ContainsFunc(scores, math.IsNaN) {
			left++
			continue
		}
		if err := judged.Add(scores, truth, r.times[i]); err != nil {
			return nil, left, fmt.Errorf("scores of classes: %w", err)
		}
	}
	if left == len(r.scores) {
		return nil, left, nil
	}
	return judged.Values(), left, nil
}

// measureScored adds the metrics of scores of classes.
func (a *Asker) measureScored(ctx context.Context, q Question, d Declaration, m *measured) error {
	s := &scored{rows: map[string]*scoredRows{}, number: map[string]int{}}
	err := a.each(ctx, "scores of classes", q.statement(scoredSQL, "/*features*/", featuresSQL), q.parameters(d), func(rows driver.Rows) error {
		var (
			part, label string
			times       int64
			classes     []string
			values      []float64
		)
		if err := rows.Scan(&part, &label, &times, &classes, &values); err != nil {
			return err
		}
		if !s.tooMany {
			s.row(part, label, times, classes, values)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.tooMany {
		m.notes = append(m.notes, fmt.Sprintf("there are more than %d scores of classes, or %d classes: nothing is said of their areas and losses; ask about a shorter window or a segment", mostScores, mostClasses))
		return nil
	}
	left := 0
	for part := range s.rows {
		values, without, err := s.of(part)
		if err != nil {
			return err
		}
		left += without
		for _, v := range values {
			m.add(part, described(v))
		}
	}
	if left > 0 {
		m.notes = append(m.notes, fmt.Sprintf("%d labelled predictions have no score of some class, or a label that is none of the classes %q names: they are in no area and no loss", left, d.ClassScores))
	}
	return nil
}

// expireScored counts the rows that are left where all else is read from rollups, so
// that it is not seen otherwise that some are gone.
func (a *Asker) expireScored(ctx context.Context, q Question, d Declaration, m *measured) error {
	left := map[string]int64{}
	err := a.each(ctx, "rows that are left", q.statement(leftSQL), q.parameters(d), func(rows driver.Rows) error {
		var (
			part    string
			weights int64
		)
		if err := rows.Scan(&part, &weights); err != nil {
			return err
		}
		left[part] = weights
		return nil
	})
	for part, known := range m.counted {
		if tooMany(known.sure-left[part], known.sure) {
			m.expire(part, append(scoredIDs(), metric.TopK)...)
		}
	}
	return err
}
