package analyze

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	qualityask "github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/fairness"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// What the numbers rest on.
const (
	assumesMetric   = "the labels that are in are a random share of all"
	assumesFairness = assumesMetric + "; calls are deliveries by the hour"
)

// declaredQuality writes the metrics that models declare, and the gaps between their
// protected segments. It belongs to the one goroutine that steps.
type declaredQuality struct {
	asker    *qualityask.Asker
	declared map[plumbline.Model]qualityask.Declaration
	cfg      Config
	looked   map[plumbline.Model]attempt
}

func newDeclaredQuality(cfg Config, deps Dependencies) (*declaredQuality, error) {
	asker, err := qualityask.New(deps.DB.Conn(), deps.Quality)
	if err != nil {
		return nil, err
	}
	if deps.Queries != nil {
		asker = asker.Reading(deps.Queries)
	}
	return &declaredQuality{asker: asker, declared: deps.Quality, cfg: cfg, looked: map[plumbline.Model]attempt{}}, nil
}

// look returns the declared metrics of every deploy and window, and fairness, from
// the hourly rollups: windows end with the hour under way.
func (l *declaredQuality) look(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	d := l.declared[t.model]
	if len(d.Metrics) == 0 && len(d.Protected) == 0 {
		return nil, nil
	}
	if last := l.looked[t.model]; last.stands(now, l.cfg.MetricInterval) {
		return nil, last.err
	}
	findings, metricErr := l.metrics(ctx, t, d)
	l.cfg.withhold(findings)
	gaps, err := l.fairness(ctx, t, d)
	if err = errors.Join(metricErr, err); err != nil {
		err = fmt.Errorf("declared quality: %w", err)
	}
	l.looked[t.model] = attempt{now, err}
	return append(findings, gaps...), err
}

// metrics measures every production deploy that served in a window. Accuracy is
// counted from cells, at every look.
func (l *declaredQuality) metrics(ctx context.Context, t traffic, d qualityask.Declaration) ([]Finding, error) {
	var (
		findings []Finding
		errs     []error
	)
	if len(d.Metrics) == 0 {
		return nil, nil
	}
	end := t.end.Add(time.Hour - 1).Truncate(time.Hour)
	for _, window := range l.cfg.QualityWindows {
		answer, err := l.asker.Ask(ctx, qualityask.Question{Model: t.model, From: end.Add(-window), To: end, By: qualityask.ByDeploy, Rollups: true})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, part := range answer.Parts {
			for _, v := range part.Values {
				if v.Metric == metric.Accuracy {
					continue
				}
				f := newFinding(plumbline.SignalQuality, string(v.Metric))
				f.Model, f.Deploy, f.Stage, f.Window, f.WindowEnd = t.model, plumbline.DeployHash(part.Name), plumbline.StageProduction, answer.To.Sub(answer.From), t.end
				f.Coverage, f.Count = part.LabelledShare(), unsigned(part.Rows)
				f.valued(v.Value, assumesMetric)
				findings = append(findings, f)
			}
		}
	}
	return findings, errors.Join(errs...)
}

// valued fills in a measured value.
func (f *Finding) valued(v metric.Value, assumes string) {
	f.Verdict, f.Assumes = string(v.State), assumes
	if v.State == metric.OK {
		f.Value, f.Low, f.High = v.Value, v.Low, v.High
		return
	}
	f.Assumes = v.Why
}

// fairness compares the protected segments of every production deploy that served
// in the window.
func (l *declaredQuality) fairness(ctx context.Context, t traffic, d qualityask.Declaration) ([]Finding, error) {
	var (
		findings []Finding
		errs     []error
	)
	if len(d.Protected) == 0 {
		return nil, nil
	}
	window, end := l.cfg.FairnessWindow, t.end.Add(time.Hour-1).Truncate(time.Hour)
	for _, served := range t.deploys {
		if served.stage != plumbline.StageProduction || !served.served(t.end, window) {
			continue
		}
		answer, err := l.asker.Ask(ctx, qualityask.Question{
			Model: t.model, Deploys: []plumbline.DeployHash{served.hash}, From: end.Add(-window), To: end, Metrics: []metric.ID{metric.Accuracy}, Fairness: true, Rollups: true,
		})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		base := newFinding(plumbline.SignalFairness, "")
		base.Model, base.Deploy, base.Stage, base.Window, base.WindowEnd = t.model, served.hash, served.stage, window, t.end
		base.Coverage = answer.Parts[0].LabelledShare()
		for _, gaps := range answer.Fairness {
			findings = append(findings, gapFindings(base, gaps)...)
		}
	}
	return findings, errors.Join(errs...)
}

// gapFindings are the difference and the ratio of every group and criterion, in
// the group's segment, and the largest distance of each criterion over all groups,
// with the name of the protected segment as its feature.
func gapFindings(base Finding, gaps qualityask.Gaps) []Finding {
	var findings []Finding
	base.Reference = gaps.Reference
	for _, g := range gaps.Gaps {
		for _, v := range []metric.Value{g.Difference, g.Ratio} {
			f := base
			f.Segment, f.Measure, f.Count = plumbline.Segment(g.Group), string(v.Metric), unsigned(v.Labelled)
			f.valued(v, assumesFairness)
			findings = append(findings, f)
		}
	}
	for _, c := range fairness.Criteria() {
		f := base
		f.Feature, f.Measure, f.Assumes = plumbline.Feature(gaps.Segment), string(c)+"_gap", gaps.Missing
		f.widest(c, gaps.Gaps)
		findings = append(findings, f)
	}
	return findings
}

// widest takes the largest distance of a criterion, and between which it lies whichever
// group's it is. A group that nothing can be said of is named: it is not equal, and may
// be as far off as can be.
func (f *Finding) widest(c fairness.Criterion, gaps []fairness.Gap) {
	silent := 0
	for _, g := range gaps {
		if g.Criterion != c {
			continue
		}
		if g.Difference.State != metric.OK {
			silent++
			if f.Verdict == plumbline.VerdictMissing {
				f.Verdict, f.Assumes = string(g.Difference.State), g.Group+": "+g.Difference.Why
			}
			continue
		}
		if math.IsNaN(f.Low) {
			f.Low, f.High = g.AtOnce.Low, g.AtOnce.High
		}
		f.Low, f.High = max(f.Low, g.AtOnce.Low), max(f.High, g.AtOnce.High)
		if distance := math.Abs(g.Difference.Value); math.IsNaN(f.Value) || distance > f.Value {
			f.Value, f.Verdict, f.Count = distance, plumbline.VerdictOK, unsigned(g.Difference.Labelled)
			f.Assumes = fmt.Sprintf("%s; the largest is that of %s", assumesFairness, g.Group)
		}
	}
	if silent > 0 && f.Verdict == plumbline.VerdictOK {
		f.High = 1
		f.Assumes += fmt.Sprintf("; of %d other groups nothing can be said", silent)
	}
}
