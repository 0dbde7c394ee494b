package budget

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/plumbline-slo/plumbline/analyze/drift/alarm"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/storage/grid"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// Power is how often two samples of equal size, one moved by Shift standard
// deviations, make each measure alarm at its defaults. The values are normal.
type Power struct {
	Size  int
	Shift float64
	// Found is the share of pairs by measure, Any that of pairs in which at least
	// one measure alarms.
	Found map[measure.ID]float64
	Any   float64
}

// Measure simulates so many pairs of samples. The reference is cut into 20 cells
// of equal mass for the measures on cells; the others see every bucket.
func Measure(ctx context.Context, size int, shift float64, pairs int, seed uint64) (Power, error) {
	p := Power{Size: size, Shift: shift, Found: map[measure.ID]float64{}}
	r := rand.New(rand.NewPCG(seed, uint64(size)))
	found, anyFound := map[measure.ID]int{}, 0
	for range pairs {
		if err := ctx.Err(); err != nil {
			return Power{}, err
		}
		a, b := sample(r, size, 0), sample(r, size, shift)
		results, err := compareAll(a, b)
		if err != nil {
			return Power{}, fmt.Errorf("compare two samples of %d: %w", size, err)
		}
		any := false
		for _, res := range results {
			if res.Alarm {
				found[res.Measure]++
				any = true
			}
		}
		if any {
			anyFound++
		}
	}
	for id, n := range found {
		p.Found[id] = float64(n) / float64(pairs)
	}
	p.Any = float64(anyFound) / float64(pairs)
	return p, nil
}

// sample returns buckets of normal values, in order.
func sample(r *rand.Rand, n int, mean float64) []int32 {
	buckets := make([]int32, n)
	for i := range buckets {
		buckets[i] = grid.Bucket(mean + r.NormFloat64())
	}
	slices.Sort(buckets)
	return buckets
}

// compareAll is every measure with the default options.
func compareAll(a, b []int32) ([]measure.Result, error) {
	cuts := equalMass(a)
	c := measure.Cells{Reference: inCells(a, cuts), Current: inCells(b, cuts)}
	results, err := c.Compare(measure.DefaultOptions())
	if err != nil {
		return nil, err
	}
	more, err := measure.Numbers{Reference: counted(a), Current: counted(b)}.Compare(measure.DefaultOptions())
	return append(results, more...), err
}

// equalMass returns the last buckets of all cells but the last one.
func equalMass(sorted []int32) []int32 {
	var cuts []int32
	for i := 1; i < bins; i++ {
		cuts = append(cuts, sorted[i*len(sorted)/bins])
	}
	return slices.Compact(cuts)
}

func inCells(sorted, cuts []int32) []uint64 {
	counts := make([]uint64, len(cuts)+1)
	for _, b := range sorted {
		i, _ := slices.BinarySearch(cuts, b)
		counts[i]++
	}
	return counts
}

// counted returns the histogram of sorted buckets.
func counted(sorted []int32) measure.Histogram {
	var h measure.Histogram
	for _, b := range sorted {
		if n := len(h.Buckets); n == 0 || h.Buckets[n-1] != b {
			h.Buckets, h.Counts = append(h.Buckets, b), append(h.Counts, 0)
		}
		h.Counts[len(h.Counts)-1]++
	}
	return h
}

// Delay is after how many days the alarm opens a ticket for a change.
type Delay struct {
	Scenario Scenario
	Volume   float64
	// Ramp says over how many days the mean moves by Shift standard deviations,
	// 0 at once.
	Shift float64
	Ramp  int
	// Days holds the day of the ticket of each feature, in order; never is as
	// many days as were watched, plus one.
	Days []int
}

// watchedFor is how many days a change is watched.
const watchedFor = 60

// Wait simulates so many features that change after a quiet month, and returns
// when the first ticket against the training set is opened, under the budget of
// a model of 50 features.
func Wait(ctx context.Context, s Scenario, volume, shift float64, ramp, features int, seed uint64) (Delay, error) {
	d := Delay{Scenario: s, Volume: volume, Shift: shift, Ramp: ramp}
	for i := range features {
		if err := ctx.Err(); err != nil {
			return Delay{}, err
		}
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		l, err := newLife(s, r, s.volumes(r, volume, trained+month+watchedFor), 50)
		if err != nil {
			return Delay{}, err
		}
		for range month {
			l.step(0)
		}
		d.Days = append(d.Days, l.ticket(shift, ramp))
	}
	slices.SortFunc(d.Days, cmp.Compare[int])
	return d, nil
}

// ticket lives through a change and returns the day of its ticket.
func (l *life) ticket(shift float64, ramp int) int {
	for day := 1; day <= watchedFor; day++ {
		at := shift
		if day < ramp {
			at = shift * float64(day) / float64(ramp)
		}
		for _, s := range l.step(at) {
			if s.watch.start == Primed && s.watch.against == training && s.verdict.Status == alarm.Opened {
				return day
			}
		}
	}
	return watchedFor + 1
}

// Within returns the share of features with a ticket by that day.
func (d Delay) Within(day int) float64 {
	n, _ := slices.BinarySearch(d.Days, day+1)
	return float64(n) / float64(len(d.Days))
}

// Figures returns the goal for ramps and what stands beside it.
func (d Delay) Figures() []figure.Figure {
	name := fmt.Sprintf("%+g sd at once, %s, %g a day", d.Shift, d.Scenario.Name, d.Volume)
	if d.Ramp > 0 {
		name = fmt.Sprintf("%+g sd over %d days, %s, %g a day", d.Shift, d.Ramp, d.Scenario.Name, d.Volume)
	}
	median := beside(name+": ticket, median", float64(d.Days[len(d.Days)/2]), "day")
	if d.Ramp > 0 {
		return []figure.Figure{figure.AtLeast(name+": ticket within 45 days", 100*d.Within(45), "%", 95), median}
	}
	return []figure.Figure{beside(name+": ticket within 7 days", 100*d.Within(7), "%"), median}
}
