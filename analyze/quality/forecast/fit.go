package forecast

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

const day = 24 * time.Hour

// Task is what a model answers.
type Task string

// The tasks.
const (
	// Binary models predict one of two classes, with a score for one of them.
	Binary Task = "binary"
	// Classes models predict one of several, with a score for the one predicted.
	Classes Task = "classes"
	// Regression models predict a number.
	Regression Task = "regression"
)

// TaskOf says what a model answers from the classes that it predicted.
func TaskOf(classes []string) Task {
	switch len(classes) {
	case 0:
		return Regression
	case 2:
		return Binary
	}
	return Classes
}

// fitKey names a fit: that of a day for windows of one length, of one deploy or
// of all.
type fitKey struct {
	day    int64
	window time.Duration
	deploy plumbline.DeployHash
}

// Fit is what turns scores into expectations. It is made once a day and frozen.
type Fit struct {
	// Day is when it was made, Cut the end of the predictions it was made from,
	// Labelled how many of them had a label.
	Day, Cut time.Time
	Labelled int64
	// Deploy is whose predictions those were, empty for all deploys.
	Deploy plumbline.DeployHash
	// Choice is how scores are calibrated.
	Choice estimate.Choice
	// Positive is the class that the score of a binary model is about.
	Positive string
	// Immature says that some of what the fit was made from still waits for labels.
	Immature bool
	selected

	// worth is how many equal labels it was made from, in the share of requests whose
	// labels those are.
	worth, in float64

	task   Task
	model  *estimate.Model
	errors *estimate.ErrorModel
}

// selected is whether labels are selected by what they say.
type selected struct {
	// Selection is of labels of all deploys, those that took longer than Early against
	// others; its state is empty where it was not asked, for want of labels.
	Selection estimate.Selection
	Early     time.Duration
}

// noFit is why there is no fit; it is an answer, not a failure.
type noFit struct{ why error }

func (e noFit) Error() string { return e.why.Error() }

func isNoFit(err error) bool {
	_, none := errors.AsType[noFit](err)
	return none
}

// fit returns the fit of the day of an hour for windows of a length.
func (f *Forecaster) fit(ctx context.Context, end time.Time, window time.Duration, deploy plumbline.DeployHash) (*Fit, error) {
	key := fitKey{end.Truncate(day).Unix(), window, deploy}
	if known, ok := f.fits[key]; ok {
		return known.fit, known.err
	}
	fit, err := f.newFit(ctx, end.Truncate(day), window, deploy)
	if err == nil || isNoFit(err) {
		f.fits[key] = fitted{fit, err}
	}
	return fit, err
}

type fitted struct {
	fit *Fit
	err error
}

// newFit fits to predictions that were as old as most labels take when the day
// began: labels may come the sooner for what they say, and younger predictions have
// none but the first. It fits to all that are older than the window where that is
// expected to err less, and where there are too few of the old ones, unless labels
// surely come the sooner for what they say.
func (f *Forecaster) newFit(ctx context.Context, at time.Time, window time.Duration, deploy plumbline.DeployHash) (*Fit, error) {
	wait, settled, err := f.matureAge(ctx, at)
	if err != nil {
		return nil, err
	}
	all := learned{at: at, cut: at.Add(-window), deploy: deploy}
	if !settled {
		fit, err := f.learn(ctx, all)
		if err == nil {
			fit.Immature = true
		}
		return fit, err
	}
	older := all
	older.cut = at.Add(-max(wait, window)).Truncate(time.Hour)
	of, fit, err := f.waitedFor(ctx, older, window, wait)
	if err != nil && !isNoFit(err) || of.Selection.Differs() {
		return fit, err
	}
	if fit != nil && (!older.cut.Before(all.cut) || of.Selection.State != metric.OK) {
		return fit, nil
	}
	wider, err := f.learn(ctx, all)
	if err != nil {
		return nil, err
	}
	if fit != nil && !wider.errsLess(fit, of.Selection) {
		return fit, nil
	}
	wider.selected, wider.Immature = of, true
	return wider, nil
}

