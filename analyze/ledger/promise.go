package ledger

import (
	"fmt"
	"math"
)

// Measure is what quality is.
type Measure string

// The measures.
const (
	// ShareCorrect is the share of correct predictions.
	ShareCorrect Measure = "accuracy"
	// MeanError is the mean absolute error of a regression.
	MeanError Measure = "mae"
)

// most is the greatest that a measure can be; the least is 0.
func (m Measure) most() float64 {
	if m == MeanError {
		return math.Inf(1)
	}
	return 1
}

// Promise is what the quality of an alarm's window was to be: the alarm was right if
// it lies outside of Low to High. The zero Promise is none.
type Promise struct {
	Measure Measure
	// Value is what was promised: of an objective its target, which is Low as well.
	Value, Low, High float64
	// Scores says that scores promised it, and no objective.
	Scores bool
}

// Objective is the promise of an objective: its target, or better.
func Objective(target float64) Promise {
	return Promise{Measure: ShareCorrect, Value: target, Low: target, High: 1}
}

// Made reports whether there is a promise.
func (p Promise) Made() bool { return p.Measure != "" }

// String is the promise in the words of a reason.
func (p Promise) String() string {
	switch {
	case !p.Made():
		return "no promise"
	case p.Scores:
		return fmt.Sprintf("%.4g to %.4g, which scores promised", p.Low, p.High)
	}
	return fmt.Sprintf("a target of %.4g", p.Value)
}
