package evalquality

import (
	"context"
	"math"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/dialect"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Point is one window end of the experiment on delayed labels.
type Point struct {
	Answer
	Truth, LabelsOnly, CBPE float64
	Labels                  metric.Interval // Wilson's, of the labels that are in
	Peer                    metric.Interval // CBPE's own band
	Known                   float64         // share of labels
	// Floor is the mean absolute error that the unknown labels alone cause, were
	// the model's probabilities true.
	Floor float64
}

// Delayed asks for windows over all of the monitored time, step by step, as of the
// first date on which the share of its labels is in. With now, it is asked at the
// window's end instead, whatever is in.
func (s *Study) Delayed(ctx context.Context, now bool) ([]Point, error) {
	from, to := span(s.world.monitored)
	var points []Point
	var past earlier
	next := from + s.WindowDays
	for end := from + s.WindowDays; end <= to; end += s.StepDays {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rows := between(s.world.monitored, end-s.WindowDays, end)
		if len(rows) == 0 {
			continue
		}
		asOf := end
		if !now {
			asOf = s.world.Maturity(rows, s.Share, end)
		}
		p, err := s.point(s.world.AsOf(asOf), end, past)
		if err != nil {
			return nil, err
		}
		p.Truth = accuracy(rows)
		points = append(points, p)
		if end >= next {
			// Disjoint windows only make a record: those that overlap err together.
			unwidened := p.Answer
			half := unwidened.Width() / 2 / p.Record.Widen
			unwidened.Interval = metric.Interval{Low: unwidened.Value - half, High: unwidened.Value + half}
			past = append(past, unwidened)
			next = end + s.WindowDays
		}
	}
	return points, nil
}

func (s *Study) point(v View, end float64, past earlier) (Point, error) {
	a, err := s.answer(v, end, past)
	p := Point{Answer: a}
	if err != nil {
		return p, err
	}
	seen, err := v.Window(end-s.WindowDays, end)
	if err != nil {
		return p, err
	}
	var known, right int64
	chunk := dialect.Predictions{}
	unknown := 0.0
	for i, r := range seen {
		chunk.Scores, chunk.Chosen = append(chunk.Scores, r.Score), append(chunk.Chosen, r.Chosen)
		if !r.Known {
			unknown += a.events[i].Variance
			continue
		}
		known++
		if r.Right {
			right++
		}
	}
	n := float64(len(seen))
	p.Known, p.LabelsOnly, p.Labels = float64(known)/n, math.NaN(), metric.Wilson(right, known)
	if known > 0 {
		p.LabelsOnly = float64(right) / float64(known)
	}
	p.Floor = math.Sqrt(2/math.Pi*unknown) / n
	e, err := s.peer.Estimate(dialect.Accuracy, chunk)
	p.CBPE, p.Peer = e.Value, metric.Interval{Low: e.Low, High: e.High}
	return p, err
}

// Errors sums how far an estimate was from the truth.
type Errors struct{ Bias, MAE, Max float64 }

// ErrorsOf returns the errors, in points, of what pick takes from each point.
func ErrorsOf(points []Point, pick func(Point) float64) Errors {
	var e Errors
	for _, p := range points {
		d := 100 * (pick(p) - p.Truth)
		e.Bias += d / float64(len(points))
		e.MAE += math.Abs(d) / float64(len(points))
		e.Max = max(e.Max, math.Abs(d))
	}
	return e
}

// Covered returns the share of points whose interval holds the truth, in percent,
// and the mean width in points.
func Covered(points []Point, pick func(Point) metric.Interval) (share, width float64) {
	for _, p := range points {
		i := pick(p)
		share += 100 * one(i.Holds(p.Truth)) / float64(len(points))
		width += 100 * i.Width() / float64(len(points))
	}
	return share, width
}

// Forecast is what delay curves said of one window at its end, and what came.
type Forecast struct {
	End             float64
	Known, Maturity float64 // share of labels known, in truth and as estimated
	Mature, InTruth float64 // days until 90 % of them are in, as forecast and in truth; Mature is NaN where no day is
	Settled         bool
}

// Forecasts asks the delay curves about every disjoint window at its end.
func (s *Study) Forecasts() []Forecast {
	from, to := span(s.world.monitored)
	var out []Forecast
	for end := from + s.WindowDays; end <= to; end += s.WindowDays {
		rows := between(s.world.monitored, end-s.WindowDays, end)
		if len(rows) == 0 {
			continue
		}
		f := Forecast{End: end, Mature: math.NaN(), InTruth: s.world.Maturity(rows, 0.9, end) - end}
		for _, r := range rows {
			f.Known += one(r.knownAt <= end) / float64(len(rows))
		}
		curves, batches := s.delays(s.world.AsOf(end))
		outlook := estimate.Maturity(batches, curves)
		f.Maturity, f.Settled = outlook.Maturity, outlook.Settled
		if wait, reached := estimate.MatureIn(0.9, batches, curves); reached {
			f.Mature = wait.Hours() / 24
		}
		out = append(out, f)
	}
	return out
}

// delays returns the delay curve of every stratum as a view shows it, from all
// predictions before it, and the predictions of the window that ends there.
func (s *Study) delays(v View) (map[estimate.Stratum]estimate.Curve, []estimate.Batch) {
	waits := make(map[estimate.Stratum][]estimate.Wait)
	var batches []estimate.Batch
	for _, r := range v.Predictions() {
		w := estimate.Wait{Delay: days(v.now - r.At), Known: r.Known, Count: 1}
		b := estimate.Batch{Stratum: s.cuts.Of(r.Driver), Age: w.Delay, Waiting: 1}
		if w.Known {
			w.Delay, b.Known, b.Waiting = days(r.KnownAt-r.At), 1, 0
		}
		waits[b.Stratum] = append(waits[b.Stratum], w)
		if r.At >= v.now-s.WindowDays {
			batches = append(batches, b)
		}
	}
	curves := make(map[estimate.Stratum]estimate.Curve)
	for stratum, w := range waits {
		curves[stratum] = estimate.NewCurve(w)
	}
	return curves, batches
}

func days(d float64) time.Duration { return time.Duration(d * 24 * float64(time.Hour)) }

// Reconsidered returns how many of the disjoint windows that were answered had
// their answer contradicted by its own labels once 90 % of them were in, and how
// many there were. What a model that was fitted before the window expected is held
// against labels that came after the answer.
func (s *Study) Reconsidered(points []Point) (suspected, windows int, err error) {
	next := math.Inf(-1)
	for _, p := range points {
		if p.End < next {
			continue
		}
		next = p.End + s.WindowDays
		windows++
		rows := between(s.world.monitored, p.End-s.WindowDays, p.End)
		seen, err := s.world.AsOf(s.world.Maturity(rows, 0.9, p.End)).Window(p.End-s.WindowDays, p.End)
		if err != nil {
			return 0, 0, err
		}
		events := make([]estimate.Event, len(seen))
		for i, r := range seen {
			events[i] = p.events[i]
			if r.Known {
				events[i] = events[i].With(one(r.Right))
			}
		}
		c := estimate.Config{PriorLabels: s.prior, Spread: estimate.SpreadOf(s.residuals, s.FloorSpread), Widen: 1}
		verdict, err := estimate.Contradict(events, c)
		if err != nil {
			return 0, 0, err
		}
		suspected += int(one(verdict.Suspected))
	}
	return suspected, windows, nil
}
