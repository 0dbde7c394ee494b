package ask

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// errorsOf is what is counted of the labelled predictions of a regression.
type errorsOf struct {
	rows, weights, squares int64
	of                     metric.Errors
	powers                 metric.Squares
	pinball                metric.Moments
}

// numbers sums the errors of a regression, by part.
func (a *Asker) numbers(ctx context.Context, q Question, d Declaration) (map[string]*errorsOf, error) {
	all := map[string]*errorsOf{}
	err := a.each(ctx, "labelled numbers", q.statement(numbersSQL), q.parameters(d), func(rows driver.Rows) error {
		var (
			part string
			e    errorsOf
			p    = &e.powers
			o    = &e.of
		)
		if err := rows.Scan(&part, &e.weights, &e.rows, &e.squares, &p.Shift, &o.Absolute.Sum, &o.Signed.Sum, &p.E2, &p.E4, &p.Y, &p.Y2, &p.Y3, &p.Y4, &p.YE2, &p.Y2E2,
			&o.Percentage.N, &o.Percentage.Sum, &o.Percentage.SquareSum, &e.pinball.Sum, &e.pinball.SquareSum); err != nil {
			return err
		}
		n := e.weights
		p.N, o.Absolute.N, o.Signed.N, o.Squared.N, e.pinball.N = n, n, n, n, n
		o.Absolute.SquareSum, o.Signed.SquareSum, o.Squared.Sum, o.Squared.SquareSum = p.E2, p.E2, p.E2, p.E4
		o.ZeroTruths = n - o.Percentage.N
		all[part] = &e
		return nil
	})
	return all, err
}

func (e *errorsOf) values() []Value {
	thin := metric.ThinningOf(float64(e.weights), float64(e.squares))
	values := append(e.of.ValuesAt(thin), e.powers.Determination(thin), e.pinball.MeanAt(metric.Pinball, e.weights, e.weights, thin))
	out := make([]Value, len(values))
	for i, v := range values {
		out[i] = described(v)
	}
	return out
}

// lists are the ranked lists of one part, and of which results.
type lists struct {
	of      *metric.Ranking
	results counted
}

// lists judges ranked lists, by part.
func (a *Asker) lists(ctx context.Context, q Question, d Declaration) (map[string]*lists, error) {
	list, joined := "if(position(l.prediction_id, '/') = 0, l.prediction_id, arrayStringConcat(arrayPopBack(splitByChar('/', l.prediction_id)), '/'))", ""
	if d.Query != "" {
		list, joined = "f.categories[{query_name:String}]", " INNER JOIN ("+featuresSQL+") AS f ON l.prediction_id = f.id"
	}
	all := map[string]*lists{}
	err := a.each(ctx, "ranked lists", q.statement(listsSQL, "/*list*/", list, "/*features*/", joined), q.parameters(d), func(rows driver.Rows) error {
		var (
			part                  string
			relevance             []float64
			times, weights, count int64
		)
		if err := rows.Scan(&part, &relevance, &times, &weights, &count); err != nil {
			return err
		}
		if all[part] == nil {
			ranking, err := metric.NewRanking(d.K)
			if err != nil {
				return err
			}
			all[part] = &lists{of: ranking}
		}
		l := all[part]
		l.of.AddTimes(relevance, times)
		l.results.labelled, l.results.rows = l.results.labelled+weights, l.results.rows+count
		return nil
	})
	return all, err
}

// best counts how often the truth is among the k best classes, by part.
func (a *Asker) best(ctx context.Context, q Question, d Declaration) (map[string]metric.Value, error) {
	all := map[string]metric.Value{}
	err := a.each(ctx, "scores of classes", q.statement(bestSQL, "/*features*/", featuresSQL), q.parameters(d), func(rows driver.Rows) error {
		var (
			part                         string
			weights, count, square, hits int64
		)
		if err := rows.Scan(&part, &weights, &count, &square, &hits); err != nil {
			return err
		}
		all[part] = metric.TopKAccuracyAt(hits, weights, metric.ThinningOf(float64(weights), float64(square)))
		return nil
	})
	return all, err
}
