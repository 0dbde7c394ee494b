package analyze

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	qualityask "github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/storage"
)

const (
	// rounds of counting that one look makes: what is left is for the next one.
	rounds = 20
	// classesOver is the time over which a model's classes are looked up, and
	// rechoose the pause between two choices of its strata.
	classesOver = 28 * day
	rechoose    = 7 * day
)

// forecasts says of every model how mature its windows are and what their quality
// will be. It belongs to the one goroutine that steps.
type forecasts struct {
	cfg    Config
	reader history.Reader
	roller history.Roller
	conn   querier
	models map[plumbline.Model]*forecastOf
	// objectives of quality are evaluated on estimates.
	objectives []plumbline.Objective
}

// forecastOf is what is kept of one model.
type forecastOf struct {
	last       attempt
	scope      history.Scope
	evidence   history.Evidence
	chosen     time.Time // when the strata were
	looked     time.Time // when the classes were
	task       forecast.Task
	forecaster *forecast.Forecaster
	// hour is when findings were computed last: nothing changes within an hour,
	// because only hours that are over are counted.
	hour     time.Time
	findings []Finding
	// revised says that hours before that one were counted again since.
	revised bool
	// nowcasts are of the objectives of the model.
	nowcasts nowcasts
}

func newForecasts(cfg Config, db *storage.DB, objectives []plumbline.Objective) *forecasts {
	to := db.Derived()
	return &forecasts{
		cfg: cfg, reader: history.Reader{Conn: db.Conn()}, conn: db.Conn(),
		roller: history.Roller{Conn: db.Conn(), To: to.Conn(), Table: to.Local(plumbline.TableScoreCells), Raw: db.Retention().Raw},
		models: map[plumbline.Model]*forecastOf{}, objectives: objectives,
	}
}

// look counts what is new of a model and says what that means. Within an hour it
// says the same again, so that it stays fresh.
func (l *forecasts) look(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	f := l.models[t.model]
	if f == nil {
		f = &forecastOf{scope: history.Scope{Model: t.model}}
		l.models[t.model] = f
	}
	if f.last.stands(now, l.cfg.EstimateInterval) {
		return nil, f.last.err
	}
	findings, err := l.update(ctx, f, t, now)
	all := slices.Clone(findings)
	if err == nil {
		var burning []Finding
		burning, err = l.nowcast(ctx, f, t, now)
		all = append(all, burning...)
	}
	f.last = attempt{now, err}
	return all, err
}

func (l *forecasts) update(ctx context.Context, f *forecastOf, t traffic, now time.Time) ([]Finding, error) {
	hour := now.Truncate(time.Hour)
	f.scope.From, f.scope.To = hour.Add(-l.cfg.EstimateHistory), hour
	if err := l.firstLabels(ctx, f); err != nil {
		return nil, err
	}
	if err := l.classes(ctx, f, t, hour); err != nil {
		return nil, err
	}
	if f.hour.Equal(hour) && len(f.findings) > 0 {
		return f.findings, nil
	}
	if err := l.settle(ctx, f, t, hour); err != nil {
		return nil, err
	}
	for range rounds {
		p, err := l.roller.Roll(ctx, f.scope)
		if err != nil {
			return nil, err
		}
		f.revised = f.revised || p.Hours+p.Known > 0 && p.Oldest.Before(f.hour)
		if p.More {
			continue
		}
		if f.revised && !f.hour.Truncate(day).Equal(hour.Truncate(day)) {
			// Past hours were counted again: what was computed of them is old, but
			// stands for the day, as calibrations do.
			f.forecaster, f.revised = forecast.New(l.cfg.forecast(t.model), l.reader, f.scope, f.task), false
		}
		if err := l.say(ctx, f, t, hour); err != nil {
			return nil, err
		}
		f.hour = hour
		return f.findings, nil
	}
	waiting := newFinding(plumbline.SignalMaturity, plumbline.MeasureLabelsIn)
	waiting.Model, waiting.Stage, waiting.Verdict = t.model, plumbline.StageProduction, plumbline.VerdictInsufficient
	waiting.Window, waiting.WindowEnd = l.cfg.EstimateWindows[0], hour
	waiting.Assumes = "the history of this model is still being counted, hour by hour"
	return []Finding{waiting}, nil
}

