package measure

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/plumbline-slo/plumbline/storage/grid"
)

// histogram counts values on the grid.
func histogram(values []float64) Histogram {
	var h Histogram
	sorted := slices.Sorted(slices.Values(values))
	for _, v := range sorted {
		b := grid.Bucket(v)
		if n := len(h.Buckets); n > 0 && h.Buckets[n-1] == b {
			h.Counts[n-1]++
			continue
		}
		h.Buckets, h.Counts = append(h.Buckets, b), append(h.Counts, 1)
	}
	return h
}

func cells(t *testing.T, p, q []uint64, ids ...ID) []Result {
	t.Helper()
	r, err := Cells{p, q}.Compare(DefaultOptions(), ids...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func numbers(t *testing.T, x, y []float64, ids ...ID) []Result {
	t.Helper()
	r, err := Numbers{histogram(x), histogram(y)}.Compare(DefaultOptions(), ids...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// scipy 1.17.1 and numpy, with p, q the counts below and P, Q their shares:
// entropy(Q,P)+entropy(P,Q), entropy(Q,P), jensenshannon(P,Q,base=2),
// sqrt(1-sum(sqrt(P*Q))), abs(P-Q).sum()/2, abs(P-Q).max(), and
// chi2_contingency([p,q], correction=False).
func TestCellsAgainstScipy(t *testing.T) {
	p, q := []uint64{120, 340, 60, 15, 465}, []uint64{210, 250, 90, 40, 410}
	want := map[ID]float64{
		PSI: 0.12164714198393776, KL: 0.06476226956516122, JS: 0.1470249457575582,
		Hellinger: 0.12285307480936931, TVD: 0.145, LInfinity: 0.09, ChiSquare: 59.0950473255558 / 500,
	}
	for _, r := range cells(t, p, q) {
		near(t, string(r.Measure), r.Value, want[r.Measure], 1e-12)
		if r.Measure == ChiSquare {
			near(t, "X^2", r.Statistic, 59.0950473255558, 1e-12)
			near(t, "p", r.P, 4.4941703402906015e-12, 1e-9)
		}
	}
}

// The values are integers up to 255, so the grid holds them apart. The
// permutation of the first test has no ties. scipy 1.17.1: ks_2samp(x, y,
// method='exact'), cramervonmises_2samp(x, y, method='asymptotic'),
// wasserstein_distance(x, y), and the last over x.std().
func TestNumbersAgainstScipy(t *testing.T) {
	at := func(i int) float64 { return float64(i*37%509 - 255) }
	var x, y []float64
	for i := range 330 {
		if i < 200 {
			x = append(x, at(i))
		} else {
			y = append(y, at(i))
		}
	}
	for _, r := range numbers(t, x, y) {
		switch r.Measure {
		case KS:
			near(t, "KS", r.Value, 0.05, 1e-12)
			near(t, "p of KS", r.P, 0.982138875977618, 0.01)
		case CramerVonMises:
			near(t, "T", r.Statistic, 0.035711732711732225, 1e-12)
			near(t, "p of T", r.P, 0.9571047518966722, 1e-9)
		case Wasserstein:
			// Buckets stand for their middle, 2^-9 beyond the integer.
			if math.Abs(r.Value-10.126153846153846) > r.Bound || r.Bound > 0.6 {
				t.Errorf("W1 = %g +- %g, scipy 10.126", r.Value, r.Bound)
			}
		case WassersteinScale:
			if math.Abs(r.Value-0.06876801599735677) > r.Bound {
				t.Errorf("W1/sd = %g +- %g, scipy 0.06877", r.Value, r.Bound)
			}
		}
	}
	x, y = nil, nil
	for i := range 300 {
		x = append(x, float64(i*i*7%509-255))
		if i < 170 {
			y = append(y, float64((i*i*11+3*i)%457-200))
		}
	}
	r := numbers(t, x, y, KS, Wasserstein)
	near(t, "KS with ties", r[0].Value, 0.11333333333333333, 1e-12)
	if math.Abs(r[1].Value-20.70274509803922) > r[1].Bound {
		t.Errorf("W1 with ties = %g +- %g", r[1].Value, r[1].Bound)
	}
}

func TestProperties(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		k := 2 + r.IntN(12)
		p, q := make([]uint64, k), make([]uint64, k)
		for i := range k {
			p[i], q[i] = uint64(r.IntN(40)), uint64(r.IntN(400))
		}
		p[0], q[1] = p[0]+1, q[1]+1
		there, back := cells(t, p, q), cells(t, q, p)
		for i, a := range there {
			d, _ := Lookup(a.Measure)
			if a.Value < 0 || a.Value > d.Max || !(a.P >= 0 && a.P <= 1) || a.NullMean <= 0 {
				t.Fatalf("%s of %v, %v: %+v", a.Measure, p, q, a)
			}
			if a.Low > a.High || a.Low < 0 || a.High > d.Max {
				t.Fatalf("%s: interval [%g, %g]", a.Measure, a.Low, a.High)
			}
			if a.Measure != KL {
				near(t, string(a.Measure)+" turned round", back[i].Value, a.Value, 1e-12)
			}
		}
		// The same shares in both are no distance.
		triple := make([]uint64, k)
		for i := range p {
			triple[i] = 3 * p[i]
		}
		for _, a := range cells(t, p, triple) {
			filled := (a.Measure == PSI || a.Measure == KL) && slices.Contains(p, 0)
			if a.Value > 1e-7 && !filled {
				t.Fatalf("%s of equal shares is %g", a.Measure, a.Value)
			}
			if a.Alarm || a.Low != 0 {
				t.Fatalf("%s of equal shares: %+v", a.Measure, a)
			}
		}
	}
}

// Counts that were added up from parts, in whatever order of cells and with
// empty cells between, say the same.
func TestMergedCountsSayTheSame(t *testing.T) {
	a := cells(t, []uint64{50, 300, 20, 0, 130}, []uint64{70, 260, 40, 0, 130})
	b := cells(t, []uint64{50, 300, 0, 20, 130, 0, 0}, []uint64{70, 260, 0, 40, 130, 0, 0})
	for i := range a {
		if a[i].Value != b[i].Value || a[i].P != b[i].P || a[i].Low != b[i].Low {
			t.Errorf("%s: %+v and %+v", a[i].Measure, a[i], b[i])
		}
	}
	var x, y []float64
	for i := range 500 {
		x, y = append(x, float64(i%91)), append(y, float64(i%89)*1.02)
	}
	whole := Numbers{histogram(x), histogram(y)}
	padded := Numbers{histogram(x), histogram(y)}
	padded.Current.Buckets = append(padded.Current.Buckets, math.MaxInt32/4)
	padded.Current.Counts = append(padded.Current.Counts, 0)
	first, _ := whole.Compare(DefaultOptions())
	second, _ := padded.Compare(DefaultOptions())
	for i := range first {
		if a, b := fmt.Sprint(first[i]), fmt.Sprint(second[i]); a != b {
			t.Errorf("an empty bucket changes %+v to %+v", first[i], second[i])
		}
	}
}

func TestUndefined(t *testing.T) {
	for _, r := range cells(t, []uint64{0, 0}, []uint64{5, 5}) {
		if r.Method != None || !math.IsNaN(r.Value) || r.Alarm {
			t.Errorf("empty reference: %+v", r)
		}
	}
	for _, r := range cells(t, []uint64{0, 4}, []uint64{0, 5}) {
		if r.Value != 0 || r.P != 1 || r.Alarm {
			t.Errorf("one cell: %+v", r)
		}
	}
	constant := numbers(t, []float64{2, 2, 2}, []float64{3, 3}, WassersteinScale, Wasserstein)
	if constant[0].Method != None {
		t.Errorf("a constant reference has no standard deviation: %+v", constant[0])
	}
	near(t, "W1 of two constants", constant[1].Value, 1, 0.02)
	if constant[1].Alarm {
		t.Error("Wasserstein in raw units alarms without a configured effect")
	}
	bad := []error{}
	for _, run := range []func() ([]Result, error){
		func() ([]Result, error) { return Cells{[]uint64{1}, nil}.Compare(DefaultOptions()) },
		func() ([]Result, error) { return Cells{}.Compare(Options{}) },
		func() ([]Result, error) { return Cells{}.Compare(DefaultOptions(), KS) },
		func() ([]Result, error) { return Numbers{}.Compare(DefaultOptions(), PSI) },
		func() ([]Result, error) {
			return Numbers{Reference: Histogram{[]int32{2, 1}, []uint64{1, 1}}}.Compare(DefaultOptions())
		},
		func() ([]Result, error) {
			o := DefaultOptions()
			o.MinEffect = map[ID]float64{"ksi": 1}
			return Cells{}.Compare(o)
		},
	} {
		if _, err := run(); err == nil {
			bad = append(bad, err)
		}
	}
	if len(bad) > 0 {
		t.Errorf("%d bad calls were accepted", len(bad))
	}
}

// A shift of .08 sd at 100,000 must be found with the defaults, and so must one
// of 1 sd at 200.
func TestPower(t *testing.T) {
	r := rand.New(rand.NewPCG(0, 8))
	var x, y []float64
	for range 100_000 {
		x, y = append(x, r.NormFloat64()), append(y, r.NormFloat64()+0.08)
	}
	w := numbers(t, x, y, WassersteinScale)[0]
	if !w.Alarm || w.Low > 0.08 || w.High < 0.08 {
		t.Errorf(".08 sd at 100k: %+v", w)
	}
	found := 0
	for range 200 {
		x, y = x[:0], y[:0]
		for range 200 {
			x, y = append(x, r.NormFloat64()), append(y, r.NormFloat64()+1)
		}
		if numbers(t, x, y, KS)[0].Alarm {
			found++
		}
	}
	if found < 190 {
		t.Errorf("+1 sd at n = 200 is found in %d of 200", found)
	}
}

func TestOverdispersionWidens(t *testing.T) {
	p, q := []uint64{500, 300, 200}, []uint64{450, 300, 250}
	o := DefaultOptions()
	o.Overdispersion = 4
	wide, err := Cells{p, q}.Compare(o)
	if err != nil {
		t.Fatal(err)
	}
	for i, narrow := range cells(t, p, q) {
		if wide[i].P <= narrow.P || wide[i].Low > narrow.Low || wide[i].High < narrow.High || wide[i].NullMean <= narrow.NullMean {
			t.Errorf("%s: %+v is not wider than %+v", narrow.Measure, wide[i], narrow)
		}
	}
	if wide[0].Assumption == cells(t, p, q)[0].Assumption {
		t.Error("the assumption is not named")
	}
}

// draw returns counts of n events with the shares.
func draw(r *rand.Rand, shares []float64, n int) []uint64 {
	counts := make([]uint64, len(shares))
	for range n {
		u, i := r.Float64(), 0
		for u -= shares[0]; u > 0 && i+1 < len(shares); u -= shares[i] {
			i++
		}
		counts[i]++
	}
	return counts
}

// A short calibration: at nominal 5 % and 1 % at most 6 % and 1.5 % of nulls are
// rejected, within the error of so many nulls. make calibration is the long one.
func TestCalibration(t *testing.T) {
	const nulls = 2000
	for _, tt := range []struct {
		n, m int
		k    int
		tilt float64
	}{{100, 100, 2, 1}, {100, 100, 20, 0.8}, {100, 1000, 5, 0.5}, {400, 400, 5, 1}} {
		t.Run(fmt.Sprintf("n=%d,m=%d,k=%d", tt.n, tt.m, tt.k), func(t *testing.T) {
			t.Parallel()
			five, one := rates(t, nulls, tt.n, tt.m, shape(tt.k, tt.tilt))
			// Two standard errors of so few nulls beyond what is allowed.
			for id := range five {
				if rate := five[id]; rate > 0.06+2*math.Sqrt(0.06/nulls) {
					t.Errorf("%s: %.2f %% of nulls at nominal 5 %%", id, 100*rate)
				}
				if rate := one[id]; rate > 0.015+2*math.Sqrt(0.015/nulls) {
					t.Errorf("%s: %.2f %% of nulls at nominal 1 %%", id, 100*rate)
				}
			}
		})
	}
}

// shape returns k shares, each tilt times the one before.
func shape(k int, tilt float64) []float64 {
	shares, sum := make([]float64, k), 0.0
	for i := range shares {
		shares[i] = math.Pow(tilt, float64(i))
		sum += shares[i]
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}

// rates returns the shares of nulls with a p-value of at most 5 % and 1 %.
func rates(t *testing.T, nulls, n, m int, shares []float64) (five, one map[ID]float64) {
	r := rand.New(rand.NewPCG(uint64(n), uint64(len(shares))))
	five, one = map[ID]float64{}, map[ID]float64{}
	for range nulls {
		p, q := draw(r, shares, n), draw(r, shares, m)
		more, err := Numbers{ordered(p), ordered(q)}.Compare(DefaultOptions(), KS, CramerVonMises, Wasserstein)
		if err != nil {
			t.Fatal(err)
		}
		for _, res := range append(cells(t, p, q), more...) {
			if res.P <= 0.05 {
				five[res.Measure] += 1 / float64(nulls)
			}
			if res.P <= 0.01 {
				one[res.Measure] += 1 / float64(nulls)
			}
		}
	}
	return five, one
}

// The interval must hold the distance of the true shares, computed from so many
// events that they have no noise, in 95 % of samples, near the null and far from it; two
// standard errors of so few samples are allowed.
func TestIntervalsCover(t *testing.T) {
	const samples = 200
	p := shape(8, 0.8)
	for _, far := range []float64{0, 0.3, 2} {
		q, sum := make([]float64, len(p)), 0.0
		for i := range q {
			q[i] = p[i] * math.Exp(far*math.Sin(float64(i)))
			sum += q[i]
		}
		big, large := make([]uint64, len(p)), make([]uint64, len(p))
		for i := range q {
			q[i] /= sum
			big[i], large[i] = uint64(1e9*p[i]), uint64(1e9*q[i])
		}
		truth := map[ID]float64{}
		all := func(a, b []uint64) []Result {
			more, err := Numbers{ordered(a), ordered(b)}.Compare(DefaultOptions(), KS, Wasserstein)
			if err != nil {
				t.Fatal(err)
			}
			return append(cells(t, a, b), more...)
		}
		for _, r := range all(big, large) {
			truth[r.Measure] = r.Value
		}
		held := map[ID]int{}
		r := rand.New(rand.NewPCG(1, uint64(100*far)))
		for range samples {
			for _, res := range all(draw(r, p, 2000), draw(r, q, 700)) {
				if res.Low <= truth[res.Measure]+1e-9 && truth[res.Measure]-1e-4 <= res.High {
					held[res.Measure]++
				}
			}
		}
		for id := range truth {
			if held[id] < samples*92/100 {
				t.Errorf("at %g, where %s is %.4g, %d of %d intervals hold it", far, id, truth[id], held[id], samples)
			}
		}
	}
}

// ordered is the histogram of the cells taken as the numbers 1, 2, 3...
func ordered(counts []uint64) Histogram {
	h := Histogram{Counts: counts}
	for i := range counts {
		h.Buckets = append(h.Buckets, grid.Bucket(float64(i+1)))
	}
	return h
}
