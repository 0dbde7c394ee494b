package analyze

import (
	"context"
	"maps"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/dataquality"
)

// lookFeatures runs every check on every feature of the deploys that served in
// the window.
func (h *dataQuality) lookFeatures(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	training, err := h.training(ctx, t.model, now)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, d := range t.deploys {
		if !d.served(t.end, h.cfg.DataQualityWindow) {
			continue
		}
		c, err := h.compared(ctx, t, d, training)
		if err != nil {
			return findings, err
		}
		c.closed = t.closed(now)
		findings = append(findings, c.findings(h.cfg)...)
	}
	return findings, nil
}

// closed returns up to when the hours of a model are over and their events in.
func (t traffic) closed(now time.Time) time.Time {
	if settled := now.Add(-settle); settled.Before(t.end) {
		return settled
	}
	return t.end // data is behind: what there is has had its time
}

// trained is a training set with when it was read.
type trained struct {
	at      time.Time
	samples dataquality.Samples
}

// training returns the training set of a model, read at most ReferenceRefresh
// ago.
func (h *dataQuality) training(ctx context.Context, model plumbline.Model, now time.Time) (dataquality.Samples, error) {
	if kept, ok := h.trained[model]; ok && now.Sub(kept.at) < h.cfg.ReferenceRefresh && !now.Before(kept.at) {
		return kept.samples, nil
	}
	samples, err := h.reader.Samples(ctx, dataquality.Training(model))
	if err != nil {
		return dataquality.Samples{}, err
	}
	h.trained[model] = trained{at: now, samples: samples}
	return samples, nil
}

// compared is what the checks of one deploy look at.
type compared struct {
	model          plumbline.Model
	deploy         deploy
	end            time.Time
	name           string // of the reference
	now, reference dataquality.Samples
	whole, usual   dataquality.Samples
	from, closed   time.Time
	hours          map[plumbline.Feature][]dataquality.Hour
}

// compared reads the window of a deploy, its reference, and the same hours
// before: the training set where there is one, else the week before.
func (h *dataQuality) compared(ctx context.Context, t traffic, d deploy, training dataquality.Samples) (compared, error) {
	s := spanOf(t, d, h.cfg.DataQualityWindow)
	whole, ok := s.wholeHours(d)
	s.to = s.to.Add(time.Hour - 1).Truncate(time.Hour)
	c := compared{model: t.model, deploy: d, end: t.end, name: plumbline.ReferenceTraining, reference: training, from: s.from}
	production := func(s span) dataquality.Window {
		return dataquality.Window{Model: t.model, Stage: plumbline.StageProduction, From: s.from, To: s.to}
	}
	var err error
	if c.now, err = h.reader.Samples(ctx, dataquality.Window{Model: t.model, Deploy: d.hash, Stage: d.stage, From: s.from, To: s.to}); err != nil {
		return c, err
	}
	if training.Requests == 0 {
		c.name = plumbline.ReferenceWeekBefore
		if c.reference, err = h.reader.Samples(ctx, production(span{s.from.Add(-dataquality.History), s.from})); err != nil {
			return c, err
		}
	}
	if !ok {
		whole = s
	} else if c.whole, err = h.reader.Samples(ctx, dataquality.Window{Model: t.model, Deploy: d.hash, Stage: d.stage, From: whole.from, To: whole.to}); err != nil {
		return c, err
	}
	for _, days := range []int{week, daysBack(d, s.to), 1} {
		if c.usual.Requests == 0 {
			back := -time.Duration(days) * day
			if c.usual, err = h.reader.Samples(ctx, production(span{whole.from.Add(back), whole.to.Add(back)})); err != nil {
				return c, err
			}
		}
	}
	c.hours, err = h.reader.Timelines(ctx, dataquality.Window{Model: t.model, Stage: d.stage, From: s.from.Add(-dataquality.History), To: s.to})
	return c, err
}

// pairs returns every feature that the window or its reference has.
func (c compared) pairs() []dataquality.Pair {
	names := map[plumbline.Feature]struct{}{}
	for _, s := range []dataquality.Samples{c.now, c.reference} {
		for f := range s.Features {
			names[f] = struct{}{}
		}
	}
	var pairs []dataquality.Pair
	for _, f := range slices.Sorted(maps.Keys(names)) {
		pairs = append(pairs, dataquality.Pair{
			Feature: f, Now: c.now.Of(f), Reference: c.reference.Of(f), Whole: c.whole.Of(f), Usual: c.usual.Of(f),
			Timeline: dataquality.Timeline{Hours: c.hours[f], Now: c.from, Closed: c.closed},
		})
	}
	return pairs
}

func (c compared) findings(cfg Config) []Finding {
	if c.reference.Requests == 0 {
		return c.missing(cfg)
	}
	pairs := c.pairs()
	var findings []Finding
	for i, results := range dataquality.Judge(pairs, cfg.dataQuality()) {
		for _, r := range results {
			f := c.finding(r.Check, cfg)
			f.Feature, f.Count = pairs[i].Feature, pairs[i].Now.Requests
			f.Value, f.NullMean, f.Effect, f.P, f.Low, f.High = r.Value, r.NullMean, r.Effect, r.P, r.Low, r.High
			f.Verdict = r.Verdict
			findings = append(findings, f)
		}
	}
	return findings
}

// missing says of each check, once and not of every feature, that there is
// nothing to compare with.
func (c compared) missing(cfg Config) []Finding {
	var findings []Finding
	for _, check := range dataquality.Table() {
		if check.Measure == plumbline.MeasureTypeChange || check.Measure == plumbline.MeasureDuplicateShare {
			continue // these are looked at all the same
		}
		f := c.finding(check, cfg)
		f.Count = c.now.Requests
		findings = append(findings, f)
	}
	return findings
}

func (c compared) finding(check dataquality.Check, cfg Config) Finding {
	f := newFinding(plumbline.SignalDataQuality, check.Measure)
	f.Model, f.Deploy, f.Stage, f.Reference = c.model, c.deploy.hash, c.deploy.stage, c.name
	f.Window, f.WindowEnd = cfg.DataQualityWindow, c.end
	f.Assumes = check.Test + "; events are independent"
	if check.Clocked {
		f.Assumes += "; a breach only where the same hours before differ, too"
	}
	return f
}
