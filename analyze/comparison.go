package analyze

import (
	"fmt"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// comparison turns the answer about one deploy, window and segment into
// findings.
type comparison struct {
	cfg     Config
	traffic traffic
	deploy  deploy
	window  time.Duration
	// measured holds what is usual at these hours; nil where that was not read.
	measured *measured
	// dispersion says how many times a distance varies as that of independent
	// events does; nil is once.
	dispersion func(plumbline.Segment, ask.Row) float64
}

func (c comparison) finding(signal plumbline.SignalName, name string, segment plumbline.Segment) Finding {
	f := newFinding(signal, name)
	f.Model, f.Deploy, f.Stage, f.Segment = c.traffic.model, c.deploy.hash, c.deploy.stage, segment
	f.Window, f.WindowEnd = c.window, c.traffic.end
	return f
}

// shiftFindings are the PSI of each feature against the training set, with the
// verdict of its shift: what charts, pages and alert texts show.
func (c comparison) shiftFindings(shifts []Shift) []Finding {
	var findings []Finding
	for _, s := range shifts {
		f := c.finding(plumbline.SignalDrift, plumbline.MeasurePSI, plumbline.SegmentAll)
		f.Feature, f.Reference = s.Feature, plumbline.ReferenceTraining
		f.Count, f.Verdict, f.Assumes = s.Current, s.Verdict, assumesShift
		if s.Verdict == plumbline.VerdictOK || s.Verdict == plumbline.VerdictBreach {
			f.Value, f.NullMean, f.Effect = s.PSI, s.NullMean, s.PSI-s.NullMean
			r, ok := apart(sample(c.measured.reference, s.Feature), sample(c.measured.current, s.Feature), measure.PSI, c.cfg.distances())
			if ok {
				f.Value, f.NullMean, f.Low, f.High, f.P, f.Effect = r.Value, r.NullMean, r.Low, r.High, r.P, r.Debiased
			}
		}
		findings = append(findings, f)
	}
	return findings
}

// isShift reports whether a row of all traffic says what shiftFindings say.
func isShift(r ask.Row) bool {
	_, feature := r.Series.Feature()
	return feature && r.Measure == measure.PSI && r.Reference == plumbline.ReferenceTraining
}

// findings returns what else the answer says, by the measures of each kind of
// series. A reference that is missing is one finding and not one of every
// feature; a series that it lacks is one and not one of every measure.
func (c comparison) findings(answer ask.Answer) []Finding {
	var findings []Finding
	missing := map[string]string{}
	for _, r := range answer.References {
		if r.Missing != "" {
			name := r.Asked.String()
			missing[name] = r.Missing
			f := c.finding(plumbline.SignalDrift, "", answer.Segment)
			f.Reference, f.Assumes, f.Count = name, r.Missing, answer.Current.Requests
			findings = append(findings, f)
		}
	}
	lacking := map[string]bool{}
	for _, r := range answer.Rows {
		if missing[r.Reference] != "" || !c.wanted(r, answer) || answer.Segment == plumbline.SegmentAll && isShift(r) {
			continue
		}
		if r.Verdict == plumbline.VerdictMissing {
			key := string(r.Series) + " " + r.Reference
			if lacking[key] {
				continue
			}
			lacking[key] = true
		}
		findings = append(findings, c.row(r, answer))
	}
	return findings
}

// wanted reports whether a measure is configured for the kind of the series.
func (c comparison) wanted(r ask.Row, answer ask.Answer) bool {
	numeric, odds := kindOf(r.Series, answer)
	switch {
	case !numeric:
		return slices.Contains(c.cfg.Measures.Categories, r.Measure)
	case odds:
		// Odds have no length: KS stands in for Wasserstein.
		wasserstein := r.Measure == measure.Wasserstein || r.Measure == measure.WassersteinScale
		return !wasserstein && (r.Measure == measure.KS || slices.Contains(c.cfg.Measures.Numbers, r.Measure))
	}
	return slices.Contains(c.cfg.Measures.Numbers, r.Measure)
}

// kindOf reports whether a series is one of numbers, and whether those are
// probabilities counted by their odds.
func kindOf(series plumbline.Series, answer ask.Answer) (numeric, odds bool) {
	samples := []drift.Sample{answer.Current.Sample(series)}
	for _, r := range answer.References {
		samples = append(samples, r.Window.Sample(series))
	}
	for _, s := range samples {
		if s.Numbers.Total() > 0 {
			return true, s.Grid != ""
		}
	}
	return false, false
}

// row is the finding of one series, reference and measure.
func (c comparison) row(r ask.Row, answer ask.Answer) Finding {
	signal, name := plumbline.SignalDrift, nameOf(r.Series)
	if _, feature := r.Series.Feature(); !feature {
		signal = plumbline.SignalPredictionDrift
	}
	r = c.dispersed(r, answer)
	f := c.finding(signal, string(r.Measure), answer.Segment)
	f.Feature, f.Reference, f.Count, f.Verdict = name, r.Reference, r.Count, r.Verdict
	f.Value, f.NullMean, f.Low, f.High, f.P, f.Effect = r.Value, r.NullMean, r.Low, r.High, r.P, r.Debiased
	f.Assumes = r.Assumption
	if r.Why != "" {
		f.Assumes = r.Why
	}
	if !byTheClock(r.Reference, answer) {
		f.Assumes += assumesClock
		if f.Verdict == plumbline.VerdictBreach && c.explained(r, answer) {
			f.Verdict = plumbline.VerdictOK
		}
	}
	return f
}

// littleDispersion is the factor up to which a distance is left as it is.
const littleDispersion = 1.1

// dispersed judges a row again with what past quiet days say of how much the
// distance varies, beyond what weights and clusters already account for: those
// are in the noise of the past days as they are in that of the row.
func (c comparison) dispersed(r ask.Row, answer ask.Answer) ask.Row {
	if c.dispersion == nil || r.Method == measure.None || r.Verdict == plumbline.VerdictMissing || answer.Clusters != nil && !answer.Clusters.Known() {
		return r
	}
	o := c.cfg.distances()
	if o.Overdispersion = c.dispersion(answer.Segment, r); o.Overdispersion <= littleDispersion {
		return r
	}
	// What was learnt is beyond what clusters are taken for.
	o.Overdispersion *= max(1, r.Design)
	for _, reference := range answer.References {
		before, now := reference.Window.Sample(r.Series), answer.Current.Sample(r.Series)
		if reference.Asked.String() != r.Reference {
			continue
		}
		again, ok := apart(before, now, r.Measure, o)
		if !ok {
			continue
		}
		r.Result = again
		if answer.Clusters != nil {
			r.Assumption += "; " + answer.Clusters.String()
		}
		switch {
		case again.Alarm:
			r.Verdict = plumbline.VerdictBreach
		case again.NullMean > again.MinEffect:
			r.Verdict, r.Why = plumbline.VerdictInsufficient, fmt.Sprintf("noise alone gives %.3g, more than the %.3g that matters; %s", again.NullMean, again.MinEffect, again.Assumption)
		default:
			r.Verdict = plumbline.VerdictOK
		}
	}
	return r
}

// nameOf is what the column feature says of a series.
func nameOf(s plumbline.Series) plumbline.Feature {
	if f, ok := s.Feature(); ok {
		return f
	}
	return plumbline.Feature(s)
}

// byTheClock reports whether a reference is the same hours already.
func byTheClock(reference string, answer ask.Answer) bool {
	return slices.ContainsFunc(answer.References, func(r ask.Resolved) bool {
		return r.Asked.String() == reference && r.Chosen.Kind == ask.SameHours
	})
}

// explained reports whether the series is near what it was in the same hours
// before, by the same measure: then the clock moved it.
func (c comparison) explained(r ask.Row, answer ask.Answer) bool {
	for _, other := range answer.Rows {
		if other.Series == r.Series && other.Measure == r.Measure && other.Verdict == plumbline.VerdictOK && byTheClock(other.Reference, answer) {
			return true
		}
	}
	if c.measured == nil {
		return false
	}
	for _, reference := range answer.References {
		if reference.Asked.String() != r.Reference {
			continue
		}
		current, before := c.measured.whole.Sample(r.Series), reference.Window.Sample(r.Series)
		for _, w := range c.measured.usual {
			if c.usual(r, before, w.Sample(r.Series), current) {
				return true
			}
		}
	}
	return false
}

// usual reports whether what was usual is no breach away from what is current,
// or about as far from the reference, as another weekday is that comes every
// week. It does not ask whether either sample is large enough to tell: a breach
// needs evidence against what is usual, too.
func (c comparison) usual(r ask.Row, reference, usual, current drift.Sample) bool {
	if usual.Present() < minEvents || current.Present() < minEvents {
		return false
	}
	o := c.cfg.distances()
	o.Overdispersion = max(1, r.Design)
	if near, ok := apart(usual, current, r.Measure, o); ok && !near.Alarm {
		return true
	}
	then, ok := apart(reference, usual, r.Measure, o)
	now, also := apart(reference, current, r.Measure, o)
	return ok && also && now.Debiased-then.Debiased < r.MinEffect
}

// apart compares two samples by one measure, false if they cannot be. Requests
// are counted, so noise is widened by the weight of their deliveries.
func apart(reference, current drift.Sample, id measure.ID, o measure.Options) (measure.Result, bool) {
	d, ok := measure.Lookup(id)
	if !ok || reference.Grid != current.Grid {
		return measure.Result{}, false
	}
	var (
		results []measure.Result
		err     error
	)
	if d.OnCells {
		cut := drift.NewCut(reference)
		cells := measure.Cells{Reference: cut.CountReference(reference), Current: cut.Count(current)}
		results, err = cells.Compare(ask.Widened(o, reference, current, requests(cells.Reference), requests(cells.Current)), id)
	} else {
		o = ask.Widened(o, reference, current, reference.Numbers.Total(), current.Numbers.Total())
		results, err = measure.Numbers{Reference: measure.Histogram(reference.Numbers), Current: measure.Histogram(current.Numbers)}.Compare(o, id)
	}
	if err != nil {
		// One of a measure or of options that were checked at the start.
		return measure.Result{}, false
	}
	return results[0], results[0].Method != measure.None
}

func requests(cells []uint64) uint64 {
	var n uint64
	for _, c := range cells {
		n += c
	}
	return n
}
