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
)

// Truth is what labels say of an alarm's claim.
type Truth string

// The truths.
const (
	// TruthTrue is an alarm that was right: quality was under the target.
	TruthTrue Truth = "true"
	// TruthFalse is an alarm that was wrong.
	TruthFalse Truth = "false"
	// TruthUndecided is an alarm of which labels cannot tell, or not yet.
	TruthUndecided Truth = "undecided"
)

// Alarm is one alarm and what it claims: that the quality of the predictions of a
// deploy from From to To was under the target.
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
	// label, in (0, 1].
	Coverage float64
	// MinLabelled is the least number of them.
	MinLabelled int64
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
// they were counted from: fewer where producers sample.
type Cell struct {
	Known                   time.Time // start of the hour
	Labelled, Correct, Rows int64
}

// Judgement is what labels say of one alarm.
type Judgement struct {
	Truth Truth
	// Reason says why nothing is decided; empty where it is.
	Reason string
	// Quality is the share of correct ones among the labelled predictions of the
	// window, Low and High the ends of its 95 % interval, Coverage the share that
	// has a label; NaN where there is none.
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
// the number of the window's predictions, target the share of them that was to be
// correct. Cells may come in any order.
//
// The estimand is the quality of the window's own predictions, so the interval is
// about those that have no label yet and collapses as they get one: normal, with
// the correction for a finite population (Cochran 1977, Sampling Techniques,
// section 3.2), its variance by Agresti and Coull 1998 so that a share of 0 or 1
// of a few has a width as well. It takes labels that are in for a random choice
// of all, which Coverage keeps the price of low.
func Judge(a Alarm, target float64, requests int64, cells []Cell, o Options) Judgement {
	cells = slices.Clone(cells)
	slices.SortFunc(cells, func(a, b Cell) int { return cmp.Compare(a.Known.Unix(), b.Known.Unix()) })
	var (
		labelled, correct, rows int64
		now                     Judgement
		since                   time.Time
	)
	now = judge(target, requests, Cell{}, o)
	for i, c := range cells {
		labelled, correct, rows = labelled+c.Labelled, correct+c.Correct, rows+c.Rows
		if i+1 < len(cells) && cells[i+1].Known.Equal(c.Known) {
			continue
		}
		before := now.Truth
		if now = judge(target, requests, Cell{c.Known, labelled, correct, rows}, o); now.Truth != before {
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

// judge says what so many labels say.
func judge(target float64, requests int64, known Cell, o Options) Judgement {
	nan, labelled, correct := math.NaN(), known.Labelled, known.Correct
	j := Judgement{Truth: TruthUndecided, Quality: nan, Low: nan, High: nan, Coverage: nan, Labelled: labelled, Requests: requests, Rows: known.Rows}
	if requests <= 0 {
		j.Reason = "no prediction of the window is counted"
		return j
	}
	j.Coverage = min(float64(labelled)/float64(requests), 1)
	if labelled > 0 {
		j.Quality = float64(correct) / float64(labelled)
		half := 1.959963984540054 * deviation(j.Quality, min(known.Rows, labelled), j.Coverage)
		j.Low, j.High = max(j.Quality-half, 0), min(j.Quality+half, 1)
	}
	switch {
	case j.Coverage < o.Coverage:
		j.Reason = fmt.Sprintf("%.0f %% of the labels are in, %.0f %% are needed", 100*j.Coverage, 100*o.Coverage)
	case known.Rows < o.MinLabelled:
		j.Reason = fmt.Sprintf("%d labels are in, %d are needed", known.Rows, o.MinLabelled)
	case j.High < target:
		j.Truth = TruthTrue
	case j.Low >= target:
		j.Truth = TruthFalse
	default:
		j.Reason = fmt.Sprintf("the labels that are missing could make it either: %.4g to %.4g against a target of %.4g", j.Low, j.High, target)
	}
	return j
}

// deviation is the standard error of a share among n rows drawn from a finite
// population, of which coverage is known.
func deviation(share float64, n int64, coverage float64) float64 {
	p := (share*float64(n) + 2) / (float64(n) + 4)
	return math.Sqrt(p * (1 - p) / (float64(n) + 4) * (1 - coverage))
}
