package evalquality

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// ServiceReport is what a service said of the windows of a world at their ends.
type ServiceReport struct {
	Name   string
	Config Config
	// Looked is by how far the service looks back: first as it is by default, then as
	// far as it can be told to.
	Looked []Looked
	// Nowcast is what the study says at the same ends, and Bars are its bars.
	Nowcast []Point
	Bars    bool

	world *World
}

// Looked is what the service says that looks back so far, and the study where it has
// but the predictions and labels of so long: Limited learns from all that are older
// than the window, Older from those that are as old as nine tenths of labels take. The
// service does the one or the other, by what labels that came sooner said.
type Looked struct {
	History        time.Duration
	Told           []Told
	Limited, Older []Point
}

// mostHistory is the most that analyze.estimate_history may be.
const mostHistory = 400 * day

// RunService measures the service on an engine: its default configuration, but for
// the window of the study, beside which it asks about the longest one of the service,
// and then the longest history.
func RunService(ctx context.Context, name string, w *World, c Config, db *storage.DB, log func(string, ...any)) (*ServiceReport, error) {
	s, err := NewStudy(ctx, w, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r := &ServiceReport{Name: name, Config: c, world: w}
	if r.Nowcast, err = s.Delayed(ctx, true); err != nil {
		return nil, fmt.Errorf("%s, nowcast: %w", name, err)
	}
	defaults := analyze.DefaultConfig()
	windows := []float64{c.WindowDays}
	if longest := slices.Max(defaults.EstimateWindows).Hours() / 24; longest != c.WindowDays {
		windows = append(windows, longest)
	}
	const model = "watched"
	if err := w.Store(ctx, db, model, math.Inf(1)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, back := range []time.Duration{defaults.EstimateHistory, mostHistory} {
		if err := db.Conn().Exec(ctx, "TRUNCATE TABLE "+string(plumbline.TableScoreCells)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		service := &Service{DB: db, Model: model, History: back, Windows: windows, StepDays: c.StepDays, Log: log}
		looked := Looked{History: back}
		if looked.Told, err = service.Run(ctx, w, math.Inf(1)); err != nil {
			return nil, fmt.Errorf("%s, service: %w", name, err)
		}
		if looked.Limited, err = s.limited(ctx, back.Hours()/24, false); err != nil {
			return nil, fmt.Errorf("%s, limited study: %w", name, err)
		}
		if looked.Older, err = s.limited(ctx, back.Hours()/24, true); err != nil {
			return nil, fmt.Errorf("%s, limited study of older predictions: %w", name, err)
		}
		r.Looked = append(r.Looked, looked)
	}
	return r, nil
}

// leastFitted is the least number of labels that the service calibrates on.
const leastFitted = 200

// limited asks about every window at its end, with a model that is fitted to what a
// view shows of so many days alone, and no record: the study without its reference
// and its memory, but with exact scores and its strata. With older, predictions that
// are younger than nine tenths of labels take are left out where enough others are
// there.
func (s *Study) limited(ctx context.Context, back float64, older bool) ([]Point, error) {
	from, to := span(s.world.monitored)
	var points []Point
	for end := from + s.WindowDays; end <= to; end += s.StepDays {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		v := s.world.AsOf(end)
		lately := slices.DeleteFunc(v.Predictions(), func(r Seen) bool { return r.At < end-back })
		known := s.examples(labelled(lately, end-s.WindowDays))
		if older {
			if fewer := s.examples(labelled(lately, end-max(nineTenths(lately, end), s.WindowDays))); len(fewer) >= leastFitted {
				known = fewer
			}
		}
		choice, err := estimate.Choose(known)
		if err != nil {
			continue // too few
		}
		model, err := estimate.Fit(known, choice)
		if err != nil {
			return nil, err
		}
		seen, err := v.Window(end-s.WindowDays, end)
		if err != nil {
			return nil, err
		}
		if len(seen) == 0 {
			continue
		}
		p := Point{Truth: accuracy(between(s.world.monitored, end-s.WindowDays, end))}
		p.End, p.AsOf = end, end
		if p.Estimate, err = estimate.Mean(s.eventsOf(model, seen), estimate.Delayed, estimate.DefaultConfig()); err != nil {
			return nil, err
		}
		points = append(points, p)
	}
	return points, nil
}

// labelled are the predictions before a day whose label is known.
func labelled(all []Seen, before float64) (out []Seen) {
	for _, r := range all {
		if r.Known && r.At < before {
			out = append(out, r)
		}
	}
	return out
}

// nineTenths is how many days nine tenths of the labels that ever come take, as far
// as predictions say that are seen on a day; 0 where they do not.
func nineTenths(all []Seen, now float64) float64 {
	waits := make([]estimate.Wait, len(all))
	for i, r := range all {
		waits[i] = estimate.Wait{Delay: days(now - r.At), Known: r.Known, Count: 1}
		if r.Known {
			waits[i].Delay = days(r.KnownAt - r.At)
		}
	}
	wait, reached := estimate.MatureIn(0.9, []estimate.Batch{{Waiting: 1}}, map[estimate.Stratum]estimate.Curve{0: estimate.NewCurve(waits)})
	if !reached {
		return 0
	}
	return wait.Hours() / 24
}

// Figures returns what was measured, against the bars of the study where it holds
// them.
func (r *ServiceReport) Figures() []figure.Figure {
	var out []figure.Figure
	for i, l := range r.Looked {
		by := map[float64][]Told{}
		var windows []float64
		for _, t := range l.Told {
			if by[t.WindowDays] == nil {
				windows = append(windows, t.WindowDays)
			}
			by[t.WindowDays] = append(by[t.WindowDays], t)
		}
		for _, days := range windows {
			bars := r.Bars && i == 0 && days == r.Config.WindowDays
			of := fmt.Sprintf("service that looks back %.0f days, %g days at their end, ", l.History.Hours()/24, days)
			for _, f := range r.toldFigures(by[days], bars) {
				f.Name = of + f.Name
				out = append(out, f)
			}
			if days == r.Config.WindowDays {
				e, older := ErrorsOf(l.Limited, estimated), ErrorsOf(l.Older, estimated)
				const study, fitted = " of the study with that history and exact scores", ", calibrated on predictions as old as nine tenths of labels take"
				out = append(out, plain(of+"bias"+study, e.Bias, "points"), plain(of+"MAE"+study, e.MAE, "points"),
					plain(of+"bias"+study+fitted, older.Bias, "points"), plain(of+"MAE"+study+fitted, older.MAE, "points"))
			}
		}
	}
	e := ErrorsOf(r.Nowcast, estimated)
	when := fmt.Sprintf(", %g days at their end", r.Config.WindowDays)
	out = append(out, plain("bias of the study, all history and labels of the reference"+when, e.Bias, "points"), plain("MAE of the study, all history and labels of the reference"+when, e.MAE, "points"))
	for i := range out {
		out[i].Name = r.Name + ": " + out[i].Name
	}
	return out
}

func estimated(p Point) float64 { return p.Value }

// toldFigures holds what the service said of windows of one length against the truth.
func (r *ServiceReport) toldFigures(told []Told, bars bool) []figure.Figure {
	atMost := func(name string, value, bar float64) figure.Figure {
		if bars {
			return figure.AtMost(name, value, "points", bar)
		}
		return plain(name, value, "points")
	}
	var answered []Point
	var proven, suspected, immature, labels float64
	for _, t := range told {
		if t.Why != "" {
			continue
		}
		rows := between(r.world.monitored, t.End-t.WindowDays, t.End)
		p := Point{Truth: accuracy(rows), LabelsOnly: r.labelsOnly(t)}
		p.Value, p.Interval = t.Value.Value, t.Interval
		answered = append(answered, p)
		proven, suspected, immature = proven+one(t.Proven), suspected+one(t.Suspected), immature+one(t.Immature)
		labels += 100 * float64(t.Known) / float64(t.Predictions)
	}
	n := float64(len(answered))
	ours, only := ErrorsOf(answered, estimated), ErrorsOf(answered, func(p Point) float64 { return p.LabelsOnly })
	if n == 0 {
		ours, only = Errors{math.NaN(), math.NaN(), math.NaN()}, Errors{math.NaN(), math.NaN(), math.NaN()}
	}
	share, width := Covered(answered, toldInterval)
	return []figure.Figure{
		plain("windows asked about", float64(len(told)), "windows"),
		plain("windows answered", n, "windows"),
		plain("labels in", labels/n, "%"),
		atMost("|bias| of the estimate", math.Abs(ours.Bias), 0.2),
		plain("bias of the estimate", ours.Bias, "points"),
		atMost("MAE of the estimate", ours.MAE, 0.35),
		plain("greatest error of the estimate", ours.Max, "points"),
		plain("bias of labels only", only.Bias, "points"),
		plain("MAE of labels only", only.MAE, "points"),
		plain("coverage of the 95 % interval", share, "%"),
		plain("mean width of the 95 % interval", width, "points"),
		plain("windows whose interval is proven", proven, "windows"),
		plain("windows calibrated on labels that were still coming", immature, "windows"),
		plain("windows with suspected concept drift", suspected, "windows"),
	}
}

func toldInterval(p Point) metric.Interval { return p.Interval }

// labelsOnly is the accuracy of the labels that were in at the end of a window, half
// without any.
func (r *ServiceReport) labelsOnly(t Told) float64 {
	known, right := 0.0, 0.0
	for _, row := range between(r.world.monitored, t.End-t.WindowDays, t.End) {
		if row.knownAt <= t.End {
			known, right = known+1, right+one(row.right())
		}
	}
	if known == 0 {
		return 0.5
	}
	return right / known
}
