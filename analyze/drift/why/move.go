package why

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

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

// leastMove is the change of a share, in either direction, below which a run of
// numbers has no words of its own.
const leastMove = 0.005

// moves divides the cells into moves, the greatest share first: every category
// is one, and numbers make runs that gain or lose together. odds says that
// buckets are those of the odds of probabilities.
func (c change) moves(cells []drift.Cell, reference, current []uint64, odds bool) []Move {
	n, m := total(reference), total(current)
	gain := func(i int) float64 { return float64(current[i])/m - float64(reference[i])/n }
	var numeric, all [][]int
	for i, cell := range cells {
		switch filled := reference[i]+current[i] > 0; {
		case filled && cell.Numeric:
			numeric = append(numeric, []int{i})
		case filled:
			all = append(all, []int{i})
		}
	}
	noise := func(run []int) float64 {
		pooled := 0.0
		for _, i := range run {
			pooled += float64(reference[i]+current[i]) / (n + m)
		}
		return max(leastMove, 2*math.Sqrt(pooled*(1-pooled)*(1/n+1/m)))
	}
	all = append(all, smooth(numeric, gain, noise)...)
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
			move.Values = axis{odds}.span(cells[first].From, cells[last].To, first == numeric[0][0], last == numeric[len(numeric)-1][0])
		}
		moves = append(moves, move)
	}
	slices.SortStableFunc(moves, func(a, b Move) int { return cmp.Compare(b.Share, a.Share) })
	return moves
}

// smooth joins neighbouring cells that gain or lose together, and then takes the
// run of least change into its neighbours until each is beyond its noise.
func smooth(runs [][]int, gain func(int) float64, noise func([]int) float64) [][]int {
	change := func(run []int) float64 {
		sum := 0.0
		for _, i := range run {
			sum += gain(i)
		}
		return sum
	}
	runs = joinAlike(runs, change)
	for len(runs) > 1 {
		least := -1
		for i, run := range runs {
			if math.Abs(change(run)) < noise(run) && (least < 0 || math.Abs(change(run)) < math.Abs(change(runs[least]))) {
				least = i
			}
		}
		if least < 0 {
			break
		}
		from, to := max(least-1, 0), min(least+1, len(runs)-1)
		runs = slices.Concat(runs[:from], [][]int{slices.Concat(runs[from : to+1]...)}, runs[to+1:])
		runs = joinAlike(runs, change)
	}
	return runs
}

// joinAlike joins neighbours whose changes have one sign.
func joinAlike(runs [][]int, change func([]int) float64) [][]int {
	var joined [][]int
	for _, run := range runs {
		if n := len(joined); n > 0 && (change(joined[n-1]) > 0) == (change(run) > 0) {
			joined[n-1] = slices.Concat(joined[n-1], run)
			continue
		}
		joined = append(joined, run)
	}
	return joined
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
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		rounded = math.Inf(1)
	}
	return drift.Number(v), math.Abs(rounded - v)
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
