package evalquality

import (
	"context"
	"fmt"
	"math"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// Report is everything an evaluation measured.
type Report struct {
	Name    string
	Study   *Study
	Delayed []Point // empty where labels are known at once
	Nowcast []Point
	Random  []Sampled
	// Strict is Delayed with a reference of labels known when monitoring began;
	// empty where those are too few to tune on.
	Strict []Point
	// Suspected of Reconsidered disjoint windows were contradicted by their labels
	// once 90 % of them were in.
	Suspected, Reconsidered int
	// Bars says that the bars of the hotel booking data hold for this data; the
	// others are printed without a goal.
	Bars bool
}

// Run measures. Without delays, only the random samples.
func Run(ctx context.Context, name string, w *World, c Config, delays, bars bool) (*Report, error) {
	r, err := runStudy(ctx, w, c, delays)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.Name, r.Bars = name, bars
	if !delays {
		return r, nil
	}
	s := r.Study
	if r.Nowcast, err = s.Delayed(ctx, true); err != nil {
		return nil, fmt.Errorf("%s, nowcast: %w", name, err)
	}
	if r.Strict, err = strict(ctx, w, c); err != nil {
		return nil, fmt.Errorf("%s, strict reference: %w", name, err)
	}
	if r.Suspected, r.Reconsidered, err = s.Reconsidered(r.Delayed); err != nil {
		return nil, fmt.Errorf("%s, reconsidered: %w", name, err)
	}
	return r, nil
}

// runStudy runs the experiments that have bars.
func runStudy(ctx context.Context, w *World, c Config, delays bool) (*Report, error) {
	s, err := NewStudy(ctx, w, c)
	if err != nil {
		return nil, err
	}
	r := &Report{Study: s}
	if r.Random, err = s.Random(ctx); err != nil {
		return nil, fmt.Errorf("random labels: %w", err)
	}
	if !delays {
		return r, nil
	}
	if r.Delayed, err = s.Delayed(ctx, false); err != nil {
		return nil, fmt.Errorf("delayed labels: %w", err)
	}
	return r, nil
}

// strict repeats the experiment on delayed labels with a strict reference.
func strict(ctx context.Context, w *World, c Config) ([]Point, error) {
	known, err := w.Strict()
	if err != nil {
		return nil, nil //nolint:nilerr // no reference label was known: there is no such experiment
	}
	s, err := NewStudy(ctx, known, c)
	if err != nil {
		return nil, err
	}
	return s.Delayed(ctx, false)
}

// plain is a figure without a goal.
func plain(name string, value float64, unit string) figure.Figure {
	return figure.Figure{Name: name, Value: value, Unit: unit, Goal: "none", Met: true}
}

// Figures returns what was measured against its bars.
func (r *Report) Figures() []figure.Figure {
	out := r.randomFigures()
	if len(r.Delayed) > 0 {
		out = append(append(r.delayedFigures(), out...), r.breachFigures()...)
	}
	for i := range out {
		out[i].Name = r.Name + ": " + out[i].Name
	}
	return out
}

func (r *Report) atMost(name string, value float64, unit string, bar float64) figure.Figure {
	if !r.Bars {
		return plain(name, value, unit)
	}
	return figure.AtMost(name, value, unit, bar)
}

func (r *Report) delayedFigures() []figure.Figure {
	c := r.Study.Config
	when := fmt.Sprintf(", %g days with %g %% of labels", c.WindowDays, 100*c.Share)
	ours := ErrorsOf(r.Delayed, func(p Point) float64 { return p.Value })
	labels := ErrorsOf(r.Delayed, func(p Point) float64 { return p.LabelsOnly })
	peer := ErrorsOf(r.Delayed, func(p Point) float64 { return p.CBPE })
	model := ErrorsOf(r.Delayed, func(p Point) float64 { return p.Expected })
	floor, suspected := 0.0, 0.0
	for _, p := range r.Delayed {
		floor += 100 * p.Floor / float64(len(r.Delayed))
		suspected += one(p.Contradiction.Suspected)
	}
	out := []figure.Figure{
		plain("window ends"+when, float64(len(r.Delayed)), "windows"),
		r.atMost("|bias| of the estimate"+when, math.Abs(ours.Bias), "points", 0.2),
		plain("bias of the estimate"+when, ours.Bias, "points"),
		r.atMost("MAE of the estimate"+when, ours.MAE, "points", 0.35),
		plain("greatest error of the estimate"+when, ours.Max, "points"),
		plain("bias of labels only"+when, labels.Bias, "points"),
		plain("MAE of labels only"+when, labels.MAE, "points"),
		plain("bias of plain CBPE"+when, peer.Bias, "points"),
		plain("MAE of plain CBPE"+when, peer.MAE, "points"),
		plain("bias of our model without any label"+when, model.Bias, "points"),
		plain("MAE of our model without any label"+when, model.MAE, "points"),
		plain("MAE that the unknown labels alone cause"+when, floor, "points"),
		plain("windows with suspected concept drift"+when, suspected, "windows"),
		plain(fmt.Sprintf("disjoint windows, of %d, with suspected concept drift once 90 %% of labels were in", r.Reconsidered), float64(r.Suspected), "windows"),
	}
	if len(r.Strict) > 0 {
		e := ErrorsOf(r.Strict, func(p Point) float64 { return p.Value })
		share, _ := Covered(r.Strict, func(p Point) metric.Interval { return p.Interval })
		const known = "with a reference of labels known when monitoring began, "
		out = append(out, plain(known+"bias of the estimate"+when, e.Bias, "points"), plain(known+"MAE of the estimate"+when, e.MAE, "points"), plain(known+"coverage", share, "%"))
	}
	for _, w := range ways() {
		share, width := Covered(r.Delayed, w.interval)
		out = append(out, plain("coverage under delay-driven labels, "+w.name, share, "%"), plain("mean width under delay-driven labels, "+w.name, width, "points"))
	}
	return out
}

func (r *Report) sampleName() string {
	return fmt.Sprintf(", %g %% random labels", 100*r.Study.Sample)
}

func (r *Report) randomFigures() []figure.Figure {
	var covered, width, wilson, wilsonCovered, theory float64
	lowest := math.Inf(1)
	n := float64(len(r.Random))
	for _, s := range r.Random {
		covered, wilsonCovered = covered+100*s.Covered/n, wilsonCovered+100*s.WilsonCovered/n
		width, wilson, theory = width+100*s.Width/n, wilson+100*s.Wilson/n, theory+s.Theory*s.Wilson*100/n
		lowest = min(lowest, 100*s.Covered)
	}
	when := r.sampleName()
	coverage := plain("coverage"+when, covered, "%")
	if r.Bars {
		coverage.Goal, coverage.Met = "94 to 97", covered >= 94 && covered <= 97
	}
	return []figure.Figure{
		plain("disjoint windows"+when, n, "windows"),
		plain("draws a window"+when, float64(r.Study.Draws), "draws"),
		coverage,
		plain("coverage of the worst window"+when, lowest, "%"),
		plain("mean width"+when, width, "points"),
		plain("mean width of Wilson's interval"+when, wilson, "points"),
		plain("coverage of Wilson's interval"+when, wilsonCovered, "%"),
		r.atMost("width over Wilson's"+when, width/wilson, "", 0.45),
		plain("theoretical width over Wilson's"+when, theory/wilson, ""),
		figure.AtMost("width over its theoretical width"+when, width/theory, "", 1.1),
	}
}

func (r *Report) breachFigures() []figure.Figure {
	var out []figure.Figure
	for _, w := range ways() {
		b := r.Study.BreachesOf(r.Nowcast, w)
		out = append(out,
			plain("breaches, asked on the last day of each window, "+w.name, float64(b.Episodes), "episodes"),
			plain("breaches found, "+w.name, float64(b.Found), "episodes"),
			plain("false breaches, "+w.name, float64(b.False), "episodes"),
			plain("days alarmed while over target, "+w.name, float64(b.FalseDays), "days"))
		if b.Found > 0 {
			out = append(out, plain("lead before 90 % of labels, "+w.name, b.Lead, "days"), plain("delay after the breach began, "+w.name, b.Late, "days"))
		}
	}
	out = append(out, r.forecastFigures()...)
	share, width := Covered(r.Nowcast, func(p Point) metric.Interval { return p.Interval })
	return append(out, plain("coverage on the last day of each window, ours", share, "%"), plain("mean width on the last day of each window, ours", width, "points"))
}

// forecastFigures hold the delay curves against the labels that came. A curve that
// is not settled says so, and its dates are counted apart.
func (r *Report) forecastFigures() []figure.Figure {
	var off, settled, maturity, early, unsettled, windows float64
	for _, f := range r.Study.Forecasts() {
		windows++
		maturity += 100 * math.Abs(f.Maturity-f.Known)
		switch {
		case math.IsNaN(f.Mature):
		case f.Settled:
			settled++
			off += math.Abs(f.Mature - f.InTruth)
		default:
			unsettled++
			early += f.InTruth - f.Mature
		}
	}
	out := []figure.Figure{
		plain("maturity by delay curves at the end of a window, mean error", maturity/windows, "points"),
		plain(fmt.Sprintf("windows, of %g, with a forecast of the date of 90 %% maturity by settled curves", windows), settled, "windows"),
	}
	if settled > 0 {
		out = append(out, plain("date of 90 % maturity by settled curves, mean error", off/settled, "days"))
	}
	if unsettled > 0 {
		out = append(out, plain("date of 90 % maturity by curves that say they are not settled, days too early", early/unsettled, "days"))
	}
	return out
}
