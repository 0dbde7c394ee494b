package forecast

import (
	"context"
	"math"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

type pastKey struct {
	end    int64
	window time.Duration
}

// said is what was said of a past window at its end, before any widening: of each
// measure that was told, which may be none. What became of it is not in yet.
type said map[metric.ID]estimate.Past

// seen is a past window as known at a later hour.
type seen struct {
	end   time.Time
	fit   *Fit // of its day
	cells []history.Cell
	// share of its labels that are in, of those that ever come.
	share float64
}

// past is what is known of earlier windows at an hour.
type past struct {
	config estimate.Config
	held   map[metric.ID][]estimate.Past // against the truth
	newest []seen                        // first
}

// floorSpread is the least spread from window to window, in standard deviations of
// a residual: no history is long enough to prove that a model never errs.
const floorSpread = 0.01

// spreadWindows is how many past windows say how far a model errs from window to
// window.
const spreadWindows = 10

// ends returns the ends of at most so many disjoint windows before one that ends
// at end, the newest first. They lie on a grid of their own, so that those of
// tomorrow are those of today.
func (f *Forecaster) ends(end time.Time, window time.Duration, most int) []time.Time {
	last := time.Unix(end.Unix()/int64(window/time.Second)*int64(window/time.Second), 0).UTC()
	if last.After(end.Add(-window)) {
		last = last.Add(-window)
	}
	var ends []time.Time
	for at := last; len(ends) < most && !at.Before(end.Add(-f.cfg.History+window)); at = at.Add(-window) {
		ends = append(ends, at)
	}
	return ends
}

// history looks back from an hour.
func (f *Forecaster) history(ctx context.Context, at time.Time, window time.Duration) (past, error) {
	newest, err := f.look(ctx, f.ends(at, window, f.cfg.Windows), at, window)
	if err != nil {
		return past{}, err
	}
	p := past{newest: newest, config: f.config(newest)}
	// Questions about several deploys have the same record.
	key := pastKey{at.Unix(), window}
	if known, ok := f.held[key]; ok {
		p.held = known
		return p, nil
	}
	if p.held, err = f.hold(ctx, newest, window); err == nil {
		f.held[key] = p.held
	}
	return p, err
}

// hold holds what was said of every earlier window at its end against the labels
// that are known now.
func (f *Forecaster) hold(ctx context.Context, newest []seen, window time.Duration) (map[metric.ID][]estimate.Past, error) {
	held := make(map[metric.ID][]estimate.Past)
	for _, s := range newest {
		if s.share < f.cfg.Mature {
			continue
		}
		then, err := f.saidAt(ctx, s.end, window)
		if err != nil {
			return nil, err
		}
		if len(then) == 0 {
			continue
		}
		now, err := s.fit.figures(s.cells, f.cfg.Arrival, estimate.DefaultConfig())
		if err != nil {
			return nil, err
		}
		for id, truth := range now.truths() {
			if p, told := then[id]; told {
				p.Truth = truth
				held[id] = append(held[id], p)
			}
		}
	}
	return held, nil
}

// config is how an estimate is made after past windows.
func (f *Forecaster) config(newest []seen) estimate.Config {
	var residuals []estimate.Residual
	for _, s := range newest[:min(len(newest), spreadWindows)] {
		if s.share >= f.cfg.Mature {
			residuals = append(residuals, estimate.ResidualsOf(s.fit.events(s.cells))...)
		}
	}
	c := estimate.DefaultConfig()
	if len(residuals) >= 3 {
		c.Spread = estimate.SpreadOf(residuals, floorSpread)
	}
	return c
}

// saidAt returns what was said of the window that ended at end, by what was known
// then.
func (f *Forecaster) saidAt(ctx context.Context, end time.Time, window time.Duration) (said, error) {
	key := pastKey{end.Unix(), window}
	if s, ok := f.past[key]; ok {
		return s, nil
	}
	fit, err := f.fit(ctx, end, window, "")
	if err != nil {
		return nil, err
	}
	before, err := f.look(ctx, f.ends(end, window, spreadWindows), end, window)
	if err != nil {
		return nil, err
	}
	cells, err := f.window(ctx, end, window, "")
	if err != nil {
		return nil, err
	}
	s := said{}
	if tooFew(cells) == "" {
		usable, leftOut, err := f.usable(ctx, fit, cells, Question{End: end, Window: window})
		if err != nil {
			return nil, err
		}
		x, err := f.figures(fit, usable, leftOut, f.config(before))
		if err != nil {
			return nil, err
		}
		// The truth will be that of the same sample of requests.
		s = x.ofLabels()
	}
	f.past[key] = s
	return s, nil
}

// look returns the windows that end at the given times, the newest first, with
// their labels as known at an hour. Those without a calibration are left out.
func (f *Forecaster) look(ctx context.Context, ends []time.Time, at time.Time, window time.Duration) ([]seen, error) {
	if len(ends) == 0 {
		return nil, nil
	}
	from := ends[len(ends)-1].Add(-window)
	cells, err := f.reader.Cells(ctx, f.scope, history.Range{From: from, To: ends[0], At: at, Part: window})
	if err != nil {
		return nil, err
	}
	delays, err := f.Delays(ctx, at.Truncate(day))
	if err != nil {
		return nil, err
	}
	curves := delays.Curves()
	parts := map[int][]history.Cell{}
	for _, c := range cells {
		parts[c.Part] = append(parts[c.Part], c)
	}
	var all []seen
	for _, end := range ends {
		own := parts[int(end.Add(-window).Sub(from)/window)]
		if len(own) == 0 {
			continue
		}
		fit, err := f.fit(ctx, end, window, "")
		if isNoFit(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		age := at.Sub(end) + window/2
		if fit.Selection.Differs() {
			age = at.Sub(end) // of its youngest, whose labels are a choice the longest
		}
		all = append(all, seen{end: end, fit: fit, cells: own, share: matured(own, curves, age)})
	}
	return all, nil
}

// matured is the share of the labels of cells of about one age that are in, of
// those that ever come: 0 where none ever does, for then nothing tells how good what
// was said of them is.
func matured(cells []history.Cell, curves map[estimate.Stratum]estimate.Curve, age time.Duration) float64 {
	strata := map[estimate.Stratum]estimate.Batch{}
	for _, c := range cells {
		b := strata[c.Stratum]
		b.Stratum, b.Age = c.Stratum, age
		b.Known += c.Labelled
		b.Waiting += c.Waiting().Count
		strata[c.Stratum] = b
	}
	var batches []estimate.Batch
	for _, b := range strata {
		batches = append(batches, b)
	}
	if share := estimate.Maturity(batches, curves).Maturity; !math.IsNaN(share) {
		return share
	}
	return 0
}

// contradictShare is the share of a window's labels from which on they are held
// against the estimate: fewer are those that came first, and say little more than
// the estimate does.
const contradictShare = 0.3

// contradict takes the newest window that has enough labels, this one or one of
// the past: a mature one where labels come the sooner for what they say, for those
// contradict by that. Of this one, cells have only labels that may.
func (a *Answer) contradict(p past, cells []history.Cell, mature float64) error {
	if a.Why != "" {
		return nil
	}
	least := contradictShare
	if a.Fit.Selection.Differs() {
		least = mature
	}
	var known int64
	for _, c := range cells {
		known += c.Labelled
	}
	events, end := a.Fit.events(cells), a.End
	if float64(known) < contradictShare*float64(a.Estimate.Predictions) {
		for _, s := range p.newest {
			own := s.cells
			if a.Deploy != "" {
				own = ofDeploy(own, a.Deploy)
			}
			if s.share >= least && len(own) > 0 {
				events, end = s.fit.events(own), s.end
				break
			}
		}
	}
	var err error
	a.ContradictionEnd = end
	a.Contradiction, err = estimate.Contradict(events, a.Config)
	return err
}
