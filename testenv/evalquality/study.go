package evalquality

import (
	"context"
	"fmt"
	"math"

	"github.com/plumbline-slo/plumbline/analyze/dialect"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
)

// Config is how an evaluation is run.
type Config struct {
	WindowDays float64 // length of a window
	StepDays   float64 // from the end of a window to that of the next, where windows overlap
	Share      float64 // of a window's labels that is in when it is asked about
	Sample     float64 // of a window that is labelled at random
	Draws      int     // of such samples
	TuneDraws  int     // of such samples of a reference window, to tune with
	// Strata of the driver, at most. Five parts of alike size take away over nine
	// tenths of what a driver biases (Cochran 1968, Biometrics 24:295-313).
	Strata int
	// PriorLabels is what the model's word on its own variance is worth, in labels; 0
	// tunes it on the reference.
	PriorLabels float64
	// Tolerated is how far from 95 % a prior's coverage on the reference may be.
	Tolerated float64
	// FloorSpread is the least spread from window to window, in standard deviations
	// of a residual: no history is long enough to prove that a model never errs.
	FloorSpread float64
	Target      float64 // accuracy whose breach is looked for; 0 takes several under the reference's
	Seed        uint64
}

// DefaultConfig returns the figures of the bars.
func DefaultConfig() Config {
	return Config{
		WindowDays: 30, StepDays: 1, Share: 0.3, Sample: 0.02, Draws: 400, TuneDraws: 1000,
		Strata: 5, Tolerated: 0.01, FloorSpread: 0.01, Seed: 1,
	}
}

// Validate reports what cannot be run.
func (c Config) Validate() error {
	if !(c.WindowDays >= 1) || !(c.StepDays >= 1) || !(c.Share > 0 && c.Share < 1) || !(c.Sample > 0 && c.Sample < 1) || c.Draws < 1 || c.TuneDraws < 1 || c.Strata < 1 || !(c.PriorLabels >= 0) || !(c.Tolerated >= 0) || !(c.FloorSpread >= 0) || !(c.Target >= 0 && c.Target < 1) {
		return fmt.Errorf("evaluate with %+v: windows of at least a day, shares within (0, 1), at least 1 draw and 1 stratum", c)
	}
	return nil
}

// Study is what was tuned on the reference: strata, calibration, spread and
// record, and the peer's estimator.
type Study struct {
	Config
	world  *World
	cuts   estimate.Cuts
	Choice estimate.Choice
	peer   *dialect.CBPE
	// past are the reference's windows, as known then.
	past      []estimate.Past
	residuals []estimate.Residual
	prior     float64
}

// NewStudy tunes on the reference alone.
func NewStudy(ctx context.Context, w *World, c Config) (*Study, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Study{Config: c, world: w}
	reference := w.AsOf(math.Inf(-1)).Labelled(0, 0)
	drivers := make([]float64, len(reference))
	for i, r := range reference {
		drivers[i] = r.Driver
	}
	var err error
	if s.cuts, err = estimate.CutStrata(drivers, c.Strata); err != nil {
		s.cuts = nil // no driver: one stratum
	}
	if s.Choice, err = estimate.Choose(s.examples(reference)); err != nil {
		return nil, fmt.Errorf("tune on the reference: %w", err)
	}
	if s.peer, err = fitPeer(reference, c.WindowDays); err != nil {
		return nil, fmt.Errorf("fit CBPE to the reference: %w", err)
	}
	return s, s.rehearse(ctx)
}

func (s *Study) examples(seen []Seen) []estimate.Example {
	out := make([]estimate.Example, len(seen))
	for i, r := range seen {
		out[i] = estimate.Example{Stratum: s.cuts.Of(r.Driver), Score: r.Score, Truth: r.Truth}
	}
	return out
}

// fitPeer fits NannyML's estimator as NannyML would be: on the reference, in
// chunks of one window's mean size.
func fitPeer(reference []Seen, days float64) (*dialect.CBPE, error) {
	p, truth := dialect.Predictions{}, make([]bool, len(reference))
	for i, r := range reference {
		p.Scores, p.Chosen, truth[i] = append(p.Scores, r.Score), append(p.Chosen, r.Chosen), r.Truth
	}
	length := reference[len(reference)-1].At - reference[0].At + 1
	chunks, err := dialect.ChunksOf(len(reference), max(int(float64(len(reference))*days/length), 1))
	if err != nil {
		return nil, err
	}
	return dialect.FitCBPE(p, truth, chunks)
}

