package forecast

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Measure is what every model of a task is estimated by, and pages rest on.
func (t Task) Measure() metric.ID {
	if t == Regression {
		return metric.MAE
	}
	return metric.Accuracy
}

// Most is the greatest that the measure of the task can be; the least is 0.
func (t Task) Most() float64 {
	if t == Regression {
		return math.Inf(1)
	}
	return 1
}

// figures are the measures of one window, none of them widened.
type figures struct {
	task Task
	// main is the task's measure; confusion has those that only a binary model has.
	main      estimate.Estimate
	confusion estimate.Confusion
	// leftOut says that labels of the window were.
	leftOut bool
}

// figures computes what is said of a window of which these are the cells.
func (fit *Fit) figures(cells []history.Cell, arrival estimate.Arrival, c estimate.Config) (figures, error) {
	x := figures{task: fit.task}
	var err error
	if fit.task == Binary {
		x.confusion, err = estimate.ConfusionOf(fit.predictions(cells), arrival, c)
		x.main = x.confusion.Accuracy
		return x, err
	}
	x.main, err = estimate.Mean(fit.events(cells), arrival, c)
	x.main = x.main.Within(0, fit.task.Most())
	return x, err
}

// usable returns the cells of a window, as known at its end, with the labels that may
// stand for others, and how many of them have one that may not. Where labels come the
// sooner for what they say, those of predictions may not that are younger than nine
// tenths of labels take: of fraud the bad ones are in, and taken for a share of all
// they made every model look bad that day, and its concept drift.
func (f *Forecaster) usable(ctx context.Context, fit *Fit, cells []history.Cell, q Question) (usable []history.Cell, leftOut int64, err error) {
	if !fit.Selection.Differs() {
		return cells, 0, nil
	}
	wait, _, err := f.matureAge(ctx, q.End.Truncate(day))
	if err != nil {
		return nil, 0, err
	}
	from, cut := q.End.Add(-q.Window), q.End.Add(-wait).Truncate(time.Hour)
	young := cells
	if cut.After(from) {
		if usable, err = f.part(ctx, history.Range{From: from, To: cut, At: q.End}, q.Deploy); err != nil {
			return nil, 0, err
		}
		if young, err = f.part(ctx, history.Range{From: cut, To: q.End, At: q.End}, q.Deploy); err != nil {
			return nil, 0, err
		}
	}
	for _, c := range young {
		leftOut += c.Labelled
		c.Labelled, c.Known, c.Correct, c.Right, c.Loss, c.LossSquares = 0, estimate.Weight{}, 0, estimate.Weight{}, 0, 0
		usable = append(usable, c)
	}
	return usable, leftOut, nil
}

// figures computes what is said of a window by its usable cells.
func (f *Forecaster) figures(fit *Fit, usable []history.Cell, leftOut int64, c estimate.Config) (figures, error) {
	x, err := fit.figures(usable, f.cfg.Arrival, c)
	if leftOut == 0 || err != nil {
		return x, err
	}
	x.leftOut = true
	x.main.Known += leftOut
	x.confusion.Accuracy.Known += leftOut
	x.main.Assumes = append(slices.Clip(x.main.Assumes), fmt.Sprintf("%d labels of this window that are in are left out until most of their age are: they came the sooner for what they say", leftOut))
	return x, nil
}

// values are the measures, each as wide as its own record asks.
func (x figures) values(records map[metric.ID]estimate.Record) []metric.Value {
	id := x.task.Measure()
	widen := make(map[metric.ID]float64, len(records))
	for of, r := range records {
		widen[of] = r.Widen
	}
	main := x.main.Widened(max(widen[id], 1)).Within(0, x.task.Most())
	if x.task == Binary {
		x.confusion.Accuracy = main
		return x.confusion.Values(widen)
	}
	return []metric.Value{{Metric: id, Value: main.Value, Interval: main.Interval, Labelled: main.Known, State: main.State}}
}

// ofLabels are what a back-test holds against the truth, of each measure that is
// told.
func (x figures) ofLabels() map[metric.ID]estimate.Past {
	if x.task == Binary {
		return x.confusion.OfLabels()
	}
	return map[metric.ID]estimate.Past{x.task.Measure(): x.main.OfLabels(0, x.task.Most())}
}

// truths are what the measures turned out to be, of each that is defined.
func (x figures) truths() map[metric.ID]float64 {
	out := make(map[metric.ID]float64)
	for _, v := range x.values(nil) {
		// The estimate stands in for labels that are missing still, and may so leave
		// what a share can be.
		if !math.IsNaN(v.Value) && !math.IsInf(v.Value, 0) {
			out[v.Metric] = min(max(v.Value, 0), x.task.Most())
		}
	}
	return out
}

// leastPredictions are needed before anything is said of a window.
const leastPredictions = 20

// tooFew is why nothing is said of a window of which these are the cells; empty
// where there is enough.
func tooFew(cells []history.Cell) string {
	var predictions int64
	var weight estimate.Weight
	for _, c := range cells {
		predictions += c.Predictions
		weight.Add(c.All)
	}
	if weight.Effective() < leastPredictions {
		return fmt.Sprintf("%d predictions in the window, %d are needed, and more where their weights differ", predictions, leastPredictions)
	}
	return ""
}
