package forecast_test

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// call is a prediction of a binary model and the label that it gets.
type call struct {
	at, known     time.Time
	deploy        plumbline.DeployHash
	score         float64
	called, truth bool
}

// world is a history in memory, in the order of time.
type world struct{ calls []call }

func (w world) between(from, to time.Time) []call {
	edge := func(at time.Time) int {
		i, _ := slices.BinarySearchFunc(w.calls, at, func(c call, at time.Time) int { return c.at.Compare(at) })
		return i
	}
	return w.calls[edge(from):edge(to)]
}

func (w world) Cells(_ context.Context, _ history.Scope, asked history.Range) ([]history.Cell, error) {
	type key struct {
		part   int
		deploy plumbline.DeployHash
		called bool
		bucket int32
	}
	cells := map[key]*history.Cell{}
	var order []*history.Cell
	for _, c := range w.between(asked.From, asked.To) {
		k := key{0, c.deploy, c.called, int32(40 * c.score)}
		if asked.Part > 0 {
			k.part = int(c.at.Sub(asked.From) / asked.Part)
		}
		cell := cells[k]
		if cell == nil {
			cell = &history.Cell{Part: k.part, Deploy: k.deploy, Predicted: map[bool]string{true: "yes", false: "no"}[k.called], Bucket: k.bucket}
			cells[k], order = cell, append(order, cell)
		}
		one := estimate.Weight{Requests: 1, Squares: 1}
		cell.Predictions++
		cell.Score += c.score
		cell.All.Add(one)
		soon := asked.Within == 0 || c.known.Truncate(time.Hour).Sub(c.at.Truncate(time.Hour)) < asked.Within
		if c.known.Before(asked.At) && soon {
			cell.Labelled++
			cell.Known.Add(one)
			if c.called == c.truth {
				cell.Correct++
				cell.Right.Add(one)
			}
		}
	}
	out := make([]history.Cell, len(order))
	for i, c := range order {
		out[i] = *c
	}
	slices.SortStableFunc(out, func(a, b history.Cell) int { return a.Part - b.Part })
	return out, nil
}

func (w world) Delays(_ context.Context, _ history.Scope, asked history.Range) (history.Delays, error) {
	d := history.Delays{At: asked.At, Came: map[estimate.Stratum][]estimate.Wait{}}
	came := map[time.Duration]int64{}
	for _, c := range w.between(asked.From, asked.To) {
		hour := c.at.Truncate(time.Hour)
		if n := len(d.Hours); n == 0 || !d.Hours[n-1].Time.Equal(hour) || d.Hours[n-1].Deploy != c.deploy {
			d.Hours = append(d.Hours, history.Hour{Time: hour, Deploy: c.deploy})
		}
		h := &d.Hours[len(d.Hours)-1]
		h.Predictions++
		if c.known.Before(asked.At) {
			h.Labelled++
			came[c.known.Sub(c.at).Truncate(time.Hour)]++
		}
	}
	for delay, n := range came {
		d.Came[0] = append(d.Came[0], estimate.Wait{Delay: delay, Known: true, Count: n})
	}
	return d, nil
}

// fickle is a world of so many days in which one prediction in twenty-five is called
// positive. What those calls are worth changes from day to day, by so much either
// way, and is right on the whole; the others are as right as their scores say.
func fickle(r *rand.Rand, from time.Time, days int, change float64) world {
	var w world
	for d := range days {
		off := change * (2*float64(r.IntN(2)) - 1)
		for i := range 960 {
			at := from.Add(time.Duration(d)*day + time.Duration(i)*90*time.Second)
			c := call{at: at, known: at.Add(time.Duration(30+r.IntN(12)) * time.Hour), deploy: "v1", called: r.IntN(25) == 0, score: 0.02 + 0.25*r.Float64()}
			p := c.score
			if c.called {
				c.score = 0.6 + 0.1*r.Float64()
				p = c.score + off
			}
			c.truth = r.Float64() < p
			w.calls = append(w.calls, c)
		}
	}
	return w
}

