package metric

import (
	"math"
	"slices"
)

// Cell counts the labelled predictions of one score, or of one bucket of
// scores, where Score is any number that orders the buckets.
type Cell struct {
	Score                float64
	Positives, Negatives int64
	// Blurred says that the cell is a bucket with more than one score in it.
	Blurred bool
}

// Curve is the labelled predictions of a binary model by score, in falling
// order and each score once.
type Curve struct {
	cells                []Cell
	positives, negatives int64
}

// NewCurve orders cells and merges those of equal score. Scores that are NaN
// cannot be ranked and are left out; dropped is how many predictions that were.
func NewCurve(cells []Cell) (c Curve, dropped int64) {
	sorted := slices.Clone(cells)
	slices.SortFunc(sorted, func(a, b Cell) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	for _, cell := range sorted {
		if math.IsNaN(cell.Score) {
			dropped += cell.Positives + cell.Negatives
			continue
		}
		c.positives += cell.Positives
		c.negatives += cell.Negatives
		if last := len(c.cells) - 1; last >= 0 && c.cells[last].Score == cell.Score {
			c.cells[last].Positives += cell.Positives
			c.cells[last].Negatives += cell.Negatives
			c.cells[last].Blurred = c.cells[last].Blurred || cell.Blurred
			continue
		}
		c.cells = append(c.cells, cell)
	}
	return c, dropped
}

func (c Curve) seen() seen {
	n := c.positives + c.negatives
	return seen{Labelled: n, Positives: c.positives, Negatives: c.negatives, Predicted: n}
}

// ROCAUC returns the area under the ROC curve. Its variance is DeLong's, from
// the placement of every positive among the negatives and the reverse, ties
// counting half, which needs one pass over the cells.
func (c Curve) ROCAUC() Value { return c.ROCAUCAt(Each) }

// Ties is half the share of the pairs of a positive and a negative that lie in
// one bucket of several scores, sum P_b N_b / (2 P N): the most that the area under
// the ROC curve can be off by. 0 where every cell has one score.
func (c Curve) Ties() float64 {
	tied := 0.0
	for _, cell := range c.cells {
		if cell.Blurred {
			tied += float64(cell.Positives) * float64(cell.Negatives)
		}
	}
	return ratio(tied, 2*float64(c.positives)*float64(c.negatives))
}

// ROCAUCAt is ROCAUC where the counts know less than they are.
func (c Curve) ROCAUCAt(t Thinning) Value {
	p, n := float64(c.positives), float64(c.negatives)
	var below, above Moments // placements of negatives and of positives
	seenP, seenN := 0.0, 0.0
	for _, cell := range c.cells {
		cp, cn := float64(cell.Positives), float64(cell.Negatives)
		above.AddTimes((n-seenN-cn/2)/n, cell.Positives)
		below.AddTimes((seenP+cp/2)/p, cell.Negatives)
		seenP, seenN = seenP+cp, seenN+cn
	}
	auc := above.mean()
	if p == 0 || n == 0 {
		auc = math.NaN()
	}
	return judgeAt(ROCAUC, auc, c.seen(), t, func() Interval {
		variance := sampleVariance(above, t)/t.of(c.positives) + sampleVariance(below, t)/t.of(c.negatives)
		if auc <= 0 || auc >= 1 || variance == 0 {
			// A perfect ranking leaves DeLong without a variance. Each positive
			// ranked right is then one hit of as many trials, which is cautious.
			return perfect(auc, min(c.positives, c.negatives), t)
		}
		half := z95 * math.Sqrt(variance) / (auc * (1 - auc))
		return Interval{expit(logit(auc) - half), expit(logit(auc) + half)}
	})
}

func sampleVariance(m Moments, t Thinning) float64 {
	n, mean := t.of(m.N), m.mean()
	return max(m.SquareSum/float64(m.N)-mean*mean, 0) * n / (n - 1)
}

func perfect(share float64, n int64, t Thinning) Interval {
	return t.wilson(int64(math.Round(share*float64(n))), n)
}

// PRAUC returns the average precision.
func (c Curve) PRAUC() Value { return c.PRAUCAt(Each) }

// PRAUCAt is PRAUC where the counts know less than they are.
func (c Curve) PRAUCAt(t Thinning) Value {
	p := float64(c.positives)
	tp, called, area := 0.0, 0.0, 0.0
	for _, cell := range c.cells {
		tp += float64(cell.Positives)
		called += float64(cell.Positives + cell.Negatives)
		if cell.Positives > 0 {
			area += float64(cell.Positives) / p * tp / called
		}
	}
	if p == 0 {
		area = math.NaN()
	}
	return judgeAt(PRAUC, area, c.seen(), t, func() Interval {
		if area >= 1 {
			return perfect(1, c.positives, t)
		}
		half := z95 / math.Sqrt(t.of(c.positives)*area*(1-area))
		return Interval{expit(logit(area) - half), expit(logit(area) + half)}
	})
}

// Bin counts the labelled predictions whose scores fall together.
type Bin struct {
	N, Positives int64
	ScoreSum     float64
}

// CalibrationError returns the expected calibration error over bins. The plug-in
// value is never 0 by noise alone: the interval's lower end is lowered by what
// perfectly calibrated scores would show.
func CalibrationError(bins []Bin) Value { return CalibrationErrorAt(bins, Each) }

// CalibrationErrorAt is CalibrationError where the counts know less than they
// are.
func CalibrationErrorAt(bins []Bin, t Thinning) Value {
	var s seen
	for _, b := range bins {
		s.Labelled += b.N
		s.Positives += b.Positives
		s.Negatives += b.N - b.Positives
	}
	ece, noise, variance := 0.0, 0.0, 0.0
	for _, b := range bins {
		if b.N == 0 {
			continue
		}
		n := float64(b.N)
		weight, p := n/float64(s.Labelled), float64(b.Positives)/n
		ece += weight * math.Abs(b.ScoreSum/n-p)
		// Half an event of either kind is added, so that a bin of one class has
		// a variance.
		size := t.of(b.N)
		q := (float64(b.Positives)*float64(t) + 0.5) / (size + 1)
		spread := q * (1 - q) / size
		noise += weight * math.Sqrt(2/math.Pi*spread)
		variance += weight * weight * spread
	}
	return judgeAt(ECE, ece, s, t, func() Interval {
		half := z95 * math.Sqrt(variance)
		return Interval{max(ece-noise-half, 0), min(ece+half, 1)}
	})
}
