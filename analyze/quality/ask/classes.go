package ask

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

const (
	// mostExact is the number of labelled predictions up to which scores are
	// ranked as they are; of more, by their buckets.
	mostExact = 300_000
	// mostClasses bounds a confusion matrix.
	mostClasses = 500
)

// tally is what is counted of the labelled predictions of one part.
type tally struct {
	rows, weights, squares, correct int64
	matrix                          map[pair]int64
	cells                           []metric.Cell
	bins                            []metric.Bin
	logs, misses                    metric.Moments
	positives, negatives            int64 // with a score in [0, 1]
	unranked                        int64 // without a score
	spans                           map[float64]span

	// Of the rollups: whether it is from them, whether classes are over their cap,
	// whether a score of 0 or 1 was wrong, which grids scores are on, and by how much
	// the sum of n |f - y| over bins may be off.
	hourly, capped, certain bool
	grids                   map[string]bool
	vague                   float64
}

func newTally() *tally {
	return &tally{matrix: map[pair]int64{}, bins: make([]metric.Bin, 10), spans: map[float64]span{}, grids: map[string]bool{}}
}

// span is what the scores of a bucket lie between.
type span struct{ low, high float64 }

// blur marks the buckets that hold more than one score.
func (t *tally) blur() {
	if t.hourly {
		return // marked already
	}
	for i, c := range t.cells {
		s := t.spans[c.Score]
		t.cells[i].Blurred = s.low < s.high
	}
}

func (t *tally) stretch(place, low, high float64) {
	if s, ok := t.spans[place]; ok {
		low, high = min(low, s.low), max(high, s.high)
	}
	t.spans[place] = span{low, high}
}

type pair struct{ label, predicted string }

func (t *tally) thinning() metric.Thinning {
	return metric.ThinningOf(float64(t.weights), float64(t.squares))
}

// classes counts predictions by class and score, by part.
func (a *Asker) classes(ctx context.Context, q Question, d Declaration, exact bool) (map[string]*tally, error) {
	scores := 0
	if d.Task == Binary {
		scores = 1
	}
	args := append(q.parameters(d), clickhouse.Named("scores", scores))
	all := map[string]*tally{}
	err := a.each(ctx, "labelled classes", q.statement(classesSQL, "/*place*/", place(exact)), args, func(rows driver.Rows) error {
		var (
			part                                        string
			p                                           pair
			bin                                         int32
			at                                          float64
			weights, n, squares, correct                int64
			scoreSum, loss, lossSquares, miss, missSums float64
			low, high                                   float64
		)
		if err := rows.Scan(&part, &p.predicted, &p.label, &bin, &at, &weights, &n, &squares, &correct, &scoreSum, &loss, &lossSquares, &miss, &missSums, &low, &high); err != nil {
			return err
		}
		t := all[part]
		if t == nil {
			t = newTally()
			all[part] = t
		}
		t.rows, t.weights, t.squares, t.correct = t.rows+n, t.weights+weights, t.squares+squares, t.correct+correct
		t.matrix[p] += weights
		positive := p.label == d.Positive
		if bin == -2 {
			t.unranked += weights
			return nil
		}
		t.cells = append(t.cells, cell(at, weights, positive))
		t.stretch(at, low, high)
		if bin >= 0 {
			t.score(int(bin), weights, scoreSum, positive)
			t.logs.Merge(metric.Moments{N: weights, Sum: loss, SquareSum: lossSquares})
			t.misses.Merge(metric.Moments{N: weights, Sum: miss, SquareSum: missSums})
		}
		return nil
	})
	return all, err
}

func cell(score float64, n int64, positive bool) metric.Cell {
	if positive {
		return metric.Cell{Score: score, Positives: n}
	}
	return metric.Cell{Score: score, Negatives: n}
}

func (t *tally) score(bin int, n int64, sum float64, positive bool) {
	b := &t.bins[bin]
	b.N, b.ScoreSum = b.N+n, b.ScoreSum+sum
	if positive {
		b.Positives += n
		t.positives += n
	} else {
		t.negatives += n
	}
}

// confusion returns the counts of one class against all others. Which of the others
// was chosen it does not know: a prediction of one for another is a true negative.
func (t *tally) confusion(positive string) metric.Confusion {
	var c metric.Confusion
	for p, n := range t.matrix {
		switch {
		case p.label == positive && p.predicted == positive:
			c.TP += n
		case p.label == positive:
			c.FN += n
		case p.predicted == positive:
			c.FP += n
		default:
			c.TN += n
		}
	}
	return c
}

