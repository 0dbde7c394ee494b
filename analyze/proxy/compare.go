package proxy

import (
	"math"
	"slices"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Reading is one figure over one window.
type Reading struct {
	// Value is the mean over the window, NaN without a reading.
	Value float64
	// Variance is what Value varies by where only the events of the window do, in
	// the square of its unit; 0 where that is not known.
	Variance float64
	// Count is how many events or readings it was computed from, Hours in how
	// many hours there was one.
	Count uint64
	Hours int
}

// Figure is what one measure says of a model in one slice, by week.
type Figure struct {
	// Measure is one of the plumbline.Measure constants of proxies.
	Measure string
	// Name is the name of a KPI; empty for the others.
	Name    string
	Segment plumbline.Segment
	// Weeks are the window itself and the same hours of the weeks before it, the
	// latest first. A week without a reading has a Count of 0.
	Weeks []Reading
}

// Options say what is unusual.
type Options struct {
	// Alpha is the probability with which noise alone may make a breach, in
	// (0, 1).
	Alpha float64
	// MinEffect is the least distance from what is usual that matters, in the
	// unit of the measure; of relative measures as a share of what is usual.
	MinEffect float64
	// MinWeeks is the least number of weeks that say what is usual, at least 3.
	MinWeeks int
}

// Result is what a figure says.
type Result struct {
	// Value is the window's, Expected the mean of the weeks before; NaN where
	// there is none. Low and High are the ends of the interval around Value that
	// holds Expected unless the window differs from the weeks at the 5 % level.
	Value, Expected, Low, High float64
	// P is the probability that a week like those before lies as far from them.
	P float64
	// Effect is Value less Expected.
	Effect float64
	// Verdict is one of the plumbline verdicts.
	Verdict string
	// Weeks is how many weeks say what is usual.
	Weeks int
}

// Compare holds the first week of a figure against the others. The interval is
// Student's for one more draw from a normal distribution of which k are known
// (Hahn and Meeker 1991, Statistical Intervals, section 4.8): mean +- t(k-1) s
// sqrt(1 + 1/k). Where the events of the windows vary by more than the weeks seem
// to, that is the spread: a few weeks may be alike by chance. It reports false if
// there is nothing to say: no reading now, and none lately that could be missed.
func Compare(f Figure, o Options) (Result, bool) {
	nan := math.NaN()
	r := Result{Value: nan, Expected: nan, Low: nan, High: nan, P: nan, Effect: nan, Verdict: plumbline.VerdictInsufficient}
	now := f.Weeks[0]
	past := usual(f.Weeks[1:])
	r.Weeks = len(past)
	if len(past) > 0 {
		r.Expected = mean(past)
	}
	if now.Count == 0 {
		r.Verdict = plumbline.VerdictMissing
		return r, len(past) > 0 && (f.Weeks[1].Count > 0 || 2*len(past) >= len(f.Weeks)-1)
	}
	r.Value = now.Value
	if len(past) == 0 || 2*now.Hours < medianHours(past) {
		return r, true
	}
	r.Effect = now.Value - r.Expected
	if len(past) < o.MinWeeks {
		return r, true
	}
	k := float64(len(past))
	spread := math.Sqrt(max(variance(past, r.Expected)*(1+1/k), now.Variance+meanVariance(past)/k))
	if spread == 0 {
		// Nothing has ever varied: one more week like that would be the same, and
		// of one that is not nobody can tell how far is far.
		if r.Effect == 0 {
			r.P, r.Verdict, r.Low, r.High = 1, plumbline.VerdictOK, r.Value, r.Value
		}
		return r, true
	}
	half := metric.StudentQuantile(0.975, k-1) * spread
	r.Low, r.High = r.Value-half, r.Value+half
	r.P = metric.StudentTail(r.Effect/spread, k-1)
	r.Verdict = plumbline.VerdictOK
	if r.P <= o.Alpha && math.Abs(r.Effect) >= o.least(f.Measure, r.Expected) {
		r.Verdict = plumbline.VerdictBreach
	}
	return r, true
}

// least is the distance that matters, in the unit of the measure.
func (o Options) least(measure string, expected float64) float64 {
	if Relative(measure) {
		return o.MinEffect * math.Abs(expected)
	}
	return o.MinEffect
}

// Relative reports whether the least effect of a measure is a share of what is
// usual: its unit is the producer's own.
func Relative(measure string) bool {
	return measure == plumbline.MeasureKPI || measure == plumbline.MeasureDisagreement
}

// usual are the weeks that say what is usual: those with readings in at least
// half of the hours of the median week.
func usual(weeks []Reading) []Reading {
	var all []Reading
	for _, w := range weeks {
		if w.Count > 0 {
			all = append(all, w)
		}
	}
	typical := medianHours(all)
	return slices.DeleteFunc(all, func(w Reading) bool { return 2*w.Hours < typical })
}

func medianHours(weeks []Reading) int {
	if len(weeks) == 0 {
		return 0
	}
	hours := make([]int, len(weeks))
	for i, w := range weeks {
		hours[i] = w.Hours
	}
	slices.Sort(hours)
	return hours[len(hours)/2]
}

// mean lies between the readings: of equal ones it is theirs to the last bit, so that
// they do not seem to vary.
func mean(weeks []Reading) float64 {
	sum, least, most := 0.0, math.Inf(1), math.Inf(-1)
	for _, w := range weeks {
		sum, least, most = sum+w.Value, min(least, w.Value), max(most, w.Value)
	}
	return min(max(sum/float64(len(weeks)), least), most)
}

// variance is the unbiased one, of at least two weeks.
func variance(weeks []Reading, mean float64) float64 {
	sum := 0.0
	for _, w := range weeks {
		sum += (w.Value - mean) * (w.Value - mean)
	}
	return sum / float64(len(weeks)-1)
}

func meanVariance(weeks []Reading) float64 {
	sum := 0.0
	for _, w := range weeks {
		sum += w.Variance
	}
	return sum / float64(len(weeks))
}
