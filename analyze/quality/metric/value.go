package metric

import "math"

// State says whether a value may be used.
type State string

// The states of a value. They are the words of the root package's verdicts.
const (
	// OK values have an interval whose assumptions hold.
	OK State = "ok"
	// Insufficient means too few labels, or too few of one kind.
	Insufficient State = "insufficient"
	// Missing means no labels at all.
	Missing State = "missing"
)

// Interval is a two-sided interval; both ends are NaN where there is none.
type Interval struct{ Low, High float64 }

// Width is High - Low.
func (i Interval) Width() float64 { return i.High - i.Low }

// Holds reports whether the interval holds x, its ends included.
func (i Interval) Holds(x float64) bool { return i.Low <= x && x <= i.High }

func none() Interval { return Interval{math.NaN(), math.NaN()} }

// Value is one metric, measured.
type Value struct {
	Metric ID
	// Value is in the metric's unit. It is NaN where the metric is not defined.
	Value float64
	// Interval is the 95 % interval of the value that further labels from the
	// same process would show. NaN unless State is OK.
	Interval
	// Labelled is the number of labels that Value was computed from.
	Labelled int64
	State    State
	// Why says what there is too little of; empty where State is OK.
	Why string
}

// Needs is the least that a metric asks for before it says anything. Below it
// the distribution of the estimate is so far from the one its interval uses
// that the interval would not hold its level.
type Needs struct {
	// Labelled predictions (for a ranking: queries).
	Labelled int64
	// Positives and Negatives are labelled predictions of either class, for a
	// multi-class metric of every class (Positives). Predicted are labelled
	// predictions that the model called positive.
	Positives, Negatives, Predicted int64
}

// Least numbers of labels.
const (
	// minLabelled is the same for every metric, as package quality has it.
	minLabelled = 20
	// minClass is what a metric that ranks or finds a class needs of that class.
	// Ten events bound the relative standard error of a rate by 1/sqrt(10), 32 %.
	minClass = 10
)

// seen is what there is, in the terms of Needs.
type seen Needs

// judge builds a value of events that each know one event.
func judge(id ID, value float64, s seen, interval func() Interval) Value {
	return judgeAt(id, value, s, Each, interval)
}

// judgeAt builds a value, without interval unless all that is needed was seen.
func judgeAt(id ID, value float64, s seen, t Thinning, interval func() Interval) Value {
	v := Value{Metric: id, Value: value, Interval: none(), Labelled: s.Labelled, State: Insufficient}
	d, _ := Lookup(id)
	switch {
	case s.Labelled <= 0:
		v.State, v.Value, v.Why = Missing, math.NaN(), "no labels"
	case t.fewer(s.Positives, d.Needs.Positives):
		v.Why = "too few labelled positives"
	case t.fewer(s.Negatives, d.Needs.Negatives):
		v.Why = "too few labelled negatives"
	case t.fewer(s.Predicted, d.Needs.Predicted):
		v.Why = "too few predicted positives with a label"
	case t.fewer(s.Labelled, d.Needs.Labelled):
		v.Why = "too few labels"
	case math.IsNaN(value):
		v.Why = "not defined on these labels"
	default:
		if i := interval(); i.Width() > 1e-12*max(math.Abs(i.Low), math.Abs(i.High)) {
			v.Interval, v.State = i, OK
		} else {
			v.Why = sameForAll
		}
	}
	return v
}

// sameForAll is why there is no interval where there would be one without width: it
// is right only where no further label can come.
const sameForAll = "all labels say the same, which tells nothing of how far others may be off"
