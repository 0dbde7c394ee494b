package dataquality

import (
	"math"
	"time"
)

// dayHours is the least number of hours that a past must have to say what is
// usual.
const dayHours = 24

// Hour is what a feature did in one hour in which it came.
type Hour struct {
	At time.Time
	// Changed says that it had more than one value in the hour, or another than
	// in the hour before.
	Changed bool
	// Max is its greatest number; NaN of a category.
	Max float64
}

// Timeline is what a feature did hour by hour, the latest hour last.
type Timeline struct {
	Hours []Hour
	// Now is where the window begins.
	Now time.Time
	// Closed is up to when hours are over and their events in. An hour that ends
	// later is under way.
	Closed time.Time
}

// lastClosed returns the last hour of the window that is over, and false if the
// feature came in none.
func (t Timeline) lastClosed() (Hour, bool) {
	for i := len(t.Hours) - 1; i >= 0 && !t.Hours[i].At.Before(t.Now); i-- {
		if !t.Hours[i].At.Add(time.Hour).After(t.Closed) {
			return t.Hours[i], true
		}
	}
	return Hour{}, false
}

// past is what is usual of a feature.
type past struct {
	// hours counts those before the stretch that is under way, unchanged those
	// of them in which it did not change, longest the longest run of such.
	hours, unchanged, longest int
}

// stale returns the number of hours since the feature last changed.
func (t Timeline) stale() int {
	n := 0
	for i := len(t.Hours) - 1; i >= 0 && !t.Hours[i].Changed; i-- {
		n++
	}
	return n
}

// past leaves out the stretch that is under way.
func (t Timeline) past() past {
	var p past
	run := 0
	for _, h := range t.Hours[:len(t.Hours)-t.stale()] {
		p.hours++
		if h.Changed {
			run = 0
			continue
		}
		run++
		p.unchanged++
		p.longest = max(p.longest, run)
	}
	return p
}

// hoursOfNow returns how many hours of the window the feature came in, without
// the one in which it may have changed.
func (t Timeline) hoursOfNow() int {
	n := 0
	for _, h := range t.Hours {
		if !h.At.Before(t.Now) {
			n++
		}
	}
	return max(1, n-1)
}

// freshness is the time since a feature last changed.
func freshness() Check {
	return Check{
		Measure: "freshness", Unit: "seconds", MinEffect: 6 * 3600, EffectUnit: "seconds",
		Doc:  "Time since the feature last changed, in whole hours in which it came; null_mean is the mean of such stretches in the week before. A breach is longer than any of them.",
		Test: "the next stretch is this long, each hour being without change as often as those of the week before (Jeffreys' predictive distribution)",
		judge: func(p Pair) (Result, bool) {
			if len(p.Timeline.Hours) == 0 || p.Reference.present() == 0 || p.Feature == FeatureTimestamp {
				return Result{}, false
			}
			stale, past := p.Timeline.stale(), p.Timeline.past()
			r := Result{Value: seconds(stale), NullMean: math.NaN(), Low: math.NaN(), High: math.NaN(), P: math.NaN(), Size: math.MaxUint64}
			if past.hours < dayHours {
				return r, true
			}
			changed := past.hours - past.unchanged
			r.NullMean = seconds(1) * float64(past.unchanged) / float64(max(1, changed))
			r.P = stretch(stale, past.unchanged, past.hours)
			r.Known = stale <= past.longest
			return r, true
		},
	}
}

// stretch returns the probability that the next r hours are all without change
// if k of n were: the product of (k + i + 1/2) / (n + i + 1).
func stretch(r, k, n int) float64 {
	p := 1.0
	for i := range r {
		p *= (float64(k+i) + 0.5) / float64(n+i+1)
	}
	return p
}

func seconds(hours int) float64 { return (time.Duration(hours) * time.Hour).Seconds() }
