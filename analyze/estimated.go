package analyze

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// What findings about estimates rest on; what they found stands behind it.
const (
	assumesGap     = "of predictions that scored alike, those whose labels are in are like the others; they err independently, but for the spread that earlier windows showed"
	assumesPromise = "no label of the window; a score means what it meant to the labels that its calibration was made from, to within the spread that earlier windows showed"
	assumesRecord  = "earlier windows err independently of one another and as this one does; for the few of their labels that are missing the estimate stands in"
)

// estimate returns what can be said of a window before its labels are in, or what
// little can be where only some predictions ever get one.
func (l *forecasts) estimate(ctx context.Context, f *forecastOf, m forecast.Maturity, q forecast.Question) ([]Finding, error) {
	if !l.cfg.Models[f.scope.Model].estimated() {
		return nil, nil
	}
	if feedback := l.cfg.Models[f.scope.Model].Feedback; feedback.Partial() {
		found, err := l.bounds(ctx, f, feedback, m, q)
		if err != nil {
			return nil, fmt.Errorf("bounds: %w", err)
		}
		return []Finding{found}, nil
	}
	a, err := f.forecaster.Ask(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("estimate: %w", err)
	}
	findings := l.estimateFindings(f, a)
	if a.Why == "" {
		findings = append(findings, l.contradiction(f, a), l.promise(f, a), l.record(f, a))
	}
	return findings, nil
}

// estimatedFinding is a finding about an estimate of which nothing is said yet.
func (l *forecasts) estimatedFinding(f *forecastOf, q forecast.Question, measure string) Finding {
	out := newFinding(plumbline.SignalEstimatedQuality, measure)
	out.Model, out.Deploy, out.Stage = f.scope.Model, q.Deploy, plumbline.StageProduction
	out.Window, out.WindowEnd = q.Window, q.End
	return out
}

// estimateFindings are the values of an answer. The verdict ok is what a page may
// rest on: only where the measure's own record proves the interval. Else it is
// insufficient, and the number is there to look at.
func (l *forecasts) estimateFindings(f *forecastOf, a forecast.Answer) []Finding {
	if a.Why != "" {
		none := l.estimatedFinding(f, a.Question, string(f.task.Measure()))
		none.Verdict, none.Assumes = plumbline.VerdictInsufficient, a.Why
		return []Finding{none}
	}
	var findings []Finding
	for _, v := range a.Values {
		out := l.estimatedFinding(f, a.Question, string(v.Metric))
		out.Count = unsigned(a.Estimate.Predictions)
		out.Coverage = float64(a.Estimate.Known) / float64(a.Estimate.Predictions)
		out.Verdict, out.Assumes = plumbline.VerdictInsufficient, sentence(append(slices.Clip(a.Assumes), a.RecordOf(v.Metric)))
		if v.State == metric.OK {
			out.Value, out.Low, out.High = v.Value, v.Low, v.High
			if a.Records[v.Metric].Proven {
				out.Verdict = plumbline.VerdictOK
			}
		} else if v.Why != "" {
			out.Assumes = v.Why
		}
		findings = append(findings, out)
	}
	return findings
}

// contradiction is what labels say of what was expected of the same predictions.
func (l *forecasts) contradiction(f *forecastOf, a forecast.Answer) Finding {
	out := l.estimatedFinding(f, a.Question, plumbline.MeasureEstimateGap)
	out.Signal, out.Reference, out.WindowEnd = plumbline.SignalConceptDrift, plumbline.ReferenceEstimate, a.ContradictionEnd
	c := a.Contradiction
	out.Count, out.Assumes, out.Verdict = unsigned(c.Labels), assumesGap+"; "+c.Says, plumbline.VerdictInsufficient
	if c.State != metric.OK {
		return out
	}
	out.Value, out.Effect, out.NullMean, out.P, out.Verdict = c.Gap, c.Gap, 0, c.Chance, plumbline.VerdictOK
	if c.Suspected {
		out.Verdict = plumbline.VerdictBreach
	}
	return out
}

