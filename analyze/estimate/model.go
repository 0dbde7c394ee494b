package estimate

import (
	"fmt"
	"math"
)

// Choice is how scores are calibrated, and the evidence that chose it.
type Choice struct {
	Kind Kind
	// ByStratum says that each stratum has a calibration of its own, where it
	// has enough labels for one.
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
	best, bestLosses := Choice{Kind: AsIs, LogLoss: mean(base)}, base
	for _, candidate := range []Choice{
		{Kind: Platt}, {Kind: Isotonic}, {Kind: Platt, ByStratum: true}, {Kind: Isotonic, ByStratum: true},
	} {
		losses := heldOut(examples, candidate)
		gain, err := difference(bestLosses, losses)
		if gain <= err {
			continue
		}
		candidate.LogLoss = mean(losses)
		candidate.Gain, candidate.GainError = difference(base, losses)
		best, bestLosses = candidate, losses
	}
	return best, nil
}

func enough(examples []Example) error {
	hits := 0
	for _, e := range examples {
		if math.IsNaN(e.Score) {
			return fmt.Errorf("calibrate on %d examples: a score is NaN", len(examples))
		}
		hits += int(e.hit())
	}
	if min(hits, len(examples)-hits) < leastExamples {
		return fmt.Errorf("calibrate on %d examples, %d of them positive: %d of either kind are needed", len(examples), hits, leastExamples)
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
	m := &Model{Choice: choice, Examples: len(examples), pooled: fitCurve(choice.Kind, examples)}
	if !choice.ByStratum {
		return m
	}
	m.strata = make(map[Stratum]curveOf)
	parts := make(map[Stratum][]Example)
	for _, e := range examples {
		parts[e.Stratum] = append(parts[e.Stratum], e)
	}
	for s, part := range parts {
		hits := 0
		for _, e := range part {
			hits += int(e.hit())
		}
		if min(hits, len(part)-hits) >= stratumEvents {
			m.strata[s] = fitCurve(choice.Kind, part)
		}
	}
	return m
}

// P returns the probability of the positive class, in (0, 1).
func (m *Model) P(score float64, s Stratum) float64 {
	if c, own := m.strata[s]; own {
		return c.at(score)
	}
	return m.pooled.at(score)
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// difference returns the mean of a - b and its standard error.
func difference(a, b []float64) (gain, err float64) {
	n, squares := float64(len(a)), 0.0
	for i := range a {
		gain += (a[i] - b[i]) / n
	}
	for i := range a {
		squares += (a[i] - b[i] - gain) * (a[i] - b[i] - gain)
	}
	return gain, math.Sqrt(squares / (n - 1) / n)
}
