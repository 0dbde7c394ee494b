package measure

import "math"

// splits returns the measure as a function of a split of the pooled counts, of
// which x are the reference's. It looks at the pooled counts alone, and keeps
// the terms it has computed: cells of one pooled count share them.
func (t two) splits(id ID) func(x []uint64) float64 {
	switch id {
	case LInfinity:
		return t.greatestSplit
	case TVD:
		return t.variationSplit
	case PSI, KL:
		return t.filledSplit(id)
	default:
		return t.sumSplit(id)
	}
}

func (t two) greatestSplit(x []uint64) float64 {
	a, b, most := 1/t.n, 1/t.m, 0.0
	for i, c := range t.pooled {
		most = max(most, math.Abs(float64(x[i])*a-float64(c-x[i])*b))
	}
	return most
}

func (t two) variationSplit(x []uint64) float64 {
	a, b, sum := 1/t.n, 1/t.m, 0.0
	for i, c := range t.pooled {
		sum += math.Abs(float64(x[i])*a - float64(c-x[i])*b)
	}
	return sum / 2
}

func (t two) sumSplit(id ID) func(x []uint64) float64 {
	terms := newMemo(t.pooled, func(x, y float64) float64 { return term(id, x, y, t.n, t.m) })
	return func(x []uint64) float64 {
		sum := terms.sum(x)
		if isRoot(id) {
			return math.Sqrt(max(0, sum))
		}
		return max(0, sum)
	}
}

// filledSplit is PSI or KL. Their totals move with the number of empty cells, so
// they are put together from sums that do not: with a = max(x, 1/2) and b =
// max(y, 1/2), of A and B in all, KL is sum b ln(b n / a m) / B + ln(A m / B n),
// and PSI is the difference of that sum over B and the one of a over A.
func (t two) filledSplit(id ID) func(x []uint64) float64 {
	logs := newMemo(t.pooled, func(x, y float64) float64 { return math.Log(max(y, 0.5) / max(x, 0.5) * (t.n / t.m)) })
	return func(x []uint64) float64 {
		n, m := t.n, t.m
		var upper, lower float64
		for i, c := range t.pooled {
			switch x[i] {
			case 0:
				n += 0.5
			case c:
				m += 0.5
			}
			log := logs.at(i, x[i])
			// Written out as products to be added: a fused multiply-add would be
			// another sum.
			upper += float64(max(float64(c-x[i]), 0.5) * log)
			lower += float64(max(float64(x[i]), 0.5) * log)
		}
		if id == KL {
			return max(0, upper/m+math.Log(n/t.n*(t.m/m)))
		}
		return max(0, upper/m-lower/n)
	}
}

// memoMost is the greatest pooled count whose terms are kept.
const memoMost = 256

// memo is a function of the counts of each cell.
type memo struct {
	pooled []uint64
	of     func(x, y float64) float64
	start  []int     // of the terms of each cell, -1 where none are kept
	terms  []float64 // NaN until computed
}

func newMemo(pooled []uint64, of func(x, y float64) float64) *memo {
	m := &memo{pooled: pooled, of: of, start: make([]int, len(pooled))}
	starts := map[uint64]int{}
	for i, c := range pooled {
		m.start[i] = -1
		if c > memoMost {
			continue
		}
		at, ok := starts[c]
		if !ok {
			at = len(m.terms)
			starts[c] = at
			for range c + 1 {
				m.terms = append(m.terms, math.NaN())
			}
		}
		m.start[i] = at
	}
	return m
}

func (m *memo) sum(x []uint64) float64 {
	sum := 0.0
	for i, k := range x {
		sum += m.at(i, k)
	}
	return sum
}

// at returns the term of one cell of which x are the reference's.
func (m *memo) at(i int, x uint64) float64 {
	y := m.pooled[i] - x
	if m.start[i] < 0 {
		return m.of(float64(x), float64(y))
	}
	kept := &m.terms[m.start[i]+int(x)]
	if math.IsNaN(*kept) {
		*kept = m.of(float64(x), float64(y))
	}
	return *kept
}
