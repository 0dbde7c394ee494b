package dialect

import "math"

// deequNoise is deequ's c(alpha) for an alpha of about .003, by which it
// multiplies the noise of two samples before it subtracts it.
const deequNoise = 1.8

// DeequOptions are the settings of deequ's distance.
type DeequOptions struct {
	// Alpha, in (0, 1), replaces the constant 1.8 by sqrt(-ln(Alpha/2)/2). At 0
	// the constant is used.
	Alpha float64
}

// DeequScore computes deequ's L-infinity distance: of the distribution
// functions for numbers, of the shares for words. LInfinity is the distance
// itself (linf_simple); LInfinityRobust subtracts the noise of two samples of
// these sizes and stops at 0 (linf_robust). In deequ's source the flag
// correctForLowNumberOfSamples returns the simple one when it is set.
//
// deequ takes numbers from a sketch of the rows, and we from the rows: its
// digits for numbers carry the sketch's error. It has no threshold.
func DeequScore(reference, current Column, m Measure, o DeequOptions) (Score, error) {
	ref, cur := present(reference), present(current)
	n, k := float64(ref.Len()), float64(cur.Len())
	if n == 0 || k == 0 || ref.categorical != cur.categorical || (m != LInfinity && m != LInfinityRobust) {
		return Score{}, undefined(Deequ, m, reference)
	}
	var distance float64
	if ref.categorical {
		p, q := valueCells(ref, cur)
		distance = largestGap(share(p, ref.Len()), share(q, cur.Len()))
	} else {
		distance = kolmogorovSmirnov(ref.numbers, cur.numbers)
	}
	if m == LInfinityRobust {
		noise := deequNoise
		if o.Alpha > 0 {
			noise = math.Sqrt(-math.Log(o.Alpha/2) / 2)
		}
		distance = max(0, distance-noise*math.Sqrt((n+k)/(n*k)))
	}
	return Score{Measure: m, Value: distance, P: math.NaN(), Threshold: math.NaN()}, nil
}
