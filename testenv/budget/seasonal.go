package budget

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/alarm"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

const (
	// span is the length of a window of a seasonal series, aDay and aWeek how
	// many of them those have.
	span  = 3 * time.Hour
	aDay  = int(24 * time.Hour / span)
	aWeek = 7 * aDay
	// naiveWeeks is how far the naive reference reaches, sameWeeks how many weeks
	// that of the same hours does.
	naiveWeeks, sameWeeks = 8, 4
	// level of the tests of windows.
	nominal = 0.05
)

// Series is a feature in windows of three hours, in order from From.
type Series struct {
	Name    string
	From    time.Time
	Windows []drift.Histogram
	// deviation is that of the values of a window, of which an injected change
	// is a multiple; 0 if none is to be injected.
	deviation float64
}

// Seasonal simulates a series with a daily season of .8 standard deviations and
// 80 % of traffic, a weekend that differs by .3, and an autoregressive day level
// of .1.
func Seasonal(weeks int, volume float64, seed uint64) Series {
	r := rand.New(rand.NewPCG(seed, 3))
	s := Series{Name: "simulated season", From: time.Unix(0, 0).UTC(), deviation: 1}
	f := newFeature(Scenario{Season: 0.8, Traffic: 0.8, Week: 0.3, Level: 0.1, Carry: 0.7, Burst: 1}, r)
	for i := range weeks * aWeek {
		if i%aDay == 0 {
			f.next()
		}
		s.Windows = append(s.Windows, f.window(i, 0, volume))
	}
	return s
}

// window draws the i-th window of three hours.
func (f *feature) window(i int, shift, volume float64) drift.Histogram {
	wave := math.Sin(2 * math.Pi * (float64(i%aDay) + 0.5) / float64(aDay))
	mean := f.level + f.s.Season*wave + shift
	if i/aDay%7 >= 5 {
		mean += f.s.Week
	}
	return histogram(sample(f.r, poisson(f.r, volume*(1+f.s.Traffic*wave)), mean))
}

func histogram(sorted []int32) drift.Histogram { return drift.Histogram(counted(sorted)) }

// moved returns the histogram with every value moved by d.
func moved(h drift.Histogram, d float64) drift.Histogram {
	buckets := make([]int32, len(h.Buckets))
	for i, b := range h.Buckets {
		buckets[i] = grid.Bucket((grid.Lower(b)+grid.Lower(b+1))/2 + d)
	}
	// The slices have one length, which is the only error there is.
	m, _ := drift.NewHistogram(buckets, h.Counts)
	return m
}

// Alarms are the shares of a series' windows that alarm at nominal 5 %.
type Alarms struct {
	Series string
	// Windows is how many were judged.
	Windows int
	// Naive is Kolmogorov and Smirnov's p <= 5 % against the eight weeks before,
	// SameHour against the same hours of the four weeks before.
	Naive, SameHour float64
	// Auto is ours: the least effect, the overdispersion of past windows, and the
	// reference that auto chose.
	Auto float64
	// Injected is the share of windows that alarm with Auto once one standard
	// deviation is added; negative if none was.
	Injected float64
	// Chosen counts the windows by what auto chose.
	Chosen map[string]int
}

// kinds that auto chooses from, the simplest first.
const (
	sliding   = "sliding:7d"
	sameHours = "same-hours:4w"
)

// Judge judges every window that has eight weeks and the past windows of auto
// before it.
func (s Series) Judge() (Alarms, error) {
	a := Alarms{Series: s.Name, Injected: -1, Chosen: map[string]int{}}
	if s.deviation > 0 {
		a.Injected = 0
	}
	past := map[string]*history{sliding: {}, sameHours: {}}
	first := (naiveWeeks - 1) * aWeek
	for i := first; i < len(s.Windows); i++ {
		if s.Windows[i].Total() == 0 {
			continue
		}
		if i >= naiveWeeks*aWeek {
			if err := s.judge(i, past, &a); err != nil {
				return Alarms{}, fmt.Errorf("judge window %d of %s: %w", i, s.Name, err)
			}
		}
		for _, kind := range []string{sliding, sameHours} {
			r, err := ks(s.reference(kind, i), s.Windows[i], 1)
			if err != nil {
				return Alarms{}, fmt.Errorf("compare window %d of %s: %w", i, s.Name, err)
			}
			past[kind].add(s.end(i), r)
		}
	}
	if a.Windows == 0 {
		return Alarms{}, fmt.Errorf("judge %s: %d windows are too few to have eight weeks before one", s.Name, len(s.Windows))
	}
	for _, share := range []*float64{&a.Naive, &a.SameHour, &a.Auto, &a.Injected} {
		*share /= float64(a.Windows)
	}
	return a, nil
}

