package evalquality

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// Row is a prediction. Its label and the day on which that became known are for
// views and graders only. Times are days since 1970.
type Row struct {
	At, Score float64
	Chosen    bool
	Driver    float64
	truth     bool
	knownAt   float64
}

func (r Row) right() bool { return r.truth == r.Chosen }

// World is everything that ever happens: a reference and what is monitored
// after it, in the order of time.
type World struct {
	reference, monitored []Row
}

// NewWorld orders the rows. The reference is a set whose labels were complete when
// monitoring began, for the model was accepted on it.
func NewWorld(reference, monitored []Row) (*World, error) {
	if len(reference) == 0 || len(monitored) == 0 {
		return nil, fmt.Errorf("%d reference and %d monitored predictions: both are needed", len(reference), len(monitored))
	}
	w := &World{slices.Clone(reference), slices.Clone(monitored)}
	for _, rows := range [][]Row{w.reference, w.monitored} {
		slices.SortStableFunc(rows, func(a, b Row) int {
			switch {
			case a.At < b.At:
				return -1
			case a.At > b.At:
				return 1
			}
			return 0
		})
	}
	return w, nil
}

// between returns the rows of [from, to).
func between(rows []Row, from, to float64) []Row {
	low := sort.Search(len(rows), func(i int) bool { return rows[i].At >= from })
	high := sort.Search(len(rows), func(i int) bool { return rows[i].At >= to })
	return rows[low:max(high, low)]
}

// Strict returns the world with a reference of only those predictions whose label
// was known on the first day that is monitored, for who had no complete set to
// accept the model on.
func (w *World) Strict() (*World, error) {
	start, _ := span(w.monitored)
	var known []Row
	for _, r := range w.reference {
		if r.knownAt <= start {
			known = append(known, r)
		}
	}
	return NewWorld(known, w.monitored)
}

// span is the first day and the day after the last of rows in order.
func span(rows []Row) (from, to float64) {
	return math.Floor(rows[0].At), math.Floor(rows[len(rows)-1].At) + 1
}

// Seen is a row as a view shows it: Truth, Right and KnownAt mean nothing unless
// Known.
type Seen struct {
	Row
	Known, Truth, Right bool
	// KnownAt is the day on which the label became known.
	KnownAt float64
}

// View is the world as known at the end of the day before now: predictions before
// now, and labels known by then.
type View struct {
	world *World
	now   float64
	// inReference says that the view looks at windows of the reference, whose
	// labels then count as known only when they became so.
	inReference bool
}

// AsOf returns the view of a day.
func (w *World) AsOf(now float64) View { return View{world: w, now: now} }

// Rehearse returns the view of a day within the reference, for back-tests: the
// windows are the reference's, with labels as known on that day.
func (w *World) Rehearse(now float64) View { return View{world: w, now: now, inReference: true} }

// Window returns the predictions of [from, to), which must not be after now.
func (v View) Window(from, to float64) ([]Seen, error) {
	if to > v.now {
		return nil, fmt.Errorf("window to day %g as known on day %g: it is not over", to, v.now)
	}
	return v.see(between(v.monitored(), from, to)), nil
}

// monitored is what windows are of.
func (v View) monitored() []Row {
	if v.inReference {
		return v.world.reference
	}
	return v.world.monitored
}

// Predictions returns every prediction before now, of the reference and of what is
// monitored, with the labels that came by then: here those of the reference came
// one by one, too.
func (v View) Predictions() []Seen {
	return append(v.see(between(v.world.reference, math.Inf(-1), v.now)), v.see(between(v.world.monitored, math.Inf(-1), v.now))...)
}

func (v View) see(rows []Row) []Seen {
	out := make([]Seen, len(rows))
	for i, r := range rows {
		known := r.knownAt <= v.now
		out[i] = Seen{Row: r, Known: known, Truth: known && r.truth, Right: known && r.right()}
		out[i].truth, out[i].knownAt = false, math.NaN()
		if known {
			out[i].KnownAt = r.knownAt
		}
	}
	return out
}

// Annotated is a window whose predictions people label when they are asked to: no
// label is known but those.
type Annotated struct {
	rows  []Row
	asked []bool
}

// Annotated returns the window [from, to), which must not be after now, without any
// label.
func (v View) Annotated(from, to float64) (Annotated, error) {
	if _, err := v.Window(from, to); err != nil {
		return Annotated{}, err
	}
	rows := between(v.monitored(), from, to)
	return Annotated{rows, make([]bool, len(rows))}, nil
}

// Len is the number of predictions.
func (a Annotated) Len() int { return len(a.rows) }

// Ask has a prediction labelled and returns whether the model was right.
func (a Annotated) Ask(i int) bool {
	a.asked[i] = true
	return a.rows[i].right()
}

// Labelled returns every prediction with a known label that is older than a
// window that begins at before: the reference, all of it, and what was monitored.
// In a rehearsal it is the reference without the window itself. Since when a label
// of the reference is known is not told.
func (v View) Labelled(before, windowEnd float64) []Seen {
	var out []Seen
	for _, r := range v.world.reference {
		if v.inReference && r.At >= before && r.At < windowEnd {
			continue
		}
		s := Seen{Row: r, Known: true, Truth: r.truth, Right: r.right(), KnownAt: math.NaN()}
		s.truth, s.knownAt = false, math.NaN()
		out = append(out, s)
	}
	if v.inReference {
		return out
	}
	for _, s := range v.see(between(v.world.monitored, math.Inf(-1), min(before, v.now))) {
		if s.Known {
			out = append(out, s)
		}
	}
	return out
}

// Maturity returns the day from `to` on which a share of the labels of a window is
// first in. It is the clock of the experiment, not something an estimator sees.
func (w *World) Maturity(rows []Row, share, to float64) float64 {
	known := make([]float64, len(rows))
	for i, r := range rows {
		known[i] = r.knownAt
	}
	slices.Sort(known)
	return max(math.Ceil(known[min(int(math.Ceil(share*float64(len(known))))-1, len(known)-1)]), to)
}

// accuracy is the truth of a window, for the grader.
func accuracy(rows []Row) float64 {
	right := 0.0
	for _, r := range rows {
		if r.right() {
			right++
		}
	}
	return right / float64(len(rows))
}
