package forecast

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Config says how far back a forecast looks.
type Config struct {
	// History is how far back calibrations and delay curves look, in whole hours.
	History time.Duration
	// Windows is how many disjoint past windows make a record, at most.
	Windows int
	// Mature is the share of a window's labels from which on it is held against
	// what was said of it, in (0, 1).
	Mature float64
	// Positive is the class that the score of a binary model is about; empty takes
	// the one whose predictions have the higher scores.
	Positive string
	// Arrival says how the labels that are in were chosen.
	Arrival estimate.Arrival
}

// DefaultConfig returns 90 days, 20 windows, a share of 0.9, and delayed labels.
func DefaultConfig() Config {
	return Config{History: 90 * day, Windows: 20, Mature: 0.9, Arrival: estimate.Delayed}
}

// Validate returns every mistake.
func (c Config) Validate() error {
	var errs []error
	if c.History < day || c.History%time.Hour != 0 {
		errs = append(errs, fmt.Errorf("history: %s is not a number of hours, 24 at least", c.History))
	}
	if c.Windows < 1 || c.Windows > 200 {
		errs = append(errs, fmt.Errorf("windows: %d is not between 1 and 200", c.Windows))
	}
	if !(c.Mature > 0 && c.Mature < 1) {
		errs = append(errs, fmt.Errorf("mature: %v is not between 0 and 1", c.Mature))
	}
	if c.Arrival != estimate.Delayed && c.Arrival != estimate.Random {
		errs = append(errs, fmt.Errorf("arrival: %q is neither %s nor %s", c.Arrival, estimate.Delayed, estimate.Random))
	}
	return errors.Join(errs...)
}

// Reader is what a forecast is made from; history.Reader is one.
type Reader interface {
	Cells(ctx context.Context, s history.Scope, asked history.Range) ([]history.Cell, error)
	Delays(ctx context.Context, s history.Scope, asked history.Range) (history.Delays, error)
}

// Forecaster answers about one model. It keeps what cannot change any more: fits
// of days, and answers of the past. It belongs to one goroutine.
type Forecaster struct {
	cfg    Config
	reader Reader
	scope  history.Scope
	task   Task

	fits   map[fitKey]fitted
	past   map[pastKey]said
	held   map[pastKey]map[metric.ID][]estimate.Past
	delays map[int64]history.Delays // by the hour as of which they are
}

// New returns a forecaster of what the scope names. Only its model, strata and
// classes matter.
func New(cfg Config, reader Reader, scope history.Scope, task Task) *Forecaster {
	return &Forecaster{
		cfg: cfg, reader: reader, scope: scope, task: task,
		fits: map[fitKey]fitted{}, past: map[pastKey]said{}, held: map[pastKey]map[metric.ID][]estimate.Past{}, delays: map[int64]history.Delays{},
	}
}

// Delays returns what is known of the labels at an hour.
func (f *Forecaster) Delays(ctx context.Context, at time.Time) (history.Delays, error) {
	if d, ok := f.delays[at.Unix()]; ok {
		return d, nil
	}
	d, err := f.reader.Delays(ctx, f.scope, history.Range{From: at.Add(-f.cfg.History), To: at, At: at})
	if err != nil {
		return d, err
	}
	f.delays[at.Unix()] = d
	return d, nil
}

// Forget drops what no window that ends at or after an hour can need. Fits of
// the past are kept as long as their windows are.
func (f *Forecaster) Forget(at time.Time) {
	oldest := at.Add(-f.cfg.History).Truncate(day)
	for key := range f.fits {
		if key.day < oldest.Unix() {
			delete(f.fits, key)
		}
	}
	for key := range f.past {
		if key.end < oldest.Unix() {
			delete(f.past, key)
		}
	}
	for key := range f.held {
		if key.end < at.Unix() {
			delete(f.held, key)
		}
	}
	for key := range f.delays {
		if key != at.Truncate(day).Unix() && key != at.Unix() {
			delete(f.delays, key)
		}
	}
}

// matureAge is how old predictions are when nine tenths of their labels are in, as
// known at an hour, and whether that is known at all.
func (f *Forecaster) matureAge(ctx context.Context, at time.Time) (age time.Duration, known bool, err error) {
	d, err := f.Delays(ctx, at)
	if err != nil {
		return 0, false, err
	}
	curve := d.Curve()
	if curve.Predictions == 0 || !(curve.Ever() > 0) {
		return 0, false, nil
	}
	age, known = estimate.MatureIn(f.cfg.Mature, []estimate.Batch{{Waiting: 1}}, map[estimate.Stratum]estimate.Curve{0: curve})
	return age + time.Hour, known, nil
}

// Question asks about the window of a length that ends at an hour, as known then.
type Question struct {
	End    time.Time
	Window time.Duration
	// Deploy is whose predictions are asked about, empty for all.
	Deploy plumbline.DeployHash
}

