package ledger

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Kind says what an alarm was about.
type Kind string

// The kinds of alarms.
const (
	KindQuality Kind = "quality"
	KindDrift   Kind = "drift"
	// KindConcept is the ticket that labels contradict what scores promised.
	KindConcept Kind = "concept_drift"
)

// Truth is what labels say of an alarm's claim.
type Truth string

// The truths.
const (
	// TruthTrue is an alarm that was right: quality was under the target, or was not
	// what scores promised.
	TruthTrue Truth = "true"
	// TruthFalse is an alarm that was wrong.
	TruthFalse Truth = "false"
	// TruthUndecided is an alarm of which labels cannot tell, or not yet.
	TruthUndecided Truth = "undecided"
)

// Alarm is one alarm and what it claims: that the quality of the predictions of a
// deploy from From to To was not what its Promise says.
type Alarm struct {
	ID       string
	Kind     Kind
	Model    plumbline.Model
	Deploy   plumbline.DeployHash // empty: all
	SLO      plumbline.SLOName
	Segment  plumbline.Segment
	Stream   Stream // of a drift
	Signal   plumbline.SignalName
	Severity string
	// Claim says in words what fired.
	Claim string
	// Promise is the zero one where there is none to judge by.
	Promise Promise
	// Opened is when people could know, Closed when it was over; zero while it
	// lasts.
	Opened, Closed time.Time
	// From and To bound the event times that the claim is about. Open says that
	// To may still move: nothing is judged then.
	From, To time.Time
	Open     bool
}

// Options say when labels may speak.
type Options struct {
	// Coverage is the least share of a window's predictions that must have a
	// label, in (0, 1], before those that are in stand for those that are missing.
	Coverage float64
	// MinLabelled is the least number of them.
	MinLabelled int64
	// Missing says which predictions of the model have no label.
	Missing Missing
	// Awaited is since when a window must have lasted, or a label of it have become
	// known, for more of them to be awaited: of others they never came. The zero time
	// awaits them for ever.
	Awaited time.Time
}

// DefaultOptions are 90 % and 30 labels.
func DefaultOptions() Options { return Options{Coverage: 0.9, MinLabelled: 30} }

// Validate returns every mistake of the options.
func (o Options) Validate() error {
	if !(o.Coverage > 0 && o.Coverage <= 1) {
		return fmt.Errorf("coverage: %v is not above 0 and at most 1", o.Coverage)
	}
	if o.MinLabelled < 1 {
		return fmt.Errorf("min_labelled: %d is not positive", o.MinLabelled)
	}
	return nil
}

// Cell is what became known of a window in one hour: the change of how many
// predictions are labelled, of how many of these are correct, and of how many rows
// they were counted from: fewer where producers sample. Of a regression Loss and
// Squares are sums of absolute errors and of their squares.
type Cell struct {
	Known                   time.Time // start of the hour
	Labelled, Correct, Rows int64
	Loss, Squares           float64
}

// add takes in what became known in another hour.
func (c *Cell) add(other Cell) {
	c.Known = other.Known
	c.Labelled, c.Correct, c.Rows = c.Labelled+other.Labelled, c.Correct+other.Correct, c.Rows+other.Rows
	c.Loss, c.Squares = c.Loss+other.Loss, c.Squares+other.Squares
}

// Judgement is what labels say of one alarm.
type Judgement struct {
	Truth Truth
	// Reason says why nothing is decided or, where something is though labels are
	// missing, that they cannot change it; else it is empty.
	Reason string
	// Quality is the share of correct ones among the labelled predictions of the
	// window, or their mean absolute error, Coverage the share that has a label; NaN
	// where there is none. Low and High are between which ends the quality of the
	// whole window is: in 95 % of all windows where labels that are in stand for
	// those that are missing, and else whatever these say. High may be infinite.
	Quality, Low, High, Coverage float64
	Labelled, Requests, Rows     int64
	// Matured is the end of the hour in which labels first said what they say of
	// it now, and went on to say it; zero while undecided.
	Matured time.Time
	// Lead is how much earlier than that the alarm was, negative if it was later;
	// it is known for alarms that were right.
	Lead  time.Duration
	Leads bool
}

