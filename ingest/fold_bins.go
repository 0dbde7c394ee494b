package ingest

import (
	"cmp"
	"slices"
)

// Counters of a histogram lie in pages of neighbouring buckets, on the full
// grid those of one power of two. A page is found by an index and not by a
// hash, and its counters come out in order.
const (
	pageBits       = 8
	pageBuckets    = 1 << pageBits
	directoryPages = 1 << 12 // the grids' buckets are integers of 20 bits with their sign
)

// What is beyond is counted in a hash table, which needs memory for the buckets
// met only: pages are for the many values of few cells.
const (
	maxPages       = 2048 // 4 MiB
	maxDirectories = 512  // 4 MiB
	// pagedRows is how many rows make it worth while to read whole pages.
	pagedRows = 512
)

type page [pageBuckets]uint64

// directory is where the pages of one cell are, 0 for none.
type directory struct {
	pages    [directoryPages]uint16
	from, to int // the pages in use lie between
}

func (d *directory) page(bucket int32) uint16 { return d.pages[pageOf(bucket)] }

func (p *page) add(bucket int32, n uint64) { p[uint32(bucket)%pageBuckets] += n }

func pageOf(bucket int32) uint32 {
	return uint32(bucket>>pageBits+directoryPages/2) % directoryPages
}

// bin is one counter of a cell: a bucket or a category.
type bin struct {
	at uint64 // cell and key, as pairs has them
	n  uint64
}

func (b bin) key() uint32 { return uint32(b.at) }

func compareBins(a, b bin) int { return cmp.Compare(a.at, b.at) }

// histograms counts the values of cells by bucket, those of one time after
// those of another.
type histograms struct {
	bins []bin // of the times that have ended, by cell and bucket

	first       int32 // cell of the time under way
	paged       bool
	pages       []page // the first is never used
	used        int
	directories []*directory // by cell, from first
	none        directory    // of the cells without pages: it stays empty

	rest      counts
	restEnded int
}

func (h *histograms) reset() {
	h.bins = h.bins[:0]
	h.rest.reset()
	h.restEnded = 0
}

// begin starts the cells of a time that has so many rows.
func (h *histograms) begin(first int32, rows int) {
	h.first, h.paged = first, rows >= pagedRows
	if len(h.pages) == 0 {
		h.pages = append(h.pages, page{})
	}
}

// of returns the directory of a cell of the time under way.
func (h *histograms) of(cell int32) *directory {
	i := int(cell - h.first)
	if !h.paged || i >= maxDirectories {
		return &h.none
	}
	for len(h.directories) <= i {
		h.directories = append(h.directories, new(directory))
	}
	return h.directories[i]
}

// add counts n requests in a bucket of the cell whose directory is d.
func (h *histograms) add(d *directory, cell, bucket int32, n uint64) {
	if p := d.page(bucket); p != 0 {
		h.pages[p].add(bucket, n)
		return
	}
	h.miss(d, cell, bucket, n)
}

// miss counts in a bucket whose page is not there yet.
func (h *histograms) miss(d *directory, cell, bucket int32, n uint64) {
	if p := h.newPage(d, int(pageOf(bucket))); p != 0 {
		h.pages[p].add(bucket, n)
		return
	}
	h.rest.add(cell, order(bucket), n)
}

// newPage gives a directory a page and returns it, 0 if there is none to give.
func (h *histograms) newPage(d *directory, i int) uint16 {
	if d == &h.none || h.used == maxPages {
		return 0
	}
	if d.from == d.to {
		d.from, d.to = i, i
	}
	d.from, d.to = min(d.from, i), max(d.to, i+1)
	h.used++
	if h.used == len(h.pages) {
		h.pages = append(h.pages, page{})
	}
	d.pages[i] = uint16(h.used)
	return d.pages[i]
}

// end closes the time under way: the cells to come belong to another.
func (h *histograms) end() {
	from := len(h.bins)
	if h.paged {
		for i, d := range h.directories {
			h.collect(d, uint64(h.first+int32(i)))
		}
	}
	h.used = 0
	if h.restEnded == h.rest.len() {
		return
	}
	for ; h.restEnded < h.rest.len(); h.restEnded++ {
		h.bins = append(h.bins, bin{h.rest.keys[h.restEnded], h.rest.n[h.restEnded]})
	}
	// No bucket is in both: once its page is refused, none is given until the
	// time ends.
	slices.SortFunc(h.bins[from:], compareBins)
}

// collect moves the counters of a cell to the bins.
func (h *histograms) collect(d *directory, cell uint64) {
	for i := d.from; i < d.to; i++ {
		if d.pages[i] == 0 {
			continue
		}
		page := &h.pages[d.pages[i]]
		least := int32(i-directoryPages/2) * pageBuckets
		for b, n := range page {
			if n != 0 {
				h.bins = append(h.bins, bin{cell<<32 | uint64(order(least+int32(b))), n})
			}
		}
		clear(page[:])
		d.pages[i] = 0
	}
	d.from, d.to = 0, 0
}

// starts returns where the bins of each of so many cells begin, and the end.
func starts(bins []bin, cells int) []int32 {
	starts := make([]int32, cells+1)
	for _, b := range bins {
		starts[b.at>>32+1]++
	}
	for i := range cells {
		starts[i+1] += starts[i]
	}
	return starts
}

// counts is a table of counters by (cell, bucket or value).
type counts struct {
	pairs
	n, rows []uint64
}

// counter returns the counter of a key of a cell.
func (c *counts) counter(cell int32, key uint32) int32 {
	id, isNew := c.id(cell, key)
	if isNew {
		c.n = append(c.n, 0)
		c.rows = append(c.rows, 0)
	}
	return id
}

func (c *counts) add(cell int32, key uint32, n uint64) {
	id := c.counter(cell, key)
	c.n[id] += n
	c.rows[id]++
}

func (c *counts) reset() {
	c.pairs.reset()
	c.n, c.rows = c.n[:0], c.rows[:0]
}

// order maps buckets to unsigned integers of the same order.
func order(bucket int32) uint32 { return uint32(bucket) ^ 1<<31 }

func bucketOf(ordered uint32) int32 { return int32(ordered ^ 1<<31) }
