package estimate

import (
	"math"
	"slices"
	"sort"
	"time"
)

// Wait is what is known of the label of some predictions: that it came after
// Delay, or that it had not come when the prediction was Delay old.
type Wait struct {
	Delay time.Duration
	Known bool
	Count int64
}

// Curve is the share of predictions whose label is known at most a delay after
// the prediction: Kaplan and Meier's estimate (1958), which uses predictions that
// are still waiting for as long as they have been looked at.
//
// A label may never come. The share that never comes is what is left of the curve
// at its end, and it can be told from labels that are merely late only if
// predictions were looked at for long enough: Settled says whether they were.
type Curve struct {
	delays  []time.Duration // at which labels came, rising
	shares  []float64       // known by then
	greenV  []float64       // Greenwood's sum by then
	settled bool
	// Predictions is the number of predictions behind the curve.
	Predictions int64
}

// NewCurve fits a curve. A label at the very delay at which others were last
// looked at counts as first, as is usual. Delays below 0 (a label before its
// prediction) count as 0. Without predictions every share is NaN.
func NewCurve(waits []Wait) Curve {
	sorted := slices.Clone(waits)
	var c Curve
	for i := range sorted {
		sorted[i].Delay = max(sorted[i].Delay, 0)
		c.Predictions += sorted[i].Count
	}
	slices.SortFunc(sorted, func(a, b Wait) int { return int(max(-1, min(1, a.Delay-b.Delay))) })
	atRisk, waiting, green := c.Predictions, 1.0, 0.0
	for from := 0; from < len(sorted); {
		var came, left int64
		to := from
		for ; to < len(sorted) && sorted[to].Delay == sorted[from].Delay; to++ {
			left += sorted[to].Count
			if sorted[to].Known {
				came += sorted[to].Count
			}
		}
		if came > 0 {
			waiting *= 1 - float64(came)/float64(atRisk)
			if came < atRisk {
				green += float64(came) / (float64(atRisk) * float64(atRisk-came))
			}
			c.delays = append(c.delays, sorted[from].Delay)
			c.shares = append(c.shares, 1-waiting)
			c.greenV = append(c.greenV, green)
		}
		atRisk -= left
		from = to
	}
	c.settled = len(c.delays) > 0 && (c.complete(sorted) || c.level(sorted))
	return c
}

// Share returns the share of labels known within a delay.
func (c Curve) Share(delay time.Duration) float64 {
	if c.Predictions == 0 {
		return math.NaN()
	}
	after := sort.Search(len(c.delays), func(i int) bool { return c.delays[i] > delay })
	if after == 0 {
		return 0
	}
	return c.shares[after-1]
}

// Error returns the standard error of Share (Greenwood 1926).
func (c Curve) Error(delay time.Duration) float64 {
	after := sort.Search(len(c.delays), func(i int) bool { return c.delays[i] > delay })
	if after == 0 {
		return 0
	}
	return (1 - c.shares[after-1]) * math.Sqrt(c.greenV[after-1])
}

// Ever returns the share of predictions that ever get a label, as far as was
// looked; NaN without predictions.
func (c Curve) Ever() float64 { return c.Share(math.MaxInt64) }

// Never returns the share that never gets one. Unless Settled, some of it may
// only be late.
func (c Curve) Never() float64 { return 1 - c.Ever() }

// Settled reports whether predictions without a label were looked at for long
// enough to say that theirs never comes: whether the curve was seen to be level, or
// to end with every prediction labelled.
func (c Curve) Settled() bool { return c.settled }

// leastLikely is how unlikely it must be that labels still come and just stayed away
// for what was looked at after the last one. Strata are looked at every few minutes,
// and each look may err.
const leastLikely = 0.001

// leastQuiet is for how long no label may have come before a curve is called level.
// Jobs that bring labels run once a night or day: a shorter quiet says when it is, not
// that no more come.
const leastQuiet = 24 * time.Hour

// level reports whether no label came for long enough after the last one. As Maller
// and Zhou do (1994, section 3), it compares what was looked at after the last label
// with as long an interval before it. It counts the time for which predictions were
// waiting in both, since few are as old as the oldest: of n labels, at a rate that
// stays the same, none falls into the quiet interval with the chance
//
//	(before / (before + quiet))^n
//
// which is the conditional comparison of two Poisson rates (Przyborowski and Wilenski
// 1940). The last label itself does not count, it ends the interval. Until 2026-11-23
// the share of labels before was multiplied with all predictions, however few had been
// watched for as long, and a curve was called level in the midst of its rise.
//
// Quiet counts for no more than before does. Where all labels came at once, before is
// next to nothing, and after two labels within a second three quiet hours had a chance
// of one in ten thousand. That only says that the few that come by themselves have
// ended; those that people give take days, and have not begun. So ten labels are the
// fewest (2^-10 is just under leastLikely), and the one that ends the interval.
func (c Curve) level(sorted []Wait) bool {
	last := c.delays[len(c.delays)-1]
	interval := sorted[len(sorted)-1].Delay - last
	if interval < leastQuiet {
		return false
	}
	labels, before, quiet := int64(-1), 0.0, 0.0
	for _, w := range sorted {
		if w.Known && w.Delay > last-interval && w.Delay <= last {
			labels += w.Count
		}
		before += float64(w.Count) * max(min(w.Delay, last)-max(last-interval, 0), 0).Hours()
		quiet += float64(w.Count) * max(w.Delay-last, 0).Hours()
	}
	ratio := 1.0 // also where before is none: all labels came without any delay
	if quiet < before {
		ratio = quiet / before
	}
	return float64(max(labels, 0))*math.Log1p(ratio) >= -math.Log(leastLikely)
}

