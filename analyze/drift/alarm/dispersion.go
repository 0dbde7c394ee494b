package alarm

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// Dispersion says how many times the variance of the counts of past blocks is
// that of independent events.
type Dispersion struct {
	// Factor is the estimate, at least 1; Upper is its upper confidence bound, at
	// least Factor.
	Factor, Upper float64
	// Blocks is the number of blocks with events, Cells that of filled cells.
	Blocks, Cells int
}

// Overdispersion estimates the dispersion of blocks of about one size: Pearson's
// statistic of the table of blocks by cells over its degrees of freedom
// (McCullagh and Nelder 1989, section 4.5). The bound takes the blocks alone as
// degrees of freedom, since a level that moves from block to block moves all
// cells at once; confidence is that of the bound, in (0, 1). Each block is a
// list of counts in the same cells. Where a level moves, the factor grows with
// the size of the blocks: apply it to blocks of that size; see OverdispersionOf
// for measures other than sums over cells.
//
// It returns an error if the lists differ in length, or with fewer than three
// blocks with events, of which nothing can be learnt.
func Overdispersion(blocks [][]uint64, confidence float64) (Dispersion, error) {
	if !(confidence > 0 && confidence < 1) {
		return Dispersion{}, fmt.Errorf("overdispersion: confidence %v is not between 0 and 1", confidence)
	}
	pooled, sizes, total, err := margins(blocks)
	if err != nil {
		return Dispersion{}, fmt.Errorf("overdispersion: %w", err)
	}
	d, statistic := Dispersion{Factor: 1, Upper: 1}, 0.0
	for _, c := range pooled {
		if c > 0 {
			d.Cells++
		}
	}
	for i, b := range blocks {
		if sizes[i] == 0 {
			continue
		}
		d.Blocks++
		for j, x := range b {
			if pooled[j] > 0 {
				expected := sizes[i] * pooled[j] / total
				statistic += (float64(x) - expected) * (float64(x) - expected) / expected
			}
		}
	}
	if d.Blocks < 3 {
		return Dispersion{}, fmt.Errorf("overdispersion of %d blocks with events: want at least 3", d.Blocks)
	}
	if d.Cells < 2 {
		return d, nil
	}
	free := float64(d.Blocks - 1)
	raw := statistic / (free * float64(d.Cells-1))
	d.Factor = max(1, raw)
	d.Upper = max(d.Factor, raw*free/chiSquareQuantile(1-confidence, free))
	return d, nil
}

// OverdispersionOf estimates the dispersion for one measure from what it was in
// past quiet windows: the mean of their distances, in squared units, over what
// independent events would have. It is the one to take where a level moves: that
// moves all cells one way, which Overdispersion spreads over every direction
// there is, and a measure such as KS sees whole. freedom is that of Freedom. The
// bound takes a window as worth a third of an independent one, as the detector
// does. All results must be of one measure and be judged with an overdispersion
// of 1; those without a distance are left out. It returns an error with fewer
// than three, or of more than one measure.
func OverdispersionOf(past []measure.Result, freedom, confidence float64) (Dispersion, error) {
	if !(confidence > 0 && confidence < 1) {
		return Dispersion{}, fmt.Errorf("overdispersion: confidence %v is not between 0 and 1", confidence)
	}
	d, sum := Dispersion{Factor: 1, Upper: 1}, 0.0
	for _, r := range past {
		if r.Measure != past[0].Measure {
			return Dispersion{}, fmt.Errorf("overdispersion of %s and %s at once", past[0].Measure, r.Measure)
		}
		if r.Method == measure.None || !(r.NullMean > 0) {
			continue
		}
		d.Blocks++
		ratio := r.Value / r.NullMean
		if squares(r.Measure) {
			ratio *= ratio * rootMean(r.Measure, max(1, freedom))
		}
		sum += ratio
	}
	if d.Blocks < 3 {
		return Dispersion{}, fmt.Errorf("overdispersion of %d distances: want at least 3", d.Blocks)
	}
	mean, free := sum/float64(d.Blocks), max(1, worth*float64(d.Blocks))
	d.Factor = max(1, mean)
	d.Upper = max(d.Factor, mean*free/chiSquareQuantile(1-confidence, free))
	return d, nil
}

// margins returns the totals of a table of blocks by cells.
func margins(blocks [][]uint64) (pooled, sizes []float64, total float64, err error) {
	if len(blocks) == 0 {
		return nil, nil, 0, errors.New("no blocks")
	}
	pooled, sizes = make([]float64, len(blocks[0])), make([]float64, len(blocks))
	for i, b := range blocks {
		if len(b) != len(pooled) {
			return nil, nil, 0, fmt.Errorf("block %d has %d cells, the first one %d", i, len(b), len(pooled))
		}
		for j, x := range b {
			pooled[j] += float64(x)
			sizes[i] += float64(x)
			total += float64(x)
		}
	}
	return pooled, sizes, total, nil
}

