package calibration

import (
	"math"
	"slices"

	"github.com/plumbline-slo/plumbline/storage/grid"
)

// Shape names a distribution over categories.
type Shape string

// The shapes.
const (
	// Even gives all categories the same share.
	Even Shape = "even"
	// Zipf gives the i-th a share proportional to 1/i.
	Zipf Shape = "zipf"
	// Geometric halves the share ten times from the first to the last.
	Geometric Shape = "geometric"
	// Atom gives half of all to the first, the rest evenly to the others.
	Atom Shape = "atom"
)

// shares returns the k shares of the shape.
func (s Shape) shares(k int) []float64 {
	shares, sum := make([]float64, k), 0.0
	for i := range shares {
		switch s {
		case Zipf:
			shares[i] = 1 / float64(i+1)
		case Geometric:
			shares[i] = math.Exp2(-10 * float64(i) / float64(max(1, k-1)))
		case Atom:
			shares[i] = 1
			if i == 0 {
				shares[i] = float64(k - 1)
			}
		default:
			shares[i] = 1
		}
		sum += shares[i]
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}

// Kind names a distribution of numbers.
type Kind string

// The kinds.
const (
	// Normal has mean 10 and standard deviation 1: some 400 buckets of at most a
	// hundredth.
	Normal Kind = "normal"
	// Lognormal has a median of 1 and a standard deviation of its logarithm of 1:
	// some 2,500 buckets.
	Lognormal Kind = "lognormal"
	// Rounded is normal, rounded to halves of its standard deviation: 13 values.
	Rounded Kind = "rounded"
	// Zeros is lognormal after half of all, which are 0.
	Zeros Kind = "zeros"
	// Spikes is normal with 30 %, 10 % and 5 % of all at three values.
	Spikes Kind = "spikes"
)

// buckets returns the buckets of the kind, in order, and the share of each. A
// value is shifted by so many standard deviations of the normal or of the
// logarithm.
func (k Kind) buckets(shift float64) (buckets []int32, shares []float64) {
	masses := map[int32]float64{}
	least, most := grid.Bucket(4), grid.Bucket(16)
	cdf := func(x float64) float64 { return phi(x - 10 - shift) }
	if k == Lognormal || k == Zeros {
		least, most = grid.Bucket(math.Exp(-4)), grid.Bucket(math.Exp(5))
		cdf = func(x float64) float64 { return phi(math.Log(x) - shift) }
	}
	switch k {
	case Rounded:
		for v := 7.0; v <= 13; v += 0.5 {
			masses[grid.Bucket(v)] = math.Exp(-(v - 10 - shift) * (v - 10 - shift) / 2)
		}
	default:
		for b := least; b <= most; b++ {
			masses[b] = cdf(grid.Lower(b+1)) - cdf(grid.Lower(b))
		}
	}
	switch k {
	case Zeros:
		masses[grid.Bucket(0)] = 1
	case Spikes:
		masses[grid.Bucket(9)] += 0.3 / 0.55
		masses[grid.Bucket(10.5)] += 0.1 / 0.55
		masses[grid.Bucket(12)] += 0.05 / 0.55
	}
	sum := 0.0
	for b, p := range masses {
		if p > 0 {
			buckets = append(buckets, b)
		}
	}
	slices.Sort(buckets)
	for _, b := range buckets {
		sum += masses[b]
	}
	for _, b := range buckets {
		shares = append(shares, masses[b]/sum)
	}
	return buckets, shares
}

func phi(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }
