package cause

import (
	"fmt"
	"math"
	"slices"
)

// Cell is one part of a population in both periods: how many predictions with a
// label, and how many of them were right (or any other hits, or a sum of losses).
type Cell struct {
	Name                string
	BeforeN, AfterN     int64
	BeforeSum, AfterSum float64
}

// Part is what one cell adds to the change.
type Part struct {
	Name string
	// Mix is added by the cell's growing or shrinking, Rate by its own rate
	// having changed; Total is their sum.
	Mix, Rate, Total float64
	// MixError and RateError are standard errors, from the noise of hits alone, if
	// the sums count hits; NaN otherwise.
	MixError, RateError float64
	// BeforeShare and AfterShare of the predictions, BeforeRate and AfterRate of
	// the cell; a rate of a period without predictions is NaN.
	BeforeShare, AfterShare, BeforeRate, AfterRate float64
}

// Decomposition is a change and its parts.
type Decomposition struct {
	Before, After float64
	// Change is After - Before: to the last few bits the sum of all parts' Totals.
	Change, Mix, Rate float64
	// Parts are ordered by how much they add, the most first.
	Parts []Part
}

// Decompose splits the change of the pooled rate sum/n between two periods
// (Kitagawa 1955; with the mean of both periods as weights there is no
// interaction left over: Oaxaca 1973 and Blinder 1973 with weights of a half).
// For cell i with share s and rate r,
//
//	rate_i = (s' + s)/2 (r' - r)
//	mix_i  = (s' - s) ((r' + r)/2 - (R' + R)/2)
//
// The pooled rates R, R' are subtracted in the mix, which changes no sum, for the
// changes of shares sum to 0: so a cell that grows adds only by how much it differs
// from the rest. A cell that is in one period only has that period's rate in both:
// all that it adds is mix.
func Decompose(cells []Cell) (Decomposition, error) {
	var before, after struct{ n, sum float64 }
	for _, c := range cells {
		if c.BeforeN < 0 || c.AfterN < 0 || bad(c.BeforeSum) || bad(c.AfterSum) {
			return Decomposition{}, fmt.Errorf("decompose: cell %q holds %+v", c.Name, c)
		}
		before.n, before.sum = before.n+float64(c.BeforeN), before.sum+c.BeforeSum
		after.n, after.sum = after.n+float64(c.AfterN), after.sum+c.AfterSum
	}
	if before.n == 0 || after.n == 0 {
		return Decomposition{}, fmt.Errorf("decompose %d cells: %g labels before and %g after", len(cells), before.n, after.n)
	}
	out := Decomposition{Before: before.sum / before.n, After: after.sum / after.n}
	out.Change = out.After - out.Before
	centre := (out.Before + out.After) / 2
	for _, c := range cells {
		if c.BeforeN+c.AfterN == 0 {
			continue
		}
		p := part(c, before.n, after.n, centre)
		out.Mix += p.Mix
		out.Rate += p.Rate
		out.Parts = append(out.Parts, p)
	}
	slices.SortStableFunc(out.Parts, func(a, b Part) int {
		switch x, y := math.Abs(a.Total), math.Abs(b.Total); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return out, nil
}

func bad(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) }

func part(c Cell, before, after, centre float64) Part {
	p := Part{Name: c.Name, BeforeShare: float64(c.BeforeN) / before, AfterShare: float64(c.AfterN) / after,
		BeforeRate: c.BeforeSum / float64(c.BeforeN), AfterRate: c.AfterSum / float64(c.AfterN)}
	from, to := p.BeforeRate, p.AfterRate
	switch {
	case c.BeforeN == 0:
		from, p.BeforeRate = to, math.NaN()
	case c.AfterN == 0:
		to, p.AfterRate = from, math.NaN()
	}
	p.Rate = (p.AfterShare + p.BeforeShare) / 2 * (to - from)
	p.Mix = (p.AfterShare - p.BeforeShare) * ((to+from)/2 - centre)
	p.Total = p.Mix + p.Rate
	p.RateError, p.MixError = noise(c, p, before, after, centre)
	return p
}

// noise returns the standard errors of a part, the two periods independent, with
// the centre taken for known: of its rate by the noise of its hits, of its mix by
// that and by the noise of its shares.
func noise(c Cell, p Part, before, after, centre float64) (rate, mix float64) {
	v, share := 0.0, 0.0
	level, periods := 0.0, 0.0
	for _, x := range []struct{ n, sum, share, all float64 }{
		{float64(c.BeforeN), c.BeforeSum, p.BeforeShare, before}, {float64(c.AfterN), c.AfterSum, p.AfterShare, after},
	} {
		share += x.share * (1 - x.share) / x.all
		if x.n == 0 {
			continue
		}
		r := x.sum / x.n
		if r < 0 || r > 1 {
			return math.NaN(), math.NaN()
		}
		v += r * (1 - r) / x.n
		level, periods = level+r, periods+1
	}
	if periods == 2 {
		rate = (p.AfterShare + p.BeforeShare) / 2 * math.Sqrt(v)
	}
	change := p.AfterShare - p.BeforeShare
	off := level/periods - centre
	return rate, math.Sqrt(share*off*off + change*change*v/(periods*periods))
}
