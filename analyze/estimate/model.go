package estimate

import (
	"fmt"
	"math"
)

// Choice is how scores are calibrated, and the evidence that chose it.
type Choice struct {
	Kind Kind
	// ByStratum says that each stratum has a curve of its own, where it has enough
	// labels for one. Without, strata share a curve, moved for each by an offset.
	ByStratum bool
	// LogLoss is the mean log loss of held-out examples, Gain how much less that
	// is than with the score as it is, GainError the standard error of Gain.
	LogLoss, Gain, GainError float64
}

const (
	// folds that cross-fitting leaves out in turn.
	folds = 5
	// A stratum has a calibration of its own from this many labels of either
	// kind; a line has two parameters, and ten events each is the usual rule
	// (Peduzzi et al. 1996).
	stratumEvents = 20
	// leastExamples of either kind are needed to fit anything at all.
	leastExamples = 10
)

// Model turns a score into the probability of the positive class.
type Model struct {
	Choice   Choice
	Examples int
	pooled   curveOf
	strata   map[Stratum]curveOf
	offsets  map[Stratum]float64 // in log odds, of strata that use the pooled curve
}

// Choose compares every kind, pooled and by stratum, by the log loss of examples
// that were held out, fold by fold in the order given: give them in the order of
// time, so that a fold is a period and what does not last is not learnt. The
// simplest choice wins unless a richer one is better by more than one standard
// error of the difference (Breiman et al. 1984, section 3.4.3).
func Choose(examples []Example) (Choice, error) {
	if err := enough(examples); err != nil {
		return Choice{}, err
	}
	base := heldOut(examples, Choice{Kind: AsIs})
	best, bestLosses := Choice{Kind: AsIs, LogLoss: mean(base, examples)}, base
	for _, candidate := range []Choice{
		{Kind: Platt}, {Kind: Isotonic}, {Kind: Platt, ByStratum: true}, {Kind: Isotonic, ByStratum: true},
	} {
		losses := heldOut(examples, candidate)
		gain, err := difference(bestLosses, losses, examples)
		if gain <= err {
			continue
		}
		candidate.LogLoss = mean(losses, examples)
		candidate.Gain, candidate.GainError = difference(base, losses, examples)
		best, bestLosses = candidate, losses
	}
	return best, nil
}

func enough(examples []Example) error {
	hits, total := 0.0, 0.0
	for _, e := range examples {
		if math.IsNaN(e.Score) {
			return fmt.Errorf("calibrate on %d examples: a score is NaN", len(examples))
		}
		hits += e.n() * e.hit()
		total += e.n()
	}
	if min(hits, total-hits) < leastExamples {
		return fmt.Errorf("calibrate on %.0f examples, %.0f of them positive: %d of either kind are needed", total, hits, leastExamples)
	}
	return nil
}

// heldOut returns the log loss of every example under a model of the others.
func heldOut(examples []Example, choice Choice) []float64 {
	losses := make([]float64, len(examples))
	for i, p := range CrossFit(examples, choice) {
		losses[i] = -math.Log(p)
		if !examples[i].Truth {
			losses[i] = -math.Log1p(-p)
		}
	}
	return losses
}

// CrossFit returns for every example the probability that a model fitted
// without its fold gives it.
func CrossFit(examples []Example, choice Choice) []float64 {
	out := make([]float64, len(examples))
	n := len(examples)
	others := make([]Example, 0, n)
	for f := range folds {
		from, to := n*f/folds, n*(f+1)/folds
		others = append(append(others[:0], examples[:from]...), examples[to:]...)
		m := fit(others, choice)
		for i := from; i < to; i++ {
			out[i] = m.P(examples[i].Score, examples[i].Stratum)
		}
	}
	return out
}

// Fit fits a choice to examples, which all must be older than what the model is
// then asked about.
func Fit(examples []Example, choice Choice) (*Model, error) {
	if err := enough(examples); err != nil {
		return nil, err
	}
	return fit(examples, choice), nil
}

func fit(examples []Example, choice Choice) *Model {
	m := &Model{
		Choice: choice, Examples: number(examples), pooled: fitCurve(choice.Kind, examples),
		strata: make(map[Stratum]curveOf), offsets: make(map[Stratum]float64),
	}
	if choice.Kind == AsIs {
		return m
	}
	parts := make(map[Stratum][]Example)
	for _, e := range examples {
		parts[e.Stratum] = append(parts[e.Stratum], e)
	}
	for s, part := range parts {
		m.offsets[s] = m.offset(part)
		if !choice.ByStratum {
			continue
		}
		hits, size := 0.0, 0.0
		for _, e := range part {
			hits += e.n() * e.hit()
			size += e.n()
		}
		if min(hits, size-hits) >= stratumEvents {
			m.strata[s] = fitCurve(choice.Kind, part)
		}
	}
	return m
}

// offsetDeviation is the standard deviation that the strata's offsets have before
// any label is seen, in log odds: odds differ between strata by a factor of 1.6.
const offsetDeviation = 0.5

// offset returns how far, in log odds, a stratum as a whole is from the pooled
// curve. An estimate sums probabilities over strata in shares that the labels do
// not have, so that each must be right in the large, whatever the log loss gains;
// the ridge keeps a stratum with few labels where all of them are.
func (m *Model) offset(part []Example) float64 {
	const precision = 1 / (offsetDeviation * offsetDeviation)
	odds := make([]float64, len(part))
	for i, e := range part {
		odds[i] = logOdds(m.pooled.at(e.Score))
	}
	offset := 0.0
	for range 20 {
		gradient, curvature := -precision*offset, precision
		for i, e := range part {
			p := 1 / (1 + math.Exp(-odds[i]-offset))
			gradient += e.n() * (e.hit() - p)
			curvature += e.n() * p * (1 - p)
		}
		step := min(max(gradient/curvature, -1), 1)
		offset += step
		if math.Abs(step) < 1e-9 {
			break
		}
	}
	return offset
}

// P returns the probability of the positive class, in (0, 1).
func (m *Model) P(score float64, s Stratum) float64 {
	if c, own := m.strata[s]; own {
		return c.at(score)
	}
	p := m.pooled.at(score)
	if offset := m.offsets[s]; offset != 0 {
		return inside(1 / (1 + math.Exp(-logOdds(p)-offset)))
	}
	return p
}

// number is how many predictions the examples stand for.
func number(examples []Example) int {
	n := 0.0
	for _, e := range examples {
		n += e.n()
	}
	return int(math.Round(n))
}

// mean is the mean of a value of each example.
func mean(values []float64, of []Example) float64 {
	sum, n := 0.0, 0.0
	for i, v := range values {
		sum += of[i].n() * v
		n += of[i].n()
	}
	return sum / n
}

// difference returns the mean of a - b over the examples and its standard error.
func difference(a, b []float64, of []Example) (gain, err float64) {
	n, squares := 0.0, 0.0
	for i := range a {
		gain += of[i].n() * (a[i] - b[i])
		n += of[i].n()
	}
	gain /= n
	for i := range a {
		squares += of[i].n() * (a[i] - b[i] - gain) * (a[i] - b[i] - gain)
	}
	return gain, math.Sqrt(squares / (n - 1) / n)
}
