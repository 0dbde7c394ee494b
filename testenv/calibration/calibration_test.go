package calibration

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// Means and variances of the draws are those of the multinomial distribution.
func TestMultinomialMoments(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{3, 100, 1_000_000} {
		shares := Zipf.shares(7)
		source := newSource(r, shares)
		sum, square := make([]float64, 7), make([]float64, 7)
		const draws = 4000
		for range draws {
			total := uint64(0)
			for i, c := range source.sample(n) {
				total += c
				d := float64(c) - float64(n)*shares[i]
				sum[i] += d / draws
				square[i] += d * d / draws
			}
			if total != uint64(n) {
				t.Fatalf("%d events of %d", total, n)
			}
		}
		for i, p := range shares {
			variance := float64(n) * p * (1 - p)
			if math.Abs(sum[i]) > 5*math.Sqrt(variance/draws) {
				t.Errorf("n %d: mean of category %d is off by %g", n, i, sum[i])
			}
			if math.Abs(square[i]/variance-1) > 0.2 {
				t.Errorf("n %d: variance of category %d is %g, want %g", n, i, square[i], variance)
			}
		}
	}
}

func TestShapesAddUp(t *testing.T) {
	for _, s := range Full().Shapes {
		for _, k := range Full().Categories {
			sum := 0.0
			for _, p := range s.shares(k) {
				sum += p
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Errorf("%s of %d adds up to %g", s, k, sum)
			}
		}
	}
}

func TestKindsAddUp(t *testing.T) {
	for _, k := range Full().Kinds {
		buckets, shares := k.buckets(0)
		sum := 0.0
		for i, p := range shares {
			sum += p
			if p <= 0 || i > 0 && buckets[i-1] >= buckets[i] {
				t.Fatalf("%s: bucket %d after %d with share %g", k, buckets[i], buckets[max(0, i-1)], p)
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("%s adds up to %g", k, sum)
		}
	}
}

func TestRunRepeatsItself(t *testing.T) {
	c := Config{Sizes: []int{100}, Ratios: []int{1, 10}, Categories: []int{3}, Shapes: []Shape{Even, Atom}, Kinds: []Kind{Zeros}, Nulls: 40}
	seen := 0
	first := c.Cells()
	if err := Run(t.Context(), 1, first, func(Cell) { seen++ }); err != nil || len(first) != 6 || seen != 6 {
		t.Fatalf("%d cells, %d seen, %v", len(first), seen, err)
	}
	second := c.Cells()
	if err := Run(t.Context(), 1, second, func(Cell) {}); err != nil || !reflect.DeepEqual(first, second) {
		t.Error("the same seed gives other rates")
	}
	// A measure that always fires does not pass, and one that never does.
	for i := range first {
		first[i].Five[measure.PSI] = float64(i % 2)
		first[i].Dense = true
	}
	for _, f := range Figures(first, 0) {
		if strings.HasPrefix(f.Name, "psi") && strings.Contains(f.Name, "at 5 %") && f.Met {
			t.Errorf("%+v is met", f)
		}
	}
}

// The distances of the truths are those of the formulas: a shift of a normal by
// one standard deviation has a Wasserstein distance of one, and no tilt is none.
func TestTruths(t *testing.T) {
	truths := Config{Pairs: 4}.Truths()
	if err := Cover(t.Context(), 1, truths); err != nil {
		t.Fatal(err)
	}
	for _, truth := range truths {
		if strings.Contains(truth.Name, "normal, shifted by 1 sd") {
			if d := truth.Distance[measure.WassersteinScale]; math.Abs(d-1) > 0.01 {
				t.Errorf("%s: %g, want 1", truth.Name, d)
			}
			// 2 Phi(1/2) - 1.
			if d := truth.Distance[measure.KS]; math.Abs(d-0.382925) > 0.005 {
				t.Errorf("%s: KS %g, want 0.3829", truth.Name, d)
			}
		}
		for id, d := range truth.Distance {
			if strings.HasSuffix(truth.Name, " by 0") && d > 1e-9 {
				t.Errorf("%s: %s is %g", truth.Name, id, d)
			}
		}
	}
	if f := CoverFigures(truths, 0); len(f) != 10 {
		t.Errorf("%d figures, want one for each of 10 measures", len(f))
	}
}
