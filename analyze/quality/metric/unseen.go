package metric

import "math"

// Intervals are of what further labels from the same process would show, and of those
// that are in none may be wrong: then no spread is seen, and the delta method and
// Student's t leave nothing open. What stands in this file is how far that may be off.

// unseen is the greatest share of a kind of event that n events without one leave
// possible, 1 - .025^(1/n), about 3.7/n (Clopper & Pearson 1934; at 5 % to one side it
// is the rule of three, Hanley & Lippman-Hand 1983, "If nothing goes wrong, is
// everything all right?").
func unseen(n float64) float64 { return -math.Expm1(math.Log((1-Level)/2) / n) }

// hull is the least interval that holds both.
func hull(a, b Interval) Interval { return Interval{min(a.Low, b.Low), max(a.High, b.High)} }

// bounds are between what a loss or gain of one event lies by its definition; infinite
// where it has no end.
func bounds(id ID) Interval {
	switch id {
	case NDCG, MAP, MRR, Brier:
		return Interval{0, 1}
	case MultiBrier:
		return Interval{0, 2}
	}
	return Interval{math.Inf(-1), math.Inf(1)}
}

// boundedAt is Student's interval of a mean of what lies within bounds, and the means
// that a share of events could make that were not seen and lie at a far end.
func (m Moments) boundedAt(within Interval, t Thinning) Interval {
	share, mean := unseen(t.of(m.N)), m.mean()
	i := hull(m.studentAt(t), Interval{mean + share*(within.Low-mean), mean + share*(within.High-mean)})
	return Interval{max(i.Low, within.Low), min(i.High, within.High)}
}

// nano is what hourly rollups round a log loss and its square to.
const nano = 1e-9

// alike reports whether the numbers are all the same, but for the rounding of sums.
func (m Moments) alike(id ID) bool {
	mean, squares := m.mean(), m.SquareSum/float64(m.N)
	variance := squares - mean*mean
	return variance <= 1e-12*squares || id == LogLoss && variance <= 4*nano*(1+math.Abs(mean))
}

// unseen is between what a metric of the matrix would be if events of one cell that
// has none came, as many as may be. at is the metric with some more in cell (i, j).
func (m Matrix) unseen(t totals, at func(i, j int, more float64) float64) Interval {
	share := unseen(t.n * float64(t.thin))
	more := t.n * share / (1 - share)
	out := Interval{math.Inf(1), math.Inf(-1)}
	for i, row := range m {
		for j, count := range row {
			if count > 0 {
				continue
			}
			if x := at(i, j, more); !math.IsNaN(x) {
				out = hull(out, Interval{x, x})
			}
		}
	}
	return out
}
