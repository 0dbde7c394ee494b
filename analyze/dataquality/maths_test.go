package dataquality

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*max(math.Abs(want), 1e-300) {
		t.Errorf("%s: %.12g, want %.12g", what, got, want)
	}
}

// rangeTail and rarefied are counted against every way to choose the n.
func TestAgainstEverySplit(t *testing.T) {
	for _, size := range [][2]int{{2, 5}, {4, 4}, {6, 3}, {3, 9}} {
		n, m := size[0], size[1]
		ways, beyond := 0.0, make([]float64, m+2)
		counts := []uint64{1, 2, 3}
		for left := n + m - 6; left > 0; left-- {
			counts = append(counts, 1)
		}
		distinct := 0.0
		for chosen := uint(0); chosen < 1<<(n+m); chosen++ {
			if bits.OnesCount(chosen) != n {
				continue
			}
			ways++
			low, high := bits.TrailingZeros(chosen), bits.Len(chosen)
			for k := 0; k <= low+n+m-high; k++ {
				beyond[k]++
			}
			at := 0
			for _, c := range counts {
				for i := range int(c) {
					if chosen>>(at+i)&1 == 0 {
						distinct++
						break
					}
				}
				at += int(c)
			}
		}
		for k := range m + 2 {
			near(t, "range", rangeTail(uint64(k), uint64(n), uint64(m)), beyond[k]/ways, 1e-12)
		}
		expected, _ := rarefied(counts, uint64(n), uint64(m))
		near(t, "rarefied", expected, distinct/ways, 1e-12)
	}
}

// Values of scipy 1.17.1: scipy.stats.hypergeom(1000, 7, 400).pmf(7),
// 2*norm.sf(2.5), and betabinom(24, 10.5, 90.5).pmf(24).
func TestAgainstScipy(t *testing.T) {
	near(t, "all among", allAmong(7, 400, 1000), 0.0015872121445912532, 1e-9)
	near(t, "normal", normalP(5, 2), 0.012419330651552265, 1e-9)
	near(t, "stretch", stretch(24, 10, 100), 2.7582252823008127e-18, 1e-9)
}

// Values of Python's decimal at 40 digits: the product over i < min(c, total-n)
// of (total - max(c, total-n) - i) / (total - i). With a factor for each event
// the last ones would not end.
func TestAllAmongOfManyEvents(t *testing.T) {
	for _, tt := range []struct {
		c, n, total     uint64
		want, tolerance float64
	}{
		{300, 2000, 2500, 6.084596280246017e-32, 1e-10},
		{1000, 4000, 5000, 1.906153803628727e-110, 1e-10},
		{500, 700, 1300, 7.494729395154439e-195, 1e-10},
		{400, 1e10, 1e10 + 1e6, .9607913598383924, 1e-3},
		{2000, 1e8, 1e8 + 2e5, .01838821651925938, 1e-5},
		{3e7, 1e8, 1e8 + 1000, 1.255947738834217e-155, 1e-5},
	} {
		near(t, fmt.Sprint(tt.c, " among ", tt.n), allAmong(tt.c, tt.n, tt.total), tt.want, tt.tolerance)
	}
	for range 20_000 {
		if p := allAmong(3e7, 1e8, 1e8+1000); !(p > 0) {
			t.Fatalf("3e7 of 1e8: %v", p)
		}
	}
}

// Bennett's bound is no less than how often the number of categories in a
// random split lies as far from its mean.
func TestBennettIsABound(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	const categories, each, m, splits = 60, 3, 60, 20_000
	events := make([]int, 0, categories*each)
	counts := make([]uint64, categories)
	for i := range categories {
		counts[i] = each
		for range each {
			events = append(events, i)
		}
	}
	n := uint64(len(events) - m)
	expected, variance := rarefied(counts, n, m)
	far := map[float64]float64{4: 0, 6: 0, 8: 0}
	for range splits {
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		seen := map[int]struct{}{}
		for _, c := range events[:m] {
			seen[c] = struct{}{}
		}
		for d := range far {
			if math.Abs(float64(len(seen))-expected) >= d {
				far[d]++
			}
		}
	}
	for d, count := range far {
		if bound := bennett(d, variance); count/splits > bound {
			t.Errorf("%v of splits lie %v from the mean, bound %v", count/splits, d, bound)
		}
	}
}

func TestQuantilesHoldTheirBound(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	values := make([]float64, 4000)
	for i := range values {
		values[i] = math.Exp(2 * r.NormFloat64())
	}
	s := numbers(4000, values...)
	for _, q := range []float64{0.5, 0.95} {
		truth := math.Exp(2 * map[float64]float64{0.5: 0, 0.95: 1.6448536269514722}[q])
		v, _ := s.rank(rankOf(q, 4000))
		if low, high := quantileInterval(s, q); !(low < truth && truth < high && low < v && v < high && high < 1.3*truth) {
			t.Errorf("quantile %v: %v in [%v, %v], truth %v", q, v, low, high, truth)
		}
	}
	m, sd := s.moments()
	sum, square := 0.0, 0.0
	for _, v := range values {
		sum += v
	}
	for _, v := range values {
		square += (v - sum/4000) * (v - sum/4000)
	}
	near(t, "mean", m, sum/4000, 1e-12)
	near(t, "standard deviation", sd, math.Sqrt(square/4000), 0.004)
}