func (s Series) end(i int) time.Time { return s.From.Add(time.Duration(i+1) * span) }

// judge adds one window to the alarms.
func (s Series) judge(i int, past map[string]*history, a *Alarms) error {
	choice, err := alarm.Auto(s.end(i-1), []alarm.Candidate{{Kind: sliding, Past: past[sliding].ends}, {Kind: sameHours, Past: past[sameHours].ends}})
	if err != nil {
		return err
	}
	freedom := alarm.Freedom(measure.KS, bins)
	known, err := alarm.OwnDispersion(past[choice.Kind].results, freedom)
	if err != nil {
		return err
	}
	reference := s.reference(choice.Kind, i)
	whole, err := ks(s.sum(i-naiveWeeks*aWeek, i, 1), s.Windows[i], 1)
	if err != nil {
		return err
	}
	same, err := ks(s.reference(sameHours, i), s.Windows[i], 1)
	if err != nil {
		return err
	}
	// As a finding of the service is judged: plainly, then with what is known.
	plain, err := ks(reference, s.Windows[i], 1)
	if err != nil {
		return err
	}
	dispersion := known.At(plain, freedom)
	ours, err := ks(reference, s.Windows[i], dispersion)
	if err != nil {
		return err
	}
	a.Windows++
	a.Chosen[choice.Kind]++
	count(&a.Naive, whole.P <= nominal)
	count(&a.SameHour, same.P <= nominal)
	count(&a.Auto, ours.Alarm)
	if s.deviation > 0 {
		injected, err := ks(reference, moved(s.Windows[i], s.deviation), dispersion)
		if err != nil {
			return err
		}
		count(&a.Injected, injected.Alarm)
	}
	return nil
}

func count(n *float64, met bool) {
	if met {
		*n++
	}
}

// history is what past windows were from one kind of reference.
type history struct {
	ends    []alarm.Past
	results []measure.Result
}

// add keeps the windows of a week and a day.
func (h *history) add(end time.Time, r measure.Result) {
	h.ends = append(h.ends, alarm.Past{End: end, Distance: r.Debiased / r.MinEffect})
	h.results = append(h.results, r)
	if extra := len(h.ends) - aWeek - aDay; extra > 0 {
		h.ends, h.results = h.ends[extra:], h.results[extra:]
	}
}

// reference returns what a kind of reference is for the i-th window.
func (s Series) reference(kind string, i int) drift.Histogram {
	if kind == sliding {
		return s.sum(i-aWeek, i, 1)
	}
	return s.sum(i-sameWeeks*aWeek, i, aWeek)
}

// sum adds up the windows from, from+step, ... below to.
func (s Series) sum(from, to, step int) drift.Histogram {
	dense := map[int32]uint64{}
	for i := from; i < to; i += step {
		for j, b := range s.Windows[i].Buckets {
			dense[b] += s.Windows[i].Counts[j]
		}
	}
	var h drift.Histogram
	for b, n := range dense {
		h.Buckets, h.Counts = append(h.Buckets, b), append(h.Counts, n)
	}
	// The slices have one length, which is the only error there is.
	h, _ = drift.NewHistogram(h.Buckets, h.Counts)
	return h
}

// ks compares two histograms at nominal 5 % with the default least effect.
func ks(reference, current drift.Histogram, dispersion float64) (measure.Result, error) {
	o := measure.DefaultOptions()
	o.Alpha, o.Overdispersion = nominal, dispersion
	results, err := measure.Numbers{Reference: measure.Histogram(reference), Current: measure.Histogram(current)}.Compare(o, measure.KS)
	if err != nil {
		return measure.Result{}, err
	}
	return results[0], nil
}
