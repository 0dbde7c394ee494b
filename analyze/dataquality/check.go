package dataquality

import (
	"errors"
	"fmt"
	"math"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/analyze/quality"
)

// Check declares one thing that can be wrong with a feature.
type Check struct {
	// Measure is its name in findings, settings and SQL.
	Measure string
	// Doc says in one sentence what value is, Test what p rests on.
	Doc, Test string
	// Unit is that of value, null_mean and effect.
	Unit string
	// MinEffect is the least effect that matters in practice, in EffectUnit.
	MinEffect  float64
	EffectUnit string
	// BothWays says that a fall matters as a rise does.
	BothWays bool
	// Clocked says that the hour and the weekday alone can move it: a breach
	// must then be one against the same hours before, too, where there was
	// traffic.
	Clocked bool
	// Ranked says that p is a rank among past hours, which cannot be small: it is
	// judged at Alpha itself and not at its part.
	Ranked bool
	// judge returns what it says of a pair, false if it does not apply to such a
	// feature. It is nil for what a Reader judges.
	judge func(Pair) (Result, bool)
}

// Table returns every check, in the order in which findings are listed.
func Table() []Check {
	return []Check{
		nullShare(), nanShare(), infiniteShare(), outOfRange(), mean(), median(), percentile95(),
		cardinality(), newFeature(), missingShare(), constant(), freshness(), featureAge(),
		typeChange(), duplicateShare(),
	}
}

// Pair is one feature in a window and in what it is compared with.
type Pair struct {
	Feature plumbline.Feature
	// Now is the window, Reference what it is held against.
	Now, Reference Sample
	// Whole is the part of the window whose hours the deploy served in full, and
	// Usual production in the same hours before; empty without traffic then.
	Whole, Usual Sample
	// Timeline is what the feature did hour by hour, up to the window's end.
	Timeline Timeline
}

// Result is what a check says of one pair.
type Result struct {
	Check Check
	// Value is the number, NullMean what it is if nothing changed, Effect their
	// difference, all in the check's Unit.
	Value, NullMean, Effect float64
	// Low and High are a 95 % interval of Value, NaN where there is none.
	Low, High float64
	// P is the probability that noise alone puts Value at least so far from
	// NullMean.
	P float64
	// Scale is how much of Unit one of EffectUnit is; 0 means one.
	Scale float64
	// Size is the lesser number of deliveries that the two sides rest on.
	Size uint64
	// Known says that the feature's own past holds the like: no breach then.
	Known bool
	// Verdict is one of the catalogue's.
	Verdict string
}

// Options say when a check is in breach.
type Options struct {
	// Alpha is the probability that noise alone puts any check of a look in
	// breach: each test gets its part (Bonferroni). Default 0.01.
	Alpha float64
	// MinDeliveries is the number of deliveries on either side under which
	// nothing is called ok. Default 100.
	MinDeliveries uint64
	// MinEffect overrides the least effects of Table, in each check's
	// EffectUnit.
	MinEffect map[string]float64
}

// DefaultOptions returns the defaults that the fields name.
func DefaultOptions() Options { return Options{Alpha: 0.01, MinDeliveries: 100} }

// Validate returns every error in the options at once.
func (o Options) Validate() error {
	var errs []error
	if !(o.Alpha > 0 && o.Alpha < 1) {
		errs = append(errs, fmt.Errorf("alpha %g: must lie between 0 and 1", o.Alpha))
	}
	for name, v := range o.MinEffect {
		if _, ok := Lookup(name); !ok {
			errs = append(errs, fmt.Errorf("least effect of %q: there is no such check", name))
		} else if !(v >= 0) {
			errs = append(errs, fmt.Errorf("least effect of %s: %g is not at least 0", name, v))
		}
	}
	return errors.Join(errs...)
}

// Lookup returns a check by its measure.
func Lookup(name string) (Check, bool) {
	for _, c := range Table() {
		if c.Measure == name {
			return c, true
		}
	}
	return Check{}, false
}

