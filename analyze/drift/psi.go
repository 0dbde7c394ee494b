package drift

import "math"

// Options say when a distance counts as a breach.
type Options struct {
	// MinEffect is the least PSI beyond its null mean that matters in practice.
	// Default 0.25, the customary "major shift".
	MinEffect float64
	// MaxNoise is the greatest null mean at which anything is said at all:
	// beyond it noise alone looks like drift. Default 0.1.
	MaxNoise float64
}

// DefaultOptions returns the defaults that the fields name.
func DefaultOptions() Options { return Options{MinEffect: 0.25, MaxNoise: 0.1} }

// sigmas is how many standard deviations of its null a distance must lie beyond
// the null mean: chance alone passes it in 1 % (two cells) to 0.1 % (twenty) of
// windows.
const sigmas = 4

// Distance is the population stability index of two samples, with what it rests
// on.
type Distance struct {
	// PSI is the sum over cells of (q - p) ln(q / p), p and q the shares of the
	// reference and the current sample; 0 is equality. NaN if either is empty.
	PSI float64
	// NullMean is the PSI that two samples of these sizes from one distribution
	// have on average: (cells - 1)(1/n + 1/m) (Yurdakul 2018).
	NullMean float64
	// Reference and Current are the sizes n and m, in deliveries.
	Reference, Current uint64
	// Cells is the number of cells that either sample fills.
	Cells int
	// Before and After say in words what moved most, for example "median 569"
	// and "915,000". They hold text of the producer: quote them.
	Before, After string
}

// Compare cuts cells on the reference and returns the distance of the current
// sample from it.
func Compare(reference, current Sample) Distance {
	c := newCells(reference)
	p, q := c.countReference(reference), c.count(current)
	d := distance(p, q)
	if d.Cells > 0 && !math.IsNaN(d.PSI) {
		d.Before, d.After = c.words(reference, current, p, q)
	}
	return d
}

// distance is the PSI of two lists of counts. A cell that is empty in both says
// nothing and is left out; one that is empty in one sample counts half an event
// there.
func distance(p, q []uint64) Distance {
	var d Distance
	var n, m float64
	for i := range p {
		d.Reference += p[i]
		d.Current += q[i]
		if p[i] == 0 && q[i] == 0 {
			continue
		}
		d.Cells++
		n += filled(p[i])
		m += filled(q[i])
	}
	if d.Reference == 0 || d.Current == 0 {
		d.PSI, d.NullMean = math.NaN(), math.NaN()
		return d
	}
	for i := range p {
		d.PSI += term(p[i], q[i], n, m)
	}
	d.NullMean = float64(d.Cells-1) * d.scale()
	return d
}

// Explained returns the PSI that the usual sample would have if it were as large
// as the current one, 0 where it is too small to say. Subtracted from the
// current PSI it leaves what is not usual; the sizes must be equal for that,
// since the part of an empty cell grows with the sample.
func Explained(reference, current, usual Sample, o Options) float64 {
	c := newCells(reference)
	p, q := c.countReference(reference), c.count(usual)
	if !distance(p, q).Enough(o) {
		return 0
	}
	ratio := float64(current.deliveries(current.Total())) / float64(usual.deliveries(usual.Total()))
	var n, m float64
	scaled := make([]float64, len(q))
	for i := range p {
		if p[i] == 0 && q[i] == 0 {
			continue
		}
		scaled[i] = max(float64(q[i])*ratio, 0.5)
		n, m = n+filled(p[i]), m+scaled[i]
	}
	psi := 0.0
	for i := range p {
		if scaled[i] > 0 {
			a, b := filled(p[i])/n, scaled[i]/m
			psi += (b - a) * math.Log(b/a)
		}
	}
	return psi
}

// scale is 1/n + 1/m: PSI over it is chi-square with Cells - 1 degrees of
// freedom if both samples come from one distribution.
func (d Distance) scale() float64 { return 1/float64(d.Reference) + 1/float64(d.Current) }

// term is the part of one cell in the PSI; n and m are the filled totals.
func term(p, q uint64, n, m float64) float64 {
	if p == 0 && q == 0 {
		return 0
	}
	a, b := filled(p)/n, filled(q)/m
	return (b - a) * math.Log(b/a)
}

func filled(count uint64) float64 {
	if count == 0 {
		return 0.5
	}
	return float64(count)
}

// Enough reports whether the samples are large enough for the distance to say
// anything.
func (d Distance) Enough(o Options) bool {
	return !math.IsNaN(d.PSI) && d.NullMean <= o.MaxNoise
}

// Beyond reports whether effect, the distance or what is left of it after an
// explained part is taken away, lies beyond the noise of d statistically and
// beyond MinEffect practically.
func (d Distance) Beyond(effect float64, o Options) bool {
	deviation := math.Sqrt(2*float64(d.Cells-1)) * d.scale()
	return effect-d.NullMean >= max(o.MinEffect, sigmas*deviation)
}
