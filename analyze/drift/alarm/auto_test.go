package alarm

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// past returns windows that end by the start of noon's day, six hours apart, the
// latest last.
func past(distances ...float64) []Past {
	var all []Past
	for i, d := range distances {
		end := noon.Truncate(24 * time.Hour).Add(-6 * time.Hour * time.Duration(len(distances)-1-i))
		all = append(all, Past{End: end, Distance: d})
	}
	return all
}

func TestAuto(t *testing.T) {
	nan := math.NaN()
	far, near := []float64{3, 2, 3, 2, 3, 2, 3}, []float64{0, 0.1, 9, -0.1, 0, 0, 0.2}
	for _, c := range []struct {
		name       string
		candidates []Candidate
		want       string
		windows    int
	}{
		{"nearest", []Candidate{{"training", past(far...)}, {"same hour", past(near...)}}, "same hour", 7},
		{"tie", []Candidate{{"training", past(0.05, 0.05, 0.05, 0.05, 0.05, 0.05, 0.05)}, {"same hour", past(near...)}}, "training", 7},
		{"too little past", []Candidate{{"training", past(far...)}, {"same hour", past(near[:6]...)}}, "training", 7},
		{"no past", []Candidate{{"training", nil}, {"same hour", past(near[:6]...)}}, "training", 0},
		{"undefined", []Candidate{{"training", past(far...)}, {"same hour", past(0, 0, 0, nan, 0, 0, 0)}}, "training", 7},
		{"only what both have", []Candidate{{"training", past(append([]float64{-9, -9, -9, -9, -9, -9, -9, -9}, far...)...)}, {"same hour", past(near...)}}, "same hour", 7},
	} {
		got, err := Auto(noon, c.candidates)
		if err != nil || got.Kind != c.want || got.Windows != c.windows {
			t.Errorf("%s: %+v, %v, want %s of %d windows", c.name, got, err, c.want, c.windows)
		}
		if !got.From.Equal(noon.Truncate(24*time.Hour)) || !got.To.Equal(got.From.Add(24*time.Hour)) {
			t.Errorf("%s: holds from %s to %s", c.name, got.From, got.To)
		}
	}
	if _, err := Auto(noon, nil); err == nil {
		t.Error("a choice among none")
	}
}

// The choice of a day is the same whatever the day brings, whenever it is asked
// for, and in whatever order the windows come.
func TestAutoNeverLooksAtThePresent(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 500 {
		var candidates []Candidate
		for _, kind := range []string{"training", "window", "same hour"} {
			c := Candidate{Kind: kind}
			centre := r.Float64()
			for i := range 5 + r.IntN(30) {
				c.Past = append(c.Past, Past{End: noon.Truncate(24 * time.Hour).Add(-time.Duration(i) * 6 * time.Hour), Distance: centre + r.NormFloat64()})
			}
			candidates = append(candidates, c)
		}
		want, err := Auto(noon, candidates)
		if err != nil {
			t.Fatal(err)
		}
		for i := range candidates {
			for range 1 + r.IntN(20) {
				end := want.From.Add(time.Duration(1 + r.Int64N(int64(48*time.Hour))))
				candidates[i].Past = append(candidates[i].Past, Past{End: end, Distance: 100 * r.NormFloat64()})
			}
			r.Shuffle(len(candidates[i].Past), func(a, b int) {
				p := candidates[i].Past
				p[a], p[b] = p[b], p[a]
			})
		}
		at := want.From.Add(time.Duration(r.Int64N(int64(24 * time.Hour))))
		got, err := Auto(at, candidates)
		if err != nil || got.Kind != want.Kind || got.Windows != want.Windows || got.Median != want.Median && !math.IsNaN(want.Median) {
			t.Fatalf("asked at %s with a present: %+v, %v, want %+v", at, got, err, want)
		}
	}
}
