package burn

import (
	"math"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality"
)

// Count is what a window holds. Bad and Total are whole numbers of events, or of
// slices of time, or for ratio timeslices sums of shares.
type Count struct {
	Bad, Total float64
	// Rows are the deliveries that Total was counted from, fewer where producers
	// sample.
	Rows float64
}

// Share returns the bad share, NaN of an empty window.
func (c Count) Share() float64 {
	if !(c.Total > 0) {
		return math.NaN()
	}
	return c.Bad / c.Total
}

// weight is how many events a delivery stands for.
func (c Count) weight() float64 {
	if c.Rows > 0 && c.Rows < c.Total {
		return c.Total / c.Rows
	}
	return 1
}

// Interval returns the 95 % interval of Share.
func (c Count) Interval() quality.Interval {
	return quality.WilsonSampled(int64(math.Round(c.Bad)), int64(math.Round(c.Total)), int64(math.Round(c.Rows)))
}

// Windows are the counts of windows that all end at one time.
type Windows struct {
	// End is the end of the windows in event time, exclusive.
	End time.Time
	// From is since when everything is counted; zero is always. What a window that
	// begins before it holds is a part of it, and nobody knows how small a one.
	From time.Time
	// Of returns the counts of the window of this length.
	Of func(time.Duration) Count
	// Last are the counts of the last minute that has any, in the longest window,
	// which began at LastAt.
	Last   Count
	LastAt time.Time
	// Series is how many deploys have counts: they share the noise allowed.
	Series int
	// OthersAt is the last minute in which another deploy had an event; zero if none had.
	OthersAt time.Time
	// StoredTo returns until when all is stored of what the deploy's events come by, zero
	// where that is not known, as of nil. It is asked of windows that are empty.
	StoredTo func() time.Time
}

// Elsewhere reports whether a window is known to hold nothing because another deploy
// serves: everything in it is counted, others had events in its later half, and until
// then nothing of this one waits to be stored. In its first half they may have had the
// last of all before events stopped coming in.
func (w Windows) Elsewhere(length time.Duration) bool {
	half := w.End.Add(-length / 2)
	return w.whole(length) && !(w.Of(length).Total > 0) && !w.OthersAt.IsZero() && !w.OthersAt.Before(half) &&
		w.StoredTo != nil && !w.StoredTo().Before(half)
}

// whole reports whether everything in a window is counted.
func (w Windows) whole(length time.Duration) bool { return !w.End.Add(-length).Before(w.From) }

// looked returns the pair with those windows of evidence alone that are counted.
func (w Windows) looked(pair plumbline.WindowPair) plumbline.WindowPair {
	pair.Evidence = slices.DeleteFunc(slices.Clone(pair.Evidence), func(l time.Duration) bool { return !w.whole(l) })
	return pair
}

// few is below how many events a short window is expected to hold too few for
// its emptiness to say something.
const few = 10

// Counted is one window pair on counts.
type Counted struct {
	Pair plumbline.WindowPair
	End  time.Time
	Long Count
	// Short is the short window or, where so little comes in that it is usually
	// empty, the last minute in which something came.
	Short Count
	// Before says that it is that minute, before the short window.
	Before bool
	// Evidence is the window that Noise was computed in.
	Evidence  time.Duration
	Threshold float64
	// Noise is the chance a minute that noise starts this; see the function.
	Noise float64
	// Thin says that longer windows of evidence are needed: no one would hold enough
	// if every event in it were bad, or if twice the pair's factor were.
	Thin bool
	// Parts are what each part of a composite makes up of the long window's bad share.
	Parts []Part
	// Partly says that not all of a window that is looked at is counted.
	Partly bool
	// Elsewhere are those of the two windows that are empty because other deploys
	// serve, where the verdict is missing; see the method of Windows.
	Elsewhere []time.Duration
	// Verdict is missing if the long window is empty or not all counted, or the short
	// one is empty although it should not be; otherwise as Judge says.
	Verdict string
}

// Part is what one part of a composite makes up of its bad share.
type Part struct {
	SLO plumbline.SLOName
	Bad float64
}

// Breach reports whether the pair's condition holds.
func (c Counted) Breach() bool { return c.Verdict == plumbline.VerdictBreach }

// EvaluateCounts evaluates one pair of an objective on counts.
func EvaluateCounts(w Windows, slo plumbline.SLO, pair plumbline.WindowPair) Counted {
	c := Counted{
		Pair: pair, End: w.End, Threshold: pair.Threshold(slo.Target), Noise: 1,
		Long: w.Of(pair.Long), Short: w.Of(pair.Short), Verdict: plumbline.VerdictMissing,
	}
	looked := w.looked(pair)
	c.Partly = !w.whole(pair.Long) || len(looked.Evidence) < len(pair.Evidence)
	if !w.whole(pair.Long) || !(c.Long.Total > 0) {
		c.Elsewhere = w.elsewhere(pair)
		return c
	}
	if !(c.Short.Total > 0) {
		usual := c.Long.Total * float64(pair.Short) / float64(pair.Long)
		if usual >= few || w.LastAt.Before(w.End.Add(-pair.Long)) {
			c.Elsewhere = w.elsewhere(pair)
			return c
		}
		c.Short, c.Before = w.Last, true
	}
	c.Evidence, c.Noise, c.Thin = evidence(w, slo, looked)
	c.Verdict = c.Judge()
	return c
}

