package flights

import (
	"errors"
	"fmt"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Config says which part of the flights is replayed, and what breaks.
type Config struct {
	// Model is the name the events carry.
	Model plumbline.Model
	// Now is the present time that Cut becomes. The clock is moved by whole
	// minutes.
	Now time.Time
	// Cut is the instant of the flights' own clock (local time written as UTC)
	// that becomes Now. Whole minutes.
	Cut time.Time
	// Backfill is how much before Cut is replayed as the past.
	Backfill time.Duration
	// Fault is how long before Cut the faulty version is deployed.
	Fault time.Duration
	// Training is the span of original time the model is trained on.
	Training Span
	// TrainingEvery sends every n-th training flight as an event of stage
	// training: the reference for drift.
	TrainingEvery int
	// AffectedShare is the share of the training traffic, between 0 and 1, that
	// the origins whose distance breaks carry at least: the busiest origins in
	// order until they reach it.
	AffectedShare float64
}

// DefaultConfig replays the 14 days up to Thursday 28 June 2001, 18:00, as the
// past of now, and the 54 hours after it as its future. It trains on the first
// four weeks of January and breaks the origins that carry 90 % of the traffic:
// two storms of these 14 days make a third of a day's flights late, and a fault
// of two thirds of the traffic could not be told from them by its burn rate.
func DefaultConfig(now time.Time) Config {
	return Config{
		Model:         "flight-delay",
		Now:           now,
		Cut:           time.Date(2001, time.June, 28, 18, 0, 0, 0, time.UTC),
		Backfill:      14 * 24 * time.Hour,
		Fault:         3 * time.Hour,
		Training:      Span{From: time.Date(2001, time.January, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2001, time.January, 29, 0, 0, 0, 0, time.UTC)},
		TrainingEvery: 4,
		AffectedShare: 0.9,
	}
}

// Spans returns the original times of the flights that a replay needs, for
// Load.
func (c Config) Spans() []Span {
	endOfData := time.Date(2002, time.January, 1, 0, 0, 0, 0, time.UTC)
	return []Span{c.Training, {From: c.Cut.Add(-c.Backfill), To: endOfData}}
}

// Validate names every setting that makes no sense.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("flights: "+format, args...))
		}
	}
	check(isPlainName(string(c.Model)), "model name %q: want letters, digits, - _ . only", c.Model)
	check(!c.Now.IsZero(), "now is not set")
	check(c.Cut.Equal(c.Cut.Truncate(time.Minute)), "cut %s is not a whole minute", c.Cut)
	check(c.Backfill > 0 && c.Backfill%time.Minute == 0, "backfill %s is not a positive number of whole minutes", c.Backfill)
	check(c.Fault > 0 && c.Fault < c.Backfill && c.Fault%time.Minute == 0, "fault %s is not a positive number of whole minutes less than backfill %s", c.Fault, c.Backfill)
	check(c.Training.From.Before(c.Training.To), "training span %s to %s is empty", c.Training.From, c.Training.To)
	check(!c.Training.To.After(c.Cut.Add(-c.Backfill)), "training ends %s, after the backfill begins", c.Training.To)
	check(c.TrainingEvery >= 1, "training every %d", c.TrainingEvery)
	check(c.AffectedShare > 0 && c.AffectedShare <= 1, "affected share %g is not in (0, 1]", c.AffectedShare)
	return errors.Join(errs...)
}

// isPlainName accepts names that need no escape in JSON.
func isPlainName(s string) bool {
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return s != ""
}
