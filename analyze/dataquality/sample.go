package dataquality

import (
	"math"

	"github.com/plumbline-slo/plumbline/storage/grid"
)

// Sample is one feature over one window: how often each value came. Counts are
// of requests; the tests count deliveries, of which there are fewer where the
// producer samples.
type Sample struct {
	// Requests and Deliveries are those of the window, whether or not they carry
	// the feature.
	Requests, Deliveries uint64
	// Buckets and Counts hold the finite numbers on the full grid, sorted.
	Buckets []int32
	Counts  []uint64
	// Sum, Min and Max are exact and of the finite numbers.
	Sum, Min, Max float64
	// Values holds the categories, Other counts those over the cap of a rollup.
	Values map[string]uint64
	Other  uint64
	// Nulls, NaNs and Infs have no place on the grid.
	Nulls, NaNs, Infs uint64
}

// numbers returns the number of finite numbers.
func (s Sample) numbers() uint64 {
	var n uint64
	for _, c := range s.Counts {
		n += c
	}
	return n
}

// texts returns the number of categories that came.
func (s Sample) texts() uint64 {
	n := s.Other
	for _, c := range s.Values {
		n += c
	}
	return n
}

// values returns the number of values that are not null.
func (s Sample) values() uint64 { return s.numbers() + s.texts() + s.NaNs + s.Infs }

// present returns the number of requests that carried the feature, null or not.
func (s Sample) present() uint64 { return min(s.values()+s.Nulls, s.Requests) }

// deliveries returns from how many deliveries a number of requests was counted.
func (s Sample) deliveries(requests uint64) uint64 {
	if s.Deliveries >= s.Requests {
		return requests
	}
	return uint64(math.Round(float64(requests) * float64(s.Deliveries) / float64(s.Requests)))
}

// share puts a share of requests in deliveries: a sample is only as large as
// those.
func (s Sample) share(hits, of uint64) share {
	of = s.deliveries(of)
	return share{hits: min(s.deliveries(hits), of), of: of}
}

// sumUnit is what sums are rounded to, value by value.
const sumUnit = 1e-9

// moments returns the mean, which is exact, and the standard deviation, which is
// that of the grid: within 0.4 % of the root mean square. So is the mean of numbers so
// small that their sums know less of them. The mean of a constant is that constant: a
// quotient of its sum may lie a bit beside it, another one for each number of values.
func (s Sample) moments() (mean, sd float64) {
	n := float64(s.numbers())
	if n == 0 {
		return math.NaN(), math.NaN()
	}
	var first, second float64
	for i, b := range s.Buckets {
		first += float64(s.Counts[i]) / n * middle(b)
	}
	for i, b := range s.Buckets {
		second += float64(s.Counts[i]) / n * (middle(b) - first) * (middle(b) - first)
	}
	switch {
	case s.Min == s.Max:
		return s.Min, math.Sqrt(second)
	case second > 0 && math.Sqrt(second+first*first)*halfWidth < sumUnit/2: // squares of numbers near 1e-160 are none
		return first, math.Sqrt(second)
	}
	return s.Sum / n, math.Sqrt(second)
}

// rank returns the value of the k-th smallest number, 1 <= k <= n, by the middle
// of its bucket, with the bucket.
func (s Sample) rank(k uint64) (float64, int32) {
	var below uint64
	for i, c := range s.Counts {
		if below += c; below >= k {
			return middle(s.Buckets[i]), s.Buckets[i]
		}
	}
	return math.NaN(), 0
}

// upTo returns how many numbers lie in the bucket or below.
func (s Sample) upTo(bucket int32) uint64 {
	var n uint64
	for i, b := range s.Buckets {
		if b <= bucket {
			n += s.Counts[i]
		}
	}
	return n
}

// halfWidth is half the relative width of a bucket: a value lies no further from
// its bucket's middle, relative to itself.
const halfWidth = 1.0 / 512

// middle is the value that stands for a bucket: the integer where integers are
// exact.
func middle(b int32) float64 {
	at, beyond := grid.Lower(b), grid.Lower(b+1)
	if b < 0 {
		beyond = grid.Lower(b - 1)
	}
	if math.Abs(beyond-at) <= 1 && at == math.Trunc(at) || math.IsInf(beyond, 0) {
		return at
	}
	return at + (beyond-at)/2
}