// elsewhere are the pair's windows that are empty because other deploys serve.
func (w Windows) elsewhere(pair plumbline.WindowPair) []time.Duration {
	return slices.DeleteFunc([]time.Duration{pair.Long, pair.Short}, func(l time.Duration) bool { return !w.Elsewhere(l) })
}

// Judge returns breach if the bad shares of both windows are beyond the threshold and
// noise is not what did it, missing if that may be shown by what is not counted, and ok
// otherwise.
func (c Counted) Judge() string {
	switch {
	case !(c.Long.Share() > c.Threshold && c.Short.Share() > c.Threshold):
		return plumbline.VerdictOK
	case c.Pair.Noise == 0 || c.Noise <= c.Pair.Noise:
		return plumbline.VerdictBreach
	case c.Partly:
		return plumbline.VerdictMissing
	}
	return plumbline.VerdictOK
}

// A sustained burn is looked for in windows of up to mostSustained, as long as the
// tickets' usually are, so that it costs no further reading; sustainedShare of what
// noise may cost is set aside for it.
const (
	mostSustained  = 3 * 24 * time.Hour
	sustainedShare = 0.05
)

// evidence returns the noise of the window in which it is least, of those that are
// looked at, each of which may cost a share of what noise may: divided by that
// share. Which windows these are depends on how much came in and not on what of it
// was bad:
//
// The first that could give enough evidence if every event in it were bad. Where
// that is the pair's own, half of it too, which a burst fills in half the time,
// without what was good before. And where twice the pair's factor, less a standard
// deviation, would not be told from noise in it, the first in which it would, or
// the longest. Thin says that longer windows are needed.
func evidence(w Windows, slo plumbline.SLO, pair plumbline.WindowPair) (length time.Duration, noise float64, thin bool) {
	windows := pair.Evidence
	if len(windows) == 0 {
		windows = []time.Duration{pair.Long}
	}
	own := 0
	for own < len(windows)-1 && windows[own] < pair.Long {
		own++
	}
	by := func(length time.Duration, bad func(Count) float64) float64 {
		c := w.Of(length)
		return float64(max(w.Series, 1)) * Noise(bad(c), c.Total, 1-slo.Target, Overdispersion(slo)*c.weight(), length)
	}
	seen := func(c Count) float64 { return c.Bad }
	for i := own; i < len(windows); i++ {
		looks, share := windows[i:i+1], 1.0
		if i == own {
			looks = windows[:own+1]
		}
		sustained, enough := firstSustained(windows[i:], slo, pair, by)
		if sustained > windows[i] {
			share -= sustainedShare
		}
		share /= float64(len(looks))
		if by(windows[i], func(c Count) float64 { return c.Total }) > share*pair.Noise {
			continue
		}
		length, noise = windows[i], 1
		for _, look := range looks {
			if v := by(look, seen) / share; v < noise {
				length, noise = look, v
			}
		}
		if sustained > windows[i] {
			if v := by(sustained, seen) / sustainedShare; v < noise {
				length, noise = sustained, v
			}
		}
		return length, noise, !enough && windows[len(windows)-1] < mostSustained && pair.Noise > 0
	}
	length = windows[len(windows)-1]
	return length, min(by(length, seen), 1), pair.Noise > 0
}

// firstSustained returns the first of windows in which twice the pair's factor,
// less a standard deviation, would be enough evidence, or the longest there may be.
func firstSustained(windows []time.Duration, slo plumbline.SLO, pair plumbline.WindowPair, by func(time.Duration, func(Count) float64) float64) (longest time.Duration, enough bool) {
	twice := func(c Count) float64 {
		expected := min(2*pair.Threshold(slo.Target), 1) * c.Total
		return expected - math.Sqrt(expected)
	}
	for _, length := range windows {
		if length > mostSustained {
			break
		}
		if longest = length; by(length, twice) <= sustainedShare*pair.Noise {
			return length, true
		}
	}
	return longest, false
}

// Overdispersion returns the objective's, or the default.
func Overdispersion(slo plumbline.SLO) float64 {
	if slo.Overdispersion >= 1 {
		return slo.Overdispersion
	}
	return DefaultOverdispersion
}

// EvidenceTime returns how long a bad share must last, at a steady rate of events
// an hour, until the pair alerts: the closed form of the workbook,
// (threshold / bad) x long, or what the evidence takes where that is longer. It
// returns false if it never does. Counts are taken so many standard deviations
// below what is expected: at 0 every other burst is found by then, at 1 most are.
func EvidenceTime(slo plumbline.SLO, pair plumbline.WindowPair, perHour, bad, deviations float64) (time.Duration, bool) {
	threshold := pair.Threshold(slo.Target)
	if !(bad > threshold) {
		return 0, false
	}
	longest := pair.Long
	if n := len(pair.Evidence); n > 0 {
		longest = pair.Evidence[n-1]
	}
	closed := time.Duration(threshold / bad * float64(pair.Long))
	holds := func(t time.Duration) bool {
		of := func(window time.Duration) Count {
			inside, all := min(t, window).Hours()*perHour, window.Hours()*perHour
			expected := inside*bad + (all-inside)*(1-slo.Target)
			return Count{Bad: max(expected-deviations*math.Sqrt(expected), 0), Total: all, Rows: all}
		}
		_, noise, _ := evidence(Windows{Of: of, Series: 1}, slo, pair)
		return pair.Noise == 0 || noise <= pair.Noise
	}
	if !holds(longest) {
		return 0, false
	}
	low, high := time.Duration(0), longest
	for high-low > time.Second {
		if mid := low + (high-low)/2; holds(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return max(closed, high), true
}
