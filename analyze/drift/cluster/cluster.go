package cluster

import (
	"fmt"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// Key names what events belong together by: a key of their segments, which need
// not be declared, or else a feature. Events without it belong to nothing.
type Key string

// Effects says how much clusters make counts vary on one day.
type Effects struct {
	Key Key
	// From and To are the day, To exclusive.
	From, To time.Time
	// Clusters is how many were looked at, of Rows rows: all of the day or a sample
	// of whole clusters.
	Clusters, Rows uint64
	// Size is the mean size of the cluster of a row over all of the day, sum n^2 /
	// sum n: the design effect where all rows of a cluster are alike.
	Size float64
	// Series holds the design effects that could be estimated.
	Series map[plumbline.Series]Effect
}

// Effect is how many times clusters multiply the variance of the counts of one
// series, at least 1.
type Effect struct {
	// Mean is that of sums over cells, averaged as in Rao and Scott's first-order
	// correction; Worst is the greatest of any cell and of any share below a cut.
	Mean, Worst float64
}

const (
	// leastClusters is the number of clusters from which a variance between them
	// is believed.
	leastClusters = 30
	day           = 24 * time.Hour
)

// Known reports whether anything is known.
func (e Effects) Known() bool { return e.Clusters > 0 }

// Of is how many times the variance of the counts of a series in a window is that
// of independent events, as far as a measure sees it. Norms see the direction
// that varies most, sums over cells the mean of all. Where nothing was estimated
// of the series, or from fewer than 30 clusters, all rows of a cluster are taken
// as alike. A window longer than a day is taken to hold the same clusters every
// day, so that they grow with it; the day's effect holds for a shorter one.
func (e Effects) Of(series plumbline.Series, id measure.ID, window time.Duration) float64 {
	effect := e.Size
	if s, ok := e.Series[series]; ok && e.Clusters >= leastClusters {
		effect = s.Worst
		switch id {
		case measure.PSI, measure.KL, measure.JS, measure.Hellinger, measure.ChiSquare:
			effect = s.Mean
		}
	}
	return 1 + max(0, effect-1)*max(1, float64(window)/float64(day))
}

// String says what the effects rest on.
func (e Effects) String() string {
	if !e.Known() {
		return fmt.Sprintf("events of one %s may depend on each other, and no raw rows tell by how much", string(e.Key))
	}
	return fmt.Sprintf("events of one %s depend on each other as those of %d did on the day that ended %s", string(e.Key), e.Clusters, e.To.UTC().Format(time.DateOnly))
}

// grow makes up for great clusters that the sample, whose mean size is size, does
// not hold: what an effect is beyond 1 grows with the size beyond 1.
func (e *Effects) grow(size float64) {
	if size <= 1 || e.Size <= size {
		return
	}
	times := (e.Size - 1) / (size - 1)
	for series, s := range e.Series {
		e.Series[series] = Effect{Mean: 1 + (s.Mean-1)*times, Worst: 1 + (s.Worst-1)*times}
	}
}

// sums are what a statement returns of a series: sums over its clusters.
type sums struct {
	clusters, rows, squares uint64
	// x, xx and xn are, by cell, sums of the cluster's rows in the cell, of their
	// square, and of their product with its rows.
	x, xx, xn []uint64
	// cells is how many of them are cells; the others are sums of cells.
	cells int
}

// effect is the ratio of the variance of a share between clusters, linearised,
// to that of independent rows, p (1-p) / rows: of cell j, sum (x - p n)^2 over
// rows p (1-p). The mean over cells weighs them by 1-p (Rao and Scott 1981,
// eq. 3.6: the mean of the eigenvalues of the design effect matrix).
func (s sums) effect() Effect {
	out := Effect{Mean: 1, Worst: 1}
	if s.clusters < 2 {
		return out
	}
	n := float64(s.rows)
	small := float64(s.clusters) / float64(s.clusters-1)
	var sum, freedom float64
	for j := range s.x {
		p := float64(s.x[j]) / n
		between := float64(s.xx[j]) - 2*p*float64(s.xn[j]) + p*p*float64(s.squares)
		if p <= 0 || p >= 1 {
			continue
		}
		effect := small * max(0, between) / (n * p * (1 - p))
		out.Worst = max(out.Worst, effect)
		if j < s.cells {
			sum += (1 - p) * effect
			freedom += 1 - p
		}
	}
	if freedom > 0 {
		out.Mean = max(1, sum/freedom)
	}
	return out
}
