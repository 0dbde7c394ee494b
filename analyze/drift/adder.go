package drift

import (
	"fmt"
	"maps"
	"slices"
)

// pageBits is the number of bits of a bucket within its page: an octave.
const pageBits = 8

// adder adds histograms up, page by page: buckets of one histogram are sorted,
// so the page stays in cache.
type adder struct {
	pages map[int32]*[1 << pageBits]uint64
}

// add adds counts to their buckets; they may come in any order.
func add[C uint32 | uint64](a *adder, buckets []int32, counts []C) error {
	if len(buckets) != len(counts) {
		return fmt.Errorf("histogram of %d buckets and %d counts", len(buckets), len(counts))
	}
	if a.pages == nil {
		a.pages = map[int32]*[1 << pageBits]uint64{}
	}
	var page *[1 << pageBits]uint64
	var number int32
	for i, b := range buckets {
		if n := b >> pageBits; page == nil || n != number {
			number, page = n, a.pages[n]
			if page == nil {
				page = new([1 << pageBits]uint64)
				a.pages[n] = page
			}
		}
		page[b&(1<<pageBits-1)] += uint64(counts[i])
	}
	return nil
}

// histogram returns the sum of what was added.
func (a *adder) histogram() Histogram {
	var h Histogram
	filled := 0
	for _, page := range a.pages {
		for _, c := range page {
			if c > 0 {
				filled++
			}
		}
	}
	h.Buckets, h.Counts = make([]int32, 0, filled), make([]uint64, 0, filled)
	for _, number := range slices.Sorted(maps.Keys(a.pages)) {
		for i, c := range a.pages[number] {
			if c > 0 {
				h.Buckets, h.Counts = append(h.Buckets, number<<pageBits+int32(i)), append(h.Counts, c)
			}
		}
	}
	return h
}
