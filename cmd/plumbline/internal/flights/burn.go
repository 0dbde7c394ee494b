package flights

import (
	"math"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Burn is one deploy's burn on a quality SLO, minute by minute as known then.
type Burn struct {
	Deploy plumbline.DeployHash
	// First is the earliest minute by which the pair's condition held, zero if
	// it never did: the run's time, so the At of the last event it needed.
	First time.Time
	// Peak is the largest value the condition compares with its threshold: the
	// smaller of the long window's lower bound and the short window's share.
	// PeakBound is the largest lower bound alone.
	Peak, PeakBound float64
	// Last describes the last minute examined.
	Last BurnWindow
}

// BurnWindow is what the two windows hold at one minute.
type BurnWindow struct {
	// End is the windows' end: the latest minute up to which enough labels are
	// in.
	End time.Time
	// LongLabelled and ShortLabelled count labelled predictions, Bad the wrong
	// ones of the long window.
	LongLabelled, LongBad, ShortLabelled, ShortBad int
	// Bound is the lower end of the 95 % Wilson interval of the long window's
	// bad share.
	Bound float64
}

// ShortShare is the bad share of the short window.
func (w BurnWindow) ShortShare() float64 { return share(w.ShortBad, w.ShortLabelled) }

// LongShare is the bad share of the long window.
func (w BurnWindow) LongShare() float64 { return share(w.LongBad, w.LongLabelled) }

func share(bad, n int) float64 {
	if n == 0 {
		return 0
	}
	return float64(bad) / float64(n)
}

// maxLag bounds how far back an end with enough labels is sought.
const maxLag = 40 * 60

// Burn recomputes by brute force, for every minute up to and including the
// given time, the burn condition of a window pair on accuracy as it was known
// then: over the predictions of one deploy with an event time in (e - W, e],
// where e is the latest minute with a prediction in (e - short, e] and labels
// for at least slo.MinCoverage of those. It returns the good and the faulty
// deploy.
func (r *Replay) Burn(slo plumbline.SLO, pair plumbline.WindowPair, until time.Time) (good, faulty Burn) {
	return r.burn(versionGood, slo, pair, until), r.burn(versionFaulty, slo, pair, until)
}

func (r *Replay) burn(version int, slo plumbline.SLO, pair plumbline.WindowPair, until time.Time) Burn {
	last := r.original(until)
	w := &burnWindows{
		from: r.versions[version].from, long: minutesOf(pair.Long), short: minutesOf(pair.Short), coverage: slo.MinCoverage,
		cells: make([]burnCell, max(0, last-r.versions[version].from+1)),
	}
	for i := r.lo; i < r.hi && r.data.departure[i] <= last; i++ {
		if r.serving(i) == version {
			w.cells[r.data.departure[i]-w.from].made++
		}
	}
	b := Burn{Deploy: r.versions[version].deploy}
	next := 0
	for now := w.from; now <= last; now++ {
		for ; next < len(r.landings) && r.data.landing(int(r.landings[next])) <= now; next++ {
			if i := int(r.landings[next]); r.serving(i) == version {
				w.label(r.data.departure[i], r.wrong(i))
			}
		}
		end, ok := w.end(now)
		if !ok {
			continue
		}
		b.Last = w.at(end)
		b.Last.End = r.moved(end)
		value := min(b.Last.Bound, b.Last.ShortShare())
		b.Peak, b.PeakBound = max(b.Peak, value), max(b.PeakBound, b.Last.Bound)
		if b.First.IsZero() && value > pair.Threshold(slo.Target) {
			b.First = r.moved(now)
		}
	}
	return b
}

// burnCell counts the predictions of one minute of event time.
type burnCell struct{ made, labelled, bad int32 }

type burnWindows struct {
	from        minute
	long, short minute
	coverage    float64
	cells       []burnCell
}

func (w *burnWindows) label(departure minute, wrong bool) {
	cell := &w.cells[departure-w.from]
	cell.labelled++
	if wrong {
		cell.bad++
	}
}

// sum adds up the minutes in (end - length, end].
func (w *burnWindows) sum(end, length minute) (s burnCell) {
	for m := max(w.from, end-length+1); m <= end; m++ {
		c := w.cells[m-w.from]
		s.made += c.made
		s.labelled += c.labelled
		s.bad += c.bad
	}
	return s
}

// end finds the latest minute up to now at which the short window is covered.
func (w *burnWindows) end(now minute) (minute, bool) {
	window := w.sum(now, w.short)
	for e := now; e >= max(w.from, now-maxLag); e-- {
		if window.made > 0 && float64(window.labelled) >= w.coverage*float64(window.made) {
			return e, true
		}
		leaving := w.cells[e-w.from]
		window.made -= leaving.made
		window.labelled -= leaving.labelled
		if entering := e - w.short; entering >= w.from {
			window.made += w.cells[entering-w.from].made
			window.labelled += w.cells[entering-w.from].labelled
		}
	}
	return 0, false
}

func (w *burnWindows) at(end minute) BurnWindow {
	long, short := w.sum(end, w.long), w.sum(end, w.short)
	return BurnWindow{
		LongLabelled: int(long.labelled), LongBad: int(long.bad),
		ShortLabelled: int(short.labelled), ShortBad: int(short.bad),
		Bound: wilsonLower(int(long.bad), int(long.labelled)),
	}
}

// wilsonLower is the lower end of the 95 % score interval of a share (Wilson,
// JASA 22, 1927), and 0 for no observation.
func wilsonLower(bad, n int) float64 {
	if n == 0 {
		return 0
	}
	const z = 1.959963984540054
	p, m := share(bad, n), float64(n)
	return (p + z*z/(2*m) - z*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))) / (1 + z*z/m)
}