// Judge holds the claim of an alarm against the labels of its window. requests is
// the number of the window's predictions. Cells may come in any order.
//
// The estimand is the quality of the window's own predictions, so what is not known
// of it is what those say that have no label yet. Two ranges tell:
//
//   - its bounds, if all of them said right, or wrong (Manski 1989, Anatomy of the
//     selection problem, J. Human Resources 24). Where these decide, no label that
//     comes can change it. They are about predictions that are counted and labels
//     that stay as they are: one that is corrected or withdrawn, and predictions
//     that come in late, are judged as they are when it is judged again;
//   - its 95 % interval, by labels that are in as a random choice of all, which
//     Missing says whether they are. It is about those that have no label yet and
//     collapses as they get one. Of a declared sample it is the exact one; else it
//     is normal, with the correction for a finite population (Cochran 1977, Sampling
//     Techniques, section 3.2), its variance by Agresti and Coull 1998 so that a
//     share of 0 or 1 of a few has a width as well. There Coverage keeps the price
//     low of labels that did not come at random.
func Judge(a Alarm, requests int64, cells []Cell, o Options) Judgement {
	cells = slices.Clone(cells)
	slices.SortFunc(cells, func(a, b Cell) int { return cmp.Compare(a.Known.Unix(), b.Known.Unix()) })
	var (
		known Cell
		since time.Time
	)
	w := window{a.Promise, requests, o, o.over(a, cells)}
	now := w.judge(known)
	for i, c := range cells {
		known.add(c)
		if i+1 < len(cells) && cells[i+1].Known.Equal(c.Known) {
			continue
		}
		before := now.Truth
		if now = w.judge(known); now.Truth != before {
			since = c.Known.Add(time.Hour)
		}
	}
	if a.Open && now.Truth != TruthUndecided {
		now.Truth, now.Reason = TruthUndecided, "the alarm is open: what it claims is not complete"
	}
	if now.Truth != TruthUndecided {
		now.Matured = since
	}
	if now.Truth == TruthTrue {
		now.Lead, now.Leads = since.Sub(a.Opened), true
	}
	return now
}

// Undecided is the judgement of an alarm of which nothing is known, and why.
func Undecided(reason string) Judgement {
	nan := math.NaN()
	return Judgement{Truth: TruthUndecided, Reason: reason, Quality: nan, Low: nan, High: nan, Coverage: nan}
}

// window is what a claim is about, but for its labels.
type window struct {
	promise  Promise
	requests int64
	options  Options
	// over says that no more labels are awaited.
	over bool
}

// judge says what so many labels say.
func (w window) judge(known Cell) Judgement {
	j := Undecided("")
	j.Labelled, j.Requests, j.Rows = known.Labelled, w.requests, known.Rows
	if w.requests <= 0 {
		j.Reason = "no prediction of the window is counted"
		return j
	}
	j.Coverage = min(float64(known.Labelled)/float64(w.requests), 1)
	if known.Labelled <= 0 {
		j.Reason = w.few(j)
		return j
	}
	quality, interval := known.interval(w.promise.Measure, w.requests, w.options.Missing)
	bounds := known.bounds(w.promise.Measure, w.requests)
	says := bounds
	if w.options.stands(j.Coverage) {
		says = interval.within(bounds)
	}
	j.Quality, j.Low, j.High = quality, says.low, says.high
	truth := w.promise.truth(says)
	switch {
	case known.Rows < w.options.MinLabelled:
		j.Reason = w.few(j)
	case truth == TruthUndecided:
		j.Reason = w.either(j, interval)
	default:
		j.Truth = truth
		if missing := w.requests - known.Labelled; missing > 0 && w.promise.truth(bounds) == truth {
			j.Reason = fmt.Sprintf("%d of %d labels are missing and cannot change it: whatever they say, it is %s against %s", missing, w.requests, bounds, w.promise)
		}
	}
	return j
}

// z95 is the 97.5 % quantile of the normal distribution.
const z95 = 1.959963984540054

// quality is the mean of labels, and its standard error as one of a population of
// which nothing else is known.
func (c Cell) quality(m Measure) (mean, deviation float64) {
	labelled, n := float64(c.Labelled), float64(min(c.Rows, c.Labelled))
	if m == MeanError {
		mean = c.Loss / labelled
		return mean, math.Sqrt(max(c.Squares/labelled-mean*mean, 0) / max(n-1, 1))
	}
	mean = float64(c.Correct) / labelled
	p := (mean*n + 2) / (n + 4)
	return mean, math.Sqrt(p * (1 - p) / (n + 4))
}
