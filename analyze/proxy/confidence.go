package proxy

import (
	"math"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// Histogram is counts by bucket of one of the full grids.
type Histogram struct {
	Buckets []int32
	Counts  []uint64
}

// probability returns the probability that stands for a bucket of grid.FullOdds:
// the middle of its ends, which are at most 0.001 apart.
func probability(bucket int32) float64 {
	return (ofOdds(grid.Lower(bucket)) + ofOdds(grid.Lower(bucket+1))) / 2
}

func ofOdds(odds float64) float64 {
	if math.IsInf(odds, 1) || math.IsNaN(odds) { // p = 1, and what lies above it
		return 1
	}
	return odds / (1 + odds)
}

// Confidence is how sure a model is that answers p: of its answer or of the
// other one. Of more than two classes, where p is that of the predicted one, it
// cannot be told from p below 1/2.
func Confidence(p float64) float64 { return max(p, 1-p) }

// Entropy is that of an answer with probability p, in bits, 0 to 1 (Shannon
// 1948, section 6).
func Entropy(p float64) float64 {
	if p <= 0 || p >= 1 {
		return 0
	}
	return -p*math.Log2(p) - (1-p)*math.Log2(1-p)
}

// confidences are the figures of a histogram of scores: mean confidence, mean
// entropy, and the share of answers that are less sure than low. rows is the
// number of deliveries it was counted from.
func confidences(h Histogram, rows uint64, hours int, low float64) map[string]Reading {
	return map[string]Reading{
		plumbline.MeasureConfidence:    h.mean(rows, hours, func(b int32) float64 { return Confidence(probability(b)) }),
		plumbline.MeasureEntropy:       h.mean(rows, hours, func(b int32) float64 { return Entropy(probability(b)) }),
		plumbline.MeasureLowConfidence: h.mean(rows, hours, func(b int32) float64 { return share(Confidence(probability(b)) < low) }),
	}
}

func share(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// mean returns the mean of a function of what was counted, with its variance.
func (h Histogram) mean(rows uint64, hours int, of func(bucket int32) float64) Reading {
	var n, sum, squares float64
	for i, bucket := range h.Buckets {
		c, v := float64(h.Counts[i]), of(bucket)
		n, sum, squares = n+c, sum+c*v, squares+c*v*v
	}
	if n == 0 || rows == 0 {
		return Reading{Value: math.NaN()}
	}
	m := sum / n
	return Reading{Value: m, Variance: max(0, squares/n-m*m) / float64(rows), Count: rows, Hours: hours}
}

// middle stands for a bucket of grid.Full: the middle of its ends.
func middle(bucket int32) float64 { return (grid.Edge(bucket) + grid.Edge(bucket+1)) / 2 }
