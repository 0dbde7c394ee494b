package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/plumbline-slo/plumbline/storage/grid"
)

func histogramOf(values ...float64) Histogram {
	buckets, counts := make([]int32, len(values)), make([]uint64, len(values))
	for i, v := range values {
		buckets[i], counts[i] = grid.Bucket(v), 1
	}
	h, err := NewHistogram(buckets, counts)
	if err != nil {
		panic(err)
	}
	return h
}

// The values are numpy's, from
//
//	def psi(p, q):
//	    p, q = np.array(p, float), np.array(q, float); k = ~((p == 0) & (q == 0)); p, q = p[k], q[k]
//	    p, q = np.where(p == 0, .5, p), np.where(q == 0, .5, q); p /= p.sum(); q /= q.sum()
//	    return ((q - p) * np.log(q / p)).sum()
//
// and (len(p) - 1) * (1/sum(p) + 1/sum(q)) of the counts before filling.
func TestDistanceEqualsNumpy(t *testing.T) {
	for _, test := range []struct {
		p, q     []uint64
		psi      float64
		nullMean float64
		cells    int
	}{
		{[]uint64{100, 200, 300}, []uint64{300, 200, 100}, 0.7324081924454066, 0.006666666666666667, 3},
		{[]uint64{10, 20, 30, 40}, []uint64{1, 2, 3, 4}, 0, 0.33, 4},
		{[]uint64{50, 50, 0}, []uint64{40, 40, 20}, 0.7629418000635987, 0.04, 3},
		{[]uint64{1000, 0, 3, 0}, []uint64{10, 0, 0, 7}, 2.966053894631569, 0.1196410767696909, 3},
		{[]uint64{5, 0}, []uint64{0, 5}, 3.767866515808438, 0.4, 2},
	} {
		d := distance(test.p, test.q)
		if math.Abs(d.PSI-test.psi) > 1e-12 || math.Abs(d.NullMean-test.nullMean) > 1e-12 || d.Cells != test.cells {
			t.Errorf("%v against %v: %+v, numpy says %v, null mean %v, %d cells", test.q, test.p, d, test.psi, test.nullMean, test.cells)
		}
	}
}

func TestDistanceOfNothingIsNotZero(t *testing.T) {
	for _, d := range []Distance{distance(nil, nil), distance([]uint64{3}, []uint64{0}), distance([]uint64{0}, []uint64{3})} {
		if !math.IsNaN(d.PSI) || d.Enough(DefaultOptions()) {
			t.Errorf("%+v says something", d)
		}
	}
}

// Yurdakul 2018: under the null PSI / (1/n + 1/m) is chi-square with B - 1
// degrees of freedom. With 10 cells, n = 10,000 and m = 1,000 a simulation of
// 20,000 draws in numpy has the mean .00994; theory .0099.
func TestNullMeanIsTheMeanOfTheNull(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) []uint64 {
		counts := make([]uint64, 10)
		for range n {
			counts[random.IntN(10)]++
		}
		return counts
	}
	const draws = 600
	var sum float64
	var d Distance
	breaches := 0
	for range draws {
		d = distance(draw(10_000), draw(1_000))
		sum += d.PSI
		if d.Beyond(d.PSI, Options{MinEffect: 0, MaxNoise: 1}) {
			breaches++
		}
	}
	// Standard error of the mean: .0099 sqrt(2/9) / sqrt(600) = .00019.
	if mean := sum / draws; math.Abs(mean-.0099) > .0008 || math.Abs(d.NullMean-.0099) > 1e-12 {
		t.Errorf("mean of the null %v, NullMean %v, want .0099", mean, d.NullMean)
	}
	if breaches > 12 {
		t.Errorf("%d of %d equal samples lie beyond the noise", breaches, draws)
	}
}

// The bins against a brute force over the raw values.
func TestEqualMassAgainstRawValues(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for round := range 50 {
		values := make([]float64, 1+random.IntN(3000))
		for i := range values {
			switch round % 3 {
			case 0:
				values[i] = random.NormFloat64()
			case 1:
				values[i] = float64(random.IntN(7))
			default:
				values[i] = math.Exp(3 * random.NormFloat64())
			}
		}
		h := histogramOf(values...)
		bins := equalMass(h)
		if len(bins) == 0 || len(bins) > maxBins {
			t.Fatalf("%d bins", len(bins))
		}
		sort.Float64s(values)
		if bins[0].from != grid.Bucket(values[0]) || bins[len(bins)-1].to != grid.Bucket(values[len(values)-1]) {
			t.Fatal("the bins do not cover the values")
		}
		for i, b := range bins {
			if i > 0 && b.from != bins[i-1].to+1 || b.to < b.from {
				t.Fatalf("bins %+v do not tile", bins)
			}
			mass := 0
			for _, v := range values {
				if k := grid.Bucket(v); k >= b.from && k <= b.to {
					mass++
				}
			}
			heaviest := uint64(0)
			for j, k := range h.Buckets {
				if k >= b.from && k <= b.to {
					heaviest = max(heaviest, h.Counts[j])
				}
			}
			// A bin is full at 1/20, but for the bucket that fills it.
			if mass == 0 || float64(mass) > float64(len(values))/maxBins+float64(heaviest) {
				t.Errorf("bin %d of %d holds %d of %d values", i, len(bins), mass, len(values))
			}
		}
	}
}

// Every value lands in one cell, whatever the reference was.
func TestCellsLoseNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	sample := func() Sample {
		values := make([]float64, random.IntN(200))
		for i := range values {
			values[i] = 100 * random.NormFloat64()
		}
		s := Sample{Numbers: histogramOf(values...), Values: map[string]uint64{}, Nulls: random.Uint64N(3), NaNs: random.Uint64N(2), Infs: random.Uint64N(2), Absent: random.Uint64N(5)}
		for range random.IntN(50) {
			s.Values[fmt.Sprint(random.IntN(40))]++
		}
		if random.IntN(2) == 0 {
			s.Other = random.Uint64N(10)
		}
		return s
	}
	for range 300 {
		reference, current := sample(), sample()
		c := newCells(reference)
		for _, s := range []Sample{reference, current} {
			for _, counts := range [][]uint64{c.count(s), c.countReference(s)} {
				var sum uint64
				for _, n := range counts {
					sum += n
				}
				if sum != s.Total() {
					t.Fatalf("%d of %d values have a cell", sum, s.Total())
				}
			}
		}
		if own := c.count(reference); own[c.special(cellBelow)]+own[c.special(cellAbove)]+own[c.special(cellUnseen)] != 0 {
			t.Fatal("the reference lies outside its own cells")
		}
		// Of many categories it is not asked what came once more, but what else there is.
		if d := Compare(reference, reference); len(c.once) == 0 && reference.Total() > 0 && d.PSI != 0 {
			t.Fatalf("distance of a sample from itself: %v", d.PSI)
		}
	}
}

func TestMergeIsTheHistogramOfBoth(t *testing.T) {
	a, b := []float64{1, 2, 2, -7, 0}, []float64{2, 3, -7, 1e9}
	got, want := histogramOf(a...).Merge(histogramOf(b...)), histogramOf(slices.Concat(a, b)...)
	if !slices.Equal(got.Buckets, want.Buckets) || !slices.Equal(got.Counts, want.Counts) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if _, err := NewHistogram([]int32{1}, nil); err == nil {
		t.Error("a histogram without counts is accepted")
	}
}

func TestQuantileIsWithinItsBound(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 9))
	values := make([]float64, 999)
	for i := range values {
		values[i] = 5000 * random.NormFloat64()
	}
	h := histogramOf(values...)
	sort.Float64s(values)
	for _, q := range []float64{0, .01, .25, .5, .9, 1} {
		want := values[max(int(math.Ceil(q*999)), 1)-1]
		if got := h.Quantile(q); math.Abs(got-want) > .004*math.Abs(want) {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := histogramOf(3, 100, 569).Quantile(.5); got != 100 {
		t.Errorf("an exact integer is %v, want 100", got)
	}
	if !math.IsNaN(Histogram{}.Quantile(.5)) {
		t.Error("the median of nothing is a number")
	}
}

func repeat(v float64, n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = v
	}
	return values
}

