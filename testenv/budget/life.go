package budget

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/drift/alarm"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

const (
	// month is how many days a simulated month has.
	month = 30
	// bins is the number of cells of equal mass, trained the number of days of
	// the training set, week the days of the moving reference.
	bins, trained, week = 20, 28, 7
	// fine is the number of cells of equal width in which the training set is
	// drawn before it is cut.
	fine = 120
)

// against names a reference.
type against string

const (
	training against = "training"
	trailing against = "last 7 days"
)

func references() []against { return []against{training, trailing} }

func watched() []measure.ID { return []measure.ID{measure.PSI, measure.Hellinger} }

// watch is one stream of a feature.
type watch struct {
	against  against
	measure  measure.ID
	start    Start
	detector *alarm.Detector
}

// lived is a day's events in cells, and how many times their variance from three
// hours to three hours is that of independent events: 0 if they came in fewer
// than three parts of the day, so that nobody can tell.
type lived struct {
	cells      []uint64
	dispersion float64
}

func newLived(byHour [][]uint64) lived {
	l := lived{cells: make([]uint64, len(byHour[0])), dispersion: dispersion(byHour)}
	for _, hour := range byHour {
		for i, n := range hour {
			l.cells[i] += n
		}
	}
	return l
}

// seen is what one watch said of one day.
type seen struct {
	watch   *watch
	verdict alarm.Verdict
}

// life is a feature from its training set on, with its watches.
type life struct {
	f         *feature
	volumes   []float64
	cuts      []float64
	reference []uint64
	days      []lived // the training set's first
	watches   []*watch
}

// newLife draws the training set, cuts cells on it, and primes the watches that
// know a past.
func newLife(s Scenario, r *rand.Rand, volumes []float64, features int) (*life, error) {
	l := &life{f: newFeature(s, r), volumes: volumes}
	edges := make([]float64, fine-1)
	for i := range edges {
		edges[i] = -6 + 12*float64(i+1)/fine
	}
	days, sum := make([][][]uint64, trained), make([]uint64, fine)
	for d := range days {
		l.f.next()
		days[d] = l.f.draw(d, 0, volumes[d], edges)
		for _, hour := range days[d] {
			for i, n := range hour {
				sum[i] += n
			}
		}
	}
	of := l.cut(edges, sum)
	for _, d := range days {
		byHour := make([][]uint64, len(d))
		for h, hour := range d {
			byHour[h] = make([]uint64, len(l.reference))
			for i, n := range hour {
				byHour[h][of[i]] += n
			}
		}
		l.days = append(l.days, newLived(byHour))
	}
	return l, l.watch(features)
}

// cut makes cells of equal mass of the training set, as analyze/drift does, and
// returns the cell of each fine one.
func (l *life) cut(edges []float64, counts []uint64) []int {
	var total, below uint64
	for _, c := range counts {
		total += c
	}
	of := make([]int, len(counts))
	l.reference = []uint64{0}
	for i, c := range counts {
		last := len(l.reference) - 1
		of[i] = last
		l.reference[last] += c
		below += c
		if i < len(edges) && below*bins >= uint64(last+1)*total && below < total {
			l.cuts, l.reference = append(l.cuts, edges[i]), append(l.reference, 0)
		}
	}
	return of
}

// watch sets up every stream with either start.
func (l *life) watch(features int) error {
	cfg := alarm.DefaultConfig()
	cfg.Streams = Config{Features: features}.Streams()
	for _, start := range Starts() {
		for _, a := range references() {
			for _, id := range watched() {
				d, err := alarm.New(cfg)
				if err != nil {
					return err
				}
				l.watches = append(l.watches, &watch{against: a, measure: id, start: start, detector: d})
			}
		}
	}
	for _, w := range l.watches {
		for d := range l.days {
			if b, ok := l.block(w, d); ok && w.start == Primed {
				w.detector.Prime(b)
			}
		}
	}
	return nil
}

