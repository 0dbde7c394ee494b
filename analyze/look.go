package analyze

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/quality"
)

// What the numbers rest on.
const (
	assumesQuality = "labels that are in stand for those that are not"
	assumesBurn    = "labels missing inside the window err like those that are in; the window ends where enough labels are in, not now"
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
	coverage.Value, coverage.Count = coverage.Coverage, unsigned(c.Requests)
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

// lookBurn evaluates one objective for every deploy that still serves. Without
// any, the objective itself is missing: that is never healthy.
func (r *Runner) lookBurn(ctx context.Context, o plumbline.Objective, t traffic) ([]Finding, error) {
	evaluations, err := r.burn.Now(ctx, o, r.now())
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, d := range t.deploys {
		// A deploy that was rolled back burns no budget any more: its incident
		// ends when its long window has passed.
		if found := evaluations[d.hash]; found != nil && d.stage == plumbline.StageProduction && d.served(t.end, o.Longest()) {
			findings = append(findings, burnFindings(o, d.hash, found)...)
		}
	}
	if len(findings) > 0 {
		r.cfg.withhold(findings)
		return findings, nil
	}
	var none []burn.Evaluation
	for _, p := range o.Pairs {
		none = append(none, burn.Evaluate(burn.Minutes{}, r.now(), o.SLO, p))
	}
	return burnFindings(o, "", none), nil
}

// burnFindings returns a finding for each window length. If a length is the
// long window of one pair and the short one of another, the row is the long
// one's: its interval is what a rule needs.
func burnFindings(o plumbline.Objective, hash plumbline.DeployHash, evaluations []burn.Evaluation) []Finding {
	var findings []Finding
	add := func(e burn.Evaluation, w burn.Window) {
		if slices.ContainsFunc(findings, func(f Finding) bool { return f.Window == w.Length }) {
			return
		}
		f := newFinding(plumbline.SignalBurn, plumbline.MeasureBadShare)
		f.Model, f.SLO, f.Deploy, f.Stage = o.SLO.Model, o.SLO.Name, hash, plumbline.StageProduction
		f.Window, f.WindowEnd, f.Count, f.Coverage = w.Length, e.End, unsigned(w.Rows), w.Coverage()
		f.Verdict, f.Assumes = e.Verdict, assumesBurn
		if e.Verdict == plumbline.VerdictOK || e.Verdict == plumbline.VerdictBreach {
			interval := w.Interval()
			f.Value, f.Low, f.High = w.Share(), interval.Low, interval.High
		}
		findings = append(findings, f)
	}
	for _, e := range evaluations {
		add(e, e.Long)
	}
	for _, e := range evaluations {
		add(e, e.Short)
	}
	return findings
}

// withhold takes back what labels alone say of models that decide themselves who
// gets one: it is no estimate of all predictions, and no page may rest on it. What
// is known of those stands in estimated_quality.
func (c Config) withhold(findings []Finding) {
	for i := range findings {
		f := &findings[i]
		if f.Signal == plumbline.SignalCoverage || !c.Models[f.Model].Feedback.Partial() {
			continue
		}
		f.Value, f.Low, f.High = math.NaN(), math.NaN(), math.NaN()
		if f.Verdict != plumbline.VerdictMissing {
			f.Verdict = plumbline.VerdictInsufficient
			f.Assumes = "the model itself decides which predictions ever get a label, so that these say nothing of the others; estimated_quality has bounds"
		}
	}
}

// unsigned returns a count that may be negative for a moment, while labels are
// withdrawn, as a number of events.
func unsigned(n int64) uint64 { return uint64(max(n, 0)) }
