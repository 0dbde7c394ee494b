package metric

import (
	"fmt"
	"math"
)

// Errors are what the join keeps of the labelled predictions of a regression,
// as sums: they merge.
type Errors struct {
	Absolute, Squared, Signed, Percentage Moments
	// ZeroTruths had no percentage error.
	ZeroTruths int64
}

// Add counts one labelled prediction.
func (e *Errors) Add(predicted, truth float64) {
	d := predicted - truth
	e.Absolute.Add(math.Abs(d))
	e.Squared.Add(d * d)
	e.Signed.Add(d)
	if truth == 0 {
		e.ZeroTruths++
		return
	}
	e.Percentage.Add(math.Abs(d / truth))
}

// Merge adds the predictions of another part.
func (e *Errors) Merge(o Errors) {
	e.Absolute.Merge(o.Absolute)
	e.Squared.Merge(o.Squared)
	e.Signed.Merge(o.Signed)
	e.Percentage.Merge(o.Percentage)
	e.ZeroTruths += o.ZeroTruths
}

// Values returns MAE, RMSE, MAPE and bias.
func (e Errors) Values() []Value { return e.ValuesAt(Each) }

// ValuesAt is Values where the counts know less than they are.
func (e Errors) ValuesAt(t Thinning) []Value {
	mean := func(m Moments, id ID) Value { return m.MeanAt(id, m.N, m.N, t) }
	rmse := judgeAt(RMSE, math.Sqrt(e.Squared.mean()), seen{Labelled: e.Squared.N}, t, func() Interval {
		squared := e.Squared.studentAt(t)
		if e.Squared.alike(RMSE) {
			squared = Interval{} // without width
		}
		return Interval{math.Sqrt(max(squared.Low, 0)), math.Sqrt(squared.High)}
	})
	return []Value{mean(e.Absolute, MAE), rmse, mean(e.Percentage, MAPE), mean(e.Signed, Bias)}
}

// Determination returns R2 of two columns of equal length. It is not defined
// where all truths are equal.
func Determination(predicted, truth []float64) (Value, error) {
	if len(predicted) != len(truth) {
		return Value{}, fmt.Errorf("R2 of %d predictions and %d truths", len(predicted), len(truth))
	}
	n := float64(len(truth))
	mean := 0.0
	for _, y := range truth {
		mean += y / n
	}
	residual, total := 0.0, 0.0
	for i, y := range truth {
		residual += square(predicted[i] - y)
		total += square(y - mean)
	}
	r2 := 1 - ratio(residual, total)
	return judge(R2, r2, seen{Labelled: int64(n)}, func() Interval {
		var influence Moments
		for i, y := range truth {
			influence.Add(((1-r2)*square(y-mean) - square(predicted[i]-y)) * n / total)
		}
		i := influence.student()
		return Interval{i.Low + r2, min(i.High+r2, 1)}
	}), nil
}
