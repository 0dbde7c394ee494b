package dataquality

import (
	"math"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// FeatureTimestamp is the numeric feature that says by convention when the
// features of a request were computed: Unix time in seconds, or in milliseconds.
const FeatureTimestamp plumbline.Feature = "feature_ts"

// milliseconds is the Unix time from which it must be in milliseconds: in
// seconds it would be the year 5138.
const milliseconds = 1e11

// leastRanks is the number of hours from which a rank can be beyond noise.
const leastRanks = 100

// featureAge is the age of the newest features.
func featureAge() Check {
	return Check{
		Measure: "feature_age", Unit: "seconds", MinEffect: 3600, EffectUnit: "seconds", Ranked: true,
		Doc:  "Age of the newest features at the end of the last closed hour, for models that send the numeric feature feature_ts: the Unix time, in seconds or milliseconds, at which the features of a request were computed. To one hour. A breach is older than in any hour of the week before.",
		Test: "rank among the hours of the week before",
		judge: func(p Pair) (Result, bool) {
			hours := p.Timeline.Hours
			if p.Feature != FeatureTimestamp || len(hours) == 0 {
				return Result{}, false
			}
			r := Result{Value: math.NaN(), NullMean: math.NaN(), Low: math.NaN(), High: math.NaN(), P: math.NaN(), Size: math.MaxUint64}
			// The hour under way is not held against whole ones: its features may
			// yet be computed.
			last, ok := p.Timeline.lastClosed()
			if !ok {
				return r, true
			}
			if r.Value = age(last); math.IsNaN(r.Value) {
				return r, true // a text tells no time
			}
			sum, n, beyond := 0.0, 0, 0
			for _, h := range hours {
				if a := age(h); h.At.Before(p.Timeline.Now) && !math.IsNaN(a) {
					sum += a
					n++
					if a >= r.Value {
						beyond++
					}
				}
			}
			if n < leastRanks {
				return r, true
			}
			r.NullMean, r.P, r.Known = sum/float64(n), float64(beyond+1)/float64(n+1), beyond > 0
			return r, true
		},
	}
}

// age returns how old the newest features of an hour are at its end.
func age(h Hour) float64 {
	at := h.Max
	if at > milliseconds {
		at /= 1000
	}
	return float64(h.At.Add(time.Hour).Unix()) - at
}
