package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// scipy 1.17.1, a = [i*37%509-255 for i in range(120)], b = [i*91%487-150 for i
// in range(90)], which share 14 values: ks_2samp(a, b, method='asymp').statistic
// = 0.2222222. Its method='exact' knows no ties; the paths are compared with all
// orders of the pooled values instead, 4,000 of them drawn.
func TestPathsAgainstPermutations(t *testing.T) {
	var x, y []float64
	for i := range 120 {
		x = append(x, float64(i*37%509-255))
	}
	for i := range 90 {
		y = append(y, float64(i*91%487-150))
	}
	g := newGaps(Numbers{histogram(x), histogram(y)}, true)
	d := g.value(KS)
	near(t, "KS", d, 0.22222222222222224, 1e-12)
	p, ok := g.paths(d)
	if !ok {
		t.Fatal("the paths of 210 events are too many")
	}
	pooled := slices.Concat(x, y)
	r := rand.New(rand.NewPCG(2, 3))
	const draws = 4_000
	reached := 0.0
	for range draws {
		r.Shuffle(len(pooled), func(i, j int) { pooled[i], pooled[j] = pooled[j], pooled[i] })
		if raw(pooled[:120], pooled[120:])[KS] >= d-1e-12 {
			reached++
		}
	}
	// Four standard errors of so many draws, and what the p-value allows ties.
	want := reached / draws
	if slack := 4*math.Sqrt(want/draws) + want*(1-1/atMostTimes); math.Abs(p-want) > slack {
		t.Errorf("p = %g, %g of the permutations reach it", p, want)
	}
}

// scipy 1.17.1: ks_2samp(x, y, method='exact') of the samples below, which have
// no ties, prints 0.982138875977618; the probability of at least that distance.
func TestPathsAgainstScipy(t *testing.T) {
	var x, y []float64
	for i := range 330 {
		if v := float64(i*37%509 - 255); i < 200 {
			x = append(x, v)
		} else {
			y = append(y, v)
		}
	}
	g := newGaps(Numbers{histogram(x), histogram(y)}, true)
	got := g.leaving(func(gap float64) bool { return gap >= 0.05*(1-tie) })
	near(t, "probability", got, 0.982138875977618, 1e-12)
}

// Without ties the moments are those of the limit of Anderson and Darling (1952):
// 1/6, 1/45 and a third cumulant of 8/945. Its 5 % and 1 % points, 0.46136 and
// 0.74346, keep their probabilities under the gamma distribution.
func TestTiedAgainstTheLimit(t *testing.T) {
	g := gaps{n: 1e6, m: 1e6}
	for range 20_000 {
		g.pooled = append(g.pooled, 100)
	}
	p := g.tied()
	near(t, "mean", p.mean, 1.0/6, 1e-3)
	near(t, "variance", p.sd*p.sd, 1.0/45, 1e-3)
	near(t, "third cumulant", p.skew*p.sd*p.sd*p.sd, 8.0/945, 1e-3)
	near(t, "5 %", p.tail(0.46136), 0.05, 0.05)
	near(t, "1 %", p.tail(0.74346), 0.01, 0.05)
	// Two buckets make a chi-square variable of one degree of freedom, times the
	// weight 1/2 and the spread 1/4: mean 1/8, variance 2/64, third cumulant 8/512.
	g.pooled = []uint64{1e6, 1e6}
	p = g.tied()
	near(t, "mean of two", p.mean, 1.0/8, 1e-5)
	near(t, "variance of two", p.sd*p.sd, 2.0/64, 1e-5)
	near(t, "third cumulant of two", p.skew*p.sd*p.sd*p.sd, 8.0/512, 1e-5)
}

// Given the pooled counts, Pearson's statistic of 2 x K cells has the exact mean
// (K-1) N/(N-1) (Haldane 1940); the variance is compared with that of drawn
// splits, and so are both moments of every other sum.
func TestMomentsAgainstDraws(t *testing.T) {
	for name, tilt := range map[string]float64{"even": 1, "falling": 0.97} {
		for _, m := range []uint64{4_000, 40_000} {
			shares := shape(150, tilt)
			pooled := make([]uint64, len(shares))
			for i, s := range shares {
				pooled[i] = 1 + uint64(s*float64(4_000+m))
			}
			var two two
			for _, c := range pooled {
				two.n += float64(c)
			}
			two.m = math.Floor(two.n * float64(m) / float64(4_000+m))
			two.n -= two.m
			two.pooled = pooled
			compareMoments(t, name, two)
		}
	}
}

func compareMoments(t *testing.T, name string, two two) {
	t.Helper()
	const draws = 1500
	classes := newClasses(two.pooled, two.n/(two.n+two.m))
	s := newSplitter(rand.New(rand.NewPCG(4, 4)), two.pooled, uint64(two.n))
	ids := []ID{PSI, KL, JS, Hellinger, ChiSquare, TVD}
	values := map[ID][]float64{}
	of := map[ID]func([]uint64) float64{}
	for _, id := range ids {
		of[id] = two.splits(id)
	}
	for range draws {
		s.draw()
		for _, id := range ids {
			values[id] = append(values[id], squared(id, of[id](s.x)))
		}
	}
	for _, id := range ids {
		got, want := two.moments(id, classes), fitPearson(values[id])
		// Four standard errors of the draws.
		if math.Abs(got.mean-want.mean) > 4*want.sd/math.Sqrt(draws)+0.002*want.sd {
			t.Errorf("%s, %s: mean %g, drawn %g with sd %g", name, id, got.mean, want.mean, want.sd)
		}
		if math.Abs(got.sd/want.sd-1) > 4/math.Sqrt(2*draws)+0.01 {
			t.Errorf("%s, %s: sd %g, drawn %g", name, id, got.sd, want.sd)
		}
		if id == ChiSquare {
			total := two.n + two.m
			near(t, name+": Haldane's mean", got.mean/two.noise(), float64(len(two.pooled)-1)*total/(total-1), 0.003)
		}
	}
}

