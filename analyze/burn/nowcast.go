package burn

import (
	"fmt"
	"math"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// NowcastPair returns the window pair that an objective of quality is evaluated by
// on estimates, before its labels are in, and false if it has none: its first page
// pair on whole hours, which is what estimates are made of. The short window only
// ends an alert, so that it may be longer than the workbook's twelfth. Estimates
// are not made by segment.
func NowcastPair(o plumbline.Objective) (plumbline.WindowPair, bool) {
	if !o.SLO.SLI.Is(plumbline.SLIQuality) || o.SLO.Segment != "" {
		return plumbline.WindowPair{}, false
	}
	for _, p := range o.Pairs {
		if p.Severity != plumbline.SeverityPage || p.Long < time.Hour || p.Long%time.Hour != 0 {
			continue
		}
		p.Short = (p.Short + time.Hour - 1).Truncate(time.Hour)
		return p, true
	}
	return plumbline.WindowPair{}, false
}

// Estimate is what is expected of one window once all of its labels are in.
type Estimate struct {
	// Predictions are those of the window, Known those of them with a label.
	Predictions, Known int64
	// Effective is how many equal observations the predictions are worth where the
	// producer samples (Kish 1965), Requests how many requests they stand for; 0 is
	// Predictions.
	Effective, Requests float64
	// Share is the bad share, Error its standard error by what is not known of the
	// labels alone: 0 when all are in. Sampling is that by which requests were
	// sampled, 0 of a producer who sends all.
	Share, Error, Sampling float64
	// ByScores is the bad share as scores alone say it, without any label of the
	// window. Random says that these are declared a random sample.
	ByScores float64
	Random   bool
	// Proven says that past estimates of such windows held as promised, and Contradicted
	// that labels deny what was expected of them. Chance is that of labels so far off
	// if the estimate is right; NaN where there are too few to tell.
	Proven, Contradicted bool
	Chance               float64
	// LeftOut says that some labels which are in are counted by Known alone: Share takes
	// no notice of them, for they came the sooner for what they say.
	LeftOut bool
	// Why says why there is no estimate; empty where there is one.
	Why string
}

// worth is how many equal observations the predictions are worth.
func (e Estimate) worth() float64 {
	if e.Effective > 0 {
		return e.Effective
	}
	return float64(e.Predictions)
}

// sampled is the variance of the share by which requests were sampled and by what
// chance makes of so many requests, 0 of a producer who sends all. It is that of
// worth where weights have nothing to do with what is bad. Where what is doubtful
// weighs more than what is not, it is several times as much.
func (e Estimate) sampled() float64 {
	if e.Sampling == 0 {
		return 0
	}
	return e.Sampling*e.Sampling + variance(e.Share)/e.Requests
}

// variance is that of one event that is bad with a probability.
func variance(p float64) float64 { return p * (1 - p) }

// Nowcast is one window pair on estimates.
type Nowcast struct {
	Pair plumbline.WindowPair
	// End is the end of both windows in event time, exclusive.
	End         time.Time
	Long, Short Estimate
	Threshold   float64
	// Low and High bound the long window's bad share, NaN without an estimate. They are
	// wide enough to be looked at every hour of a year.
	Low, High float64
	// Verdict is insufficient without an estimate, for one that no page may rest on (such
	// as one that only labels which came first put beyond the threshold), and if Low is beyond the threshold and nothing can be said of the short window; breach
	// if Low and the short window's share are beyond it, and ok otherwise.
	Verdict string
	// Why says why the verdict is insufficient.
	Why string
}

// Beyond reports whether the pair's condition holds, proven or not.
func (n Nowcast) Beyond() bool {
	return n.Low > n.Threshold && n.Short.Why == "" && n.Short.Share > n.Threshold
}

// EvaluateNowcast evaluates one pair of an objective on estimates; series is how many
// deploys share the noise that is allowed.
func EvaluateNowcast(slo plumbline.SLO, pair plumbline.WindowPair, end time.Time, long, short Estimate, series int) Nowcast {
	n := Nowcast{Pair: pair, End: end, Long: long, Short: short, Threshold: pair.Threshold(slo.Target), Verdict: plumbline.VerdictInsufficient}
	n.Low, n.High = math.NaN(), math.NaN()
	safe := false // from bad labels that came first
	if long.Why == "" && long.Predictions > 0 {
		// Half a clump, for counts are whole.
		half := hourly(pair, series)*n.spread(slo) + Overdispersion(slo)/2/long.worth()
		safe = long.ByScores-half > 1-slo.Target || long.Known == long.Predictions || long.Random
		n.Low, n.High = max(long.Share-half, 0), min(long.Share+half, 1)
	}
	switch {
	case long.Why != "":
		n.Why = long.Why
	case long.Predictions == 0:
		n.Why = "no predictions in the window"
	case long.Contradicted:
		n.Why = "labels that are in contradict the estimate: no page may rest on it"
	case !long.Proven:
		n.Why = "estimates of past windows are not proven: no page may rest on this one"
	case n.Beyond() && !safe:
		n.Why = "without the labels that are in, scores do not say that the target is missed, and bad labels may be the first to come: no page may rest on it"
	case n.Beyond():
		n.Verdict = plumbline.VerdictBreach
	case n.Low > n.Threshold && short.Why != "":
		n.Why = fmt.Sprintf("beyond the threshold over %s, and of the last %s there is no estimate: %s", plumbline.WindowName(pair.Long), plumbline.WindowName(pair.Short), short.Why)
	default:
		n.Verdict = plumbline.VerdictOK
	}
	return n
}

// spread is the standard deviation of the long window's share: what is not known of
// its labels, and what chance makes of so few predictions, in clumps as on counts.
// The greater of the variances at the threshold and at the share itself is taken,
// so that a window in which everything is bad is not free of doubt.
func (n Nowcast) spread(slo plumbline.SLO) float64 {
	chance := Overdispersion(slo) * max(variance(n.Long.Share), variance(min(n.Threshold, 1))) / n.Long.worth()
	return math.Sqrt(n.Long.Error*n.Long.Error + max(chance, Overdispersion(slo)*n.Long.sampled()))
}

// hoursPerYear are how often a nowcast is looked at.
const hoursPerYear = 365.25 * 24

// hourly returns how many standard deviations bounds are away of which either may
// fail, over all the hours of a year together, as often as the pair's noise allows. The hours
// share most of their predictions, which only makes it fail less often.
func hourly(pair plumbline.WindowPair, series int) float64 {
	chance := 1 / hoursPerYear
	if pair.Noise > 0 {
		chance = 60 * pair.Noise
	}
	return metric.NormalQuantile(1 - min(chance/float64(max(series, 1)), 0.05)/2)
}

// Says tells in words what the nowcast rests on.
func (n Nowcast) Says() string {
	text := fmt.Sprintf("%d of %d labels of the window are in, the others are expected by what scores meant before", n.Long.Known, n.Long.Predictions)
	if n.Long.LeftOut {
		text = fmt.Sprintf("%d of %d labels of the window are in, of which those of its younger predictions came the sooner for what they say and are left out; the others are expected by what scores meant before", n.Long.Known, n.Long.Predictions)
	}
	if n.Why != "" {
		return n.Why + "; " + text
	}
	return text
}
