package drift

import (
	"math"
	"slices"
	"testing"
)

func TestCutTilesTheNumbersAndCountsRequests(t *testing.T) {
	reference := Sample{Numbers: histogramOf(1, 2, 2, 3, 500), Nulls: 2, Values: map[string]uint64{"a": 3}}
	current := Sample{Numbers: histogramOf(-7, 2, 1e6), Values: map[string]uint64{"b": 4}, Absent: 5, Weight: 3}
	c := NewCut(reference)
	cells, counts := c.Cells(), c.Count(current)
	if len(cells) != len(counts) {
		t.Fatalf("%d cells, %d counts", len(cells), len(counts))
	}
	next := int32(math.MinInt32)
	var total uint64
	for i, cell := range cells {
		total += counts[i]
		if !cell.Numeric {
			continue
		}
		if cell.From != next || cell.To < cell.From {
			t.Errorf("cell %+v does not follow %d", cell, next)
		}
		next = cell.To + 1 // of the last one math.MinInt32 again
	}
	if total != current.Total() || next != math.MinInt32 {
		t.Errorf("%d of %d requests have a cell, the last ends before %d", total, current.Total(), next)
	}
	unseen := slices.IndexFunc(cells, func(c Cell) bool { return c.Name == "values the reference never had" })
	if counts[unseen] != 4 || counts[0] != 1 {
		t.Errorf("counts %v of %v", counts, cells)
	}
}

func TestCutOfWordsHasNoNumericCells(t *testing.T) {
	c := NewCut(Sample{Values: map[string]uint64{"a": 3}})
	for i, cell := range c.Cells() {
		if cell.Numeric {
			t.Errorf("%+v is numeric", cell)
		}
		if n := c.Count(Sample{Numbers: histogramOf(1)})[i]; (n == 1) != (cell.Name == "a number") && n > 0 {
			t.Errorf("a number lies in %q", cell.Name)
		}
	}
}