// waitedFor fits to predictions whose labels were waited for, and says whether those
// are selected. That is asked of all deploys, for a deploy's own labels are fewer and
// come no other way; where there are too few to fit to, it is known all the same.
func (f *Forecaster) waitedFor(ctx context.Context, l learned, window, wait time.Duration) (selected, *Fit, error) {
	var of selected
	if l.deploy != "" {
		common, err := f.fit(ctx, l.at, window, "")
		if err != nil && !isNoFit(err) {
			return of, nil, err
		}
		if err == nil {
			of = common.selected
		}
	}
	fit, err := f.learn(ctx, l)
	if err != nil {
		return of, nil, err
	}
	if l.deploy == "" && f.cfg.Arrival == estimate.Delayed {
		if of, err = f.selected(ctx, fit, l, max((wait/2).Truncate(time.Hour), time.Hour)); err != nil {
			return of, nil, err
		}
	}
	fit.selected = of
	return of, fit, nil
}

// errsLess reports whether a fit to more predictions, some of whose labels are not
// in, is expected to err less than one to those whose labels were waited for: by the
// sum of the square of its bias, which is the effect of selection on the share of
// labels that is missing, and its variance, both in variances of a label.
func (fit *Fit) errsLess(than *Fit, s estimate.Selection) bool {
	missing := max(1-fit.in/than.in, 0)
	return s.Bias()*missing*missing+1/fit.worth < 1/than.worth
}

// learned is what a fit is made from: predictions before a cut, with the labels known
// at an hour.
type learned struct {
	at, cut time.Time
	deploy  plumbline.DeployHash
}

func (f *Forecaster) cells(ctx context.Context, l learned, part, within time.Duration) ([]history.Cell, error) {
	from := l.at.Add(-f.cfg.History)
	if !l.cut.After(from) {
		return nil, nil
	}
	cells, err := f.reader.Cells(ctx, f.scope, history.Range{From: from, To: l.cut, At: l.at, Part: part, Within: within})
	if l.deploy != "" {
		cells = ofDeploy(cells, l.deploy)
	}
	return cells, err
}

// learn makes a fit.
func (f *Forecaster) learn(ctx context.Context, l learned) (*Fit, error) {
	cells, err := f.cells(ctx, l, max(f.cfg.History/10, time.Hour).Truncate(time.Hour), 0)
	if err != nil {
		return nil, err
	}
	fit := &Fit{Day: l.at, Cut: l.cut, Deploy: l.deploy, Positive: f.cfg.Positive, task: f.task}
	if err := fit.learn(cells); err != nil {
		if isNoFit(err) {
			err = noFit{fmt.Errorf("no calibration on %s: of predictions before %s, %w", l.at.Format(time.DateOnly), l.cut.Format(time.DateTime), err)}
		}
		return nil, err
	}
	return fit, nil
}

// selectedParts is how many times the history is parted into, so that what changes
// from one to the next is not taken for how labels are selected.
const selectedParts = 90