// truths counts the matrix of the day that ends at end.
func (w world) truths(end time.Time) map[metric.ID]float64 {
	var m metric.Confusion
	for _, c := range w.between(end.Add(-day), end) {
		switch {
		case c.called && c.truth:
			m.TP++
		case c.called:
			m.FP++
		case c.truth:
			m.FN++
		default:
			m.TN++
		}
	}
	out := map[metric.ID]float64{}
	for _, v := range m.Values() {
		out[v.Metric] = v.Value
	}
	return out
}

func ask(t *testing.T, f *forecast.Forecaster, q forecast.Question) forecast.Answer {
	t.Helper()
	a, err := f.Ask(t.Context(), q)
	if err != nil || a.Why != "" {
		t.Fatal(a.Why, err)
	}
	return a
}

// logit is the scale on which the intervals of shares are symmetric.
func logit(p float64) float64 { return math.Log(p / (1 - p)) }

// halfCount is half a prediction as a share of what a measure is a share of.
func halfCount(id metric.ID, window []call, values []metric.Value) float64 {
	called, of := 0.0, map[metric.ID]float64{}
	for _, c := range window {
		if c.called {
			called++
		}
	}
	for _, v := range values {
		of[v.Metric] = v.Value
	}
	positives := called * of[metric.Precision] / of[metric.Recall]
	return map[metric.ID]float64{
		metric.Precision: 0.5 / called, metric.Recall: 0.5 / positives, metric.Specificity: 0.5 / (float64(len(window)) - positives), metric.F1: 1 / (called + positives),
	}[id]
}

// plain is a value's interval as it would be without its record, and the standard
// error that this comes from; half a count is beyond both ends.
func plain(v metric.Value, r estimate.Record, half float64) (metric.Interval, float64) {
	if v.Metric == metric.Accuracy {
		by := v.Width() / 2 / r.Widen
		return metric.Interval{Low: v.Value - by, High: v.Value + by}, by / z95
	}
	by := (logit(v.High-half) - logit(v.Low+half)) / 2 / r.Widen
	return metric.Interval{Low: 1/(1+math.Exp(by-logit(v.Value))) - half, High: 1/(1+math.Exp(-by-logit(v.Value))) + half}, by * v.Value * (1 - v.Value) / z95
}

const z95 = 1.959963984540054

// Calls that are worth more on one day than on the next break the intervals of
// precision, and hardly move accuracy: each is widened by its own record, which is
// that of asking at the end of every past day, one after the other, with the labels
// counted by hand.
func TestEveryMeasureHasItsOwnRecord(t *testing.T) {
	from := now.Truncate(day).Add(-90 * day)
	w := fickle(rand.New(rand.NewPCG(71, 3)), from, 90, 0.25)
	at := from.Add(60 * day)
	a := ask(t, forecaster(w), forecast.Question{End: at, Window: day})
	held, squares := map[metric.ID]int{}, map[metric.ID]float64{}
	const windows = 19 // of the newest of 20 too few labels are in
	fresh := forecaster(w)
	for back := range windows {
		end := at.Add(-time.Duration(1+windows-back) * day)
		truths := w.truths(end)
		then := ask(t, fresh, forecast.Question{End: end, Window: day})
		for _, v := range then.Values {
			interval, se := plain(v, then.Records[v.Metric], halfCount(v.Metric, w.between(end.Add(-day), end), then.Values))
			if interval.Holds(truths[v.Metric]) {
				held[v.Metric]++
			}
			squares[v.Metric] += math.Pow((truths[v.Metric]-v.Value)/se, 2) / windows
		}
	}
	for id, r := range a.Records {
		if r.Windows != windows || r.Held != held[id] {
			t.Errorf("%s: %d of %d intervals held, by hand %d of %d", id, r.Held, r.Windows, held[id], windows)
		}
		want := math.Sqrt(squares[id]) * metric.StudentQuantile(0.975, windows) / z95
		if id == metric.Accuracy && (!r.Proven || r.Widen != 1) || id != metric.Accuracy && (r.Proven || math.Abs(r.Widen-want) > 1e-6) {
			t.Errorf("the record of %s is %+v, by hand it would be widened %.3f times", id, r, want)
		}
	}
	if r := a.Records[metric.Precision]; len(a.Records) != 5 || !reflect.DeepEqual(a.Record, a.Records[metric.Accuracy]) || a.Config.Widen != 1 || !strings.Contains(a.RecordOf(metric.Precision), "the record of precision: 6 of the last 19 intervals held, fewer than promised: widened") {
		t.Errorf("%+v; %s", r, a.RecordOf(metric.Precision))
	}
	checkWidened(t, w, at, 30)
}