// values returns every metric of classes. Those of a binary model are left out
// of any other.
func (t *tally) values(d Declaration, seen vocabulary) ([]Value, error) {
	thin := t.thinning()
	var values []Value
	if d.Task == Binary {
		values = t.binary(d, seen, thin)
	} else {
		vs, err := t.matrixValues(thin)
		if err != nil {
			return nil, err
		}
		for _, v := range vs {
			values = append(values, described(v))
		}
	}
	worth := described(t.worth(d, thin))
	if why := seen.withoutValued(d); why != "" && t.unvalued(d) {
		worth = worth.unsaid(why)
	}
	return append(values, worth), nil
}

// binary are the metrics of one class against all others. Accuracy is not: it is
// predicted = label of any class, as an SLO's.
func (t *tally) binary(d Declaration, seen vocabulary, thin metric.Thinning) []Value {
	var values []Value
	for _, v := range t.confusion(d.Positive).ValuesAt(thin)[1:] {
		values = append(values, described(v))
	}
	values = append(values, t.ranked(thin)...)
	values = append(values, t.losses(thin)...)
	if why := seen.withoutPositive(d); why != "" {
		for i, v := range values {
			values[i] = v.unsaid(why)
		}
	}
	return append(values, described(accuracyOf(t.correct, t.weights, thin)))
}

// accuracyOf is the share of correct predictions.
func accuracyOf(correct, labelled int64, thin metric.Thinning) metric.Value {
	return metric.Confusion{TP: correct, FP: labelled - correct}.ValuesAt(thin)[0]
}

// ranked are the areas under curves, over predictions with a score.
func (t *tally) ranked(thin metric.Thinning) []Value {
	t.blur()
	curve, _ := metric.NewCurve(t.cells)
	roc, pr := described(curve.ROCAUCAt(thin)), described(curve.PRAUCAt(thin))
	if t.grids["f8"] && t.grids["o8"] {
		for _, v := range []*Value{&roc, &pr} {
			v.Value.Value, v.Interval, v.State, v.Why = math.NaN(), metric.Interval{Low: math.NaN(), High: math.NaN()}, metric.Insufficient, "scores are on two grids, which do not merge"
		}
	} else if roc.State != metric.Missing {
		roc.Bound, pr.Bound = curve.Ties(), curve.Undecided()
	}
	return []Value{t.withoutScores(roc), t.withoutScores(pr)}
}

// withoutScores says so where labels are in and scores are not.
func (t *tally) withoutScores(v Value) Value {
	if v.State == metric.Missing && t.unranked > 0 {
		v.Why = "no scores"
	}
	return v
}

// losses are those of scores that are probabilities.
func (t *tally) losses(thin metric.Thinning) []Value {
	if t.certain {
		t.logs.Sum = math.Inf(1) // the rollups clip it
	}
	log := metric.LogLossOf(t.logs, t.positives, t.negatives, thin)
	all := []metric.Value{log, t.misses.MeanAt(metric.Brier, t.positives, t.negatives, thin), metric.CalibrationErrorAt(t.bins, thin)}
	for i := range all {
		if all[i].State == metric.Missing && t.rows > 0 {
			all[i].Why = "no scores between 0 and 1"
		}
	}
	out := []Value{described(all[0]), described(all[1]), described(all[2])}
	if n := t.positives + t.negatives; n > 0 {
		out[2].Bound = t.vague / float64(n)
	}
	return out
}

// matrixValues are the metrics over all classes.
func (t *tally) matrixValues(thin metric.Thinning) ([]metric.Value, error) {
	number := map[string]int{}
	for p := range t.matrix {
		number[p.label], number[p.predicted] = 0, 0
	}
	if len(number) > mostClasses {
		return nil, fmt.Errorf("%d classes: at most %d", len(number), mostClasses)
	}
	for i, name := range slices.Sorted(maps.Keys(number)) {
		number[name] = i
	}
	m := make(metric.Matrix, len(number))
	for i := range m {
		m[i] = make([]int64, len(number))
	}
	for p, n := range t.matrix {
		m[number[p.label]][number[p.predicted]] += n
	}
	return m.ValuesAt(thin)
}

// counts returns the confusion matrix in order.
func (t *tally) counts() []Count {
	var all []Count
	for p, n := range t.matrix {
		all = append(all, Count{Label: p.label, Predicted: p.predicted, Count: n})
	}
	slices.SortFunc(all, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Predicted, b.Predicted))
	})
	return all
}

func described(v metric.Value) Value {
	d, _ := metric.Lookup(v.Metric)
	return Value{Value: v, Unit: d.Unit, Good: d.Good}
}
