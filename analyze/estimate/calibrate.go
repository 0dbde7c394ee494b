package estimate

import (
	"math"
	"slices"
	"sort"
)

// Kind names a way to turn a score into a probability.
type Kind string

// The kinds, the simplest first.
const (
	// AsIs takes the score for the probability.
	AsIs Kind = "as_is"
	// Platt fits a line on the log odds (Platt 1999, with his own shrinkage of
	// the targets).
	Platt Kind = "platt"
	// Isotonic fits steps that never fall (Zadrozny & Elkan 2002).
	Isotonic Kind = "isotonic"
)

// curveOf is a fitted calibration.
type curveOf interface{ at(score float64) float64 }

type asIs struct{}

func (asIs) at(score float64) float64 { return inside(score) }

// inside keeps a probability off 0 and 1, which no number of labels can prove.
func inside(p float64) float64 {
	const edge = 1e-6
	return min(max(p, edge), 1-edge)
}

// Example is a prediction with its label.
type Example struct {
	Stratum Stratum
	Score   float64
	Truth   bool
	// Count is how many such predictions there are; 0 is one.
	Count int64
	// Worth is how many equal observations they are worth where the producer
	// samples: their requests by Weight.Thin of all examples. 0 is Count.
	Worth float64
}

func (e Example) hit() float64 {
	if e.Truth {
		return 1
	}
	return 0
}

// n is the number of observations that the example is worth.
func (e Example) n() float64 {
	if e.Worth > 0 {
		return e.Worth
	}
	return float64(max(e.Count, 1))
}

// fitCurve fits one kind to examples.
func fitCurve(kind Kind, examples []Example) curveOf {
	switch kind {
	case Platt:
		return fitPlatt(examples)
	case Isotonic:
		return fitIsotonic(examples)
	}
	return asIs{}
}

// line is a logistic regression on the log odds of the score.
type line struct{ slope, offset float64 }

func (l line) at(score float64) float64 {
	return inside(1 / (1 + math.Exp(-(l.slope*logOdds(score) + l.offset))))
}

func logOdds(p float64) float64 {
	p = inside(p)
	return math.Log(p) - math.Log1p(-p)
}

// fitPlatt finds the line by Newton's method with halved steps. Platt's targets,
// (hits+1)/(hits+2) and 1/(misses+2), keep it finite for separable scores.
func fitPlatt(examples []Example) curveOf {
	hits, total := 0.0, 0.0
	for _, e := range examples {
		hits += e.n() * e.hit()
		total += e.n()
	}
	high, low := (hits+1)/(hits+2), 1/(total-hits+2)
	loss := func(l line) float64 {
		sum := 0.0
		for _, e := range examples {
			p, target := l.at(e.Score), low
			if e.Truth {
				target = high
			}
			sum -= e.n() * (target*math.Log(p) + (1-target)*math.Log1p(-p))
		}
		return sum
	}
	fit := line{1, 0}
	best := loss(fit)
	for range 50 {
		step := plattStep(fit, examples, high, low)
		size := 1.0
		next, lower := fit, best
		for ; size > 1e-10; size /= 2 {
			next = line{fit.slope + size*step.slope, fit.offset + size*step.offset}
			if lower = loss(next); lower < best {
				break
			}
		}
		if !(lower < best-1e-10*best) {
			break
		}
		fit, best = next, lower
	}
	return fit
}

// plattStep solves the 2x2 system of Newton's step, with a ridge that keeps it
// solvable.
func plattStep(l line, examples []Example, high, low float64) line {
	var gx, g1, hxx, hx1, h11 float64
	for _, e := range examples {
		x, p, target := logOdds(e.Score), l.at(e.Score), low
		if e.Truth {
			target = high
		}
		n := e.n()
		w := n * p * (1 - p)
		gx, g1 = gx+n*(target-p)*x, g1+n*(target-p)
		hxx, hx1, h11 = hxx+w*x*x, hx1+w*x, h11+w
	}
	hxx, h11 = hxx+1e-9, h11+1e-9
	det := hxx*h11 - hx1*hx1
	if det <= 0 {
		return line{}
	}
	return line{(gx*h11 - g1*hx1) / det, (g1*hxx - gx*hx1) / det}
}

// stairs are steps that never fall, joined by straight lines.
type stairs struct{ x, y []float64 }

func (s stairs) at(score float64) float64 {
	last := len(s.x) - 1
	switch {
	case last < 0:
		return inside(score)
	case score <= s.x[0]:
		return s.y[0]
	case score >= s.x[last]:
		return s.y[last]
	}
	i := sort.SearchFloat64s(s.x, score)
	if s.x[i] == score {
		return s.y[i]
	}
	return s.y[i-1] + (s.y[i]-s.y[i-1])*(score-s.x[i-1])/(s.x[i]-s.x[i-1])
}

// fitIsotonic pools adjacent violators (Ayer et al. 1955). Each step is worth one
// more example at the overall share, so that none is certain.
func fitIsotonic(examples []Example) curveOf {
	sorted := slices.Clone(examples)
	slices.SortFunc(sorted, func(a, b Example) int {
		switch {
		case a.Score < b.Score:
			return -1
		case a.Score > b.Score:
			return 1
		}
		return 0
	})
	type step struct{ from, to, hits, n float64 }
	var steps []step
	total, size := 0.0, 0.0
	for _, e := range sorted {
		total += e.n() * e.hit()
		size += e.n()
		if last := len(steps) - 1; last >= 0 && steps[last].to == e.Score {
			steps[last].hits += e.n() * e.hit()
			steps[last].n += e.n()
			continue
		}
		steps = append(steps, step{e.Score, e.Score, e.n() * e.hit(), e.n()})
	}
	pooled := steps[:0]
	for _, s := range steps {
		for len(pooled) > 0 && pooled[len(pooled)-1].hits*s.n >= s.hits*pooled[len(pooled)-1].n {
			before := pooled[len(pooled)-1]
			s = step{before.from, s.to, before.hits + s.hits, before.n + s.n}
			pooled = pooled[:len(pooled)-1]
		}
		pooled = append(pooled, s)
	}
	share := total / max(size, 1)
	var fit stairs
	y := 0.0
	for _, s := range pooled {
		y = max(y, inside((s.hits+share)/(s.n+1))) // a small step moves further than a large one
		fit.x, fit.y = append(fit.x, s.from), append(fit.y, y)
		if s.to > s.from {
			fit.x, fit.y = append(fit.x, s.to), append(fit.y, y)
		}
	}
	return fit
}
