package analyze

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality"
)

const (
	assumesQuality  = "labels that are in stand for those that are not"
	assumesCoverage = "every request counts as one that should have a label, those that never get one as well"
)

// lookQuality counts accuracy and coverage of every deploy, of all models whose
// windows end at one time together.
func (r *Runner) lookQuality(ctx context.Context, all []traffic) ([]Finding, error) {
	models := make(map[time.Time][]plumbline.Model)
	for _, t := range all {
		models[t.end] = append(models[t.end], t.model)
	}
	type windowed struct {
		end    time.Time
		window time.Duration
	}
	counts, failed := make(map[windowed]map[plumbline.Model][]quality.Counts), make(map[plumbline.Model]error)
	for end, of := range models {
		for _, window := range r.cfg.QualityWindows {
			counts[windowed{end, window}] = r.readQuality(ctx, of, end.Add(-window).Truncate(time.Minute), end, failed)
		}
	}
	var findings []Finding
	for _, t := range all {
		for _, window := range r.cfg.QualityWindows {
			read, ok := counts[windowed{t.end, window}][t.model]
			var found []Finding
			for _, c := range read {
				found = append(found, qualityFindings(t, c, window)...)
			}
			if !ok && failed[t.model] != nil {
				found = unreadQuality(t, window)
			}
			r.cfg.withhold(found)
			findings = append(findings, found...)
		}
	}
	return findings, errors.Join(slices.Collect(maps.Values(failed))...)
}

// readQuality counts models in one statement and, if that fails, each by itself: what
// cannot be counted of one model does not make the others blind. One that failed is
// not asked for again, and each statement may take half of the time that is left: so
// one that hangs leaves enough for the others.
func (r *Runner) readQuality(ctx context.Context, models []plumbline.Model, from, to time.Time, failed map[plumbline.Model]error) map[plumbline.Model][]quality.Counts {
	read := func(models ...plumbline.Model) (map[plumbline.Model][]quality.Counts, error) {
		ctx, cancel := WithShare(ctx, 0.5)
		defer cancel()
		return r.quality.ReadAll(ctx, models, from, to)
	}
	models = slices.DeleteFunc(slices.Clone(models), func(m plumbline.Model) bool { return failed[m] != nil })
	all, err := read(models...)
	if err == nil {
		return all
	}
	r.log.Warn("quality of all models was not counted in one statement; each is counted by itself", "err", err)
	all = make(map[plumbline.Model][]quality.Counts)
	for _, m := range models {
		one, err := read(m)
		if err != nil {
			failed[m] = err
		}
		maps.Copy(all, one)
	}
	return all
}

// WithShare bounds a part of the work by a share of the time that is left for the
// whole.
func WithShare(ctx context.Context, share float64) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(share*float64(time.Until(deadline))))
}

// unreadQuality is what is known of a model's quality in a window that could not be
// counted: nothing, of every deploy that served in it.
func unreadQuality(t traffic, window time.Duration) []Finding {
	var findings []Finding
	for _, d := range t.deploys {
		if !d.served(t.end, window) {
			continue
		}
		for _, f := range qualityFindings(t, quality.Counts{Deploy: d.hash, Stage: d.stage}, window) {
			f.Assumes = "it could not be counted at this look; the log says why"
			findings = append(findings, f)
		}
	}
	return findings
}

// qualityFindings returns the accuracy and the coverage of one deploy.
func qualityFindings(t traffic, c quality.Counts, window time.Duration) []Finding {
	accuracy := newFinding(plumbline.SignalQuality, plumbline.MeasureAccuracy)
	accuracy.Model, accuracy.Deploy, accuracy.Stage = t.model, c.Deploy, c.Stage
	accuracy.Window, accuracy.WindowEnd = window, t.end
	accuracy.Coverage = c.Coverage()
	coverage := accuracy
	coverage.Signal, coverage.Measure = plumbline.SignalCoverage, plumbline.MeasureCoverage
	coverage.Value, coverage.Count, coverage.Assumes = coverage.Coverage, unsigned(c.Requests), assumesCoverage
	if !math.IsNaN(coverage.Value) {
		coverage.Verdict = plumbline.VerdictOK
	}
	accuracy.Count, accuracy.Verdict, accuracy.Assumes = unsigned(c.Rows), c.Verdict(), assumesQuality
	if accuracy.Verdict == plumbline.VerdictOK {
		interval := c.Interval()
		accuracy.Value, accuracy.Low, accuracy.High = c.Accuracy(), interval.Low, interval.High
	}
	return []Finding{accuracy, coverage}
}
