package metric

import "math"

// Thinning is how many independent events a counted one is worth, in (0, 1]:
// less than 1 where a producer samples and each row counts as several requests.
// Values are those of the counts, intervals and what a metric needs those of
// counts x Thinning.
type Thinning float64

// Each is the thinning of events that were counted once each.
const Each Thinning = 1

// ThinningOf returns the thinning of rows by the sum of their weights and of the
// squares of their weights, by the effective size of a weighted sample
// (sum w)^2 / sum w^2 (Kish 1965, section 11.7). It is exact where all weigh the
// same; it takes weights not to go with what is measured.
func ThinningOf(weights, squares float64) Thinning {
	if !(weights > 0) || !(squares > weights) {
		return Each
	}
	return Thinning(weights / squares)
}

// of is the effective size of n events.
func (t Thinning) of(n int64) float64 { return float64(n) * float64(t) }

// fewer reports whether n events are worth fewer than needed.
func (t Thinning) fewer(n, needed int64) bool {
	// A whole number of rows may come out a bit below itself.
	return t.of(n)*(1+1e-12) < float64(needed)
}

func (t Thinning) wilson(hits, n int64) Interval {
	if t == Each || n <= 0 {
		return Wilson(hits, n)
	}
	i := WilsonShare(float64(hits)/float64(n), t.of(n))
	if hits == 0 {
		i.Low = 0
	}
	if hits == n {
		i.High = 1
	}
	return i
}

// Squares are the power sums of the labelled predictions of a regression that
// its coefficient of determination is a function of: they merge. Y is the truth
// less Shift, any number near the truths that all parts share, and E the error.
type Squares struct {
	N                 int64
	Shift             float64
	Y, Y2, Y3, Y4     float64 // sums of powers of Y
	E2, E4, YE2, Y2E2 float64 // sums of E^2, E^4, Y E^2, Y^2 E^2
}

// Determination returns R2 of the sums. It is not defined where all truths are
// equal.
func (s Squares) Determination(t Thinning) Value {
	n := float64(s.N)
	mean := s.Y / n
	total := s.Y2 - n*mean*mean
	r2 := 1 - s.E2/total
	if s.N <= 0 || !(total > 1e-12*math.Abs(s.Y2)) {
		r2 = math.NaN()
	}
	return judgeAt(R2, r2, seen{Labelled: s.N}, t, func() Interval {
		// The influence (1-R2) u - e^2 of package-level Determination, u the squared
		// distance from the mean: its sum is 0, its squares follow by expansion.
		u2 := s.Y4 - 4*mean*s.Y3 + 6*mean*mean*s.Y2 - 4*mean*mean*mean*s.Y + n*mean*mean*mean*mean
		ue := s.Y2E2 - 2*mean*s.YE2 + mean*mean*s.E2
		a := 1 - r2
		spread := Moments{N: s.N, SquareSum: max(a*a*u2-2*a*ue+s.E4, 0) * square(n/total)}
		i := spread.studentAt(t)
		return Interval{i.Low + r2, min(i.High+r2, 1)}
	})
}

// Undecided is the most that the average precision can be off by where buckets
// hold several scores. It is least where each positive of a bucket comes alone
// behind all its negatives, and greatest where all come together before them.
func (c Curve) Undecided() float64 {
	off, tp, called := 0.0, 0.0, 0.0
	for _, cell := range c.cells {
		p, n := float64(cell.Positives), float64(cell.Negatives)
		if p > 0 && cell.Blurred {
			worst := 0.0
			for i := range cell.Positives {
				j := float64(i + 1)
				worst += (tp + j) / (called + n + j)
			}
			best, tied := p*(tp+p)/(called+p), p*(tp+p)/(called+p+n)
			off += max(best-tied, tied-worst)
		}
		tp, called = tp+p, called+p+n
	}
	return ratio(off, float64(c.positives))
}

// LogLossOf returns the log loss of the moments of -ln of the probability that
// each truth was given. Where one was given 0 the mean is infinite, which is
// reported as it is: clipping would invent a number.
func LogLossOf(logs Moments, positives, negatives int64, t Thinning) Value {
	v := logs.MeanAt(LogLoss, positives, negatives, t)
	if math.IsInf(v.Value, 1) {
		v.Interval, v.State = none(), Insufficient
		v.Why = "a score of 0 or 1 was wrong, so the mean is infinite"
	}
	return v
}