// rehearse back-tests the reference's own disjoint windows, each with a model of
// the others, as known on the day on which enough labels were in.
func (s *Study) rehearse(ctx context.Context) error {
	from, to := span(s.world.reference)
	var ends []float64
	var windows [][]Row
	var all [][]estimate.Event
	whole := s.world.Rehearse(math.Inf(1))
	for end := from + s.WindowDays; end <= to; end += s.WindowDays {
		rows := between(s.world.reference, end-s.WindowDays, end)
		if len(rows) == 0 {
			continue
		}
		events, err := s.events(whole, end)
		if err != nil {
			return err
		}
		s.residuals = append(s.residuals, estimate.ResidualsOf(events)...)
		ends, windows, all = append(ends, end), append(windows, rows), append(all, events)
	}
	if s.prior = s.PriorLabels; s.prior == 0 {
		if err := s.tunePrior(ctx, ends, windows, all); err != nil {
			return err
		}
	}
	for i, end := range ends {
		asOf := s.world.Maturity(windows[i], s.Share, end)
		a, err := s.answer(s.world.Rehearse(asOf), end, nil)
		if err != nil {
			return err
		}
		s.past = append(s.past, estimate.Past{Value: a.Value, Interval: a.Interval, Truth: accuracy(windows[i])})
	}
	return nil
}

// events returns the predictions of the window that ends at end, as the estimator
// sees them through the view.
func (s *Study) events(v View, end float64) ([]estimate.Event, error) {
	seen, err := v.Window(end-s.WindowDays, end)
	if err != nil {
		return nil, err
	}
	model, err := estimate.Fit(s.examples(v.Labelled(end-s.WindowDays, end)), s.Choice)
	if err != nil {
		return nil, err
	}
	return s.eventsOf(model, seen), nil
}

func (s *Study) eventsOf(model *estimate.Model, seen []Seen) []estimate.Event {
	events := make([]estimate.Event, len(seen))
	for i, r := range seen {
		stratum := s.cuts.Of(r.Driver)
		events[i] = estimate.Right(stratum, model.P(r.Score, stratum), r.Chosen)
		if r.Known {
			events[i] = events[i].With(one(r.Right))
		}
	}
	return events
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Answer is what was said of a window on a day.
type Answer struct {
	estimate.Estimate
	End, AsOf     float64
	Contradiction estimate.Contradiction
	Record        estimate.Record
	events        []estimate.Event
}

// earlier is the answers that were given for disjoint earlier windows.
type earlier []Answer

// matured returns what a view knows of earlier answers: those whose labels are at
// least 90 % in, by the labels themselves and the model for the rest.
func (m earlier) matured(s *Study, v View, before float64) (past []estimate.Past, residuals []estimate.Residual, err error) {
	for _, a := range m {
		if a.End > before {
			continue
		}
		seen, err := v.Window(a.End-s.WindowDays, a.End)
		if err != nil {
			return nil, nil, err
		}
		events, known := make([]estimate.Event, len(seen)), 0
		for i, r := range seen {
			events[i] = a.events[i]
			events[i].Known = false
			if r.Known {
				events[i] = events[i].With(one(r.Right))
				known++
			}
		}
		residuals = append(residuals, estimate.ResidualsOf(events)...)
		if float64(known) < 0.9*float64(len(seen)) {
			continue
		}
		truth, err := estimate.Mean(events, estimate.Delayed, estimate.DefaultConfig())
		if err != nil {
			return nil, nil, err
		}
		past = append(past, estimate.Past{Value: a.Value, Interval: a.Interval, Truth: truth.Value})
	}
	return past, residuals, nil
}

// answer estimates the window that ends at end with what the view shows.
func (s *Study) answer(v View, end float64, m earlier) (Answer, error) {
	a := Answer{End: end, AsOf: v.now}
	past, residuals := s.past, s.residuals
	if len(m) > 0 {
		more, moreResiduals, err := m.matured(s, v, end-s.WindowDays)
		if err != nil {
			return a, err
		}
		past, residuals = append(past[:len(past):len(past)], more...), append(residuals[:len(residuals):len(residuals)], moreResiduals...)
	}
	events, err := s.events(v, end)
	if err != nil {
		return a, err
	}
	c := estimate.Config{PriorLabels: s.prior, Spread: estimate.SpreadOf(residuals, s.FloorSpread), Widen: 1}
	a.events = events
	if a.Contradiction, err = estimate.Contradict(events, c); err != nil {
		return a, err
	}
	a.Record = estimate.Judge(past)
	if !v.inReference {
		c.Widen = a.Record.Widen
	}
	a.Estimate, err = estimate.Mean(events, estimate.Delayed, c)
	a.Estimate = a.Within(0, 1)
	return a, err
}