// The terms of a split put together are the measure of its counts.
func TestSplitsAreTheValue(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	for range 50 {
		c := Cells{}
		for range 2 + r.IntN(20) {
			c.Reference, c.Current = append(c.Reference, uint64(r.IntN(30))), append(c.Current, uint64(r.IntN(600)))
		}
		c.Reference[0]++
		c.Current[1]++
		two := newTwo(c)
		x := make([]uint64, len(two.p))
		for i, v := range two.p {
			x[i] = uint64(v)
		}
		for _, d := range Table() {
			if d.OnCells {
				want := value(d.ID, two.p, two.q, two.n, two.m)
				near(t, string(d.ID), two.splits(d.ID)(x)+1, want+1, 1e-12)
			}
		}
	}
}

// L-infinity of many cells: the product of the cells' probabilities against
// drawn splits.
func TestGreatestAgainstDraws(t *testing.T) {
	pooled := make([]uint64, 200)
	two := two{n: 1000}
	for i := range pooled {
		pooled[i] = uint64(10 + i%40)
		two.m += float64(pooled[i])
	}
	two.m -= two.n
	two.pooled = pooled
	s := newSplitter(rand.New(rand.NewPCG(5, 5)), pooled, uint64(two.n))
	of := two.splits(LInfinity)
	var drawn []float64
	for range 4000 {
		s.draw()
		drawn = append(drawn, of(s.x))
	}
	slices.Sort(drawn)
	total := uint64(two.n + two.m)
	for _, q := range []float64{0.5, 0.9, 0.95, 0.99} {
		v := drawn[int(q*4000)]
		c := v * two.n * two.m / (two.n + two.m)
		none := 1.0
		for _, t := range pooled {
			beyond, equal := newHypergeometric(t, uint64(two.n), total).off(c)
			none *= 1 - beyond - equal
		}
		reached := 0.0
		for _, d := range drawn {
			if d >= v-1e-12 {
				reached++
			}
		}
		want := reached / 4000
		if math.Abs(1-none-want) > 4*math.Sqrt(want*(1-want)/4000)+0.03*want {
			t.Errorf("at %g: %g, drawn %g", v, 1-none, want)
		}
	}
}

// PValueOnly changes no p-value that matters.
func TestPValueOnly(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for range 60 {
		c := Cells{draw(r, shape(6, 0.6), 100), draw(r, shape(6, 0.6+0.2*r.Float64()), 100)}
		full, err := c.Compare(DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		o := DefaultOptions()
		o.PValueOnly = true
		quick, err := c.Compare(o)
		if err != nil {
			t.Fatal(err)
		}
		for i := range full {
			if full[i].P <= 0.04 && quick[i].P != full[i].P {
				t.Errorf("%s: p %g, only %g", full[i].Measure, full[i].P, quick[i].P)
			}
			if !math.IsNaN(quick[i].Low) || !math.IsNaN(quick[i].High) {
				t.Errorf("%s has an interval", full[i].Measure)
			}
		}
	}
}

// PSI and KL of a split are the same two sums, added up one by one in the same
// order: to the last bit.
func TestFilledSplitIsTwoSums(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 2))
	for range 50 {
		c := Cells{}
		for range 2 + r.IntN(20) {
			c.Reference, c.Current = append(c.Reference, uint64(r.IntN(400))), append(c.Current, uint64(r.IntN(400)))
		}
		c.Reference[0]++
		c.Current[1]++
		two := newTwo(c)
		psi, kl := two.splits(PSI), two.splits(KL)
		for range 5 {
			x := make([]uint64, len(two.pooled))
			n, m, upper, lower := two.n, two.m, 0.0, 0.0
			for i, k := range two.pooled {
				x[i] = r.Uint64N(k + 1)
				n, m = n+max(0, 0.5-float64(x[i])), m+max(0, 0.5-float64(k-x[i]))
				p, q := max(float64(x[i]), 0.5), max(float64(k-x[i]), 0.5)
				log := math.Log(q / p * (two.n / two.m))
				upper += float64(q * log)
				lower += float64(p * log)
			}
			if got, want := psi(x), max(0, upper/m-lower/n); got != want {
				t.Errorf("PSI is %x, want %x", got, want)
			}
			if got, want := kl(x), max(0, upper/m+math.Log(n/two.n*(two.m/m))); got != want {
				t.Errorf("KL is %x, want %x", got, want)
			}
		}
	}
}

// Factorials are the same in whatever order they are asked for.
func TestFactorialsAsNeeded(t *testing.T) {
	sum, some := make([]float64, 50), newFactorials(49)
	for i := 1; i < len(sum); i++ {
		sum[i] = sum[i-1] + math.Log(float64(i))
	}
	for _, n := range []int{3, 0, 49, 17} {
		if got := some.ln(n); got != sum[n] {
			t.Errorf("ln %d! is %x, want %x", n, got, sum[n])
		}
	}
	if most := newFactorials(math.MaxUint64 - 1).most; most != 4096 {
		t.Errorf("%d factorials, want 4096", most)
	}
}