// checkWidened asks at the end of so many days what nobody knew before.
func checkWidened(t *testing.T, w world, at time.Time, days int) {
	t.Helper()
	f := forecaster(w)
	held, alone := map[metric.ID]int{}, map[metric.ID]int{}
	for d := range days {
		end := at.Add(time.Duration(d) * day)
		truths, a := w.truths(end), ask(t, f, forecast.Question{End: end, Window: day})
		for _, v := range a.Values {
			if v.Holds(truths[v.Metric]) {
				held[v.Metric]++
			}
			if interval, _ := plain(v, a.Records[v.Metric], halfCount(v.Metric, w.between(end.Add(-day), end), a.Values)); interval.Holds(truths[v.Metric]) {
				alone[v.Metric]++
			}
		}
		f.Forget(end)
	}
	if held[metric.Precision] < days*9/10 || alone[metric.Precision] > days/2 || held[metric.Accuracy] < days*9/10 || alone[metric.Accuracy] < days*9/10 {
		t.Errorf("of %d intervals %v held, %v before they were widened", days, held, alone)
	}
}

func forecaster(w world) *forecast.Forecaster {
	return forecast.New(forecast.DefaultConfig(), w, history.Scope{Model: "m", Strata: history.NoStrata()}, forecast.Binary)
}

// A steady model whose labels are all in at once is never off by a rounding, and a
// measure of which too little happens to be told has no record that proves it.
func TestARecordIsOfWhatWasTold(t *testing.T) {
	from := now.Truncate(day).Add(-40 * day)
	w := fickle(rand.New(rand.NewPCG(72, 4)), from, 40, 0)
	at := from.Add(40 * day)
	for i, c := range w.calls {
		w.calls[i].known = c.at.Add(time.Second)
		w.calls[i].deploy = map[bool]plumbline.DeployHash{true: "v1", false: "v2"}[c.at.Before(at.Add(-12*day))]
	}
	a := ask(t, forecaster(w), forecast.Question{End: at, Window: day, Deploy: "v2"})
	for id, r := range a.Records {
		if r.Held != r.Windows || r.Windows != 20 || !r.Proven {
			t.Errorf("with every label in at once the record of %s is %+v", id, r)
		}
	}
	if says := a.RecordOf(metric.F1); says != "the record of f1 over all deploys: 20 of the last 20 intervals held, as promised" {
		t.Error(says)
	}
	for i := range w.calls {
		// Only now and then is anything called.
		c := &w.calls[i]
		c.known = c.at.Add(30 * time.Hour)
		c.called = c.called && (i/960%6 == 0 || i/960 == 39)
	}
	a = ask(t, forecaster(w), forecast.Question{End: at, Window: day})
	if r := a.Records[metric.Precision]; r.Windows == 0 || r.Windows > 4 || r.Proven || a.Values[1].State != metric.OK || !a.Record.Proven {
		t.Errorf("precision that was told on one day in six is %+v by the record %+v; accuracy by %+v", a.Values[1], r, a.Record)
	}
}

// A share near 1 of few calls most often is 1: an interval that ends below it would
// hold of no steady model.
func TestASteadyModelIsProven(t *testing.T) {
	for _, worth := range []float64{0.9, 0.97, 0.99, 0.995} {
		r := rand.New(rand.NewPCG(5, 6))
		from := now.Truncate(day).Add(-90 * day)
		var w world
		for at := from; at.Before(now); at = at.Add(90 * time.Second) {
			c := call{at: at, known: at.Add(time.Duration(30+r.IntN(12)) * time.Hour), deploy: "v1", called: r.IntN(10) == 0, score: 0.02 + 0.25*r.Float64()}
			if c.called {
				c.score = worth
			}
			c.truth = r.Float64() < c.score
			w.calls = append(w.calls, c)
		}
		a := ask(t, forecaster(w), forecast.Question{End: from.Add(80 * day), Window: day})
		for _, v := range a.Values {
			if !a.Records[v.Metric].Proven {
				t.Errorf("of calls that are right by %g: %s", worth, a.RecordOf(v.Metric))
			}
		}
	}
}
