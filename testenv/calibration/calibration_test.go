package calibration

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// Means and variances of the draws are those of the multinomial distribution.
func TestMultinomialMoments(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{3, 100, 1_000_000} {
		shares := Zipf.shares(7)
		sum, square := make([]float64, 7), make([]float64, 7)
		const draws = 4000
		for range draws {
			total := uint64(0)
			for i, c := range multinomial(r, shares, n) {
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

func TestRunRepeatsItself(t *testing.T) {
	c := Config{Sizes: []int{100}, Ratios: []int{1, 10}, Categories: []int{3}, Shapes: []Shape{Even, Atom}, Nulls: 40}
	seen := 0
	first, err := Run(t.Context(), c, func(Cell) { seen++ })
	if err != nil || len(first) != 4 || seen != 4 {
		t.Fatalf("%d cells, %d seen, %v", len(first), seen, err)
	}
	second, err := Run(t.Context(), c, func(Cell) {})
	if err != nil || !reflect.DeepEqual(first, second) {
		t.Error("the same seed gives other rates")
	}
	// A measure that always fires does not pass.
	for i := range first {
		first[i].Five[measure.PSI] = 1
	}
	if f := Figures(first); f[0].Met {
		t.Errorf("%+v is met", f[0])
	}
}
