package why

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// Question is what to take apart: a series, the samples that were compared, and
// the parts of the current one.
type Question struct {
	Series plumbline.Series
	// Measure is the distance. The measures that are sums over cells can be taken
	// apart: PSI, KL, JS, Hellinger, ChiSquare and TVD.
	Measure            measure.ID
	Reference, Current drift.Sample
	// Parts is the current sample by deploy, hour and segment.
	Parts Parts
	// Weight is how much the series counts against others in a report, such as
	// its distance beyond noise in least effects. 0 takes the distance less the
	// mean of its null.
	Weight float64
}

// Parts is one series over a window, divided in three ways.
type Parts struct {
	Deploys map[plumbline.DeployHash]drift.Sample
	// Slots are runs of SlotLength of event time, by their beginning.
	Slots      map[time.Time]drift.Sample
	SlotLength time.Duration
	// End is the end of the window, where the last slot is cut off; zero cuts
	// nothing.
	End time.Time
	// Segments are the values of each segment key. What a request without the
	// key holds is in none.
	Segments map[string]map[string]Sides
}

// Sides is one part in the reference and in the window.
type Sides struct{ Reference, Current drift.Sample }

// Explained is one distance taken apart.
type Explained struct {
	Series  plumbline.Series `json:"series"`
	Measure measure.ID       `json:"measure"`
	// Value is the sum of all parts: the distance over requests, or its square
	// for js and hellinger.
	Value float64 `json:"value"`
	// Share is its portion of the weights of a report.
	Share float64 `json:"share"`
	// Moves are the values that moved, the greatest share first, and Divisions
	// the parts of the window that carry it. Empty where nothing moved.
	Moves     []Move     `json:"moves"`
	Divisions []Division `json:"divisions"`
	// Run is where in the window it lies.
	Run Run `json:"run"`
}

// Report is several distances of one window taken apart.
type Report struct {
	// Series are in the order of their shares, which add up to 1. Each counts for
	// itself: what two have in common counts twice.
	Series []Explained `json:"series"`
	// Divisions add up the series' by their shares.
	Divisions []Division `json:"divisions"`
	Run       Run        `json:"run"`
}

// Explain takes every question apart. All must be about one window. An error
// names the series.
func Explain(questions []Question) (Report, error) {
	var (
		report  Report
		weights []float64
		all     float64
	)
	for _, q := range questions {
		f, noise, err := q.answer()
		if err != nil {
			return Report{}, fmt.Errorf("explain %q: %w", q.Series, err)
		}
		weight := q.Weight
		if weight == 0 {
			weight = f.Value - noise
		}
		weights = append(weights, max(weight, 0))
		all += max(weight, 0)
		report.Series = append(report.Series, f)
	}
	for i := range report.Series {
		if all > 0 {
			report.Series[i].Share = weights[i] / all
		}
	}
	slices.SortStableFunc(report.Series, func(a, b Explained) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Series, b.Series))
	})
	report.together(questions)
	return report, nil
}

// answer takes one distance apart, and returns the distance that noise alone
// gives.
func (q Question) answer() (Explained, float64, error) {
	f := Explained{Series: q.Series, Measure: q.Measure}
	cut := drift.NewCut(q.Reference)
	reference, current := cut.CountReference(q.Reference), cut.Count(q.Current)
	if total(reference) == 0 || total(current) == 0 {
		return Explained{}, 0, fmt.Errorf("%.0f requests against %.0f of the reference: nothing to take apart", total(current), total(reference))
	}
	c, err := newChange(q.Measure, reference, current)
	if err != nil {
		return Explained{}, 0, err
	}
	f.Value = c.value()
	if f.Value > 0 {
		f.Moves = c.moves(cut.Cells(), reference, current, q.Reference.Grid == grid.FullOdds)
	}
	if err := q.divide(&f, cut, reference); err != nil {
		return Explained{}, 0, err
	}
	null, err := measure.Cells{Reference: reference, Current: current}.Compare(measure.DefaultOptions(), q.Measure)
	if err != nil {
		return Explained{}, 0, err
	}
	noise := null[0].NullMean
	if q.Measure == measure.JS || q.Measure == measure.Hellinger {
		noise *= noise
	}
	return f, noise, nil
}

