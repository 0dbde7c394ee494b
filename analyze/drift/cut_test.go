package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
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

// Every sample of identifiers has values that no other has: that is no drift, however few
// of all identifiers the reference has seen. Values that are written otherwise are.
func TestIdentifiersDoNotDrift(t *testing.T) {
	random := rand.New(rand.NewPCG(10, 10))
	zipf := rand.NewZipf(random, 1.3, 4, 9_999)
	draw := map[string]func() string{
		"uniform": func() string { return fmt.Sprint(random.IntN(10_000)) },
		"zipf":    func() string { return fmt.Sprint(zipf.Uint64()) },
		"unique":  func() string { return fmt.Sprint(random.Uint64()) },
	}
	sample := func(n int, next func() string) Sample {
		s := Sample{Values: map[string]uint64{}}
		for range n {
			s.Values[next()]++
		}
		return s
	}
	const rounds = 40
	for name, next := range draw {
		for _, size := range [][2]int{{5_000, 720}, {600, 600}, {20_000, 2_000}} {
			breaches, alarms := 0, 0
			for range rounds {
				reference, current := sample(size[0], next), sample(size[1], next)
				if d := Compare(reference, current); d.Enough(DefaultOptions()) && d.Beyond(d.PSI, DefaultOptions()) {
					breaches++
				}
				p, q, _, _ := NewCut(reference).Compare(reference, current)
				results, err := (measure.Cells{Reference: p, Current: q}).Compare(measure.DefaultOptions(), measure.PSI, measure.TVD)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range results {
					if r.Alarm {
						alarms++
					}
				}
			}
			if breaches > 0 || alarms > 2 {
				t.Errorf("%s, %d against %d: %d of %d are a breach, %d of %d an alarm", name, size[1], size[0], breaches, rounds, alarms, 2*rounds)
			}
		}
		reference := sample(5_000, next)
		odd := Compare(reference, sample(720, func() string { return "0" + next() }))
		if unique := name == "unique"; odd.Beyond(odd.PSI, DefaultOptions()) == unique {
			t.Errorf("%s: values that are all written otherwise: PSI %v", name, odd.PSI)
		}
	}
}
