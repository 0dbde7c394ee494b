package analyze

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
)

// Shift is how far one feature of a deploy has moved from the training set.
type Shift struct {
	Feature plumbline.Feature
	drift.Distance
	// Excess is the PSI beyond that of the same hours before the deploy, on the
	// nearest day and on the same weekday, whichever is more. What is always so
	// in a window this short, such as the hour of the day, has none. It equals
	// the PSI where there was no traffic then.
	Excess float64
	// Verdict is breach where Excess lies beyond the noise and the least effect,
	// and the window itself is beyond both from those hours,
	// insufficient where the samples are too small, missing without a training
	// set, and ok otherwise.
	Verdict string
}

// measured reads what a deploy saw in the window before end, and what is usual.
func (r *Runner) measured(ctx context.Context, reference drift.Window, t traffic, d deploy, window time.Duration) (measured, error) {
	s := spanOf(t, d, window)
	current, err := r.drift.Read(ctx, s.query(t.model, d))
	if err != nil {
		return measured{}, err
	}
	m := measured{reference: reference, current: current, whole: current}
	if whole, ok := s.wholeHours(d); ok && whole != s {
		if m.whole, err = r.drift.Read(ctx, whole.query(t.model, d)); err != nil {
			return measured{}, err
		}
		s = whole
	}
	m.usual, err = r.usual(ctx, t.model, d, s)
	return m, err
}

// span is a range of event time, by hour; to is exclusive.
type span struct{ from, to time.Time }

// spanOf returns the part of the window before t.end in which d served.
func spanOf(t traffic, d deploy, window time.Duration) span {
	s := span{t.end.Add(-window).Truncate(time.Hour), t.end}
	if d.first.After(s.from) {
		s.from = d.first
	}
	if end := d.last.Add(time.Hour); end.Before(s.to) {
		s.to = end
	}
	return s
}

// wholeHours leaves out the hours that d may have served in part, its first
// one, its last one and the one under way: in those, what is usual by the clock differs for no
// other reason. It returns false if no hour is left.
func (s span) wholeHours(d deploy) (span, bool) {
	if s.from.Equal(d.first) {
		s.from = s.from.Add(time.Hour)
	}
	if s.to.Equal(d.last.Add(time.Hour)) {
		s.to = d.last
	}
	s.to = s.to.Truncate(time.Hour)
	return s, s.from.Before(s.to)
}

func (s span) query(model plumbline.Model, d deploy) drift.Query {
	return drift.Query{Model: model, Deploys: []plumbline.DeployHash{d.hash}, Stage: d.stage, From: s.from, To: s.to}
}

// usual reads what production saw in the same hours before the deploy: on the
// nearest day and on the same weekday.
func (r *Runner) usual(ctx context.Context, model plumbline.Model, d deploy, s span) ([]drift.Window, error) {
	var windows []drift.Window
	earlier := func(days int) (bool, error) {
		back := -time.Duration(days) * day
		w, err := r.drift.Read(ctx, drift.Query{Model: model, Stage: plumbline.StageProduction, From: s.from.Add(back), To: s.to.Add(back)})
		windows = append(windows, w)
		return w.Requests > 0, err
	}
	before, found := daysBack(d, s.to), false
	for _, days := range slices.Compact([]int{before, week}) {
		some, err := earlier(days)
		if err != nil {
			return nil, err
		}
		found = found || some
	}
	if !found && before > 1 {
		// The first days of a model: its own yesterday is all there is.
		if _, err := earlier(1); err != nil {
			return nil, err
		}
	}
	return windows, nil
}

// week is the longest cycle of a clock feature, in days.
const week = 7

// daysBack returns by how many days a window that ends at to is moved so that
// it lies before the deploy: what the deploy itself broke is never usual. After
// a week it is a week, so what broke within a deploy shows for that long.
func daysBack(d deploy, to time.Time) int {
	days := int((to.Sub(d.first) + day - 1) / day)
	return min(max(days, 1), week)
}

// measured is what a shift is computed from.
type measured struct {
	// current is the window, and whole its whole hours, which usual is about.
	reference, current, whole drift.Window
	usual                     []drift.Window
}

// shifts returns the shift of every feature that the reference or the current
// window has.
func (m measured) shifts(o drift.Options) []Shift {
	names := map[plumbline.Feature]struct{}{}
	for _, w := range []drift.Window{m.reference, m.current} {
		for f := range w.Features {
			names[f] = struct{}{}
		}
	}
	var all []Shift
	for f := range names {
		all = append(all, m.shift(f, o))
	}
	slices.SortFunc(all, func(a, b Shift) int {
		return cmp.Or(cmp.Compare(order(b.Excess), order(a.Excess)), cmp.Compare(a.Feature, b.Feature))
	})
	return all
}

func (m measured) shift(f plumbline.Feature, o drift.Options) Shift {
	reference := sample(m.reference, f)
	s := Shift{Feature: f, Distance: drift.Compare(reference, sample(m.current, f))}
	judged, whole := s.Distance, sample(m.whole, f)
	if d := drift.Compare(reference, whole); d.Enough(o) {
		judged = d
	}
	explained, near := 0.0, false
	for _, w := range m.usual {
		explained = max(explained, drift.Explained(reference, whole, sample(w, f), o))
		// Far from the reference a PSI varies by more than its noise at home: what
		// is near the usual itself has no excess either.
		d := drift.Compare(sample(w, f), whole)
		near = near || d.Enough(o) && !d.Beyond(d.PSI, o)
	}
	s.Excess = judged.PSI - explained
	switch {
	case m.reference.Requests == 0 || m.current.Requests == 0:
		s.Verdict = plumbline.VerdictMissing
	case !judged.Enough(o):
		s.Verdict = plumbline.VerdictInsufficient
	case judged.Beyond(s.Excess, o) && !near:
		s.Verdict = plumbline.VerdictBreach
	default:
		s.Verdict = plumbline.VerdictOK
	}
	return s
}

// sample returns a feature of a window; one that was never sent is absent from
// every request.
func sample(w drift.Window, f plumbline.Feature) drift.Sample {
	if s, ok := w.Features[f]; ok {
		return s
	}
	return drift.Sample{Absent: w.Requests, Weight: w.Weight()}
}

// order puts NaN last.
func order(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(-1)
	}
	return v
}
