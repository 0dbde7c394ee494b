package alarm

import (
	"errors"
	"fmt"
	"time"
)

// Quarter is the time that a budget is for: a quarter of a mean Gregorian year.
const Quarter = 7_889_238 * time.Second

// Config says how often a quiet model may be called drifted.
type Config struct {
	// Budget is how many false tickets may be expected in a quarter, for one
	// model, over all streams. Default 1.
	Budget float64
	// Streams is how many detectors the model has: features x segments x
	// measures x references. Default 1; the caller must set it, the guarantee is
	// only as good as this number.
	Streams int
	// Block is the length of a block. It must be longer than the autocorrelation
	// within a day and a multiple of any daily season. Default 24 h.
	Block time.Duration
	// Spacing is how many blocks apart two blocks must lie so that their evidence
	// is multiplied. Default 7: blocks of a day a week apart, so the level of one
	// day may carry over to the next few, and weekdays may differ. 1 accumulates
	// every block, and takes all of them as independent.
	Spacing int
	// MinEvents is the least number of events of a block, below which it is
	// insufficient. Default 100.
	MinEvents uint64
	// PriorBlocks is how many blocks the first guess of the usual variation is
	// worth, in degrees of freedom. The guess is a root mean square of half the
	// measure's least effect. Default 8.
	PriorBlocks float64
	// Lag is how many of the latest quiet blocks do not count as history yet, so
	// that a slow change does not become the usual before it is seen; they do
	// count while there is less history than Lag. Default 14.
	Lag int
	// Memory is after how many blocks history begins to be forgotten. Default
	// 120.
	Memory float64
	// Rearm is how many quiet blocks in a row close a ticket. Default 3.
	Rearm int
}

// DefaultConfig returns the defaults that the fields name.
func DefaultConfig() Config {
	return Config{Budget: 1, Streams: 1, Block: 24 * time.Hour, Spacing: 7, MinEvents: 100,
		PriorBlocks: 8, Lag: 14, Memory: 120, Rearm: 3}
}

// Validate returns every mistake at once.
func (c Config) Validate() error {
	var errs []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	wrong(!(c.Budget > 0), "budget of %v false tickets a quarter: want more than 0", c.Budget)
	wrong(c.Streams < 1, "%d streams: want at least 1", c.Streams)
	wrong(c.Block <= 0, "blocks of %s: want more than 0", c.Block)
	wrong(c.Spacing < 1, "spacing of %d blocks: want at least 1", c.Spacing)
	wrong(c.PriorBlocks < 1, "first guess worth %v blocks: want at least 1", c.PriorBlocks)
	wrong(c.Lag < 0, "lag of %d blocks: want at least 0", c.Lag)
	wrong(!(c.Memory >= 1), "memory of %v blocks: want at least 1", c.Memory)
	wrong(c.Rearm < 1, "rearm after %d quiet blocks: want at least 1", c.Rearm)
	return errors.Join(errs...)
}

// Threshold is the evidence that opens a ticket: streams times blocks of a
// quarter over the budget, at least 1.
func (c Config) Threshold() float64 {
	return max(1, float64(c.Streams)*float64(Quarter)/float64(c.Block)/c.Budget)
}
