package dataquality

import "math"

// z95 is the 97.5 % quantile of the normal distribution.
const z95 = 1.959963984540054

// mean is the mean of a feature's numbers.
func mean() Check {
	return Check{
		Measure: "mean", Unit: "unit of the feature", MinEffect: 0.25, EffectUnit: "standard deviations of the reference",
		BothWays: true, Clocked: true,
		Doc:  "Mean of the feature's finite numbers, from exact sums.",
		Test: "Welch's two-sample test, normal",
		judge: func(p Pair) (Result, bool) {
			if !resolved(p) || p.Now.numbers() == 0 || p.Reference.numbers() == 0 {
				return Result{}, false
			}
			now, sd := p.Now.moments()
			before, spread := p.Reference.moments()
			n, m := p.Reference.deliveries(p.Reference.numbers()), p.Now.deliveries(p.Now.numbers())
			if min(n, m) == 0 {
				// A few requests of light weight are less than one delivery.
				nan := math.NaN()
				return Result{Value: now, NullMean: before, Low: nan, High: nan, P: nan}, true
			}
			reach := z95 * sd / math.Sqrt(float64(m))
			r := Result{
				Value: now, NullMean: before, Low: now - reach, High: now + reach, Scale: scale(spread), Size: min(n, m),
				P: normalP(now-before, math.Sqrt(sd*sd/float64(m)+spread*spread/float64(n))),
			}
			return r, true
		},
	}
}

// scale is the standard deviation of a reference; of a constant one, so little
// that any change matters.
func scale(sd float64) float64 { return max(sd, math.SmallestNonzeroFloat64) }

// normalP is the two-sided p-value of a difference with a standard error; NaN
// where either is unknown.
func normalP(difference, se float64) float64 {
	switch {
	case math.IsNaN(difference) || math.IsNaN(se):
		return math.NaN()
	case difference == 0:
		return 1
	}
	return math.Erfc(math.Abs(difference) / (se * math.Sqrt2))
}
