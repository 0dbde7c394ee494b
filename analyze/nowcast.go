package analyze

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// nowcasts are what was said of an hour of the objectives of one model.
type nowcasts struct {
	hour     time.Time
	findings []Finding
}

// nowcasted reports whether a nowcast can be made of a model: of none that decides
// itself who gets a label, or whose answers are numbers or a ranking.
func (l *forecasts) nowcasted(f *forecastOf) bool {
	m := l.cfg.Models[f.scope.Model]
	return m.estimated() && f.task != forecast.Regression && !m.Feedback.Partial()
}

// nowcast evaluates the model's objectives of quality on estimates, once an hour.
// It says nothing while the history is still counted.
func (l *forecasts) nowcast(ctx context.Context, f *forecastOf, t traffic, now time.Time) ([]Finding, error) {
	hour := now.Truncate(time.Hour)
	if !f.hour.Equal(hour) || !l.nowcasted(f) {
		return nil, nil
	}
	if f.nowcasts.hour.Equal(hour) {
		return f.nowcasts.findings, nil
	}
	evaluated, err := l.evaluate(ctx, f, t, hour)
	var findings []Finding
	for _, n := range evaluated {
		findings = append(findings, nowcastFindings(n.objective, n.deploy, n.Nowcast)...)
	}
	if err != nil {
		return findings, err // and asked again: answers of the past are kept
	}
	f.nowcasts = nowcasts{hour, findings}
	return findings, nil
}

// nowcastOf is the nowcast of one deploy.
type nowcastOf struct {
	objective plumbline.Objective
	deploy    plumbline.DeployHash
	burn.Nowcast
}

// evaluate evaluates the model's objectives of quality on estimates of the windows
// that end with an hour, as known then.
func (l *forecasts) evaluate(ctx context.Context, f *forecastOf, t traffic, hour time.Time) ([]nowcastOf, error) {
	var (
		all  []nowcastOf
		errs []error
	)
	estimates := make(map[forecast.Question]burn.Estimate)
	for _, o := range l.objectives {
		pair, ok := burn.NowcastPair(o)
		if !ok || o.SLO.Model != t.model || pair.Long > l.cfg.EstimateHistory/2 {
			continue
		}
		deploys := slices.DeleteFunc(t.inProduction(hour, pair.Long), func(d plumbline.DeployHash) bool { return o.SLO.Deploy != "" && o.SLO.Deploy != d })
		for _, d := range deploys {
			long, errLong := l.estimateOf(ctx, f, forecast.Question{End: hour, Window: pair.Long, Deploy: d}, estimates)
			short, errShort := l.estimateOf(ctx, f, forecast.Question{End: hour, Window: pair.Short, Deploy: d}, estimates)
			if err := errors.Join(errLong, errShort); err != nil {
				errs = append(errs, fmt.Errorf("nowcast of SLO %q: %w", o.SLO.Name, err))
				continue
			}
			all = append(all, nowcastOf{o, d, burn.EvaluateNowcast(o.SLO, pair, hour, long, short, len(deploys))})
		}
	}
	return all, errors.Join(errs...)
}

// estimateOf asks for the accuracy of one window.
func (l *forecasts) estimateOf(ctx context.Context, f *forecastOf, q forecast.Question, known map[forecast.Question]burn.Estimate) (burn.Estimate, error) {
	if g, ok := known[q]; ok {
		return g, nil
	}
	a, err := f.forecaster.Ask(ctx, q)
	if err != nil {
		return burn.Estimate{}, err
	}
	g := burn.Estimate{Predictions: a.Estimate.Predictions, Known: a.Estimate.Known, Chance: math.NaN(), LeftOut: a.LeftOut, Why: a.Why}
	g.Effective, g.Requests = a.Estimate.Weight.Effective(), a.Estimate.Weight.Requests
	if a.Why == "" {
		g.Share, g.Error, g.Sampling = min(max(1-a.Estimate.Value, 0), 1), a.Estimate.Error*a.Config.Widen, a.Estimate.Sampling
		g.ByScores, g.Random = min(max(1-a.Estimate.Expected, 0), 1), l.cfg.Models[f.scope.Model].arrival() == estimate.Random
		g.Proven, g.Contradicted = a.Record.Proven, a.Contradiction.Suspected
		// Labels of long ago say nothing against labels that came since.
		if a.Contradiction.State == metric.OK && !a.LeftOut {
			g.Chance = a.Contradiction.Chance
		}
		if a.Estimate.State != metric.OK {
			g.Why = "the window cannot be estimated"
		}
	}
	known[q] = g
	return g, nil
}

// nowcastFindings returns the findings of the long and of the short window, one if
// they are the same.
func nowcastFindings(o plumbline.Objective, deploy plumbline.DeployHash, n burn.Nowcast) []Finding {
	finding := func(g burn.Estimate, window time.Duration) Finding {
		f := newFinding(plumbline.SignalBurn, plumbline.MeasureEstimatedBadShare)
		f.Model, f.SLO, f.Deploy, f.Stage = o.SLO.Model, o.SLO.Name, deploy, plumbline.StageProduction
		f.Window, f.WindowEnd, f.Reference = window, n.End, plumbline.ReferenceEstimate
		f.Count, f.Verdict, f.Assumes = unsigned(g.Predictions), n.Verdict, n.Says()
		if g.Why != "" {
			f.Verdict, f.Assumes = plumbline.VerdictInsufficient, g.Why
			return f
		}
		f.Value, f.P, f.NullMean = g.Share, g.Chance, 1-o.SLO.Target
		f.Effect = f.Value - f.NullMean
		if g.Predictions > 0 {
			f.Coverage = float64(g.Known) / float64(g.Predictions)
		}
		return f
	}
	long := finding(n.Long, n.Pair.Long)
	long.Low, long.High = n.Low, n.High
	if n.Pair.Short == n.Pair.Long {
		return []Finding{long}
	}
	return []Finding{long, finding(n.Short, n.Pair.Short)}
}
