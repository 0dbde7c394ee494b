package analyze

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
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
	// insufficient where the samples are too small, missing without a training
	// set, and ok otherwise.
	Verdict string
}

// references keeps the training sets that were read, by model.
type references struct {
	reader  drift.Reader
	refresh time.Duration

	mu     sync.Mutex
	read   map[plumbline.Model]time.Time
	loaded map[plumbline.Model]drift.Window
}

func newReferences(reader drift.Reader, refresh time.Duration) *references {
	return &references{reader: reader, refresh: refresh, read: map[plumbline.Model]time.Time{}, loaded: map[plumbline.Model]drift.Window{}}
}

// of returns the training set of a model, read at most refresh ago.
func (r *references) of(ctx context.Context, model plumbline.Model, now time.Time) (drift.Window, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.read[model]; ok && now.Sub(at) < r.refresh && !now.Before(at) {
		return r.loaded[model], nil
	}
	w, err := r.reader.Read(ctx, drift.Training(model))
	if err != nil {
		return drift.Window{}, err
	}
	r.read[model], r.loaded[model] = now, w
	return w, nil
}

// shifts compares what a deploy saw in the window before end with the training
// set, the most moved feature first.
func (r *Runner) shifts(ctx context.Context, reference drift.Window, t traffic, d deploy, window time.Duration) ([]Shift, error) {
	from := t.end.Add(-window).Truncate(time.Hour)
	if d.first.After(from) {
		from = d.first
	}
	to := t.end
	if end := d.last.Add(time.Hour); end.Before(to) {
		to = end
	}
	current, err := r.drift.Read(ctx, drift.Query{Model: t.model, Deploys: []plumbline.DeployHash{d.hash}, Stage: d.stage, From: from, To: to})
	if err != nil {
		return nil, err
	}
	var usual []drift.Window
	earlier := func(days int) (bool, error) {
		back := -time.Duration(days) * day
		w, err := r.drift.Read(ctx, drift.Query{Model: t.model, Stage: plumbline.StageProduction, From: from.Add(back), To: to.Add(back)})
		usual = append(usual, w)
		return w.Requests > 0, err
	}
	before, found := daysBack(d, to), false
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
	return compare(reference, current, usual, r.cfg.driftOptions()), nil
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

// compare returns the shift of every feature that the reference or the current
// window has.
func compare(reference, current drift.Window, usual []drift.Window, o drift.Options) []Shift {
	var shifts []Shift
	names := map[plumbline.Feature]struct{}{}
	for _, w := range []drift.Window{reference, current} {
		for f := range w.Features {
			names[f] = struct{}{}
		}
	}
	for f := range names {
		s := Shift{Feature: f, Distance: drift.Compare(sample(reference, f), sample(current, f))}
		s.Excess = s.PSI
		explained := 0.0
		for _, w := range usual {
			explained = max(explained, drift.Explained(sample(reference, f), sample(current, f), sample(w, f), o))
		}
		s.Excess -= explained
		switch {
		case reference.Requests == 0 || current.Requests == 0:
			s.Verdict = plumbline.VerdictMissing
		case !s.Enough(o):
			s.Verdict = plumbline.VerdictInsufficient
		case s.Beyond(s.Excess, o):
			s.Verdict = plumbline.VerdictBreach
		default:
			s.Verdict = plumbline.VerdictOK
		}
		shifts = append(shifts, s)
	}
	slices.SortFunc(shifts, func(a, b Shift) int {
		return cmp.Or(cmp.Compare(order(b.Excess), order(a.Excess)), cmp.Compare(a.Feature, b.Feature))
	})
	return shifts
}

// sample returns a feature of a window; one that was never sent is absent from
// every request.
func sample(w drift.Window, f plumbline.Feature) drift.Sample {
	if s, ok := w.Features[f]; ok {
		return s
	}
	return drift.Sample{Absent: w.Requests}
}

// order puts NaN last.
func order(v float64) float64 {
	if math.IsNaN(v) {
		return math.Inf(-1)
	}
	return v
}
