package measure

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkCompare is one feature of 20 cells and 3,000 buckets against one
// reference, all measures.
func BenchmarkCompare(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for name, shift := range map[string]float64{"equal": 0, "drifted": 0.5} {
		var x, y []float64
		for range 20_000 {
			x, y = append(x, r.NormFloat64()), append(y, r.NormFloat64()+shift)
		}
		n := Numbers{histogram(x), histogram(y)}
		shares := shape(20, 0.9)
		c := Cells{draw(r, shares, 20_000), draw(r, shape(20, 0.9-shift/10), 20_000)}
		b.Run(name+"/numbers", func(b *testing.B) {
			for b.Loop() {
				if _, err := n.Compare(DefaultOptions()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/cells", func(b *testing.B) {
			for b.Loop() {
				if _, err := c.Compare(DefaultOptions()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/psi", func(b *testing.B) {
			for b.Loop() {
				if _, err := c.Compare(DefaultOptions(), PSI); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
