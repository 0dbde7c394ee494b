package quality

import "math"

// z95 is the 97.5 % quantile of the normal distribution.
const z95 = 1.959963984540054

// Interval is a two-sided 95 % interval of a share, within [0, 1]; both ends
// are NaN where there are no events.
type Interval struct{ Low, High float64 }

// Wilson returns the score interval of hits out of n events (Wilson 1927):
// centre (p + z^2/2n) / (1 + z^2/n), half width
// z / (1 + z^2/n) sqrt(p(1-p)/n + z^2/4n^2). Unlike the normal interval it
// holds its level for small n and for shares near 0 and 1.
func Wilson(hits, n int64) Interval { return WilsonSampled(hits, n, n) }

// WilsonSampled is Wilson where the n events were counted from fewer rows,
// each with a weight: the share is that of the events, and the size of the
// sample that of the rows. That is exact where all rows weigh the same. Where
// they do not, the rows know less than their number says ((sum w)^2 / sum w^2,
// Kish 1965), and the interval is somewhat too narrow.
func WilsonSampled(hits, n, rows int64) Interval {
	if n <= 0 || rows <= 0 {
		return Interval{math.NaN(), math.NaN()}
	}
	size, p := float64(rows), float64(hits)/float64(n)
	const z2 = z95 * z95
	centre := (p + z2/(2*size)) / (1 + z2/size)
	half := z95 / (1 + z2/size) * math.Sqrt(p*(1-p)/size+z2/(4*size*size))
	i := Interval{Low: max(centre-half, 0), High: min(centre+half, 1)}
	// Exact at the ends, where rounding would leave 1e-17.
	if hits == 0 {
		i.Low = 0
	}
	if hits == n {
		i.High = 1
	}
	return i
}