// Judge returns the result of every check that applies to the pairs of a look,
// in the order of the pairs.
func Judge(pairs []Pair, o Options) [][]Result {
	all, tests := make([][]Result, len(pairs)), 0
	for i, p := range pairs {
		for _, c := range Table() {
			if c.judge == nil {
				continue
			}
			if r, ok := c.judge(p); ok {
				r.Check, r.Effect = c, r.Value-r.NullMean
				all[i] = append(all[i], r)
				tests++
			}
		}
	}
	for i, p := range pairs {
		for j, r := range all[i] {
			all[i][j].Verdict = o.verdict(r, p, o.Alpha/float64(tests))
		}
	}
	return all
}

func (o Options) verdict(r Result, p Pair, alpha float64) string {
	switch {
	case p.Reference.Requests == 0 || p.Now.Requests == 0:
		return plumbline.VerdictMissing
	case math.IsNaN(r.P):
		return plumbline.VerdictInsufficient
	case o.beyond(r, alpha) && !r.Known && o.clock(r, p) && p.Whole.Deliveries < o.MinDeliveries:
		return plumbline.VerdictInsufficient
	case o.beyond(r, alpha) && !r.Known && o.unusual(r, p, alpha):
		return plumbline.VerdictBreach
	case r.Size < o.MinDeliveries:
		return plumbline.VerdictInsufficient
	}
	return plumbline.VerdictOK
}

// beyond reports whether a result lies beyond noise and beyond what matters.
func (o Options) beyond(r Result, alpha float64) bool {
	least := r.Check.MinEffect
	if v, ok := o.MinEffect[r.Check.Measure]; ok {
		least = v
	}
	if r.Check.Ranked {
		alpha = o.Alpha
	}
	effect := r.Value - r.NullMean
	if r.Check.BothWays {
		effect = math.Abs(effect)
	}
	if r.Scale > 0 {
		least *= r.Scale
	}
	return r.P <= alpha && effect > 0 && effect >= least
}

// clock reports whether a check can and must be held against the same hours
// before.
func (o Options) clock(r Result, p Pair) bool {
	return r.Check.Clocked && p.Usual.Deliveries >= o.MinDeliveries
}

// unusual reports whether what is beyond its reference is so against the same
// hours before, too, as far as that can be said.
func (o Options) unusual(r Result, p Pair, alpha float64) bool {
	if !o.clock(r, p) {
		return true
	}
	p.Now, p.Reference = p.Whole, p.Usual
	usual, ok := r.Check.judge(p)
	if !ok {
		return true
	}
	usual.Check = r.Check
	return o.beyond(usual, alpha)
}

// twoShares compares hits of n events now with those of the reference, all
// counted in deliveries, by the exact two-sample test given the pooled counts
// (mid-p; simulated where the counts are great).
func twoShares(now, reference share) (Result, bool) {
	r := Result{Value: now.value(), NullMean: reference.value(), Size: min(now.of, reference.of)}
	interval := quality.Wilson(int64(now.hits), int64(now.of))
	r.Low, r.High, r.P = interval.Low, interval.High, math.NaN()
	if now.of == 0 || reference.of == 0 {
		return r, true
	}
	cells := measure.Cells{
		Reference: []uint64{reference.hits, reference.of - reference.hits},
		Current:   []uint64{now.hits, now.of - now.hits},
	}
	found, err := cells.Compare(measure.DefaultOptions(), measure.LInfinity)
	if err != nil {
		// Two lists of two cells and the default options are always valid.
		panic(err)
	}
	r.P = found[0].P
	return r, true
}

// share is so many of so many deliveries.
type share struct{ hits, of uint64 }

// value returns the share, NaN of nothing.
func (s share) value() float64 {
	if s.of == 0 {
		return math.NaN()
	}
	return float64(s.hits) / float64(s.of)
}