// selected holds the labels that came within some time against those that came
// later, of the predictions that a fit was made from, by time and deploy.
func (f *Forecaster) selected(ctx context.Context, fit *Fit, l learned, within time.Duration) (selected, error) {
	part := max(f.cfg.History/selectedParts, day).Truncate(time.Hour)
	cells, err := f.cells(ctx, l, part, 0)
	if err != nil {
		return selected{}, err
	}
	early, err := f.cells(ctx, l, part, within)
	if err != nil {
		return selected{}, err
	}
	type key struct {
		part      int
		deploy    plumbline.DeployHash
		stratum   estimate.Stratum
		predicted string
		bucket    int32
	}
	keyOf := func(c history.Cell) key { return key{c.Part, c.Deploy, c.Stratum, c.Predicted, c.Bucket} }
	came := make(map[key]history.Cell, len(early))
	for _, c := range early {
		came[keyOf(c)] = c
	}
	type when struct {
		part   int
		deploy plumbline.DeployHash
	}
	var order []when
	first, later := map[when][]history.Cell{}, map[when][]history.Cell{}
	for _, c := range cells {
		at := when{c.Part, c.Deploy}
		if first[at] == nil {
			order = append(order, at)
		}
		first[at] = append(first[at], came[keyOf(c)])
		later[at] = append(later[at], c.Later(came[keyOf(c)]))
	}
	// Labels of one class may come first and be right as often as the others, and
	// labels of errors first of which as many are of either class.
	said := []func([]history.Cell) []estimate.Event{fit.rightness}
	if fit.task == Binary {
		said = append([]func([]history.Cell) []estimate.Event{fit.classes}, said...)
	}
	var out estimate.Selection
	for i, of := range said {
		periods := make([]estimate.Period, len(order))
		for j, at := range order {
			periods[j] = estimate.Period{Early: of(first[at]), Late: of(later[at])}
		}
		s := estimate.Selected(periods)
		s.Chance = min(1, s.Chance*float64(len(said)))
		if i == 0 || s.Differs() && s.Chance < out.Chance {
			out = s // the class is what is calibrated, unless rightness surely differs
		}
	}
	return selected{out, within}, nil
}

func ofDeploy(cells []history.Cell, deploy plumbline.DeployHash) []history.Cell {
	var own []history.Cell
	for _, c := range cells {
		if c.Deploy == deploy {
			own = append(own, c)
		}
	}
	return own
}

// leastLabels of a fit.
const leastLabels = 200

// learn fits to cells in the order of time.
func (fit *Fit) learn(cells []history.Cell) error {
	fit.Labelled = 0
	var all, known estimate.Weight
	for _, c := range cells {
		fit.Labelled += c.Labelled
		all.Add(c.All)
		known.Add(c.Known)
	}
	fit.worth, fit.in = known.Effective(), known.Requests/max(all.Requests, 1)
	if n := fit.worth; n < leastLabels {
		return noFit{fmt.Errorf("%d labels, worth %.0f by their weights: %d are needed", fit.Labelled, n, leastLabels)}
	}
	thin := known.Thin()
	var err error
	if fit.task == Regression {
		var misses []estimate.Miss
		for _, c := range cells {
			if c.Labelled > 0 {
				mean, scatter := c.MeanLoss()
				misses = append(misses, estimate.Miss{Stratum: c.Stratum, Predicted: sizeOf(c), Loss: mean, Scatter: scatter, Count: c.Labelled, Worth: c.Known.Requests * thin})
			}
		}
		if fit.errors, err = estimate.FitErrors(misses); err != nil {
			return noFit{err}
		}
		return nil
	}
	if fit.Positive == "" {
		fit.Positive = positive(cells)
	}
	var examples []estimate.Example
	for _, c := range cells {
		right := estimate.Example{Stratum: c.Stratum, Score: fit.score(c), Truth: fit.chosen(c), Count: c.Correct, Worth: c.Right.Requests * thin}
		wrong, missed := right, c.Wrong()
		wrong.Truth, wrong.Count, wrong.Worth = !right.Truth, missed.Count, missed.Weight.Requests*thin
		for _, e := range []estimate.Example{right, wrong} {
			if e.Count > 0 {
				examples = append(examples, e)
			}
		}
	}
	if fit.Choice, err = estimate.Choose(examples); err != nil {
		return noFit{err}
	}
	if fit.model, err = estimate.Fit(examples, fit.Choice); err != nil {
		return noFit{err}
	}
	return nil
}

// positive is the class whose predictions have the higher scores: a score is
// about it. Ties are broken by the name.
func positive(cells []history.Cell) string {
	type sum struct{ n, score float64 }
	sums := map[string]sum{}
	for _, c := range cells {
		if c.Bucket != history.Unscored {
			s := sums[c.Predicted]
			sums[c.Predicted] = sum{s.n + c.All.Requests, s.score + c.Score}
		}
	}
	best, most := "", math.Inf(-1)
	for class, s := range sums {
		if mean := s.score / max(s.n, 1); mean > most || mean == most && class > best {
			best, most = class, mean
		}
	}
	return best
}

