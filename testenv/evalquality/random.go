package evalquality

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Sampled is what many random samples of one window's labels showed.
type Sampled struct {
	End                 float64
	Predictions, Labels int
	Truth               float64
	Covered             float64 // share of draws whose interval held the truth
	WilsonCovered       float64
	Width, Wilson       float64 // mean widths
	// Theory is what Width / Wilson tends to: the standard deviation of a residual
	// over that of being right, times the root of the share not labelled.
	Theory float64

	// said and wilson are the intervals of every draw, asked says whose labels any
	// draw had.
	said, wilson []metric.Interval
	asked        []bool
}

// Random draws labels at random from every disjoint whole window of the monitored
// time, and estimates that window's own accuracy as of its end. The model is the
// reference's: here no label but the sample's is known. Windows whose sample is
// under 20 labels are left out.
func (s *Study) Random(ctx context.Context) ([]Sampled, error) {
	from, to := span(s.world.monitored)
	model, err := estimate.Fit(s.examples(s.world.AsOf(math.Inf(-1)).Labelled(0, 0)), s.Choice)
	if err != nil {
		return nil, err
	}
	var out []Sampled
	for end := from + s.WindowDays; end <= to; end += s.WindowDays {
		rows := between(s.world.monitored, end-s.WindowDays, end)
		view := s.world.AsOf(end)
		seen, err := view.Window(end-s.WindowDays, end)
		if err != nil {
			return nil, err
		}
		people, err := view.Annotated(end-s.WindowDays, end)
		if err != nil {
			return nil, err
		}
		sample, err := s.draw(ctx, people, s.eventsOf(model, seen), s.prior, s.Draws)
		if err == nil && sample.Enough() {
			sample.grade(rows, s.eventsOf(model, seen), s.Sample)
		}
		switch {
		case err != nil:
			return nil, err
		case !sample.Enough():
			continue
		}
		sample.End = end
		out = append(out, sample)
	}
	return out, nil
}

// leastLabels is the smallest sample that is looked at.
const leastLabels = 20

// Enough reports whether the sample is large enough to be looked at.
func (r Sampled) Enough() bool { return r.Labels >= leastLabels }

// draw has people label a sample of a window again and again, and estimates the
// window from the events and that sample alone.
func (s *Study) draw(ctx context.Context, people Annotated, events []estimate.Event, prior float64, draws int) (Sampled, error) {
	n := int(math.Round(s.Sample * float64(people.Len())))
	out := Sampled{Predictions: people.Len(), Labels: n, asked: people.asked}
	if !out.Enough() {
		return out, nil
	}
	for i := range events {
		events[i].Known = false
	}
	rng := rand.New(rand.NewPCG(s.Seed, uint64(people.Len())))
	order := rng.Perm(people.Len())
	for range draws {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		right := 0
		for i := range n {
			j := i + rng.IntN(len(order)-i)
			order[i], order[j] = order[j], order[i]
			label := one(people.Ask(order[i]))
			right += int(label)
			events[order[i]] = events[order[i]].With(label)
		}
		c := estimate.Config{PriorLabels: prior, Spread: s.FloorSpread, Widen: 1}
		e, err := estimate.Mean(events, estimate.Random, c)
		if err != nil {
			return out, fmt.Errorf("estimate a sample: %w", err)
		}
		out.said = append(out.said, e.Within(0, 1).Interval)
		out.wilson = append(out.wilson, metric.Wilson(int64(right), int64(n)))
		for _, row := range order[:n] {
			events[row].Known = false
		}
	}
	return out, nil
}

// grade holds what was said against the truth of the window.
func (r *Sampled) grade(rows []Row, events []estimate.Event, share float64) {
	r.Truth = accuracy(rows)
	residual := metric.Moments{}
	for i, row := range rows {
		residual.Add(one(row.right()) - events[i].Expected)
	}
	mean := residual.Sum / float64(residual.N)
	spread := residual.SquareSum/float64(residual.N) - mean*mean
	r.Theory = math.Sqrt(spread / (r.Truth * (1 - r.Truth)) * (1 - share))
	for i, said := range r.said {
		draws := float64(len(r.said))
		r.Covered += one(said.Holds(r.Truth)) / draws
		r.WilsonCovered += one(r.wilson[i].Holds(r.Truth)) / draws
		r.Width += said.Width() / draws
		r.Wilson += r.wilson[i].Width() / draws
	}
}

// tunePrior chooses, on the reference alone, what the model's word on its own
// variance is worth in labels. Of the priors whose intervals hold 95 % to within a
// point, over random samples of the reference's windows and each under a model of
// the others, it takes the least: that listens most to the window's own labels,
// which know of a drift that the reference has not seen. Where none does, it takes
// the nearest.
func (s *Study) tunePrior(ctx context.Context, ends []float64, windows [][]Row, events [][]estimate.Event) error {
	best := math.Inf(1)
	s.prior = estimate.DefaultConfig().PriorLabels // where the reference has too few for a sample
	for _, prior := range []float64{25, 50, 100, 200, 400} {
		covered, sampled := 0.0, 0.0
		for i, rows := range windows {
			people, err := s.world.Rehearse(ends[i]).Annotated(ends[i]-s.WindowDays, ends[i])
			if err != nil {
				return err
			}
			r, err := s.draw(ctx, people, slices.Clone(events[i]), prior, s.TuneDraws)
			if err != nil {
				return err
			}
			if r.Enough() {
				r.grade(rows, events[i], s.Sample)
				covered, sampled = covered+r.Covered, sampled+1
			}
		}
		if sampled == 0 {
			return nil
		}
		off := math.Abs(covered/sampled - metric.Level)
		if off < best {
			best, s.prior = off, prior
		}
		if off <= s.Tolerated {
			return nil
		}
	}
	return nil
}
