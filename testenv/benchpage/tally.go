package benchpage

import (
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
)

// Tally counts what was produced for one objective and says when it burns: the
// closed form that pages are held against.
type Tally struct {
	slo   plumbline.SLO
	pairs []plumbline.WindowPair // those that page

	minutes map[int64]burn.Count // by unix minute
	last    int64                // the minute that every window ends with
	windows map[time.Duration]burn.Count
}

// NewTally returns a tally of nothing.
func NewTally(o plumbline.Objective) *Tally {
	t := &Tally{slo: o.SLO, minutes: make(map[int64]burn.Count), windows: make(map[time.Duration]burn.Count)}
	for _, p := range o.Pairs {
		if p.Severity != plumbline.SeverityPage {
			continue
		}
		t.pairs = append(t.pairs, p)
		for _, length := range append([]time.Duration{p.Long, p.Short}, p.Evidence...) {
			t.windows[length] = burn.Count{}
		}
	}
	return t
}

// Add counts an event that stands for weight requests. Events come in the order of
// their minutes.
func (t *Tally) Add(at time.Time, bad bool, weight int) {
	t.advance(at.Unix() / 60)
	one := burn.Count{Total: float64(weight), Rows: 1}
	if bad {
		one.Bad = one.Total
	}
	t.minutes[t.last] = plus(t.minutes[t.last], one, 1)
	for length, sum := range t.windows {
		t.windows[length] = plus(sum, one, 1)
	}
}

// advance lets every window end with a minute: what it no longer holds is taken
// off.
func (t *Tally) advance(minute int64) {
	if len(t.minutes) == 0 {
		t.last = minute
	}
	for ; t.last < minute; t.last++ {
		for length, sum := range t.windows {
			t.windows[length] = plus(sum, t.minutes[t.last+1-int64(length/time.Minute)], -1)
		}
	}
}

func plus(a, b burn.Count, sign float64) burn.Count {
	return burn.Count{Bad: a.Bad + sign*b.Bad, Total: a.Total + sign*b.Total, Rows: a.Rows + sign*b.Rows}
}

// Burns reports whether the windows of a pair that pages, which end with the
// minute of the last event, are both beyond their threshold, with the evidence
// that the rule asks for beside them.
func (t *Tally) Burns() (plumbline.WindowPair, bool) {
	for _, p := range t.pairs {
		threshold := p.Threshold(t.slo.Target)
		if t.windows[p.Long].Share() > threshold && t.windows[p.Short].Share() > threshold && t.evident(p) {
			return p, true
		}
	}
	return plumbline.WindowPair{}, false
}

// evident reports whether noise is not what did it, as the rule judges that: what
// noise may do is no question of latency.
func (t *Tally) evident(p plumbline.WindowPair) bool {
	return burn.EvaluateCounts(burn.Windows{
		End: time.Unix((t.last+1)*60, 0), Of: func(length time.Duration) burn.Count { return t.windows[length] }, Series: 1,
	}, t.slo, p).Breach()
}

// Total returns the requests counted before a time.
func (t *Tally) Total(before time.Time) (total float64) {
	for minute, c := range t.minutes {
		if minute*60 < before.Unix() {
			total += c.Total
		}
	}
	return total
}
