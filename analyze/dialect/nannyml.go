package dialect

import (
	"fmt"
	"math"
	"slices"
)

// Chunk is the rows [From, To) of a table, in the order NannyML sees them: by
// timestamp, where it was given one.
type Chunk struct{ From, To int }

// Key is the name NannyML prints for the chunk.
func (c Chunk) Key() string { return fmt.Sprintf("[%d:%d]", c.From, c.To-1) }

// ChunksOf cuts rows into chunks of size rows. What remains is a chunk of its
// own, shorter, as NannyML keeps it by default.
func ChunksOf(rows, size int) ([]Chunk, error) {
	if rows < 1 || size < 1 {
		return nil, fmt.Errorf("chunks of %d rows from %d rows: both must be positive", size, rows)
	}
	var chunks []Chunk
	for from := 0; from < rows; from += size {
		chunks = append(chunks, Chunk{from, min(from+size, rows)})
	}
	return chunks, nil
}

// NannyML's defaults.
const (
	// NannyMLChunks is the number of chunks it cuts a table into; rows that do
	// not divide by it make one chunk more.
	NannyMLChunks = 10
	// nannyDeviations is how many standard deviations of the reference chunks
	// lie between their mean and the threshold.
	nannyDeviations = 3
	// nannyExactBelow is the number of reference rows from which KS and
	// Wasserstein are estimated on nannyBins bins of equal width.
	nannyExactBelow = 10_000
	nannyBins       = 10_000
	nannyChiAlpha   = 0.05
)

// NannyMLChunking cuts rows the way NannyML does when told nothing.
func NannyMLChunking(rows int) ([]Chunk, error) { return ChunksOf(rows, rows/NannyMLChunks) }

// NannyMLDrift is one univariate measure of NannyML, fitted on the reference of
// one column.
type NannyMLDrift struct {
	measure   Measure
	distance  func(Column) (value, p float64)
	threshold float64
}

// FitNannyMLDrift fits a measure on a reference column and sets its threshold
// from the reference's own chunks: their mean plus three standard deviations.
// Numeric columns know KolmogorovSmirnov, JensenShannon, Hellinger and
// Wasserstein, categorical ones ChiSquare, JensenShannon, Hellinger and
// LInfinity; anything else is ErrUndefined.
//
// Each reference chunk is compared with a reference that contains it, which is
// why these thresholds are too low; the peer does so.
func FitNannyMLDrift(reference Column, m Measure, chunks []Chunk) (*NannyMLDrift, error) {
	d := &NannyMLDrift{measure: m, threshold: math.NaN()}
	var err error
	if reference.categorical {
		d.distance, err = nannyCategorical(reference, m)
	} else {
		d.distance, err = nannyNumeric(reference, m)
	}
	if err != nil {
		return nil, err
	}
	if m == ChiSquare {
		return d, nil // judged by its p-value, whatever the threshold
	}
	values := make([]float64, 0, len(chunks))
	for _, c := range chunks {
		v, _ := d.distance(reference.Rows(c.From, c.To))
		values = append(values, v)
	}
	_, d.threshold = nannyBand(values)
	if m == KolmogorovSmirnov {
		d.threshold = min(d.threshold, 1)
	}
	return d, nil
}

// nannyBand returns mean minus and plus three standard deviations of the
// values that are not NaN.
func nannyBand(values []float64) (low, high float64) {
	values = slices.DeleteFunc(slices.Clone(values), math.IsNaN)
	mean, std := meanStd(values)
	return mean - nannyDeviations*std, mean + nannyDeviations*std
}

// Score compares one chunk with the reference. A chunk without a value that is
// not null scores NaN and does not alert. The column must be of the kind that
// was fitted.
func (d *NannyMLDrift) Score(chunk Column) Score {
	value, p := d.distance(chunk)
	s := Score{Measure: d.measure, Value: value, P: p, Threshold: d.threshold}
	if d.measure == ChiSquare {
		s.Alert = p < nannyChiAlpha
	} else {
		s.Alert = value > d.threshold
	}
	return s
}

type chunkDistance = func(Column) (value, p float64)

func nannyNumeric(reference Column, m Measure) (chunkDistance, error) {
	ref := reference.present()
	if len(ref) == 0 {
		return nil, undefined(NannyML, m, reference)
	}
	var distance func(x []float64) float64
	switch m {
	case JensenShannon, Hellinger:
		distance = nannyBinned(ref, m)
	case KolmogorovSmirnov:
		distance = func(x []float64) float64 { return kolmogorovSmirnov(ref, x) }
		if len(ref) >= nannyExactBelow {
			distance = nannyEstimatedKS(ref)
		}
	case Wasserstein:
		distance = func(x []float64) float64 { return wasserstein(ref, x) }
		if len(ref) >= nannyExactBelow {
			distance = nannyEstimatedWasserstein(ref)
		}
	default:
		return nil, undefined(NannyML, m, reference)
	}
	return func(c Column) (float64, float64) {
		x := c.present()
		if len(x) == 0 {
			return math.NaN(), math.NaN()
		}
		return distance(x), math.NaN()
	}, nil
}

