package metric

import (
	"fmt"
	"math"
)

// What stands in this file computes a metric from rows, one by one. The service
// counts instead: tests hold it against these.

// CurveOf returns the curve of a column of scores, none of them NaN, and truths.
func CurveOf(scores []float64, truth []bool) Curve {
	cells := make([]Cell, len(scores))
	for i, s := range scores {
		cells[i].Score = s
		if truth[i] {
			cells[i].Positives = 1
		} else {
			cells[i].Negatives = 1
		}
	}
	c, _ := NewCurve(cells)
	return c
}

// Bins cuts a column of scores in [0, 1] into bins of equal width, as the ECE is
// usually computed. A score on an edge falls to the bin above; 1 to the last.
func Bins(scores []float64, truth []bool, bins int) []Bin {
	out := make([]Bin, bins)
	for i, s := range scores {
		b := &out[min(max(int(s*float64(bins)), 0), bins-1)]
		b.N++
		b.ScoreSum += s
		if truth[i] {
			b.Positives++
		}
	}
	return out
}

// Losses returns log loss and Brier score of a column of scores in [0, 1]. A
// score that was certain and wrong has an infinite log loss, which is reported
// as it is: clipping would invent a number.
func Losses(scores []float64, truth []bool) (logLoss, brier Value) {
	var logs, squares Moments
	var positives int64
	for i, s := range scores {
		right, miss := s, 1-s
		if truth[i] {
			positives++
		} else {
			right, miss = 1-s, s
		}
		logs.Add(-math.Log(right))
		squares.Add(miss * miss)
	}
	negatives := logs.N - positives
	return LogLossOf(logs, positives, negatives, Each), squares.MeanOf(Brier, positives, negatives)
}

// TopKHit reports whether the true class is among the k highest scores. Where
// scores tie at the border, the truth is given the lowest place of those that
// tie: a model that says the same of all classes knows nothing.
func TopKHit(scores []float64, truth, k int) bool {
	ahead := 0
	for c, s := range scores {
		if c != truth && s >= scores[truth] {
			ahead++
		}
	}
	return ahead < k
}

// PinballLoss returns the pinball loss of predictions of the quantile q, 0 < q < 1.
func PinballLoss(predicted, truth []float64, q float64) (Value, error) {
	if len(predicted) != len(truth) || q <= 0 || q >= 1 {
		return Value{}, fmt.Errorf("pinball loss at %g of %d predictions and %d truths", q, len(predicted), len(truth))
	}
	var m Moments
	for i, y := range truth {
		d := y - predicted[i]
		m.Add(max(q*d, (q-1)*d))
	}
	return m.Mean(Pinball), nil
}
