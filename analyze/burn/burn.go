package burn

import (
	"math"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality"
)

// Minutes are the production predictions of one deploy by minute of event time,
// with the labels known at some instant. The slices have one length.
type Minutes struct {
	// Start is the first minute.
	Start time.Time
	// Requests counts deliveries; Labelled distinct predictions with a label,
	// Correct those of them that were right: each as often as its weight says.
	// Rows are the predictions that Labelled was counted from.
	Requests, Labelled, Correct, Rows []int64
	// Random says that the predictions with a label are a simple random sample: those
	// without are no other.
	Random bool
}

// NewMinutes returns n empty minutes from the minute of start on.
func NewMinutes(start time.Time, n int) Minutes {
	return Minutes{
		Start:    start.Truncate(time.Minute),
		Requests: make([]int64, n), Labelled: make([]int64, n), Correct: make([]int64, n), Rows: make([]int64, n),
	}
}

// end returns the end of minute i, exclusive.
func (m Minutes) end(i int) time.Time { return m.Start.Add(time.Duration(i+1) * time.Minute) }

// sum adds up the minutes (from, to].
func (m Minutes) sum(from, to int) Window {
	var w Window
	for i := max(from+1, 0); i <= to; i++ {
		w.Requests += m.Requests[i]
		w.Labelled += m.Labelled[i]
		w.Bad += m.Labelled[i] - m.Correct[i]
		w.Rows += m.Rows[i]
	}
	return w
}

// Window is one window that ends at F.
type Window struct {
	Length time.Duration
	// Requests, Labelled and Bad count predictions of the window; Bad were
	// labelled and wrong. Rows are the predictions that Labelled was counted
	// from, fewer where the producer samples.
	Requests, Labelled, Bad, Rows int64
}

// Share returns the bad share of the labelled predictions, NaN without labels.
func (w Window) Share() float64 {
	if w.Labelled <= 0 {
		return math.NaN()
	}
	return float64(w.Bad) / float64(w.Labelled)
}

// Interval returns the 95 % interval of Share.
func (w Window) Interval() quality.Interval { return quality.WilsonSampled(w.Bad, w.Labelled, w.Rows) }

// Coverage returns the share of the window's predictions with a label.
func (w Window) Coverage() float64 { return quality.Coverage(w.Labelled, w.Requests) }

// Evaluation is one window pair at F.
type Evaluation struct {
	Pair plumbline.WindowPair
	// End is the end of the windows in event time, exclusive; zero if no minute
	// has enough labels.
	End         time.Time
	Long, Short Window
	// Threshold is the bad share that both windows are compared with.
	Threshold float64
	// Noise is the chance, a minute, that noise at exactly the target starts a breach
	// even if every label that is missing says good; 1 where there is no breach.
	Noise float64
	// Verdict is missing if no minute has enough labels, insufficient if the
	// long window has fewer than quality.MinLabelled, breach if the lower end of
	// the long window's interval and the short window's share both lie beyond
	// the threshold, and ok otherwise.
	Verdict string
}

// Breach reports whether the pair's condition holds for the labels that are in.
func (e Evaluation) Breach() bool { return e.Verdict == plumbline.VerdictBreach }

// Severity returns what a breach alerts with, and nothing without one: that of the
// pair, but a ticket for a page that chance, or the labels that are missing, may
// explain.
func (e Evaluation) Severity() string {
	switch {
	case !e.Breach():
		return ""
	case e.Pair.Severity == plumbline.SeverityPage && e.Pair.Noise > 0 && e.Noise > e.Pair.Noise:
		return plumbline.SeverityTicket
	}
	return e.Pair.Severity
}

// Evaluate finds F and evaluates one pair there; series is how many deploys share the
// noise that is allowed. F is the latest minute, begun at or before now, for which the
// short window (F - short, F] holds a prediction and at least minCoverage of its
// predictions have a label.
func Evaluate(m Minutes, now time.Time, slo plumbline.SLO, pair plumbline.WindowPair, series int) Evaluation {
	e := Evaluation{Pair: pair, Threshold: pair.Threshold(slo.Target), Noise: 1, Verdict: plumbline.VerdictMissing}
	e.Long.Length, e.Short.Length = pair.Long, pair.Short
	short, long := int(pair.Short/time.Minute), int(pair.Long/time.Minute)
	f := frontier(m, now, short, slo.MinCoverage)
	if f < 0 {
		return e
	}
	e.End = m.end(f)
	e.Long, e.Short = m.sum(f-long, f), m.sum(f-short, f)
	e.Long.Length, e.Short.Length = pair.Long, pair.Short
	switch {
	case e.Long.Rows < quality.MinLabelled || e.Short.Labelled <= 0:
		e.Verdict = plumbline.VerdictInsufficient
	case e.Long.Interval().Low > e.Threshold && e.Short.Share() > e.Threshold:
		e.Verdict = plumbline.VerdictBreach
		e.Noise = m.lenient(f, series).least(slo, pair)
	default:
		e.Verdict = plumbline.VerdictOK
	}
	return e
}

// lenient returns the windows that end with minute f as they would be if every label
// that is missing were to say good, unless those that are in are a random sample.
// However labels come, no more than what is bad in the end is bad in them, but for what
// is corrected: which come first can hide a burn, and makes none.
func (m Minutes) lenient(f, series int) Windows {
	return Windows{End: m.end(f), From: m.Start, Series: series, Of: func(length time.Duration) Count {
		w := m.sum(f-int(length/time.Minute), f)
		if m.Random {
			return Count{Bad: float64(w.Bad), Total: float64(w.Labelled), Rows: float64(w.Rows)}
		}
		all := float64(max(w.Requests, w.Labelled)) // requests of a batch may be stored later
		c := Count{Bad: float64(w.Bad), Total: all, Rows: all}
		if w.Labelled > 0 {
			// Those without a label stand for as many requests each as those with one.
			c.Rows *= float64(w.Rows) / float64(w.Labelled)
		}
		return c
	}}
}

// frontier returns the index of F, or -1. It walks back from now with the sum of
// the short window rolling along.
func frontier(m Minutes, now time.Time, short int, minCoverage float64) int {
	if now.Before(m.Start) {
		return -1
	}
	last := min(int(now.Sub(m.Start)/time.Minute), len(m.Requests)-1)
	w := m.sum(last-short, last)
	for f := last; f >= 0; f-- {
		if w.Requests > 0 && w.Coverage() >= minCoverage {
			return f
		}
		w.Requests -= m.Requests[f]
		w.Labelled -= m.Labelled[f]
		if entering := f - short; entering >= 0 {
			w.Requests += m.Requests[entering]
			w.Labelled += m.Labelled[entering]
		}
	}
	return -1
}

// least returns the noise of the window of evidence in which it is least, of which each
// may cost its share. Of labels all are looked at: the pair's own window is by definition
// one of which few are in, and a longer one holds those that came since.
func (w Windows) least(slo plumbline.SLO, pair plumbline.WindowPair) float64 {
	windows := w.looked(pair).Evidence
	if len(windows) == 0 {
		windows = []time.Duration{pair.Long}
	}
	noise := 1.0
	for _, length := range windows {
		c := w.Of(length)
		noise = min(noise, float64(len(windows)*max(w.Series, 1))*Noise(c.Bad, c.Total, 1-slo.Target, Overdispersion(slo)*c.weight(), length))
	}
	return noise
}
