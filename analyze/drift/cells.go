package drift

import (
	"cmp"
	"maps"
	"slices"

	"github.com/plumbline-slo/plumbline/storage/grid"
)

const (
	// maxBins is the greatest number of bins of equal mass.
	maxBins = 20
	// maxValues is the number of categories that have a cell of their own.
	maxValues = 20
	// leastOwn is how often one of more than that must have come to have one: that one of
	// many came twice was chance, and it will not do so again.
	leastOwn = 3
)

// cellKind says what a cell counts.
type cellKind int

const (
	cellBin cellKind = iota + 1
	cellBelow
	cellAbove
	cellValue
	cellOther
	cellUnseen
	cellNull
	cellNaN
	cellInf
	cellAbsent
)

// cell is one cell of a comparison.
type cell struct {
	kind     cellKind
	value    string // of cellValue
	from, to int32  // buckets of cellBin, to is inclusive
	odds     bool   // the buckets are those of odds
	once     bool   // of cellUnseen: the reference has some, too
}

// cells cut the values of a feature on its reference; current data never moves
// them. Each value of any sample falls into exactly one.
type cells struct {
	list []cell
	bins int            // list[:bins] are the bins, in order
	of   map[string]int // index of the categories with their own cell
	seen map[string]struct{}
	// once are the categories that came once in the reference, where there are more of
	// them than have cells of their own. Of values that no other request has, such as
	// identifiers, there are new ones in every sample, and none of the reference's is new
	// to itself. So it is asked of both samples which values no other request of the
	// reference has: the share of those that came once is what the unseen ones of a
	// further sample make up (Good 1953).
	once map[string]struct{}
	// sealed says that the reference kept every category, so one that it does
	// not have is unseen and not one of its other ones.
	sealed bool
}

// newCells cuts at most 20 bins of equal mass in the reference, snapped to the
// grid, takes its 20 most frequent categories, and adds a cell for everything
// that the reference may lack.
func newCells(reference Sample) cells {
	c := cells{of: map[string]int{}, seen: map[string]struct{}{}, once: map[string]struct{}{}, sealed: reference.Other == 0}
	c.list = equalMass(reference.Numbers)
	c.bins = len(c.list)
	for i := range c.list {
		c.list[i].odds = reference.Grid == grid.FullOdds
	}
	values := slices.SortedFunc(maps.Keys(reference.Values), func(a, b string) int {
		return cmp.Or(cmp.Compare(reference.Values[b], reference.Values[a]), cmp.Compare(a, b))
	})
	crowded := c.sealed && len(values) > maxValues
	for i, v := range values {
		c.seen[v] = struct{}{}
		came := reference.deliveries(reference.Values[v])
		switch {
		case crowded && came <= 1:
			c.once[v] = struct{}{}
		case i < maxValues && (!crowded || came >= leastOwn):
			c.of[v] = len(c.list)
			c.list = append(c.list, cell{kind: cellValue, value: v})
		}
	}
	for _, kind := range []cellKind{cellBelow, cellAbove, cellOther, cellUnseen, cellNull, cellNaN, cellInf, cellAbsent} {
		c.list = append(c.list, cell{kind: kind})
	}
	c.list[c.special(cellUnseen)].once = len(c.once) > 0
	return c
}

// equalMass cuts the histogram into at most maxBins runs of buckets, each cut
// after the bucket in which the mass reaches the next multiple of 1/maxBins.
func equalMass(h Histogram) []cell {
	var (
		bins  []cell
		below uint64
		next  = uint64(1)
		total = h.Total()
		full  = true
	)
	for i, b := range h.Buckets {
		if h.Counts[i] == 0 {
			continue
		}
		if full {
			from := b
			if n := len(bins); n > 0 {
				// No value between two bins is left out.
				from = bins[n-1].to + 1
			}
			bins = append(bins, cell{kind: cellBin, from: from})
		}
		bins[len(bins)-1].to = b
		below += h.Counts[i]
		full = below*maxBins >= next*total
		if full {
			next = below*maxBins/total + 1
		}
	}
	return bins
}

// special returns the index of the cell of a kind that has one cell.
func (c cells) special(kind cellKind) int {
	return slices.IndexFunc(c.list, func(cell cell) bool { return cell.kind == kind })
}

// count returns the deliveries in each cell of a sample that is held against the
// reference.
func (c cells) count(s Sample) []uint64 { return c.counted(s, c.category) }

// countReference returns those of the reference, or of a part of it.
func (c cells) countReference(s Sample) []uint64 {
	return c.counted(s, func(v string) int {
		if _, once := c.once[v]; once {
			return c.special(cellUnseen)
		}
		return c.category(v)
	})
}

// counted returns the sample's deliveries in each cell, a category's in its own.
func (c cells) counted(s Sample, category func(string) int) []uint64 {
	counts := make([]uint64, len(c.list))
	c.numbers(s.Numbers, counts)
	for v, n := range s.Values {
		counts[category(v)] += n
	}
	counts[c.special(cellOther)] += s.Other
	counts[c.special(cellNull)] += s.Nulls
	counts[c.special(cellNaN)] += s.NaNs
	counts[c.special(cellInf)] += s.Infs
	counts[c.special(cellAbsent)] += s.Absent
	for i, n := range counts {
		counts[i] = s.deliveries(n)
	}
	return counts
}

// numbers adds the values of a histogram to their cells. Both are in order, so
// one walk along them does.
func (c cells) numbers(h Histogram, counts []uint64) {
	below, above := c.special(cellBelow), c.special(cellAbove)
	i := 0
	for k, b := range h.Buckets {
		for i < c.bins && c.list[i].to < b {
			i++
		}
		switch {
		case i == c.bins:
			counts[above] += h.Counts[k]
		case b < c.list[i].from:
			counts[below] += h.Counts[k]
		default:
			counts[i] += h.Counts[k]
		}
	}
}

// category returns the cell of a category.
func (c cells) category(v string) int {
	if i, ok := c.of[v]; ok {
		return i
	}
	if _, seen := c.seen[v]; seen || !c.sealed {
		return c.special(cellOther)
	}
	return c.special(cellUnseen)
}