// step lives through one more day, the mean being moved by shift.
func (l *life) step(shift float64) []seen {
	d := len(l.days)
	l.f.next()
	l.days = append(l.days, newLived(l.f.draw(d, shift, l.volumes[d], l.cuts)))
	all := make([]seen, 0, len(l.watches))
	for _, w := range l.watches {
		b, ok := l.block(w, d)
		switch {
		case !ok:
		case w.start == Learnt && d < trained+week:
			w.detector.Prime(b)
		default:
			all = append(all, seen{watch: w, verdict: w.detector.Step(b)})
		}
	}
	return all
}

// against returns the reference of a day, nil if there is none yet, and of how
// many blocks with this one it consists.
func (l *life) against(a against, d int) (reference []uint64, within int) {
	if a == training {
		return l.reference, trained
	}
	if d < week {
		return nil, 0
	}
	reference = make([]uint64, len(l.reference))
	for _, past := range l.days[d-week : d] {
		for i, n := range past.cells {
			reference[i] += n
		}
	}
	return reference, 0
}

// block compares a day with the watch's reference, false if there is none yet.
func (l *life) block(w *watch, d int) (alarm.Block, bool) {
	reference, within := l.against(w.against, d)
	if reference == nil {
		return alarm.Block{}, false
	}
	dispersion := l.days[d].dispersion
	if w.start == Learnt {
		dispersion = 1
	}
	if dispersion == 0 {
		return alarm.Block{}, false
	}
	var events uint64
	for _, n := range l.days[d].cells {
		events += n
	}
	return alarm.Block{
		End: time.Unix(0, 0).Add(time.Duration(d+1) * day), Events: uint64(float64(events) / dispersion),
		Freedom: alarm.Freedom(w.measure, len(reference)),
		Result:  compare(w.measure, reference, l.days[d].cells, dispersion),
		Within:  within,
	}, true
}

// compare is what measure.Cells.Compare says of PSI and Hellinger at counts that
// are large, without p-value and interval: the detector does not need them, and
// they cost a thousand times as much.
func compare(id measure.ID, reference, current []uint64, dispersion float64) measure.Result {
	definition, _ := measure.Lookup(id)
	r := measure.Result{Measure: id, MinEffect: definition.MinEffect, Method: measure.Asymptotic}
	var n, m, filledN, filledM float64
	for i := range reference {
		n, m = n+float64(reference[i]), m+float64(current[i])
		filledN, filledM = filledN+filled(reference[i]), filledM+filled(current[i])
	}
	freedom, noise := float64(len(reference)-1), dispersion*(1/n+1/m)
	if m == 0 {
		r.Method = measure.None
		return r
	}
	if id == measure.PSI {
		for i := range reference {
			p, q := filled(reference[i])/filledN, filled(current[i])/filledM
			r.Value += (q - p) * math.Log(q/p)
		}
		r.NullMean = freedom * noise
	} else {
		for i := range reference {
			d := math.Sqrt(float64(reference[i])/n) - math.Sqrt(float64(current[i])/m)
			r.Value += d * d / 2
		}
		a, _ := math.Lgamma((freedom + 1) / 2)
		b, _ := math.Lgamma(freedom / 2)
		r.Value, r.NullMean = math.Sqrt(r.Value), math.Sqrt(noise/4)*math.Exp(a-b)
	}
	r.Debiased = r.Value - r.NullMean
	return r
}

func filled(n uint64) float64 { return max(float64(n), 0.5) }

// naive counts the alarms of the latest day if it were judged on its own, its
// events taken as independent: p of at most 1 % by the normal approximation of
// chi-square after Wilson and Hilferty 1931, and the least effect.
func (l *life) naive() int {
	alarms := 0
	for _, w := range l.watches {
		if w.start != Cold {
			continue
		}
		reference, _ := l.against(w.against, len(l.days)-1)
		r := compare(w.measure, reference, l.days[len(l.days)-1].cells, 1)
		k, ratio := float64(len(reference)-1), r.Value/r.NullMean
		if w.measure == measure.Hellinger {
			// The square's mean is 1 + 1/(2k) times the mean's square, nearly.
			ratio *= ratio / (1 + 1/(2*k))
		}
		z := (math.Cbrt(ratio) - (1 - 2/(9*k))) / math.Sqrt(2/(9*k))
		if z >= 2.326 && r.Debiased >= r.MinEffect {
			alarms++
		}
	}
	return alarms
}
