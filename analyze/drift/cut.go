package drift

import "math"

// Cut is the cells of a comparison, for packages that count more than one
// sample in them: the parts of a window, by deploy, hour or segment.
type Cut struct{ cells cells }

// Cell is one cell of a Cut.
type Cell struct {
	// Name says in words what the cell holds. It may hold text of the producer,
	// which is quoted and cut at 40 characters.
	Name string
	// Numeric cells are runs of buckets of the grid, From to To inclusive. The
	// first one that a Cut lists is open below, From is math.MinInt32, and the
	// last one open above, To is math.MaxInt32: values beyond the reference's
	// range. A reference without numbers has no numeric cells.
	Numeric  bool
	From, To int32
}

// NewCut cuts cells on the reference as Compare does.
func NewCut(reference Sample) Cut { return Cut{newCells(reference)} }

// Cells returns the cells in the order of Count: the numeric ones first, by
// value.
func (c Cut) Cells() []Cell {
	list := make([]Cell, 0, len(c.cells.list))
	for _, i := range c.order() {
		cell := c.cells.list[i]
		out := Cell{Name: cell.name(), Numeric: cell.numeric() && c.cells.bins > 0, From: cell.from, To: cell.to}
		switch {
		case cell.numeric() && !out.Numeric:
			out.Name = "a number"
		case cell.kind == cellBelow:
			out.From, out.To = math.MinInt32, c.cells.list[0].from-1
		case cell.kind == cellAbove:
			out.From, out.To = c.cells.list[c.cells.bins-1].to+1, math.MaxInt32
		}
		list = append(list, out)
	}
	return list
}

// Count returns in how many requests of a sample that is held against the reference,
// or of a part of it, each cell was filled.
func (c Cut) Count(s Sample) []uint64 {
	// Requests, not deliveries: parts of a window must add up to the window, and
	// a rounded number of deliveries does not.
	s.Weight = 1
	return c.ordered(c.cells.count(s))
}

// CountReference returns it of the sample that the cells were cut on, or of a part of
// it: a value that came once is new to the rest of it.
func (c Cut) CountReference(s Sample) []uint64 {
	s.Weight = 1
	return c.ordered(c.cells.countReference(s))
}

func (c Cut) ordered(counts []uint64) []uint64 {
	out := make([]uint64, len(counts))
	for to, from := range c.order() {
		out[to] = counts[from]
	}
	return out
}

// Compare counts two samples as Count does, and says in words what moved most
// between them: medians, or the share of the cell with the greatest part in the
// PSI. The words hold text of the producer, quoted. The cells were cut on the
// first sample.
func (c Cut) Compare(reference, current Sample) (p, q []uint64, before, after string) {
	reference.Weight, current.Weight = 1, 1
	was, is := c.cells.countReference(reference), c.cells.count(current)
	before, after = c.cells.words(reference, current, was, is)
	return c.ordered(was), c.ordered(is), before, after
}

// order lists the cells below, bins, above and then the rest.
func (c Cut) order() []int {
	below, above := c.cells.special(cellBelow), c.cells.special(cellAbove)
	order := []int{below}
	for i := range c.cells.bins {
		order = append(order, i)
	}
	order = append(order, above)
	for i := c.cells.bins; i < len(c.cells.list); i++ {
		if i != below && i != above {
			order = append(order, i)
		}
	}
	return order
}