// divide adds the divisions. Each is of the sum of its own groups.
func (q Question) divide(f *Explained, cut drift.Cut, reference []uint64) error {
	var top []int
	if len(f.Moves) > 0 {
		top = f.Moves[0].cells
	}
	deploys, err := q.against(cut, reference, keyed(q.Parts.Deploys, func(d plumbline.DeployHash) string { return string(d) }), top)
	if err != nil {
		return err
	}
	byShare(deploys)
	f.add(ByDeploy, deploys)
	starts := slices.SortedFunc(maps.Keys(q.Parts.Slots), time.Time.Compare)
	var slots []named
	for _, start := range starts {
		slots = append(slots, named{start.UTC().Format(time.RFC3339), q.Parts.Slots[start]})
	}
	hours, err := q.against(cut, reference, slots, top)
	if err != nil {
		return err
	}
	f.add(ByHour, hours)
	f.Run = busiest(hours, starts, q.Parts)
	for _, key := range slices.Sorted(maps.Keys(q.Parts.Segments)) {
		parts, err := q.segments(cut, reference, q.Parts.Segments[key], top)
		if err != nil {
			return err
		}
		f.add(BySegment(key), parts)
	}
	return nil
}

func (f *Explained) add(by By, parts []Part) {
	if len(parts) > 0 {
		f.Divisions = append(f.Divisions, Division{By: by, Parts: parts})
	}
}

// named is a part that the reference does not have.
type named struct {
	name   string
	sample drift.Sample
}

func keyed[K cmp.Ordered](samples map[K]drift.Sample, name func(K) string) []named {
	all := make([]named, 0, len(samples))
	for _, k := range slices.Sorted(maps.Keys(samples)) {
		all = append(all, named{name(k), samples[k]})
	}
	return all
}

// against divides the window by parts that the reference is not divided by.
func (q Question) against(cut drift.Cut, reference []uint64, parts []named, top []int) ([]Part, error) {
	groups := make([]group, 0, len(parts))
	for _, p := range parts {
		groups = append(groups, group{name: p.name, reference: make([]uint64, len(reference)), current: cut.Count(p.sample)})
	}
	current := sum(groups, func(g group) []uint64 { return g.current })
	if len(groups) == 0 || total(current) == 0 {
		return nil, nil
	}
	c, err := newChange(q.Measure, reference, current)
	if err != nil {
		return nil, err
	}
	return c.divide(groups, top), nil
}

// segments divides window and reference by the values of one key, and by what
// has none of them.
func (q Question) segments(cut drift.Cut, reference []uint64, values map[string]Sides, top []int) ([]Part, error) {
	var groups []group
	for _, value := range slices.Sorted(maps.Keys(values)) {
		s := values[value]
		groups = append(groups, group{name: value, reference: cut.CountReference(s.Reference), current: cut.Count(s.Current)})
	}
	before := sum(groups, func(g group) []uint64 { return g.reference })
	divided := before != nil && total(before) > 0
	other := group{name: Rest, current: rest(cut.Count(q.Current), sum(groups, func(g group) []uint64 { return g.current })), reference: make([]uint64, len(reference))}
	if divided {
		other.reference = rest(reference, before)
	}
	if total(other.current)+total(other.reference) > 0 {
		groups = append(groups, other)
	}
	current := sum(groups, func(g group) []uint64 { return g.current })
	if total(current) == 0 {
		return nil, nil
	}
	if divided {
		reference = sum(groups, func(g group) []uint64 { return g.reference })
	}
	c, err := newChange(q.Measure, reference, current)
	if err != nil {
		return nil, err
	}
	parts := c.divide(groups, top)
	byShare(parts)
	return parts, nil
}

// together adds the series' divisions up by their shares.
func (r *Report) together(questions []Question) {
	if len(r.Series) == 0 {
		return
	}
	for _, like := range r.Series[0].Divisions {
		sums := map[string]Part{}
		for _, f := range r.Series {
			for _, d := range f.Divisions {
				if d.By != like.By {
					continue
				}
				for _, p := range d.Parts {
					s := sums[p.Name]
					s.Name, s.Traffic, s.TrafficBefore = p.Name, p.Traffic, p.TrafficBefore
					s.Share += f.Share * p.Share
					s.Mix += f.Share * p.Mix
					sums[p.Name] = s
				}
			}
		}
		parts := slices.SortedFunc(maps.Values(sums), func(a, b Part) int { return cmp.Compare(a.Name, b.Name) })
		if like.By == ByHour {
			r.Run = busiest(parts, slices.SortedFunc(maps.Keys(questions[0].Parts.Slots), time.Time.Compare), questions[0].Parts)
		} else {
			byShare(parts)
		}
		r.Divisions = append(r.Divisions, Division{By: like.By, Parts: parts})
	}
}