// nannyBinned compares on Doane's bins of the reference. What a chunk has
// beyond them is one bin more, in which the reference has nothing.
func nannyBinned(ref []float64, m Measure) func([]float64) float64 {
	edges := doane(ref)
	p := share(histogram(ref, edges), len(ref))
	return func(x []float64) float64 {
		return nannyProbabilities(m, p, share(histogram(x, edges), len(x)))
	}
}

func nannyProbabilities(m Measure, p, q []float64) float64 {
	if leftover := 1 - sum(q); leftover > 0 {
		p, q = append(slices.Clip(p), 0), append(q, leftover)
	}
	if m == Hellinger {
		return hellinger(p, q)
	}
	return jensenShannon(p, q, 2)
}

func nannyEstimatedKS(ref []float64) func([]float64) float64 {
	edges := linspace(slices.Min(ref), slices.Max(ref), nannyBins)
	refCDF := cumulate(share(histogram(ref, edges), len(ref)), 0)
	return func(x []float64) float64 {
		below := 0
		for _, v := range x {
			if v < edges[0] {
				below++
			}
		}
		cdf := cumulate(share(histogram(x, edges), len(x)), float64(below)/float64(len(x)))
		return largestGap(refCDF, cdf)
	}
}

// nannyEstimatedWasserstein sums the gap of the distribution functions over
// bins of equal width, and beyond the reference's range over the values there.
// Each outer part is weighted with one value more than it has, and the
// cumulated chunk starts from the lower weight; the peer does so.
func nannyEstimatedWasserstein(ref []float64) func([]float64) float64 {
	low, high := slices.Min(ref), slices.Max(ref)
	if low == high {
		low, high = low-0.5, high+0.5
	}
	edges := linspace(low, high, nannyBins)
	width := edges[1] - edges[0]
	refCDF := cumulate(share(histogram(ref, edges), len(ref)), 0)
	return func(x []float64) float64 {
		var under, over []float64
		for _, v := range x {
			switch {
			case v < low:
				under = append(under, v)
			case v > high:
				over = append(over, v)
			}
		}
		n := float64(len(x))
		distance, start := 0.0, 0.0
		if len(under) > 0 {
			start = float64(len(under)+1) / n
			distance += start * tailArea(append(under, low), func(cdf float64) float64 { return cdf })
		}
		if len(over) > 0 {
			distance += float64(len(over)+1) / n * tailArea(append(over, high), func(cdf float64) float64 { return 1 - cdf })
		}
		cdf := cumulate(share(histogram(x, edges), len(x)), start)
		for i := range cdf {
			distance += float64(math.Abs(refCDF[i]-cdf[i]) * width)
		}
		return distance
	}
}

// tailArea integrates height of the empirical distribution function of values
// between the least and the largest of them.
func tailArea(values []float64, height func(cdf float64) float64) float64 {
	slices.Sort(values)
	area := 0.0
	for i := 1; i < len(values); i++ {
		area += height(float64(i)/float64(len(values))) * (values[i] - values[i-1])
	}
	return area
}

// cumulate returns running sums of p, each raised by start.
func cumulate(p []float64, start float64) []float64 {
	total := 0.0
	out := make([]float64, len(p))
	for i, v := range p {
		total += v
		out[i] = start + total
	}
	return out
}

func nannyCategorical(reference Column, m Measure) (chunkDistance, error) {
	ref, n := reference.counts()
	if n == 0 {
		return nil, undefined(NannyML, m, reference)
	}
	var distance func(cur map[string]int, k int) (float64, float64)
	switch m {
	case ChiSquare:
		distance = func(cur map[string]int, _ int) (float64, float64) {
			_, p, q := cells(ref, cur)
			return chiSquareContingency(p, q)
		}
	case LInfinity:
		distance = func(cur map[string]int, k int) (float64, float64) {
			_, p, q := cells(ref, cur)
			return largestGap(share(p, n), share(q, k)), math.NaN()
		}
	case JensenShannon, Hellinger:
		distance = func(cur map[string]int, k int) (float64, float64) {
			p, q := knownCells(ref, cur)
			return nannyProbabilities(m, share(p, n), share(q, k)), math.NaN()
		}
	default:
		return nil, undefined(NannyML, m, reference)
	}
	return func(c Column) (float64, float64) {
		cur, k := c.counts()
		if k == 0 {
			return math.NaN(), math.NaN()
		}
		return distance(cur, k)
	}, nil
}

// knownCells counts only words the reference has; all others are leftover.
func knownCells(ref, cur map[string]int) (p, q []float64) {
	words, all, others := cells(ref, cur)
	for i, w := range words {
		if _, known := ref[w]; known {
			p, q = append(p, all[i]), append(q, others[i])
		}
	}
	return p, q
}
