package why

import (
	"fmt"
	"math"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// change is two samples in the same cells, as shares, and what a change of each
// cell's share is worth.
type change struct {
	p, q []float64
	// fill is what is added to the counts of a cell that only one sample fills,
	// where the measure takes logarithms, and n and m are the totals with it.
	fillP, fillQ []float64
	n, m         float64
	// slope times q-p is the part of the cell in the distance (in its square for
	// the measures that are roots).
	slope []float64
}

// newChange returns an error for a measure that is no sum over cells. Both
// samples must have a count.
func newChange(id measure.ID, reference, current []uint64) (change, error) {
	c := change{
		p: make([]float64, len(reference)), q: make([]float64, len(reference)),
		fillP: make([]float64, len(reference)), fillQ: make([]float64, len(reference)), slope: make([]float64, len(reference)),
	}
	logarithms := id == measure.PSI || id == measure.KL
	for i, x := range reference {
		y := current[i]
		if logarithms && x == 0 && y > 0 {
			c.fillP[i] = 0.5
		}
		if logarithms && y == 0 && x > 0 {
			c.fillQ[i] = 0.5
		}
		c.n += float64(x) + c.fillP[i]
		c.m += float64(y) + c.fillQ[i]
	}
	for i, x := range reference {
		y := current[i]
		if x == 0 && y == 0 {
			continue
		}
		c.p[i], c.q[i] = (float64(x)+c.fillP[i])/c.n, (float64(y)+c.fillQ[i])/c.m
		var err error
		if c.slope[i], err = slope(id, c.p[i], c.q[i], c.n/(c.n+c.m)); err != nil {
			return change{}, err
		}
	}
	return c, nil
}

// part is what cell i adds to the distance. It is never negative.
func (c change) part(i int) float64 { return c.slope[i] * (c.q[i] - c.p[i]) }

// value is the distance, or its square for the measures that are roots.
func (c change) value() float64 {
	sum := 0.0
	for i := range c.p {
		sum += c.part(i)
	}
	return sum
}

// slope returns the part of a cell with shares p and q over q - p; reference is
// the reference's portion of both samples. KL has q - p taken off each cell's
// q ln(q/p), which changes no sum and leaves every part positive.
func slope(id measure.ID, p, q, reference float64) (float64, error) {
	d := q - p
	switch id {
	case measure.PSI:
		return math.Log(q / p), nil
	case measure.KL:
		return ratio(q*math.Log(q/p)-d, d, 1/(2*p), p+q), nil
	case measure.JS:
		middle := (p + q) / 2
		return ratio((entropy(p, middle)+entropy(q, middle))/(2*math.Ln2), d, 1/(8*math.Ln2*middle), p+q), nil
	case measure.Hellinger:
		roots := math.Sqrt(p) + math.Sqrt(q)
		return d / (2 * roots * roots), nil
	case measure.ChiSquare:
		return d / (reference*p + (1-reference)*q), nil
	case measure.TVD:
		return math.Copysign(0.5, d), nil
	}
	return 0, fmt.Errorf("take %s apart: it is no sum over cells; %s is", id, measure.PSI)
}

// ratio is part / d. Where d is so small that rounding would decide, it is what
// the second derivative says.
func ratio(part, d, half, scale float64) float64 {
	if math.Abs(d) < 1e-5*scale {
		return half * d
	}
	return part / d
}

func entropy(p, q float64) float64 {
	if p == 0 {
		return 0
	}
	return p * math.Log(p/q)
}
