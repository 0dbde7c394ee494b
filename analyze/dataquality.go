package analyze

import (
	"context"
	"errors"
	"fmt"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/dataquality"
)

// What the numbers rest on.
const (
	assumesTypes   = "exact counts of the rollups; what a feature was before is the type of most of its values in the training rows and the week before"
	assumesRepeats = "raw rows of one closed hour; a repeat in another hour is not seen"
)

// settle is how long after its end an hour counts as closed: events come late.
const settle = 10 * time.Minute

// dataQuality remembers what of a model was looked at: its features lately, its
// training set, and the last closed hour. It belongs to the one goroutine that
// steps.
type dataQuality struct {
	reader   dataquality.Reader
	cfg      Config
	features map[plumbline.Model]attempt
	trained  map[plumbline.Model]trained
	hours    map[plumbline.Model]time.Time
	// repeats is when repeats could not be counted last, and why.
	repeats map[plumbline.Model]attempt
}

func newDataQuality(reader dataquality.Reader, cfg Config) *dataQuality {
	return &dataQuality{
		reader: reader, cfg: cfg, features: map[plumbline.Model]attempt{}, trained: map[plumbline.Model]trained{},
		hours: map[plumbline.Model]time.Time{}, repeats: map[plumbline.Model]attempt{},
	}
}

// look returns what the checks say of the events of a model. Nothing wrong with
// the types makes no finding; repeats of a closed hour always make one. What
// fails is dear as well as what succeeds, so features are looked at again only
// after their interval; until then the error stands.
func (h *dataQuality) look(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	var findings []Finding
	if !h.features[t.model].stands(now, h.cfg.DataQualityInterval) {
		types, typesErr := h.lookTypes(ctx, t)
		checks, err := h.lookFeatures(ctx, t, now)
		findings = append(types, checks...)
		h.features[t.model] = attempt{now, errors.Join(typesErr, err)}
	}
	repeats, err := h.lookRepeats(ctx, t, now)
	if err = errors.Join(h.features[t.model].err, err); err != nil {
		err = fmt.Errorf("data quality: %w", err)
	}
	return append(findings, repeats...), err
}

func (h *dataQuality) lookTypes(ctx context.Context, t traffic) ([]Finding, error) {
	to := t.end.Add(time.Hour - 1).Truncate(time.Hour)
	changes, err := h.reader.TypeChanges(ctx, t.model, to.Add(-day), to)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, c := range changes {
		f := newFinding(plumbline.SignalDataQuality, plumbline.MeasureTypeChange)
		f.Model, f.Deploy, f.Stage, f.Feature = t.model, c.Deploy, c.Stage, c.Feature
		f.Window, f.WindowEnd, f.Count = day, to, c.Numbers+c.Texts
		f.Value, f.NullMean, f.Effect = c.Share(), 0, c.Share()
		f.Verdict, f.Assumes = plumbline.VerdictBreach, assumesTypes
		findings = append(findings, f)
	}
	return findings, nil
}

// lookRepeats counts the repeats of the last closed hour, once. It reads raw
// rows: what fails waits its interval, and the error stands until then.
func (h *dataQuality) lookRepeats(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	if last := h.repeats[t.model]; last.err != nil && last.stands(now, h.cfg.DataQualityInterval) {
		return nil, last.err
	}
	findings, err := h.countRepeats(ctx, t, now)
	h.repeats[t.model] = attempt{now, err}
	return findings, err
}

func (h *dataQuality) countRepeats(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	hour := now.Add(-settle).Truncate(time.Hour).Add(-time.Hour)
	if last := t.end.Add(-1).Truncate(time.Hour); last.Before(hour) {
		hour = last // data is behind: its last hour
	}
	if !hour.After(h.hours[t.model]) {
		return nil, nil
	}
	var requests uint64
	for _, d := range t.deploys {
		requests += d.requests / uint64(1+d.last.Sub(d.first)/time.Hour)
	}
	repeats, err := h.reader.Repeats(ctx, t.model, hour, requests)
	if err != nil {
		return nil, err
	}
	h.hours[t.model] = hour
	var findings []Finding
	for _, r := range repeats {
		f := newFinding(plumbline.SignalDataQuality, plumbline.MeasureDuplicateShare)
		f.Model, f.Deploy, f.Stage = t.model, r.Deploy, r.Stage
		f.Window, f.WindowEnd, f.Count = time.Hour, hour.Add(time.Hour), r.Deliveries
		f.Value, f.NullMean, f.Effect = r.Share(), 0, r.Share()
		f.Verdict, f.Assumes = plumbline.VerdictOK, assumesRepeats
		if f.Value > h.cfg.DuplicateShare {
			f.Verdict = plumbline.VerdictBreach
		}
		findings = append(findings, f)
	}
	return findings, nil
}
