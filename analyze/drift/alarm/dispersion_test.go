package alarm

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// scipy 1.17.1: stats.chi2_contingency of the table gives X^2 = 22.468541 with 6
// degrees of freedom; the bound is X^2 / 2 / stats.chi2.ppf(.05, 3).
func TestOverdispersion(t *testing.T) {
	table := [][]uint64{{10, 20, 0, 30}, {15, 15, 0, 30}, {0, 0, 0, 0}, {30, 10, 0, 20}, {12, 22, 0, 28}}
	d, err := Overdispersion(table, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(d.Factor-3.7447569004836425) > 1e-12 || math.Abs(d.Upper-31.929482091259402) > 1e-6 || d.Blocks != 4 || d.Cells != 3 {
		t.Errorf("got %+v", d)
	}
}

func TestChiSquareQuantile(t *testing.T) {
	// scipy 1.17.1: stats.chi2.ppf.
	for _, c := range []struct{ q, df, want float64 }{
		{0.05, 2, 0.10258658877510106}, {0.05, 27, 16.151395849664098}, {0.5, 9, 8.342832692252955}, {0.95, 100, 124.34211340400407},
	} {
		if got := chiSquareQuantile(c.q, c.df); math.Abs(got/c.want-1) > 1e-6 {
			t.Errorf("%v quantile with %v degrees of freedom: %v, want %v", c.q, c.df, got, c.want)
		}
	}
}

func TestOverdispersionErrors(t *testing.T) {
	for name, blocks := range map[string][][]uint64{
		"none": nil, "two": {{1, 2}, {3, 4}}, "uneven": {{1, 2}, {3, 4}, {5}}, "empty": {{0}, {0}, {0}},
	} {
		if d, err := Overdispersion(blocks, 0.95); err == nil {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if _, err := Overdispersion([][]uint64{{1, 2}, {3, 4}, {5, 6}}, 1); err == nil {
		t.Error("confidence of 1")
	}
	if d, err := Overdispersion([][]uint64{{1, 0}, {3, 0}, {5, 0}}, 0.9); err != nil || d.Factor != 1 || d.Upper != 1 {
		t.Errorf("one cell: %+v, %v", d, err)
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

// Bursts of 20 equal values have 20 times the variance; the bound holds the
// truth in at least 95 % of histories, and with independent events too.
func TestOverdispersionOfBursts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, burst := range []int{1, 20} {
		covered, mean := 0, 0.0
		const runs = 200
		for range runs {
			var blocks [][]uint64
			for range 14 {
				blocks = append(blocks, draw(r, 2000, burst, 0))
			}
			d, err := Overdispersion(blocks, 0.95)
			if err != nil {
				t.Fatal(err)
			}
			mean += d.Factor / runs
			if d.Upper >= float64(burst) {
				covered++
			}
		}
		if math.Abs(mean/float64(burst)-1) > 0.06 || covered < runs*95/100 {
			t.Errorf("bursts of %d: mean factor %v, covered in %d of %d", burst, mean, covered, runs)
		}
	}
}

// Of a level that moves all cells one way, KS sees far more than the mean over
// the cells: against a fixed large reference its factor is 1 + m times the
// level's share of the null variance, worked out here by simulating both.
func TestOverdispersionOfDistances(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	const m, windows = 2000, 60
	var reference []uint64
	for range 50 {
		for i, n := range draw(r, m, 1, 0) {
			if reference == nil {
				reference = make([]uint64, 8)
			}
			reference[i] += n
		}
	}
	for _, level := range []float64{0, 0.1} {
		var psi, ks []measure.Result
		for range windows {
			cells := measure.Cells{Reference: reference, Current: draw(r, m, 1, level*r.NormFloat64())}
			results, err := cells.Compare(measure.DefaultOptions(), measure.PSI)
			if err != nil {
				t.Fatal(err)
			}
			psi = append(psi, results...)
			buckets := []int32{1, 2, 3, 4, 5, 6, 7, 8}
			numbers := measure.Numbers{Reference: measure.Histogram{Buckets: buckets, Counts: cells.Reference}, Current: measure.Histogram{Buckets: buckets, Counts: cells.Current}}
			if results, err = numbers.Compare(measure.DefaultOptions(), measure.KS); err != nil {
				t.Fatal(err)
			}
			ks = append(ks, results...)
		}
		a, err := OverdispersionOf(psi, Freedom(measure.PSI, 8), 0.95)
		if err != nil {
			t.Fatal(err)
		}
		b, err := OverdispersionOf(ks, Freedom(measure.KS, 8), 0.95)
		if err != nil {
			t.Fatal(err)
		}
		if level == 0 && (a.Factor > 1.3 || b.Factor > 1.3 || a.Blocks != windows) {
			t.Errorf("independent events: %+v by PSI, %+v by KS", a, b)
		}
		// The energy of the level is m .01 = 20 events' worth times the slope of
		// the cells, 7 directions share it in PSI.
		if level > 0 && (b.Factor < 1.5*a.Factor || a.Factor < 1.5 || b.Upper <= b.Factor) {
			t.Errorf("a level that moves: %+v by PSI, %+v by KS, want more by KS, and bounds above", a, b)
		}
		if _, err := OverdispersionOf(append(ks, psi...), 1, 0.95); err == nil {
			t.Error("two measures at once")
		}
		if _, err := OverdispersionOf(ks[:2], 1, 0.95); err == nil {
			t.Error("two distances")
		}
		if _, err := OverdispersionOf(ks, 1, 0); err == nil {
			t.Error("no confidence")
		}
	}
}

func TestDeff(t *testing.T) {
	rows := []uint64{20, 20, 20, 20}
	for correlation, want := range map[float64]float64{0: 1, 0.5: 10.5, 1: 20} {
		if got, err := Deff(rows, correlation); err != nil || got != want {
			t.Errorf("correlation %v: %v, %v, want %v", correlation, got, err, want)
		}
	}
	// 3 rows alone and one cluster of 3: (3 + 9) / 6.
	if got, _ := Deff([]uint64{1, 1, 1, 3}, 1); got != 2 {
		t.Errorf("uneven clusters: %v, want 2", got)
	}
	if got, err := Deff(nil, 1); got != 1 || err != nil {
		t.Errorf("no rows: %v, %v", got, err)
	}
	for _, c := range []float64{-0.1, 1.1, math.NaN()} {
		if _, err := Deff(rows, c); err == nil {
			t.Errorf("correlation %v", c)
		}
	}
}

func TestBlockLength(t *testing.T) {
	const days = 42
	for _, c := range []struct {
		name  string
		level func(hour int, day, shift float64) float64
		carry float64
		want  time.Duration
	}{
		{"independent hours", func(int, float64, float64) float64 { return 0 }, 0, time.Hour},
		{"daily season", func(h int, _, _ float64) float64 { return math.Sin(2 * math.Pi * float64(h) / 24) }, 0, 24 * time.Hour},
		{"half-day season", func(h int, _, _ float64) float64 { return math.Sin(2 * math.Pi * float64(h) / 12) }, 0, 24 * time.Hour},
		{"shifts of six hours", func(_ int, _, shift float64) float64 { return 0.7 * shift }, 0, 6 * time.Hour},
		{"level of a day that carries over", func(_ int, day, _ float64) float64 { return 0.7 * day }, 0.8, 7 * 24 * time.Hour},
		{"weekend", func(h int, _, _ float64) float64 { return map[bool]float64{true: 1}[h/24%7 >= 5] }, 0, 7 * 24 * time.Hour},
	} {
		r := rand.New(rand.NewPCG(3, 4))
		var hourly [][]uint64
		var level, shift float64
		for h := range days * 24 {
			if h%24 == 0 {
				level = c.carry*level + math.Sqrt(1-c.carry*c.carry)*r.NormFloat64()
			}
			if h%6 == 0 {
				shift = r.NormFloat64()
			}
			hourly = append(hourly, draw(r, 200, 1, c.level(h, level, shift)))
		}
		if got, err := BlockLength(hourly); err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", c.name, got, err, c.want)
		}
	}
	if got, err := BlockLength([][]uint64{{1, 2}, {3, 4}}); err != nil || got != 7*24*time.Hour {
		t.Errorf("too short a past: %s, %v", got, err)
	}
	for _, bad := range [][][]uint64{nil, {{1, 2}, {3}}} {
		if _, err := BlockLength(bad); err == nil {
			t.Errorf("%v has a length of blocks", bad)
		}
	}
}