// firstLabels forgets what was computed and chosen of a model of which no label
// was known in the longest window, or no prediction either, once more is: it stood
// for the hour, the day and the week, so that the demo, whose first look fell into
// its backfill, told of no label for long. A deploy that was replaced is missing in
// short windows for days, and is nothing to begin anew for; nor is a model that is
// paused, where labels come in for weeks and predictions do not.
func (l *forecasts) firstLabels(ctx context.Context, f *forecastOf) error {
	longest := slices.Max(l.cfg.EstimateWindows)
	i := slices.IndexFunc(f.findings, func(f Finding) bool {
		return f.Verdict == plumbline.VerdictMissing && f.Measure == plumbline.MeasureLabelsIn && f.Deploy == "" && f.Window == longest
	})
	if i < 0 {
		return nil
	}
	// Of a window without predictions the coverage is not a number.
	unseen := math.IsNaN(f.findings[i].Coverage)
	p, err := l.roller.Roll(ctx, f.scope)
	if err != nil {
		return err
	}
	f.revised = f.revised || p.Hours+p.Known > 0 && p.Oldest.Before(f.hour)
	if unseen && p.Hours > 0 || !unseen && p.Known > 0 {
		f.hour, f.looked, f.chosen = time.Time{}, time.Time{}, time.Time{}
		f.forecaster, f.nowcasts = nil, nowcasts{}
	}
	return nil
}

// classes looks up what the model answers once a day, or at every look while it is
// taken for a regression because no class is stored: a batch reaches one table after
// the other, and a look between two took a classifier for a regression for a day.
func (l *forecasts) classes(ctx context.Context, f *forecastOf, t traffic, hour time.Time) error {
	declared := l.cfg.Models[t.model]
	if hour.Sub(f.looked) < day && (f.task != forecast.Regression || declared.Task == qualityask.Regression) {
		return nil
	}
	classes, err := l.reader.Classes(ctx, t.model, hour.Add(-classesOver), hour)
	if err != nil {
		return err
	}
	before, task := f.scope.Definition(), f.task
	f.task, f.scope.Classes = declared.answers(classes)
	f.looked = hour
	if f.scope.Definition() != before || f.task != task {
		f.forecaster, f.hour = nil, time.Time{}
	}
	return nil
}

// settle chooses the strata of the model once a week.
func (l *forecasts) settle(ctx context.Context, f *forecastOf, t traffic, hour time.Time) error {
	before := f.scope.Definition()
	if hour.Sub(f.chosen) >= rechoose {
		if err := l.choose(ctx, f, t, hour); err != nil {
			return err
		}
		f.chosen = hour
	}
	if f.forecaster == nil || f.scope.Definition() != before {
		f.forecaster, f.hour = forecast.New(l.cfg.forecast(t.model), l.reader, f.scope, f.task), time.Time{}
	}
	return nil
}

// choose takes the strata from the configuration, or from the data. What earlier
// processes chose stays unless something else explains clearly more.
func (l *forecasts) choose(ctx context.Context, f *forecastOf, t traffic, hour time.Time) error {
	var wanted *history.Strata
	if m := l.cfg.Models[t.model]; m.Estimate.Strata != "" {
		s, err := history.ParseStrata(m.Estimate.Strata)
		if err != nil {
			return err
		}
		wanted = &s
	}
	former := f.scope.Strata
	if former.Kind == "" {
		scope, err := l.reader.Former(ctx, t.model)
		if err != nil {
			return err
		}
		former = scope.Strata
	}
	if wanted != nil && wanted.Open() && wanted.Kind == former.Kind && wanted.Name == former.Name {
		wanted = &former
	}
	var requests uint64
	for _, d := range t.deploys {
		requests += d.requests
	}
	var err error
	f.scope.Strata, f.evidence, err = l.reader.Choose(ctx, t.model, wanted, former, hour.Add(-min(l.cfg.EstimateHistory, lookback)), hour, requests)
	return err
}

