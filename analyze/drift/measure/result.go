package measure

import (
	"errors"
	"fmt"
	"math"
)

// Options say how distances are judged.
type Options struct {
	// Alpha is the p-value at or below which a distance is beyond noise.
	// Default 0.01.
	Alpha float64
	// Confidence is that of the intervals. Default 0.95.
	Confidence float64
	// Overdispersion is how many times the variance of counts is that of
	// independent events, at least 1: a sample of n counts as n / Overdispersion.
	// Default 1.
	Overdispersion float64
	// MinEffect overrides the least effects of Table, in each measure's unit.
	MinEffect map[ID]float64
	// PValueOnly leaves out the intervals, which are then NaN, and ends the
	// simulation of a null once the p-value is plainly above 0.1; its mean is then
	// rough. P-values of at most 0.1 are the same. It is for simulations that
	// compare by the million.
	PValueOnly bool
	// Seed is that of simulated nulls. The default 0 is as good as any.
	Seed uint64
}

// DefaultOptions returns the defaults that the fields name.
func DefaultOptions() Options {
	return Options{Alpha: 0.01, Confidence: 0.95, Overdispersion: 1}
}

// Validate returns every error in the options at once.
func (o Options) Validate() error {
	var errs []error
	if !(o.Alpha > 0 && o.Alpha < 1) {
		errs = append(errs, fmt.Errorf("alpha %g: must lie between 0 and 1", o.Alpha))
	}
	if !(o.Confidence > 0.5 && o.Confidence <= 0.999) {
		errs = append(errs, fmt.Errorf("confidence %g: must lie above 0.5 and at most at 0.999", o.Confidence))
	}
	if !(o.Overdispersion >= 1) || math.IsInf(o.Overdispersion, 1) {
		errs = append(errs, fmt.Errorf("overdispersion %g: must be at least 1", o.Overdispersion))
	}
	for id, v := range o.MinEffect {
		if _, ok := Lookup(id); !ok {
			errs = append(errs, fmt.Errorf("least effect of %q: there is no such measure", id))
		} else if !(v >= 0) {
			errs = append(errs, fmt.Errorf("least effect of %s: %g is not at least 0", id, v))
		}
	}
	return errors.Join(errs...)
}

func (o Options) minEffect(id ID) float64 {
	if v, ok := o.MinEffect[id]; ok {
		return v
	}
	d, _ := Lookup(id)
	return d.MinEffect
}

// assumption names what the p-value and the interval rest on.
func (o Options) assumption() string {
	if o.Overdispersion == 1 {
		return "events are independent"
	}
	return fmt.Sprintf("counts vary %.3g times as much as those of independent events", o.Overdispersion)
}

// Method says how the null of a result was found.
type Method string

// The methods.
const (
	// Asymptotic uses the limit distribution.
	Asymptotic Method = "asymptotic"
	// Exact adds up the probabilities of all splits of the pooled counts.
	Exact Method = "exact"
	// Simulated draws splits of the pooled counts. Below about 0.005 the
	// p-value is a fitted tail and right in its order of magnitude.
	Simulated Method = "simulated"
	// Fitted is for many cells: the moments of the null are computed given the
	// pooled counts, and a gamma distribution has them; for L-infinity the
	// probabilities of the cells are multiplied.
	Fitted Method = "fitted"
	// None: a sample is empty or the measure is not defined for these samples.
	None Method = "none"
)

// Result is one distance with what it rests on. If Method is None, the numbers
// are NaN and nothing alarms.
type Result struct {
	Measure ID
	// Value is the distance, in the measure's unit.
	Value float64
	// Bound is how far the value may lie from that of the unrounded raw values,
	// either way; 0 for measures on cells, whose cuts are edges of the grid. The
	// interval does not hold it.
	Bound float64
	// Statistic is what the textbooks test: Pearson's X^2 for chi-square, T for
	// Cramér-von Mises, otherwise Value.
	Statistic float64
	// NullMean is the mean Value of two samples of these sizes from one
	// distribution. Debiased is Value - NullMean; it may be negative.
	NullMean, Debiased float64
	// Low and High bound the true distance at the confidence of the options.
	Low, High float64
	// P is the probability that noise alone gives at least Value, ties counted by
	// half, or as the whole over 1.05 if that is more.
	P float64
	// MinEffect is the least debiased value that matters.
	MinEffect float64
	// Method says how the null was found, Assumption what it takes for granted.
	Method     Method
	Assumption string
	// Alarm says that P is at most Alpha and Debiased at least MinEffect.
	Alarm bool
}

// undefined is the result where nothing can be said.
func undefined(id ID, o Options) Result {
	nan := math.NaN()
	return Result{Measure: id, Value: nan, Bound: nan, Statistic: nan, NullMean: nan, Debiased: nan,
		Low: nan, High: nan, P: nan, MinEffect: o.minEffect(id), Method: None, Assumption: o.assumption()}
}

// judged fills in what follows from the rest.
func (r Result) judged(o Options) Result {
	r.Debiased = r.Value - r.NullMean
	r.MinEffect, r.Assumption = o.minEffect(r.Measure), o.assumption()
	d, _ := Lookup(r.Measure)
	r.Low, r.High = max(0, r.Low), min(r.High, d.Max)
	if o.PValueOnly {
		r.Low, r.High = math.NaN(), math.NaN()
	}
	r.Alarm = r.P <= o.Alpha && r.Debiased >= r.MinEffect
	return r
}

// chosen returns the measures asked for among those of one kind; all of them if
// none is named. It is an error to ask for another kind.
func chosen(ids []ID, onCells bool) ([]ID, error) {
	if len(ids) == 0 {
		for _, d := range Table() {
			if d.OnCells == onCells {
				ids = append(ids, d.ID)
			}
		}
		return ids, nil
	}
	for _, id := range ids {
		switch d, ok := Lookup(id); {
		case !ok:
			return nil, fmt.Errorf("measure %q: there is no such measure", id)
		case d.OnCells != onCells && onCells:
			return nil, fmt.Errorf("measure %s: it needs the buckets of numbers, not cells", id)
		case d.OnCells != onCells:
			return nil, fmt.Errorf("measure %s: it needs cells cut on the reference", id)
		}
	}
	return ids, nil
}
