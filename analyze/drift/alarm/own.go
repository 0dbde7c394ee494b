package alarm

import (
	"fmt"
	"math"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// Own is how many times as much a stream varies around its own level as counts
// of independent events do. A level that is far from the reference every day
// alike varies by nothing: that is a distance, not a dispersion.
type Own struct {
	// Factor is that of past blocks, at least 1.
	Factor float64
	// Noise is their mean null energy: the null mean in squared units.
	Noise float64
	// Blocks is how many had a distance.
	Blocks int
}

// OwnDispersion estimates it from the distances of past quiet blocks from one
// reference, by their mean and their variance. In squared units a distance is
// the square of the length of offset + noise, with k directions of noise, each
// with a k-th of factor times the null energy; so, with the null energy as the
// unit (Johnson, Kotz and Balakrishnan 1995, "Continuous univariate
// distributions", vol. 2, eq. 29.25),
//
//	mean     = offset^2 + factor
//	variance = (4 offset^2 factor + 2 factor^2) / k
//
// of which the factor is mean - sqrt(mean^2 - k variance / 2), and the mean where
// the root has nothing under it: without an offset it is the mean itself, and
// with a level that moves in fewer directions than k the variance is greater. The
// variance that is put in is its upper 95 % bound, blocks being worth a third of
// independent ones as in the detector, so that a variance that happens to be
// small does not make an offset of what is none.
//
// freedom is that of Freedom. Results may have been judged with an
// overdispersion, such as that of weights or clusters: the factor is what comes
// on top of it. Those without a distance are left out. It returns an error with
// fewer than three, or of more than one measure.
func OwnDispersion(past []measure.Result, freedom float64) (Own, error) {
	var beyond []float64 // energy beyond the null's
	o := Own{Factor: 1}
	for _, r := range past {
		if r.Measure != past[0].Measure {
			return Own{}, fmt.Errorf("dispersion of %s and %s at once", past[0].Measure, r.Measure)
		}
		if noise := nullEnergy(r, freedom); noise > 0 && !math.IsNaN(r.Value) {
			beyond = append(beyond, squared(r.Measure, r.Value)-noise)
			o.Noise += noise
		}
	}
	if o.Blocks = len(beyond); o.Blocks < 3 {
		return Own{}, fmt.Errorf("dispersion of %d distances: want at least 3", o.Blocks)
	}
	n := float64(o.Blocks)
	o.Noise /= n
	mean, variance := 0.0, 0.0
	for _, e := range beyond {
		mean += e / n
	}
	for _, e := range beyond {
		variance += (e - mean) * (e - mean) / (n - 1)
	}
	free := max(1, worth*(n-1))
	most := variance * free / chiSquareQuantile(0.05, free) / (o.Noise * o.Noise)
	mean = 1 + mean/o.Noise
	o.Factor = max(1, mean-math.Sqrt(max(0, mean*mean-directions(past[0].Measure, freedom)*most/2)))
	return o, nil
}

// directions is how many directions of noise a distance has at the most: the
// more, the less of a variance is taken for that of an offset. The squares of the
// norms vary at least as much as a chi-square of five: Kolmogorov's statistic by
// .63 of its mean (Marsaglia, Tsang and Wang 2003, eq. 2, integrated), which is
// the least of them but for the greatest of many cells, for which twenty do.
func directions(id measure.ID, freedom float64) float64 {
	switch id {
	case measure.TVD:
		return max(5, freedom/0.8)
	case measure.LInfinity:
		return 20
	case measure.KS, measure.CramerVonMises, measure.Wasserstein, measure.WassersteinScale:
		return 5
	default:
		return max(1, freedom)
	}
}

// nullEnergy is the mean distance of the null in squared units, 0 where there is
// none.
func nullEnergy(r measure.Result, freedom float64) float64 {
	if r.Method == measure.None || !(r.NullMean > 0) {
		return 0
	}
	noise := squared(r.Measure, r.NullMean)
	if squares(r.Measure) {
		noise /= rootMean(r.Measure, max(1, freedom))
	}
	return noise
}

// At is the factor for a window whose result says how large it is. Bursts vary a
// large window as many times as a small one, a level that moves more: its part
// grows with the size. Which of both it is cannot be told from blocks of one
// size, so the factor of a larger window is taken to grow, and that of a smaller
// one to be that of the blocks.
func (o Own) At(window measure.Result, freedom float64) float64 {
	noise := nullEnergy(window, freedom)
	if noise <= 0 {
		return o.Factor
	}
	return 1 + (o.Factor-1)*max(1, o.Noise/noise)
}