// Answer is what could be said.
type Answer struct {
	Question
	// Values are accuracy, precision, recall, specificity and F1 of a binary
	// model, accuracy of one of several classes, the mean absolute error of a
	// regression. The interval of each is widened as its own record asks.
	Values []metric.Value
	// Records are those of the values. Also where the question is about one deploy
	// they are of windows of all deploys.
	Records map[metric.ID]estimate.Record
	// Estimate and Record are those of accuracy, or of the error; Config.Widen is what
	// that record asks.
	Estimate estimate.Estimate
	Record   estimate.Record
	Fit      *Fit
	Config   estimate.Config
	// LeftOut says that the estimate takes no notice of some labels of the window that
	// are in, for they came the sooner for what they say.
	LeftOut bool
	// Contradiction is what the labels of the newest window that has enough of
	// them say of what was expected; ContradictionEnd is its end.
	Contradiction    estimate.Contradiction
	ContradictionEnd time.Time
	// Assumes lists in words what the values rest on, but for their records.
	Assumes []string
	// Why says why there is no answer; empty where there is one.
	Why string
}

// Ask answers. What cannot be said yet is an Answer with a Why, no error.
func (f *Forecaster) Ask(ctx context.Context, q Question) (Answer, error) {
	a := Answer{Question: q}
	past, err := f.history(ctx, q.End, q.Window)
	if err != nil {
		return a, err
	}
	a.Fit, err = f.fitFor(ctx, q)
	if isNoFit(err) {
		a.Why = err.Error()
		return a, nil
	} else if err != nil {
		return a, err
	}
	cells, err := f.window(ctx, q.End, q.Window, q.Deploy)
	if err != nil {
		return a, err
	}
	a.Config = past.config
	if a.Why = tooFew(cells); a.Why != "" {
		return a, nil
	}
	usable, leftOut, err := f.usable(ctx, a.Fit, cells, q)
	if err != nil {
		return a, err
	}
	x, err := f.figures(a.Fit, usable, leftOut, a.Config)
	if err != nil {
		return a, err
	}
	a.fill(x, past.held)
	return a, a.contradict(past, usable, f.cfg.Mature)
}

// fitFor returns the fit of a deploy, or that of all deploys where it has too few
// labels of its own.
func (f *Forecaster) fitFor(ctx context.Context, q Question) (*Fit, error) {
	if q.Deploy != "" {
		fit, err := f.fit(ctx, q.End, q.Window, q.Deploy)
		if !isNoFit(err) {
			return fit, err
		}
	}
	return f.fit(ctx, q.End, q.Window, "")
}

func (f *Forecaster) window(ctx context.Context, end time.Time, window time.Duration, deploy plumbline.DeployHash) ([]history.Cell, error) {
	return f.part(ctx, history.Range{From: end.Add(-window), To: end, At: end}, deploy)
}

func (f *Forecaster) part(ctx context.Context, asked history.Range, deploy plumbline.DeployHash) ([]history.Cell, error) {
	cells, err := f.reader.Cells(ctx, f.scope, asked)
	if deploy != "" {
		cells = ofDeploy(cells, deploy)
	}
	return cells, err
}

// fill takes in the figures, after what became of those of past windows.
func (a *Answer) fill(x figures, held map[metric.ID][]estimate.Past) {
	a.Records = make(map[metric.ID]estimate.Record)
	for _, v := range x.values(nil) {
		a.Records[v.Metric] = estimate.Judge(held[v.Metric])
	}
	a.Record = a.Records[x.task.Measure()]
	a.Config.Widen = a.Record.Widen
	a.Values = x.values(a.Records)
	a.Estimate = x.main.Widened(a.Config.Widen).Within(0, x.task.Most())
	a.Assumes, a.LeftOut = x.main.Assumes, x.leftOut
	if x.main.Known < x.main.Predictions {
		a.Assumes = append(slices.Clip(a.Assumes), a.Fit.assumes(a.Deploy)...)
	}
}

// RecordOf says in words what the record of a measure is, and whose.
func (a Answer) RecordOf(id metric.ID) string {
	whose := "the record of " + string(id)
	if a.Deploy != "" {
		whose += " over all deploys"
	}
	return whose + ": " + a.Records[id].Says
}

// assumes says what a fit rests on.
func (fit *Fit) assumes(deploy plumbline.DeployHash) []string {
	out := []string{fmt.Sprintf("calibrated (%s) on %d labels of predictions before %s, as known on %s", fit.kind(), fit.Labelled, fit.Cut.UTC().Format("2006-01-02 15:04"), fit.Day.UTC().Format(time.DateOnly))}
	if fit.Immature {
		out = append(out, "labels of those predictions were still coming: the ones that were in stand for the others")
	}
	if fit.Selection.State != "" {
		out = append(out, fit.Selection.Says(ageOf(fit.Early)))
	}
	if deploy != "" && fit.Deploy == "" {
		out = append(out, "this deploy has too few labels of its own: its scores are taken to mean what those of all deploys meant")
	}
	return out
}

// ageOf says whole hours in the unit that people take.
func ageOf(d time.Duration) string {
	if d >= 2*day {
		return fmt.Sprintf("%.3g days", d.Hours()/24)
	}
	return fmt.Sprintf("%g h", d.Hours())
}

func (fit *Fit) kind() string {
	if fit.task == Regression {
		return "mean error by size and stratum"
	}
	if fit.Choice.ByStratum {
		return string(fit.Choice.Kind) + " by stratum"
	}
	return string(fit.Choice.Kind)
}
