package metric

import "math"

// Moments are a count of per-event numbers with their sum and sum of squares:
// what the join keeps of a loss that is no function of counted cells.
type Moments struct {
	N              int64
	Sum, SquareSum float64
}

// Add counts one number.
func (m *Moments) Add(x float64) { m.AddTimes(x, 1) }

// AddTimes counts one number several times.
func (m *Moments) AddTimes(x float64, times int64) {
	m.N += times
	m.Sum += x * float64(times)
	m.SquareSum += x * x * float64(times)
}

// Merge adds the numbers of another part.
func (m *Moments) Merge(o Moments) {
	m.N, m.Sum, m.SquareSum = m.N+o.N, m.Sum+o.Sum, m.SquareSum+o.SquareSum
}

// Mean returns the mean as the value of a metric, with Student's interval; where a
// loss has a far end, also as far as losses may reach that were not seen, and where it
// has none and all are alike, insufficient. Use MeanOf where the metric needs events of
// both classes.
func (m Moments) Mean(id ID) Value { return m.MeanOf(id, m.N, m.N) }

// MeanOf is Mean over events of which some are positive and some negative.
func (m Moments) MeanOf(id ID, positives, negatives int64) Value {
	return m.MeanAt(id, positives, negatives, Each)
}

// MeanAt is MeanOf where the events know less than they are.
func (m Moments) MeanAt(id ID, positives, negatives int64, t Thinning) Value {
	s := seen{Labelled: m.N, Positives: positives, Negatives: negatives, Predicted: m.N}
	return judgeAt(id, m.mean(), s, t, func() Interval {
		within := bounds(id)
		switch {
		case !math.IsInf(within.High, 0):
			return m.boundedAt(within, t)
		case m.alike(id):
			return Interval{m.mean(), m.mean()}
		}
		return m.studentAt(t)
	})
}

func (m Moments) mean() float64 { return ratio(m.Sum, float64(m.N)) }

func (m Moments) student() Interval { return m.studentAt(Each) }

func (m Moments) studentAt(t Thinning) Interval {
	n, mean := t.of(m.N), m.mean()
	variance := max(m.SquareSum/float64(m.N)-mean*mean, 0) * n / (n - 1)
	half := StudentQuantile((1+Level)/2, n-1) * math.Sqrt(variance/n)
	return Interval{mean - half, mean + half}
}