// promise is what scores alone say of the window, to be held against its labels
// when they are in: estimates rest on labels too, and learn from those that
// contradict them. It is no effect of anything, so that no panel of drifts has it.
func (l *forecasts) promise(f *forecastOf, a forecast.Answer) Finding {
	out := l.estimatedFinding(f, a.Question, plumbline.MeasurePromisedAccuracy)
	if f.task == forecast.Regression {
		out.Measure = plumbline.MeasurePromisedMAE
	}
	out.Signal, out.Reference, out.Assumes = plumbline.SignalConceptDrift, plumbline.ReferenceEstimate, assumesPromise
	out.Count, out.Verdict = unsigned(a.Estimate.Predictions), plumbline.VerdictOK
	promised := a.Estimate.Promise()
	out.Value, out.Low, out.High = a.Estimate.Expected, max(promised.Low, 0), min(promised.High, f.task.Most())
	return out
}

// record is how often past intervals held of what pages rest on: accuracy, or the
// error. Those of the other measures stand in the words of their own findings.
func (l *forecasts) record(f *forecastOf, a forecast.Answer) Finding {
	out := l.estimatedFinding(f, a.Question, plumbline.MeasureIntervalRecord)
	out.Count, out.Assumes, out.Verdict = unsigned(int64(a.Record.Windows)), assumesRecord+"; "+a.RecordOf(f.task.Measure()), plumbline.VerdictInsufficient
	if a.Record.Windows > 0 {
		out.Value = float64(a.Record.Held) / float64(a.Record.Windows)
		interval := metric.Wilson(int64(a.Record.Held), int64(a.Record.Windows))
		out.Low, out.High = interval.Low, interval.High
	}
	if a.Record.Proven {
		out.Verdict = plumbline.VerdictOK
	}
	return out
}

// bounds says what is known of the newest window whose labels are in, where the
// model itself decides who gets a label. Its verdict is never more than
// insufficient, so that no page rests on it.
func (l *forecasts) bounds(ctx context.Context, f *forecastOf, feedback Feedback, m forecast.Maturity, q forecast.Question) (Finding, error) {
	out := l.estimatedFinding(f, q, string(f.task.Measure()))
	out.Verdict = plumbline.VerdictInsufficient
	// Windows end where those labels that ever come are in.
	var late time.Duration
	for _, s := range m.Delays {
		late = max(late, s.Most)
	}
	q.End = q.End.Add(-late).Truncate(time.Hour)
	out.WindowEnd = q.End
	counts, err := f.forecaster.Count(ctx, q, m.At)
	if err != nil {
		return out, err
	}
	out.Count = unsigned(counts.Predictions)
	if counts.Predictions == 0 {
		out.Verdict, out.Assumes = plumbline.VerdictMissing, "no predictions"
		return out, nil
	}
	out.Coverage = float64(counts.Labelled) / float64(counts.Predictions)
	if labels, ok, err := l.explored(ctx, f, feedback, counts, q, m.At); err != nil || ok {
		if err == nil {
			err = out.weighed(labels, counts.Predictions, f.task.Most())
		}
		return out, err
	}
	if f.task == forecast.Regression {
		out.Assumes = "only some predictions ever get a label: an error has no bounds"
		if feedback.Exploration > 0 {
			out.Assumes += ", and a regression has no accepted class that exploration could be declared beside; let its events bear their propensity"
		}
		return out, nil
	}
	b, err := estimate.Bound(counts.Hits(), counts.Labels(), counts.Waiting())
	if err != nil {
		return out, err
	}
	out.Low, out.High = b.Low, b.High
	out.Assumes = sentence(b.Assumes)
	if !math.IsNaN(b.Interval.Low) {
		out.Low, out.High = b.Interval.Low, b.Interval.High
	}
	return out, nil
}

// weighed fills in an estimate, between 0 and most, from labels whose chances are known.
func (f *Finding) weighed(labels []estimate.Explored, predictions int64, most float64) error {
	e, err := estimate.Weigh(labels, predictions)
	if err != nil {
		return err
	}
	f.Assumes = sentence(e.Assumes) + "; no page may rest on it"
	if e.State == metric.OK {
		f.Value, f.Low, f.High = e.Value, max(e.Low, 0), min(e.High, most)
	}
	return nil
}
