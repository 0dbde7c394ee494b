package analyze

import (
	"context"
	"math"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
)

const assumesBurn = "labels missing inside the window err like those that are in; the window ends where enough labels are in, not now; p is of noise at the target, if all labels that are missing said good"

// Burn returns the reader by which objectives on labels are evaluated.
func (c Config) Burn(conn burn.Querier) burn.Reader {
	r := burn.Reader{Conn: conn, MaxLag: c.MaxLabelLag, Random: map[plumbline.Model]bool{}}
	for name, m := range c.Models {
		r.Random[name] = m.Feedback.Kind == FeedbackRandom
	}
	return r
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
		none = append(none, burn.Evaluate(burn.Minutes{}, r.now(), o.SLO, p, 1))
	}
	return burnFindings(o, "", none), nil
}

// burnFindings returns a finding for each window length. If a length is the
// long window of one pair and the short one of another, the row is the long
// one's: its interval and its noise are what a rule needs.
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
			f.P, f.Total = noiseOf(evaluations, w.Length), unsigned(w.Labelled)
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

// noiseOf is what noise says of a long window, NaN of a length that is only short: that
// of a pair that asks for evidence, where another shares the window.
func noiseOf(evaluations []burn.Evaluation, long time.Duration) float64 {
	noise, asked := math.NaN(), false
	for _, e := range evaluations {
		if asks := e.Pair.Noise > 0; e.Pair.Long == long && (asks && !asked || asks == asked && !(e.Noise >= noise)) {
			noise, asked = e.Noise, asks
		}
	}
	return noise
}
