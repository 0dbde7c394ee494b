package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/plumbline-slo/plumbline/storage/grid"
)

// raw computes KS, the root of the mean squared gap, W1 and W1 over the standard
// deviation from the values themselves, one pooled value after the other.
func raw(x, y []float64) map[ID]float64 {
	x, y = slices.Sorted(slices.Values(x)), slices.Sorted(slices.Values(y))
	pooled := slices.Sorted(slices.Values(slices.Concat(x, y)))
	n, m := float64(len(x)), float64(len(y))
	cdf := func(s []float64, v float64) float64 {
		i, _ := slices.BinarySearchFunc(s, v, func(a, b float64) int {
			if a <= b {
				return -1
			}
			return 1
		})
		return float64(i)
	}
	out := map[ID]float64{}
	for i, v := range pooled {
		gap := math.Abs(cdf(x, v)/n - cdf(y, v)/m)
		out[KS] = max(out[KS], gap)
		out[CramerVonMises] += gap * gap / (n + m)
		if i+1 < len(pooled) {
			out[Wasserstein] += gap * (pooled[i+1] - v)
		}
	}
	out[CramerVonMises] = math.Sqrt(out[CramerVonMises])
	var mean, square float64
	for _, v := range x {
		mean += v / n
	}
	for _, v := range x {
		square += (v - mean) * (v - mean) / n
	}
	out[WassersteinScale] = out[Wasserstein] / math.Sqrt(square)
	return out
}

// Rounded to the grid the raw computation must agree to 1e-12, unrounded within
// the printed bound.
func TestNumbersAgainstRawValues(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	draws := map[string]func() float64{
		"normal":    func() float64 { return r.NormFloat64() },
		"far":       func() float64 { return 300 + r.NormFloat64() },
		"lognormal": func() float64 { return math.Exp(2 * r.NormFloat64()) },
		"negative":  func() float64 { return -r.ExpFloat64() * 1e6 },
		"halves":    func() float64 { return math.Round(2*r.NormFloat64()) / 2 },
		"zeros":     func() float64 { return max(0, r.NormFloat64()) },
	}
	for name, draw := range draws {
		for _, sizes := range [][2]int{{5, 3}, {100, 700}, {3000, 1000}} {
			var x, y, gx, gy []float64
			for range sizes[0] {
				v := draw()
				x, gx = append(x, v), append(gx, middle(grid.Bucket(v)))
			}
			for range sizes[1] {
				v := draw() * 1.1
				y, gy = append(y, v), append(gy, middle(grid.Bucket(v)))
			}
			exact, rounded := raw(x, y), raw(gx, gy)
			for _, res := range numbers(t, x, y) {
				if res.Method == None {
					continue
				}
				near(t, name+" "+string(res.Measure)+" on the grid", res.Value, rounded[res.Measure], 1e-12)
				if math.Abs(res.Value-exact[res.Measure]) > res.Bound*(1+1e-9)+1e-12 {
					t.Errorf("%s %v %s: %g +- %g, raw %g", name, sizes, res.Measure, res.Value, res.Bound, exact[res.Measure])
				}
				if res.Measure == KS && res.Value > exact[KS]+1e-12 {
					t.Errorf("%s: KS on the grid is above the raw one", name)
				}
			}
		}
	}
}

// Cells are cut at edges of the grid, so counts by bucket are counts of the raw
// values: the measures must be those of the definitions, written down anew over
// the values of each cell, to 1e-12, and the printed bound is none.
func TestCellsAgainstRawValues(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 1))
	for _, sizes := range [][2]int{{40, 700}, {3000, 1000}} {
		var cuts []int32
		for _, c := range []float64{-1.5, -0.7, 0, 0.4, 0.9, 1.7, 6} {
			cuts = append(cuts, grid.Bucket(c))
		}
		raw := [2][]uint64{make([]uint64, len(cuts)+1), make([]uint64, len(cuts)+1)}
		bucketed := [2][]uint64{make([]uint64, len(cuts)+1), make([]uint64, len(cuts)+1)}
		for side, n := range sizes {
			for range n {
				v := r.NormFloat64() + 0.1*float64(side)
				i, j := 0, 0
				for i < len(cuts) && v >= grid.Edge(cuts[i]) {
					i++
				}
				for j < len(cuts) && grid.Bucket(v) >= cuts[j] {
					j++
				}
				raw[side][i]++
				bucketed[side][j]++
			}
		}
		want := defined(raw[0], raw[1])
		for _, res := range cells(t, bucketed[0], bucketed[1]) {
			near(t, string(res.Measure), res.Value, want[res.Measure], 1e-12)
			if res.Bound != 0 {
				t.Errorf("%s: bound %g", res.Measure, res.Bound)
			}
		}
	}
}

// defined computes the measures on cells by their definitions alone.
func defined(x, y []uint64) map[ID]float64 {
	var n, m, filledN, filledM float64
	for i := range x {
		n, m = n+float64(x[i]), m+float64(y[i])
		if x[i]+y[i] > 0 {
			filledN += math.Max(float64(x[i]), 0.5)
			filledM += math.Max(float64(y[i]), 0.5)
		}
	}
	out := map[ID]float64{}
	affinity := 0.0
	for i := range x {
		if x[i]+y[i] == 0 {
			continue
		}
		p, q := float64(x[i])/n, float64(y[i])/m
		a, b := math.Max(float64(x[i]), 0.5)/filledN, math.Max(float64(y[i]), 0.5)/filledM
		out[PSI] += (b - a) * (math.Log(b) - math.Log(a))
		out[KL] += b * (math.Log(b) - math.Log(a))
		for _, share := range []float64{p, q} {
			if share > 0 {
				out[JS] += share * math.Log2(2*share/(p+q)) / 2
			}
		}
		affinity += math.Sqrt(p * q)
		out[ChiSquare] += (p - q) * (p - q) / (float64(x[i]+y[i]) / (n + m))
		out[TVD] += math.Abs(p-q) / 2
		out[LInfinity] = math.Max(out[LInfinity], math.Abs(p-q))
	}
	out[JS] = math.Sqrt(out[JS])
	out[Hellinger] = math.Sqrt(1 - affinity)
	return out
}