// say computes the findings of an hour.
func (l *forecasts) say(ctx context.Context, f *forecastOf, t traffic, hour time.Time) error {
	defer f.forecaster.Forget(hour)
	deploys := t.inProduction(hour, slices.Max(l.cfg.EstimateWindows))
	m, err := f.forecaster.Maturity(ctx, hour, matureShare, l.cfg.EstimateWindows, deploys...)
	if err != nil {
		return fmt.Errorf("maturity: %w", err)
	}
	findings := maturityFindings(m, f.evidence)
	var errs []error
	for _, deploy := range deploys {
		for _, window := range l.cfg.EstimateWindows {
			found, err := l.estimate(ctx, f, m, forecast.Question{End: hour, Window: window, Deploy: deploy})
			findings, errs = append(findings, found...), append(errs, err)
		}
	}
	f.findings = findings
	return errors.Join(errs...)
}

// inProduction returns the deploys that served within a window in production.
func (t traffic) inProduction(end time.Time, window time.Duration) []plumbline.DeployHash {
	var hashes []plumbline.DeployHash
	for _, d := range t.deploys {
		if d.stage == plumbline.StageProduction && d.hash != "" && d.served(end, window) {
			hashes = append(hashes, d.hash)
		}
	}
	return hashes
}

// matureShare is the share of its labels with which a window counts as mature.
const matureShare = 0.9

// maturityFindings are how mature each window is, when it will be, and how late
// the labels of each stratum are.
func maturityFindings(m forecast.Maturity, e history.Evidence) []Finding {
	var findings []Finding
	basis := "predictions of a stratum wait alike (Kaplan-Meier); strata: " + m.Strata.String()
	if e.Explained > 0 {
		basis += fmt.Sprintf(", which take away %.0f %% of the uncertainty about when a label comes", 100*e.Explained)
	}
	finding := func(measure string) Finding {
		f := newFinding(plumbline.SignalMaturity, measure)
		f.Model, f.Stage, f.WindowEnd, f.Assumes = m.Model, plumbline.StageProduction, m.At, basis
		return f
	}
	for _, w := range m.Windows {
		in := finding(plumbline.MeasureLabelsIn)
		in.Deploy, in.Window, in.Count, in.Verdict = w.Deploy, w.To.Sub(w.From), unsigned(w.Known), w.State
		in.Value, in.Low, in.High = w.Maturity, w.Low, w.High
		if n := w.Known + w.Waiting; n > 0 {
			in.Coverage = float64(w.Known) / float64(n)
		}
		if w.Why != "" {
			in.Assumes = w.Why + "; " + basis
		}
		at := finding(plumbline.MeasureMatureIn)
		at.Deploy, at.Window, at.Count, at.Verdict, at.Coverage, at.Assumes = in.Deploy, in.Window, in.Count, in.Verdict, in.Coverage, in.Assumes
		if w.MatureAt.IsZero() {
			at.Verdict = plumbline.VerdictMissing
		} else {
			at.Value = w.MatureAt.Sub(w.To).Seconds()
		}
		findings = append(findings, in, at)
	}
	for _, s := range m.Delays {
		findings = append(findings, delayFindings(s, finding, basis)...)
	}
	return findings
}

// delayFindings are how many labels of one stratum ever come, and how late nine
// tenths of those are.
func delayFindings(s forecast.StratumDelay, finding func(string) Finding, basis string) []Finding {
	ever := finding(plumbline.MeasureLabelsEver)
	ever.Feature, ever.Count = plumbline.Feature(s.Title), unsigned(s.Curve.Predictions)
	if ever.Value = s.Curve.Ever(); !math.IsNaN(ever.Value) {
		half := 1.96 * s.Curve.Error(math.MaxInt64)
		ever.Low, ever.High = max(ever.Value-half, 0), min(ever.Value+half, 1)
		ever.Verdict = plumbline.VerdictOK
	}
	if !s.Curve.Settled() {
		ever.Verdict = plumbline.VerdictInsufficient
		ever.Assumes = "labels that are only late count as never coming; " + basis
	}
	most := finding(plumbline.MeasureMatureIn)
	most.Feature, most.Count, most.Verdict = ever.Feature, ever.Count, ever.Verdict
	if s.Most >= 0 {
		most.Value = s.Most.Seconds()
	} else {
		most.Verdict = plumbline.VerdictMissing
	}
	return []Finding{ever, most}
}

func sentence(parts []string) string { return strings.Join(parts, "; ") }
