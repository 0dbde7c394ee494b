package quality

import (
	"math"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Interval is a two-sided 95 % interval of a share, within [0, 1]; both ends
// are NaN where there are no events.
type Interval = metric.Interval

// Wilson returns the score interval of hits out of n events (Wilson 1927).
func Wilson(hits, n int64) Interval { return metric.Wilson(hits, n) }

// WilsonSampled is Wilson where the n events were counted from fewer rows,
// each with a weight: the share is that of the events, and the size of the
// sample that of the rows. That is exact where all rows weigh the same. Where
// they do not, the rows know less than their number says ((sum w)^2 / sum w^2,
// Kish 1965), and the interval is somewhat too narrow.
func WilsonSampled(hits, n, rows int64) Interval {
	if n <= 0 || rows <= 0 {
		return Interval{Low: math.NaN(), High: math.NaN()}
	}
	i := metric.WilsonShare(float64(hits)/float64(n), float64(rows))
	// Exact at the ends, where rounding would leave 1e-17.
	if hits == 0 {
		i.Low = 0
	}
	if hits == n {
		i.High = 1
	}
	return i
}