func TestWords(t *testing.T) {
	miles := append(repeat(569, 500), repeat(100, 400)...)
	metres := append(repeat(915_717, 90), repeat(569, 10)...)
	for name, test := range map[string]struct {
		reference, current Sample
		before, after      string
	}{
		"numbers move": {Sample{Numbers: histogramOf(miles...)}, Sample{Numbers: histogramOf(metres...)}, "median 569", "916,000"},
		"nulls come": {Sample{Numbers: histogramOf(miles...)}, Sample{Numbers: histogramOf(miles[400:600]...), Nulls: 800},
			"null 0.0 %", "80 %"},
		"the feature goes": {Sample{Numbers: histogramOf(miles...)}, Sample{Absent: 100}, "missing 0.0 %", "100 %"},
		"a category comes": {Sample{Values: map[string]uint64{"a": 90, "b": 10}}, Sample{Values: map[string]uint64{"a": 50, "c": 50}},
			"values the reference never had 0.0 %", "50 %"},
		"a category grows": {Sample{Values: map[string]uint64{"a": 900, "b": 100}}, Sample{Values: map[string]uint64{"a": 100, "b": 900}},
			`"b" 10 %`, "90 %"},
		"the type changes": {Sample{Numbers: histogramOf(miles...)}, Sample{Values: map[string]uint64{"569": 100}},
			"values the reference never had 0.0 %", "100 %"},
	} {
		d := Compare(test.reference, test.current)
		if d.Before != test.before || d.After != test.after {
			t.Errorf("%s: %q -> %q, want %q -> %q", name, d.Before, d.After, test.before, test.after)
		}
		if !d.Beyond(d.PSI, DefaultOptions()) {
			t.Errorf("%s: PSI %v, null mean %v is no breach", name, d.PSI, d.NullMean)
		}
	}
}

func TestSmallSamplesSayNothing(t *testing.T) {
	reference := Sample{Values: map[string]uint64{"a": 500, "b": 500}}
	d := Compare(reference, Sample{Values: map[string]uint64{"a": 5}})
	if d.Enough(DefaultOptions()) {
		t.Errorf("five events are enough: %+v", d)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 569: "569", 915_717: "916,000", -1234: "-1,230", .31: "0.31", .012345: "0.0123", 1000: "1,000",
		1e15: "1e+15", 1e-7: "1e-07", 99.96: "100",
	} {
		if got := Number(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}

func TestExplainedIsThePSIAtEqualSize(t *testing.T) {
	reference := Sample{Values: map[string]uint64{"Mon": 1000, "Tue": 1000, "Wed": 1000}}
	current := Sample{Values: map[string]uint64{"Tue": 300}}
	usual := Sample{Values: map[string]uint64{"Mon": 3000}}
	psi := Compare(reference, current).PSI
	if got := Explained(reference, current, usual, DefaultOptions()); math.Abs(got-psi) > 1e-9 {
		t.Errorf("another day of ten times the traffic explains %v of %v", got, psi)
	}
	if got := Explained(reference, current, Sample{}, DefaultOptions()); got != 0 {
		t.Errorf("no traffic explains %v", got)
	}
}

func TestSampledDeliveriesAreNoLargerSample(t *testing.T) {
	reference := Sample{Values: map[string]uint64{"a": 500, "b": 500}}
	plain := Compare(reference, Sample{Values: map[string]uint64{"a": 40, "b": 60}, Absent: 7})
	weighted := Compare(reference, Sample{Values: map[string]uint64{"a": 400, "b": 600}, Absent: 70, Weight: 10})
	if weighted != plain {
		t.Errorf("deliveries of weight 10: %+v, want %+v", weighted, plain)
	}
}
