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
func add[C uint16 | uint32 | uint64](a *adder, buckets []int32, counts []C) error {
	if len(buckets) != len(counts) {
		return fmt.Errorf("histogram of %d buckets and %d counts", len(buckets), len(counts))
	}
	var page *[1 << pageBits]uint64
	var number int32
	for i, b := range buckets {
		if n := b >> pageBits; page == nil || n != number {
			number, page = n, a.page(n)
		}
		page[b&(1<<pageBits-1)] += uint64(counts[i])
	}
	return nil
}

// page returns the page of a number.
func (a *adder) page(number int32) *[1 << pageBits]uint64 {
	page := a.pages[number]
	if page == nil {
		if a.pages == nil {
			a.pages = map[int32]*[1 << pageBits]uint64{}
		}
		page = new([1 << pageBits]uint64)
		a.pages[number] = page
	}
	return page
}

// merge adds what was added to another one.
func (a *adder) merge(other *adder) {
	for number, from := range other.pages {
		to := a.page(number)
		for i, c := range from {
			to[i] += c
		}
	}
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
