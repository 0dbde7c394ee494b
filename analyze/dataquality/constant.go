package dataquality

import "math"

// constant is the share of the most frequent value.
func constant() Check {
	return Check{
		Measure: "constant_share", Unit: "share", MinEffect: 0.01, EffectUnit: "share",
		Doc:  "Share of the feature's values that equal its most frequent one. A breach is 1, a constant, where the reference had more values, and no stretch of the week before was constant for as long.",
		Test: "exact two-sample test of the share of that value, mid-p",
		judge: func(p Pair) (Result, bool) {
			if p.Feature == FeatureTimestamp || p.Now.numbers()+p.Now.texts() == 0 || p.Reference.numbers()+p.Reference.texts() == 0 {
				return Result{}, false
			}
			hits, before := mode(p)
			r, _ := twoShares(p.Now.share(hits, p.Now.numbers()+p.Now.texts()), p.Reference.share(before, p.Reference.numbers()+p.Reference.texts()))
			past := p.Timeline.past()
			if r.Value == 1 && past.hours < dayHours {
				r.P = math.NaN() // the hour or the weekday may be all there is of it
			}
			r.Known = r.Value < 1 || len(p.Now.Buckets) == 1 && p.Now.Min < p.Now.Max || past.longest >= p.Timeline.hoursOfNow()
			return r, true
		},
	}
}

// mode returns how often the most frequent value of now came now, and how often
// in the reference.
func mode(p Pair) (now, reference uint64) {
	for i, b := range p.Now.Buckets {
		if p.Now.Counts[i] > now {
			now, reference = p.Now.Counts[i], 0
			for j, other := range p.Reference.Buckets {
				if other == b {
					reference = p.Reference.Counts[j]
				}
			}
		}
	}
	for v, c := range p.Now.Values {
		if c > now {
			now, reference = c, p.Reference.Values[v]
		}
	}
	return now, reference
}