// chosen reports whether the model called the class that the score is about. A
// model of several classes always does: its score is about the one it called.
func (fit *Fit) chosen(c history.Cell) bool { return fit.task != Binary || c.Predicted == fit.Positive }

// score is the mean score of a cell. A prediction without a score has the class
// alone to go by.
func (fit *Fit) score(c history.Cell) float64 {
	if c.Bucket != history.Unscored && c.Predictions > 0 {
		return c.Mean()
	}
	if c.Bucket != history.Unscored {
		return middle(c.Bucket)
	}
	if fit.chosen(c) {
		return 0.75
	}
	return 0.25
}

// middle is the score in the middle of a bucket.
func middle(bucket int32) float64 {
	switch {
	case bucket >= -28 && bucket <= 28:
		return 1 / (1 + math.Exp(-float64(bucket)/4))
	case bucket > 0:
		return math.Exp2((float64(bucket-1500) + 0.5) / 4)
	}
	return -math.Exp2((float64(-bucket-1500) + 0.5) / 4)
}

func sizeOf(c history.Cell) float64 {
	if c.Predictions > 0 {
		return c.Mean()
	}
	return middle(c.Bucket)
}

// rightness turns the labels of cells into what the metric makes of them, against
// what was expected.
func (fit *Fit) rightness(cells []history.Cell) []estimate.Event {
	var out []estimate.Event
	for _, e := range fit.events(cells) {
		if e.Known {
			out = append(out, e)
		}
	}
	return out
}

// classes turns the labels of a binary model into the class that they say.
func (fit *Fit) classes(cells []history.Cell) []estimate.Event {
	var out []estimate.Event
	for _, p := range fit.predictions(cells) {
		if p.Known {
			actual := 0.
			if p.Truth {
				actual = 1
			}
			out = append(out, estimate.Outcome(p.Stratum, p.P, 1, 0).Times(estimate.Tally{Count: p.Count, Weight: p.Weight}).With(actual))
		}
	}
	return out
}

// predictions turns cells into predictions of a binary model.
func (fit *Fit) predictions(cells []history.Cell) []estimate.Prediction {
	var out []estimate.Prediction
	for _, c := range cells {
		chosen := fit.chosen(c)
		p := estimate.Prediction{Stratum: c.Stratum, P: fit.model.P(fit.score(c), c.Stratum), Chosen: chosen}
		for _, part := range []struct {
			estimate.Tally
			known, truth bool
		}{{c.Waiting(), false, false}, {c.Hits(), true, chosen}, {c.Wrong(), true, !chosen}} {
			if part.Count > 0 {
				p.Known, p.Truth, p.Count, p.Weight = part.known, part.truth, part.Count, part.Weight
				out = append(out, p)
			}
		}
	}
	return out
}

// events turns cells into what the mean of their metric is taken over: having been
// right, or the absolute error of a regression.
func (fit *Fit) events(cells []history.Cell) []estimate.Event {
	var out []estimate.Event
	for _, c := range cells {
		if fit.task == Regression {
			e := fit.errors.Event(c.Stratum, sizeOf(c))
			if n := c.Waiting(); n.Count > 0 {
				out = append(out, e.Times(n))
			}
			if c.Labelled > 0 {
				known := e.Times(c.Labels())
				mean, scatter := c.MeanLoss()
				known = known.With(mean)
				known.Scatter = scatter
				out = append(out, known)
			}
			continue
		}
		e := estimate.Right(c.Stratum, fit.model.P(fit.score(c), c.Stratum), fit.chosen(c))
		for _, part := range []struct {
			estimate.Tally
			known  bool
			actual float64
		}{{c.Waiting(), false, 0}, {c.Hits(), true, 1}, {c.Wrong(), true, 0}} {
			switch {
			case part.Count <= 0:
			case part.known:
				out = append(out, e.Times(part.Tally).With(part.actual))
			default:
				out = append(out, e.Times(part.Tally))
			}
		}
	}
	return out
}
