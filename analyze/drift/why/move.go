package why

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// Move is a set of values whose part of the requests changed.
type Move struct {
	// Values says in words which, for example "at 501 or more" or `"DE"`. It may
	// hold text of the producer, quoted and cut.
	Values string `json:"values"`
	// Before and After are the portion of the requests in the reference and in
	// the window, 0 to 1.
	Before float64 `json:"before"`
	After  float64 `json:"after"`
	// Share is its portion of the series' distance; those of all moves add up
	// to 1.
	Share float64 `json:"share"`

	numeric bool
	cells   []int
}

// String says the move: "31 % of requests at 501 or more, was 12 %".
func (m Move) String() string {
	if m.numeric {
		return fmt.Sprintf("%s of requests %s, was %s", percent(m.After), m.Values, percent(m.Before))
	}
	return fmt.Sprintf("%s in %s of requests, was %s", m.Values, percent(m.After), percent(m.Before))
}

// percent spells a share, rounded for people.
func percent(share float64) string {
	switch p := 100 * share; {
	case p == 0:
		return "0 %"
	case p > 0 && p < 0.1:
		return "<0.1 %"
	case p < 10:
		return fmt.Sprintf("%.1f %%", p)
	case p > 99 && p < 100:
		return ">99 %"
	default:
		return fmt.Sprintf("%.0f %%", p)
	}
}

// moves divides the cells into moves, the greatest share first: every category
// is one, and numbers make as few runs as tell of the change. odds says that
// buckets are those of the odds of probabilities.
func (c change) moves(cells []drift.Cell, reference, current []uint64, odds bool) []Move {
	n, m := total(reference), total(current)
	var numeric []int
	var all [][]int
	for i, cell := range cells {
		switch filled := reference[i]+current[i] > 0; {
		case filled && cell.Numeric:
			numeric = append(numeric, i)
		case filled:
			all = append(all, []int{i})
		}
	}
	all = append(all, runs(numeric, reference, current)...)
	value := c.value()
	moves := make([]Move, 0, len(all))
	for _, run := range all {
		move := Move{cells: run, numeric: cells[run[0]].Numeric}
		for _, i := range run {
			move.Before += float64(reference[i]) / n
			move.After += float64(current[i]) / m
			if value > 0 {
				move.Share += c.part(i) / value
			}
		}
		move.Values = cells[run[0]].Name
		if move.numeric {
			first, last := run[0], run[len(run)-1]
			move.Values = axis{odds}.span(cells[first].From, cells[last].To, first == numeric[0], last == numeric[len(numeric)-1])
		}
		moves = append(moves, move)
	}
	slices.SortStableFunc(moves, func(a, b Move) int { return cmp.Compare(b.Share, a.Share) })
	return moves
}

const (
	// mostRuns is the greatest number of runs that numbers are divided into.
	mostRuns = 6
	// A cut must keep at least this portion of the PSI of all cells, and so many
	// times what a cut keeps on average by chance, which is 1/n + 1/m.
	leastKept   = 0.05
	chancesKept = 10
)

// runs divides the cells, which are in the order of their numbers, into the
// fewest runs that keep most of the PSI between the samples: merging cells
// loses distance, and further cuts would win back too little to be worth words.
// The best division into k runs is found by dynamic programming (Fisher 1958).
func runs(cells []int, reference, current []uint64) [][]int {
	if len(cells) == 0 {
		return nil
	}
	n, m := total(reference), total(current)
	kept := func(from, to int) float64 { // of cells[from:to] as one
		var x, y uint64
		for _, i := range cells[from:to] {
			x, y = x+reference[i], y+current[i]
		}
		p, q := max(float64(x), 0.5)/n, max(float64(y), 0.5)/m
		return (q - p) * math.Log(q/p)
	}
	whole := 0.0
	for k := range cells {
		whole += kept(k, k+1)
	}
	best, cut := divisions(len(cells), min(mostRuns, len(cells)), kept)
	least := max(leastKept*whole, chancesKept*(1/n+1/m))
	chosen := 0
	for k := range best {
		if best[k]-best[chosen] > least*float64(k-chosen) {
			chosen = k
		}
	}
	var out [][]int
	for to, k := len(cells), chosen; k >= 0; k-- {
		from := cut[k][to]
		out = append(out, cells[from:to])
		to = from
	}
	slices.Reverse(out)
	return out
}

// divisions finds the best divisions of n cells into 1 to most runs: best[k] is
// the most that k+1 runs keep, and cut[k][to] where the last of the k+1 runs of
// the first to cells begins.
func divisions(n, most int, kept func(from, to int) float64) (best []float64, cut [][]int) {
	before := make([]float64, n+1) // what k runs of the first cells keep
	for to := range before[1:] {
		before[to+1] = math.Inf(-1) // no run holds nothing
	}
	for range most {
		now, from := make([]float64, n+1), make([]int, n+1)
		now[0] = math.Inf(-1)
		for to := 1; to <= n; to++ {
			now[to] = math.Inf(-1)
			for start := range to {
				if v := before[start] + kept(start, to); v > now[to] {
					now[to], from[to] = v, start
				}
			}
		}
		best, cut, before = append(best, now[n]), append(cut, from), now
	}
	return best, cut
}

// axis is what buckets are of: numbers, or odds of probabilities.
type axis struct{ odds bool }

// number spells the value at an edge of the grid, and says by how much that is
// off.
func (a axis) number(v float64) (text string, off float64) {
	if a.odds {
		v /= 1 + v
		if math.IsNaN(v) {
			v = 1 // of infinite odds
		}
	}
	return drift.Number(v), math.Abs(plumbline.RoundThree(v) - v)
}

// span says which numbers lie between two buckets, inclusive. Bounds are edges
// of the grid: exact to 0.4 %, and to the three digits of drift.Number.
func (a axis) span(from, to int32, lowest, highest bool) string {
	switch {
	case lowest && highest:
		return "with a number"
	case lowest:
		_, below := a.bound(to + 1)
		return below
	case highest:
		above, _ := a.bound(from)
		return above
	case from == to:
		at, _ := a.number(grid.Lower(from))
		return "at " + at
	}
	above, _ := a.bound(from)
	_, below := a.bound(to + 1)
	return above + " and " + below
}

// bound says on which side of the lower edge of bucket b a number lies. Where
// the bucket below is one round number, as integers are, it names that.
func (a axis) bound(b int32) (above, below string) {
	edge, off := a.number(grid.Edge(b))
	if b < 0 {
		// The edge belongs to the bucket below, the other way than above zero.
		return "above " + edge, "at " + edge + " or less"
	}
	if b > 0 {
		if last, lastOff := a.number(grid.Lower(b - 1)); len(last) < len(edge) || last == edge && lastOff < off {
			return "above " + last, "up to " + last
		}
	}
	return "at " + edge + " or more", "below " + edge
}
