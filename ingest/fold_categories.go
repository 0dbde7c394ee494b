package ingest

import (
	"slices"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// Category series: predicted first, then the features.
const (
	categoryPredicted = iota
	categoryFeatures
)

// Keys of categories that are no value. Others are an identifier in the
// batch's dictionary, or with cutBit one in categoryCounts.cuts.
const (
	cutBit   = 1 << 31
	nullKey  = cutBit - 1
	otherKey = cutBit - 2
)

// maxCategories caps the distinct values of one series and hour in one batch.
const maxCategories = 10_000

// maxCategoryBytes is where a category is cut, at a rune's start.
const maxCategoryBytes = 256

// categoryCounts counts categories by hour.
type categoryCounts struct {
	cells    pairs // (hour, series)
	distinct []int32
	counts   counts
	cuts     decode.Dict
	// The cell of the row before, by series: rows come nearly in time order.
	lastHour, lastCell []int32
	// recent saves the hashing of values that come again and again.
	recent [1 << 12]recentCount
}

// recentCount is a counter by the pair that it is for; no pair is 0, because
// cells are numbered from 1 there.
type recentCount struct {
	pair uint64
	id   int32
}

func (c *categoryCounts) reset(series int) {
	c.cells.reset()
	c.counts.reset()
	c.cuts.Reset()
	c.distinct, c.lastHour, c.lastCell = c.distinct[:0], c.lastHour[:0], c.lastCell[:0]
	for range series {
		c.lastHour, c.lastCell = append(c.lastHour, -1), append(c.lastCell, -1)
	}
	clear(c.recent[:])
}

// rowCategories counts a row in an hour of its own or of one of its segments.
func (f *fold) rowCategories(row int, hour int32) {
	in, c := f.in, &f.categories
	n := uint64(f.weights[row])
	if class := in.Predicted.IDs[row]; size(in.Predicted.Dict.Text(), class) > 0 {
		c.value(hour, categoryPredicted, class, &in.Predicted.Dict, n)
	}
	from, to := in.Categories.Row(row)
	for i := from; i < to; i++ {
		c.value(hour, categoryFeatures+in.Categories.Keys[i], in.CategoryValues[i], &in.Values, n)
	}
	from, to = in.Nulls.Row(row)
	for i := from; i < to; i++ {
		c.add(hour, categoryFeatures+in.Nulls.Keys[i], nullKey, n)
	}
}

// size returns the number of bytes of a string.
func size(t *decode.Text, id int32) int32 { return t.Offsets[id+1] - t.Offsets[id] }

func (c *categoryCounts) value(hour, series, id int32, dict *decode.Dict, n uint64) {
	key := uint32(id)
	// A cut value may equal another that was short enough, so whatever comes
	// near the length of a cut one is interned again.
	if size(dict.Text(), id) > maxCategoryBytes-4 {
		key = cutBit | uint32(c.cuts.ID(cutCategory(dict.Value(id))))
	}
	c.add(hour, series, key, n)
}

func (c *categoryCounts) add(hour, series int32, key uint32, n uint64) {
	cell := c.lastCell[series]
	if c.lastHour[series] != hour {
		cell = c.cell(hour, series)
	}
	pair := uint64(cell+1)<<32 | uint64(key)
	recent := &c.recent[(uint32(cell)*0x9e3779b1>>16+key)%uint32(len(c.recent))]
	if recent.pair != pair {
		recent.pair, recent.id = pair, c.find(cell, key)
	}
	c.counts.n[recent.id] += n
	c.counts.rows[recent.id]++
}

func (c *categoryCounts) cell(hour, series int32) int32 {
	cell, isNew := c.cells.id(hour, uint32(series))
	if isNew {
		c.distinct = append(c.distinct, 0)
	}
	c.lastHour[series], c.lastCell[series] = hour, cell
	return cell
}

// find returns the counter of a value, or that of other values if there are too
// many: a cell that is full stays full, so the answer holds for the batch.
func (c *categoryCounts) find(cell int32, key uint32) int32 {
	if key != nullKey && c.distinct[cell] >= maxCategories && !c.counts.has(cell, key) {
		key = otherKey
	}
	before := c.counts.len()
	id := c.counts.counter(cell, key)
	if key != nullKey && key != otherKey && c.counts.len() > before {
		c.distinct[cell]++
	}
	return id
}

// sorted returns the counters by cell and key: each bin's n is an identifier.
func (c *categoryCounts) sorted() []bin {
	bins := make([]bin, c.counts.len())
	for id, pair := range c.counts.keys {
		bins[id] = bin{pair, uint64(id)}
	}
	slices.SortFunc(bins, compareBins)
	return bins
}

// cutCategory cuts a value to at most maxCategoryBytes bytes, at the start of a
// rune.
func cutCategory(value []byte) []byte {
	if len(value) <= maxCategoryBytes {
		return value
	}
	n := maxCategoryBytes
	for n > maxCategoryBytes-3 && value[n]&0xc0 == 0x80 {
		n--
	}
	return value[:n]
}
