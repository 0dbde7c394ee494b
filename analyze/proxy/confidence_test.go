package proxy

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// scipy 1.17.1: stats.entropy([p, 1-p], base=2).
func TestEntropy(t *testing.T) {
	for p, want := range map[float64]float64{0: 0, 1: 0, 0.5: 1, 0.11: 0.499915958164528, 0.9: 0.4689955935892811, 1e-3: 0.011407757737461138} {
		if got := Entropy(p); math.Abs(got-want) > 1e-12 {
			t.Errorf("entropy of %v: %v, want %v", p, got, want)
		}
	}
}

// What is read off the grid is what the scores themselves say, as near as the
// grid is fine: 0.1 % of a probability.
func TestConfidencesAreThoseOfTheScores(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	buckets := map[int32]uint64{}
	var confidence, squares, entropy, low float64
	const n = 20_000
	for i := range n {
		p := r.Float64()
		switch i % 5 {
		case 0:
			p = math.Pow(p, 8) // nearly sure
		case 1:
			p = float64(i % 2) // sure
		}
		buckets[grid.OddsBucket(p)]++
		c := math.Max(p, 1-p)
		confidence, squares = confidence+c, squares+c*c
		if p > 0 && p < 1 {
			entropy -= p*math.Log2(p) + (1-p)*math.Log2(1-p)
		}
		if c < 0.6 {
			low++
		}
	}
	h := Histogram{Buckets: slices.Sorted(maps.Keys(buckets))}
	for _, b := range h.Buckets {
		h.Counts = append(h.Counts, buckets[b])
	}
	got := confidences(h, n, 24, 0.6)
	for measure, want := range map[string]float64{
		plumbline.MeasureConfidence: confidence / n, plumbline.MeasureEntropy: entropy / n, plumbline.MeasureLowConfidence: low / n,
	} {
		if g := got[measure]; math.Abs(g.Value-want) > 0.001 || g.Count != n || g.Hours != 24 {
			t.Errorf("%s: %+v, want %v", measure, g, want)
		}
	}
	variance := (squares/n - (confidence/n)*(confidence/n)) / n
	if g := got[plumbline.MeasureConfidence].Variance; math.Abs(g/variance-1) > 0.01 {
		t.Errorf("variance %v, want %v", g, variance)
	}
	if empty := (Histogram{}).mean(0, 0, middle); !math.IsNaN(empty.Value) {
		t.Errorf("of nothing: %+v", empty)
	}
}