// mostOpen is the share of predictions that may still have no label, ever, where the
// curve ends with every prediction labelled.
const mostOpen = 0.05

// complete reports whether every prediction has its label, or every one that was
// watched to the end of the curve: enough of them that no more than mostOpen of all
// may lack one. Of r that all have it, at most a share of 3/r lacks it (the rule of
// three, Hanley and Lippman-Hand 1983).
func (c Curve) complete(sorted []Wait) bool {
	n := len(c.shares)
	if c.shares[n-1] < 1 {
		return false
	}
	var came, open int64
	for _, w := range sorted {
		switch {
		case !w.Known:
			open += w.Count
		case w.Delay == c.delays[n-1]:
			came += w.Count
		}
	}
	before := 1.0
	if n > 1 {
		before = 1 - c.shares[n-2]
	}
	return open == 0 || before*3/float64(came) <= mostOpen
}

// Outlook is what is expected of the labels of a window.
type Outlook struct {
	// Known labels are in, Waiting predictions have none.
	Known, Waiting int64
	// Ever is the expected number of labels that this window ever gets.
	Ever float64
	// Maturity is Known / Ever, in [0, 1]; NaN where nothing is ever expected.
	Maturity float64
	// Low and High are its 95 % interval: chance decides which of the waiting
	// predictions get a label, and the curve itself is an estimate.
	Low, High float64
	// Settled is false where the share that never comes is not known yet in
	// some stratum; Maturity is then, if anything, too high.
	Settled bool
}

// Batch is predictions of one stratum and one age, some of which have a label.
type Batch struct {
	Stratum        Stratum
	Age            time.Duration // now less the time of the prediction
	Known, Waiting int64
}

// Maturity returns the outlook of a window by the curves of its strata. A
// prediction that has waited for a while is the less likely ever to get a label:
// the curve is conditioned on its age. A stratum without a curve expects every
// label, and settles nothing.
func Maturity(batches []Batch, curves map[Stratum]Curve) Outlook {
	out := Outlook{Settled: true}
	chance, wrong := 0.0, make(map[Stratum]float64) // of a stratum's curve all batches err alike
	for _, b := range batches {
		c := curves[b.Stratum]
		p := c.after(b.Age, math.MaxInt64)
		out.Known += b.Known
		out.Waiting += b.Waiting
		out.Ever += float64(b.Known) + float64(b.Waiting)*p
		out.Settled = out.Settled && c.Settled()
		chance += float64(b.Waiting) * p * (1 - p)
		if before := c.Share(b.Age); before < 1 {
			wrong[b.Stratum] += float64(b.Waiting) * c.Error(math.MaxInt64) / (1 - before)
		}
	}
	for _, w := range wrong {
		chance += w * w
	}
	known, half := float64(out.Known), z95*math.Sqrt(chance)
	if out.Maturity = known / out.Ever; out.Ever == 0 {
		out.Maturity, out.Low, out.High = math.NaN(), math.NaN(), math.NaN()
		return out
	}
	out.Low, out.High = known/(out.Ever+half), known/max(out.Ever-half, known, 1)
	return out
}

// after returns the chance that a label that is not in at an age is in by a
// later one.
func (c Curve) after(age, later time.Duration) float64 {
	if c.Predictions == 0 {
		return 1
	}
	before := c.Share(age)
	if before >= 1 {
		return 0 // every label like this one was in by now
	}
	return (c.Share(later) - before) / (1 - before)
}

// MatureIn returns how long from now until a share of the labels that ever come
// is expected to be in: 0 if it is, false if the curves do not reach it. Where
// Maturity says that the curves are not settled, labels that are only late count as
// never coming, and the answer is too early.
func MatureIn(share float64, batches []Batch, curves map[Stratum]Curve) (time.Duration, bool) {
	ever := Maturity(batches, curves).Ever
	reached := func(later time.Duration) bool {
		known := 0.0
		for _, b := range batches {
			known += float64(b.Known)
			if c := curves[b.Stratum]; c.Predictions > 0 {
				known += float64(b.Waiting) * c.after(b.Age, b.Age+later)
			}
		}
		return known >= share*ever*(1-1e-12)
	}
	if reached(0) {
		return 0, true
	}
	var steps []time.Duration // at which anything can change
	for _, b := range batches {
		for _, d := range curves[b.Stratum].delays {
			if d > b.Age {
				steps = append(steps, d-b.Age)
			}
		}
	}
	slices.Sort(steps)
	steps = slices.Compact(steps)
	at := sort.Search(len(steps), func(i int) bool { return reached(steps[i]) })
	if at == len(steps) {
		return 0, false
	}
	return steps[at], true
}
