package alarm

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// fate is how the days of a stream go: a level that is off the reference every
// day alike, one that strays from day to day with an autocorrelation of .7, and
// bursts of equal events.
type fate struct {
	offset, stray float64
	burst         int
	// widened is the overdispersion that the days are judged with; 0 is none.
	widened float64
}

// past returns the distances of days of m events from one large reference.
func (l fate) past(t *testing.T, r *rand.Rand, days, m int, id measure.ID) []measure.Result {
	t.Helper()
	reference := make([]uint64, 8)
	for range 50 {
		for i, n := range draw(r, 2000, 1, 0) {
			reference[i] += n
		}
	}
	buckets := []int32{1, 2, 3, 4, 5, 6, 7, 8}
	o := measure.DefaultOptions()
	o.Overdispersion = max(1, l.widened)
	level := 0.0
	var all []measure.Result
	for range days {
		level = .7*level + math.Sqrt(1-.49)*r.NormFloat64()
		current := draw(r, m, l.burst, l.offset+l.stray*level)
		var results []measure.Result
		var err error
		if id == measure.KS {
			results, err = measure.Numbers{Reference: measure.Histogram{Buckets: buckets, Counts: reference}, Current: measure.Histogram{Buckets: buckets, Counts: current}}.Compare(o, id)
		} else {
			results, err = measure.Cells{Reference: reference, Current: current}.Compare(o, id)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, results...)
	}
	return all
}

// A level that is off alike every day is no dispersion, bursts and levels that
// stray are, with an offset and without.
func TestOwnDispersion(t *testing.T) {
	const runs, days = 12, 60
	for _, test := range []struct {
		name string
		fate fate
		// low and high bound ten of twelve runs.
		low, high float64
	}{
		{"independent", fate{burst: 1}, 1, 1.4},
		{"offset", fate{offset: .5, burst: 1}, 1, 6},
		{"bursts", fate{burst: 20}, 15, 26},
		{"weights that are known", fate{burst: 10, widened: 10}, 1, 1.4},
		{"bursts and an offset", fate{offset: .5, burst: 20}, 15, 120},
	} {
		for _, id := range []measure.ID{measure.PSI, measure.KS} {
			r := rand.New(rand.NewPCG(5, 6))
			within := 0
			for range runs {
				freedom := Freedom(id, 8)
				own, err := OwnDispersion(test.fate.past(t, r, days, 2000, id), freedom)
				if err != nil {
					t.Fatal(err)
				}
				if own.Factor >= test.low && own.Factor <= test.high {
					within++
				}
			}
			if within < runs-2 {
				t.Errorf("%s by %s: %d of %d factors are within %v to %v", test.name, id, within, runs, test.low, test.high)
			}
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	past := fate{offset: .5, burst: 1}.past(t, r, days, 2000, measure.PSI)
	if _, err := OwnDispersion(past[:2], 7); err == nil {
		t.Error("two distances")
	}
	if _, err := OwnDispersion(append(past, fate{burst: 1}.past(t, r, 3, 2000, measure.KS)...), 7); err == nil {
		t.Error("two measures at once")
	}
}

// A level that strays is told from noise: by KS 6 to 10 % of its windows are
// beyond 5 % (four seeds, 960 windows each), and of those of twice the size too,
// though they vary more: what 60 days tell of a level is itself uncertain. PSI
// spreads one direction over all there are, so its tail is heavier than that.
func TestOwnDispersionOfLevels(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const runs = 480
	for _, id := range []measure.ID{measure.PSI, measure.KS} {
		for _, m := range []int{2000, 4000} {
			stray := fate{stray: .1, burst: 1}
			plain, own := 0, 0
			for range runs / 40 {
				freedom := Freedom(id, 8)
				learnt, err := OwnDispersion(stray.past(t, r, 60, 2000, id), freedom)
				if err != nil {
					t.Fatal(err)
				}
				for _, window := range stray.past(t, r, 40, m, id) {
					if window.P <= .05 {
						plain++
					}
					// Noise that is as many times as wide: the tail of a chi-square
					// of the null's mean.
					noise := nullEnergy(window, freedom) * learnt.At(window, freedom)
					if squared(id, window.Value) > noise*chiSquareQuantile(.95, freedom)/freedom {
						own++
					}
				}
			}
			if most := map[measure.ID]int{measure.KS: 11, measure.PSI: 17}[id]; own > runs*most/100 || plain < runs*2*most/100 {
				t.Errorf("%s of %d events: %d of %d windows are beyond 5 %%, %d without", id, m, own, runs, plain)
			}
		}
	}
}

func TestOwnDispersionAt(t *testing.T) {
	own := Own{Factor: 5, Noise: .01}
	for mean, want := range map[float64]float64{.01: 5, .02: 5, .005: 9, 0: 5} {
		if got := own.At(measure.Result{Measure: measure.PSI, NullMean: mean}, 7); math.Abs(got-want) > 1e-12 {
			t.Errorf("a window with noise of %v: %v times, want %v", mean, got, want)
		}
	}
}

// draw returns n events in bursts over cells whose shares tilt by level.
func draw(r *rand.Rand, n, burst int, level float64) []uint64 {
	cells := make([]uint64, 8)
	for range n / burst {
		i := int(8 * (1 / (1 + math.Exp(-(r.NormFloat64()*1.6 + level)))))
		cells[min(i, 7)] += uint64(burst)
	}
	return cells
}
