package drift

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/plumbline-slo/plumbline/storage/grid"
)

// Histogram holds counts by bucket of grid.Full. Buckets are sorted and
// distinct, Counts has one entry for each.
type Histogram struct {
	Buckets []int32
	Counts  []uint64
}

// NewHistogram sorts the buckets and adds up the counts of equal ones. It
// returns an error if the slices differ in length.
func NewHistogram(buckets []int32, counts []uint64) (Histogram, error) {
	if len(buckets) != len(counts) {
		return Histogram{}, fmt.Errorf("histogram of %d buckets and %d counts", len(buckets), len(counts))
	}
	order := make([]int, len(buckets))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(buckets[a], buckets[b]) })
	h := Histogram{Buckets: make([]int32, 0, len(buckets)), Counts: make([]uint64, 0, len(buckets))}
	for _, i := range order {
		h.push(buckets[i], counts[i])
	}
	return h, nil
}

// push adds to the last bucket or a greater one.
func (h *Histogram) push(bucket int32, count uint64) {
	if n := len(h.Buckets); n > 0 && h.Buckets[n-1] == bucket {
		h.Counts[n-1] += count
		return
	}
	h.Buckets, h.Counts = append(h.Buckets, bucket), append(h.Counts, count)
}

// Merge returns the sum of both; neither is changed.
func (h Histogram) Merge(other Histogram) Histogram {
	n := len(h.Buckets) + len(other.Buckets)
	sum := Histogram{Buckets: make([]int32, 0, n), Counts: make([]uint64, 0, n)}
	i, j := 0, 0
	for i < len(h.Buckets) || j < len(other.Buckets) {
		if j == len(other.Buckets) || i < len(h.Buckets) && h.Buckets[i] <= other.Buckets[j] {
			sum.push(h.Buckets[i], h.Counts[i])
			i++
			continue
		}
		sum.push(other.Buckets[j], other.Counts[j])
		j++
	}
	return sum
}

// Total returns the number of values.
func (h Histogram) Total() uint64 {
	var n uint64
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Quantile returns a value within 0.4 % of the q-quantile, 0 <= q <= 1: the
// bucket that holds the ceil(q n)-th smallest value, by its midpoint or, where
// integers are exact, by the integer. It is NaN for an empty histogram.
func (h Histogram) Quantile(q float64) float64 {
	total := h.Total()
	if total == 0 {
		return math.NaN()
	}
	rank := max(uint64(math.Ceil(q*float64(total))), 1)
	var below uint64
	for i, c := range h.Counts {
		below += c
		if below >= rank {
			return representative(h.Buckets[i])
		}
	}
	return representative(h.Buckets[len(h.Buckets)-1])
}

// representative is the value that stands for a bucket.
func representative(b int32) float64 {
	at, beyond := grid.Lower(b), grid.Lower(b+1)
	if b < 0 {
		// The bucket next further from zero; -1 is next to the bucket of zero.
		beyond = grid.Lower(b - 1)
	}
	width := math.Abs(beyond - at)
	if width <= 1 && at == math.Trunc(at) {
		return at
	}
	return at + (beyond-at)/2
}
