package analyze

import (
	"context"
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

// typesEvery is how often types are looked at. They are exact counts of whole
// hours, so more often would say the same.
const typesEvery = time.Minute

// hygiene remembers what of a model was looked at: its types lately, and the
// last closed hour. It belongs to the one goroutine that steps.
type hygiene struct {
	reader dataquality.Reader
	types  map[plumbline.Model]time.Time
	hours  map[plumbline.Model]time.Time
}

func newHygiene(reader dataquality.Reader) *hygiene {
	return &hygiene{reader: reader, types: map[plumbline.Model]time.Time{}, hours: map[plumbline.Model]time.Time{}}
}

// look returns what is wrong with the events of a model. Nothing wrong with the
// types makes no finding; repeats of a closed hour always make one.
func (h *hygiene) look(ctx context.Context, t traffic, now time.Time, limit float64) ([]Finding, error) {
	types, err := h.lookTypes(ctx, t, now)
	if err != nil {
		return nil, fmt.Errorf("data quality: %w", err)
	}
	repeats, err := h.lookRepeats(ctx, t, now, limit)
	if err != nil {
		return types, fmt.Errorf("data quality: %w", err)
	}
	return append(types, repeats...), nil
}

func (h *hygiene) lookTypes(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	if now.Sub(h.types[t.model]) < typesEvery {
		return nil, nil
	}
	to := t.end.Add(time.Hour - 1).Truncate(time.Hour)
	changes, err := h.reader.TypeChanges(ctx, t.model, to.Add(-day), to)
	if err != nil {
		return nil, err
	}
	h.types[t.model] = now
	var findings []Finding
	for _, c := range changes {
		f := newFinding(plumbline.SignalDataQuality, plumbline.MeasureTypeChange)
		f.Model, f.Deploy, f.Stage, f.Feature = t.model, c.Deploy, c.Stage, c.Feature
		f.Window, f.WindowEnd, f.Count = day, to, c.Numbers+c.Texts
		f.Value, f.Verdict, f.Assumes = c.Share(), plumbline.VerdictBreach, assumesTypes
		findings = append(findings, f)
	}
	return findings, nil
}

func (h *hygiene) lookRepeats(ctx context.Context, t traffic, now time.Time, limit float64) ([]Finding, error) {
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
		f.Value, f.Verdict, f.Assumes = r.Share(), plumbline.VerdictOK, assumesRepeats
		if f.Value > limit {
			f.Verdict = plumbline.VerdictBreach
		}
		findings = append(findings, f)
	}
	return findings, nil
}