// chiSquareQuantile returns the x that chi-square with df degrees of freedom
// stays below with probability q: Newton's method on the distribution of its
// root, from Wilson and Hilferty's approximation (1931).
func chiSquareQuantile(q, df float64) float64 {
	lg, _ := math.Lgamma(df / 2)
	log0 := (1-df/2)*math.Ln2 - lg
	density := func(v float64) float64 { return math.Exp(log0 + (df-1)*math.Log(v) - v*v/2) }
	low, high := max(0, math.Sqrt(df)-6), math.Sqrt(df)+6
	h := 2 / (9 * df)
	v := math.Sqrt(df * max(1e-6, math.Pow(max(0, 1-h+math.Sqrt2*math.Erfinv(2*q-1)*math.Sqrt(h)), 3)))
	for range 50 {
		next := v - (integrate(low, v, density)-q)/density(v)
		next = min(max(next, low+(v-low)/2), high)
		if math.Abs(next-v) < 1e-10*v {
			break
		}
		v = next
	}
	return v * v
}

// Deff returns the design effect of clusters, such as the requests of one user:
// how many times clustering multiplies the variance of a share, given the rows
// of each cluster and the correlation of two rows of one cluster, from 0 to 1
// (1: all rows of a cluster are equal, the most cautious). The effective sample
// size is the number of rows over it. It is 1 + correlation (sum n^2 / sum n - 1)
// (Kish 1965, section 5.4, with unequal clusters as in Kish 1987, section 6.3),
// and 1 without rows.
func Deff(rows []uint64, correlation float64) (float64, error) {
	if !(correlation >= 0 && correlation <= 1) {
		return 0, fmt.Errorf("design effect: correlation %v is not between 0 and 1", correlation)
	}
	var sum, squares float64
	for _, n := range rows {
		sum += float64(n)
		squares += float64(n) * float64(n)
	}
	if sum == 0 {
		return 1, nil
	}
	return 1 + correlation*(squares/sum-1), nil
}

// Lengths are the lengths of blocks to choose from.
func Lengths() []time.Duration {
	return []time.Duration{time.Hour, 6 * time.Hour, hoursADay * time.Hour, 7 * hoursADay * time.Hour}
}

// correlated is the autocorrelation from which blocks are not taken as
// independent: at .2 the variance of a mean is half as great again.
const correlated = 0.2

// BlockLength returns the shortest of Lengths whose blocks neither carry over to
// the next one nor repeat by the day or by the week, judged by the
// autocorrelation of what the cells of a block have more or less than the whole.
// hourly are the counts of past quiet hours in order, in the same cells. A length
// needs at least eight blocks to be judged, and eight at any lag; a week is what
// is left if no shorter one will do. It returns an error if the lists differ in
// length or there is no hour.
func BlockLength(hourly [][]uint64) (time.Duration, error) {
	pooled, _, total, err := margins(hourly)
	if err != nil {
		return 0, fmt.Errorf("length of blocks: %w", err)
	}
	lengths := Lengths()
	for _, l := range lengths[:len(lengths)-1] {
		n := int(l / time.Hour)
		rows := deviations(hourly, n, pooled, total)
		if len(rows) < 8 {
			break
		}
		free := true
		for _, lag := range []int{1, hoursADay / n, 7 * hoursADay / n} {
			free = free && (lag == 0 || len(rows)-lag < 8 || autocorrelation(rows, lag) < correlated)
		}
		if free {
			return l, nil
		}
	}
	return lengths[len(lengths)-1], nil
}

const hoursADay = 24

// deviations adds up n hours a block and returns, for each whole block, by how
// much the shares of its cells differ from the pooled ones, in roots of the
// share. A block without events deviates in nothing.
func deviations(hourly [][]uint64, n int, pooled []float64, total float64) [][]float64 {
	var rows [][]float64
	for ; len(hourly) >= n; hourly = hourly[n:] {
		row, size := make([]float64, len(pooled)), 0.0
		for _, hour := range hourly[:n] {
			for j, x := range hour {
				row[j] += float64(x)
				size += float64(x)
			}
		}
		for j := range row {
			if size == 0 || pooled[j] == 0 {
				row[j] = 0
				continue
			}
			share := pooled[j] / total
			row[j] = (row[j]/size - share) / math.Sqrt(share)
		}
		rows = append(rows, row)
	}
	return rows
}

// autocorrelation of the rows at a lag, over all cells.
func autocorrelation(rows [][]float64, lag int) float64 {
	var own, cross float64
	for i, row := range rows {
		for j, v := range row {
			own += v * v
			if i >= lag {
				cross += v * rows[i-lag][j]
			}
		}
	}
	if own == 0 {
		return 0
	}
	return cross / own * float64(len(rows)) / float64(len(rows)-lag)
}
