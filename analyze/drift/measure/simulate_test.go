package measure

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// scipy 1.17.1: with pm = hypergeom.pmf(x, 70, 15, 40) over x = 0...15 and
// stat = |x/40 - (15-x)/30|, pm[stat > s].sum() + pm[stat == s].sum()/2 =
// 0.05963899679467865 and pm[stat >= s].sum() = 0.07535849238605263 for the s of
// x = 12, and (pm*stat).sum(). With so great a tie, p is the latter over 1.05.
func TestExactAgainstScipy(t *testing.T) {
	r := cells(t, []uint64{12, 28}, []uint64{3, 27}, TVD)[0]
	if r.Method != Exact {
		t.Fatalf("method %s", r.Method)
	}
	near(t, "p", r.P, 0.07535849238605263/1.05, 1e-10)
	near(t, "null mean", r.NullMean, 0.08101397883643374, 1e-10)
}

// All 15-choose-8 splits of the pooled counts 3, 4, 2, 6, counted in Python with
// math.comb: chi-square at least 6.6295 has p 0.10675990675990676 (with half
// of what ties, 0.0890443), the mean distance is 0.860969. scipy's chi2_contingency gives the statistic.
func TestSparseAgainstEnumeration(t *testing.T) {
	var p, mean float64
	const seeds = 60
	for seed := range uint64(seeds) {
		o := DefaultOptions()
		o.Seed = seed
		results, err := Cells{[]uint64{3, 1, 2, 2}, []uint64{0, 3, 0, 4}}.Compare(o, ChiSquare)
		if err != nil {
			t.Fatal(err)
		}
		r := results[0]
		if r.Method != Simulated {
			t.Fatalf("method %s", r.Method)
		}
		near(t, "X^2", r.Statistic, 6.629464285714286, 1e-12)
		p += r.P / seeds
		mean += r.NullMean / seeds
	}
	near(t, "mean p", p, 0.10675990675990676/1.05, 0.1)
	near(t, "mean distance", mean, 0.860969387755102, 0.02)
}

func TestSimulationRepeatsItself(t *testing.T) {
	p, q := []uint64{30, 2, 1, 50, 0}, []uint64{25, 0, 4, 66, 1}
	a, b := cells(t, p, q), cells(t, p, q)
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("%v and then %v", a, b)
	}
}

// Every way to draw must have the mean and variance of the hypergeometric
// distribution and keep to its ends.
func TestSplitterMoments(t *testing.T) {
	for _, tt := range []struct{ cell, n, total uint64 }{
		{10, 30, 100}, {40, 30, 100}, {95, 90, 100}, {3_000, 500, 10_000}, {400_000, 1_000_000, 3_000_000}, {50, 2_000_000, 4_000_000},
	} {
		s := newSplitter(rand.New(rand.NewPCG(1, 2)), []uint64{tt.cell, tt.total - tt.cell}, tt.n)
		h := newHypergeometric(tt.cell, tt.n, tt.total)
		const draws = 20_000
		var sum, square float64
		for range draws {
			s.draw()
			x := float64(s.x[0])
			if x < h.least || x > h.most || s.x[0]+s.x[1] != tt.n {
				t.Fatalf("%+v: drew %v", tt, s.x)
			}
			sum += (x - h.mean) / draws
			square += (x - h.mean) * (x - h.mean) / draws
		}
		if math.Abs(sum) > 5*math.Sqrt(h.variance/draws) {
			t.Errorf("%+v: mean off by %g", tt, sum)
		}
		if math.Abs(square/h.variance-1) > 0.06 {
			t.Errorf("%+v: variance %g, want %g", tt, square, h.variance)
		}
	}
}

func TestHypergeometricAddsUp(t *testing.T) {
	for _, h := range []hypergeometric{newHypergeometric(7, 5, 20), newHypergeometric(300, 700, 1_000), newHypergeometric(20_000, 9_000, 10_000_000)} {
		_, weights := h.list(h.mean)
		sum := 0.0
		for _, w := range weights {
			sum += w
		}
		near(t, "sum of probabilities", sum, 1, 1e-7)
	}
}

// The stations keep the null mean of the Wasserstein distance, which is
// sqrt(2/pi) times the sum of width times standard deviation over all edges.
func TestStationsKeepTheNullMean(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for name, one := range map[string]func() float64{
		"normal":    r.NormFloat64,
		"lognormal": func() float64 { return math.Exp(1.5 * r.NormFloat64()) },
		"zeros":     func() float64 { return max(0, r.NormFloat64()) },
	} {
		var x, y []float64
		for range 5000 {
			x, y = append(x, one()), append(y, one())
		}
		g := newGaps(Numbers{histogram(x), histogram(y)}, true)
		var want, below float64
		for i := range len(g.pooled) - 1 {
			below += float64(g.pooled[i]) / (g.n + g.m)
			want += (g.at[i+1] - g.at[i]) * math.Sqrt(below*(1-below)*(1/g.n+1/g.m)*2/math.Pi)
		}
		var got float64
		const seeds = 20
		for seed := range uint64(seeds) {
			o := DefaultOptions()
			o.Seed = seed
			res, err := Numbers{histogram(x), histogram(y)}.Compare(o, Wasserstein)
			if err != nil {
				t.Fatal(err)
			}
			got += res[0].NullMean / seeds
		}
		near(t, "null mean of "+name, got, want, 0.04)
	}
}
