package analyze

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/ledger"
	"github.com/plumbline-slo/plumbline/storage"
)

// LedgerConfig says when alarms are judged.
type LedgerConfig struct {
	// Interval is the pause between two judgements of all alarms. Default 15 min.
	Interval time.Duration `yaml:"interval"`
	// For is how long after it opened an alarm is judged anew, because labels come
	// late and are corrected. Default 90 days.
	For time.Duration `yaml:"for"`
	// Coverage is the least share of a window's predictions that must have a
	// label before those that are in stand for those that are missing, in (0, 1].
	// Before that only the worst case judges. Default 0.9.
	Coverage float64 `yaml:"coverage"`
	// MinLabelled is the least number of them. Default 30.
	MinLabelled int64 `yaml:"min_labelled"`
	// RollbackWithin is how long after an alarm an earlier deploy that comes back
	// counts as its rollback. Default 7 days.
	RollbackWithin time.Duration `yaml:"rollback_within"`
}

func defaultLedger() LedgerConfig {
	o := ledger.DefaultOptions()
	return LedgerConfig{Interval: 15 * time.Minute, For: 90 * day, Coverage: o.Coverage, MinLabelled: o.MinLabelled, RollbackWithin: 7 * day}
}

func (c LedgerConfig) options() ledger.Options {
	return ledger.Options{Coverage: c.Coverage, MinLabelled: c.MinLabelled}
}

// options say when the labels of a model may speak: by what its owner declares of them,
// and awaited for as long as labels may take.
func (j *ledgerKeeper) options(model plumbline.Model, now time.Time) ledger.Options {
	o := j.cfg.options()
	o.Awaited = now.Add(-j.maxLag)
	switch m := j.models[model]; {
	case m.Feedback.Partial():
		o.Missing = ledger.MissingChosen
	case m.arrival() == estimate.Random:
		o.Missing = ledger.MissingRandom
	}
	return o
}

func (c LedgerConfig) validate() error {
	var errs []error
	if err := c.options().Validate(); err != nil {
		errs = append(errs, fmt.Errorf("analyze.ledger.%w", err))
	}
	if c.Interval <= 0 || c.For < day || c.RollbackWithin <= 0 {
		errs = append(errs, errors.New("analyze.ledger: interval and rollback_within must be positive, and for at least 1 day"))
	}
	return errors.Join(errs...)
}

// ledgerKeeper keeps the ledger. It belongs to the one goroutine that steps. What it
// remembers only saves writing the same again: after a restart all is written
// once more, and replaces itself.
type ledgerKeeper struct {
	reader ledger.Reader
	cfg    LedgerConfig
	// models say which predictions ever get a label, maxLag how long these may take.
	models map[plumbline.Model]ModelConfig
	maxLag time.Duration
	// targets are the objectives that quality is judged by, the first of a model
	// and segment also its drifts.
	targets []plumbline.SLO
	// drifts are the objectives that bound a drift, composites those that may have such
	// a part.
	drifts, composites []plumbline.SLO
	looked             attempt
	written            map[string]ledger.Entry
}

func newLedgerKeeper(reader ledger.Reader, cfg Config, objectives []plumbline.Objective) *ledgerKeeper {
	j := &ledgerKeeper{reader: reader, cfg: cfg.Ledger, models: cfg.Models, maxLag: cfg.MaxLabelLag, written: map[string]ledger.Entry{}}
	for _, o := range objectives {
		if o.SLO.Measure == plumbline.MeasureAccuracy && o.SLO.SLI.Is(plumbline.SLIQuality) {
			j.targets = append(j.targets, o.SLO)
		}
		if o.SLO.SLI.Is(plumbline.SLIDrift) {
			j.drifts = append(j.drifts, o.SLO)
		}
		if o.SLO.SLI.Is(plumbline.SLIComposite) {
			j.composites = append(j.composites, o.SLO)
		}
	}
	return j
}

// lookLedger judges alarms and writes what is new of them. It makes no findings.
func (r *Runner) lookLedger(ctx context.Context, now time.Time, _ keeper) error {
	_, err := r.within(ctx, func(ctx context.Context) ([]Finding, error) {
		entries, err := r.ledger.look(ctx, now)
		if len(entries) == 0 {
			return nil, err
		}
		return nil, errors.Join(err, r.writeLedger(ctx, entries))
	})
	return err
}

func (r *Runner) writeLedger(ctx context.Context, entries []ledger.Entry) error {
	rec := ledger.Record(entries)
	defer rec.Release()
	token := fmt.Sprintf("ledger/%d/%s", entries[0].Judged.UnixMilli(), entries[0].ID)
	insert := func(ctx context.Context) error {
		return r.db.Derived().Insert(ctx, plumbline.TableLedger, token, rec)
	}
	if err := storage.Again(ctx, insert); err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	r.ledger.keep(entries)
	return nil
}

// keep remembers what was written.
func (j *ledgerKeeper) keep(entries []ledger.Entry) {
	for _, e := range entries {
		j.written[e.ID] = e
	}
}

// look judges every alarm that is young enough and returns those of which
// something else is said than was written last. What fails is tried again after
// the interval; until then the error stands.
func (j *ledgerKeeper) look(ctx context.Context, now time.Time) ([]ledger.Entry, error) {
	if j.looked.stands(now, j.cfg.Interval) {
		return nil, j.looked.err
	}
	entries, err := j.entries(ctx, now)
	if err != nil {
		err = fmt.Errorf("ledger: %w", err)
	}
	j.looked = attempt{now, err}
	return entries, err
}

func (j *ledgerKeeper) entries(ctx context.Context, now time.Time) ([]ledger.Entry, error) {
	alarms, err := j.alarms(ctx, now.Add(-j.cfg.For))
	errs := []error{err}
	deployments := map[plumbline.Model][]ledger.Deployment{}
	var changed []ledger.Entry
	young := map[string]ledger.Entry{}
	for _, a := range alarms {
		slo := j.target(a)
		if _, known := deployments[a.Model]; !known {
			if deployments[a.Model], err = j.reader.Deployments(ctx, a.Model); err != nil {
				errs = append(errs, err)
			}
		}
		e, err := j.entry(ctx, a, slo, deployments[a.Model], now)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		before, known := j.written[a.ID]
		if known {
			young[a.ID] = before
		}
		if !known || !e.Same(before) {
			changed = append(changed, e)
		}
	}
	if errors.Join(errs...) == nil {
		j.written = young // what is too old is forgotten
	}
	return changed, errors.Join(errs...)
}

// alarms returns what is judged: the alarms that opened since a time, a drift once.
// Older ones are read as well, because one of them may be the same drift as one that
// opened since.
func (j *ledgerKeeper) alarms(ctx context.Context, since time.Time) ([]ledger.Alarm, error) {
	incidents, err := j.reader.Incidents(ctx, since.Add(-ledger.ReadBefore))
	tickets, ticketsErr := j.reader.Drift(ctx, since.Add(-ledger.ReadBefore))
	if err := errors.Join(err, ticketsErr); err != nil {
		return nil, err // with one of them alone a drift could be counted twice
	}
	var all []ledger.Alarm
	var (
		young []ledger.Alarm
		errs  []error
	)
	for _, a := range incidents {
		judged, err := j.about(ctx, &a)
		if err != nil {
			return nil, err // without it the same drift could be counted as a ticket
		}
		if judged {
			all = append(all, a)
		}
	}
	for _, a := range ledger.Once(append(all, tickets...)) {
		if a.Opened.Before(since) {
			continue
		}
		if a.Signal != plumbline.SignalDriftAlarm {
			if err := j.reader.Claim(ctx, &a); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		young = append(young, a)
	}
	return young, errors.Join(errs...)
}

// about says by its objective what an incident is about, unless it is of suspected
// concept drift and has none; false is one that is about neither quality nor drift, or
// whose objective is not declared any more. One of a composite is about the part that
// burnt most.
func (j *ledgerKeeper) about(ctx context.Context, a *ledger.Alarm) (judged bool, err error) {
	if a.Kind == ledger.KindConcept {
		return true, nil
	}
	name := a.SLO
	declared := func(slo plumbline.SLO) bool { return slo.Model == a.Model && slo.Name == name }
	if slices.ContainsFunc(j.composites, declared) {
		if name, err = j.reader.Burnt(ctx, *a); err != nil {
			return false, err
		}
	}
	if slices.ContainsFunc(j.targets, declared) {
		a.Kind = ledger.KindQuality
		return true, nil
	}
	i := slices.IndexFunc(j.drifts, declared)
	if i < 0 {
		return false, nil
	}
	slo := j.drifts[i]
	a.Kind, a.Segment = ledger.KindDrift, slo.Segment
	a.Stream = ledger.Stream{Model: slo.Model, Segment: slo.Segment, Feature: slo.SLI.Feature, Reference: slo.SLI.Reference, Measure: slo.SLI.Measure}
	return true, nil
}

// target returns the objective that an alarm is judged by; without a name if its
// model has none, or scores promised what it is judged by.
func (j *ledgerKeeper) target(a ledger.Alarm) plumbline.SLO {
	for _, slo := range j.targets {
		if slo.Model == a.Model && (a.Kind == ledger.KindDrift || slo.Name == a.SLO) {
			return slo
		}
	}
	return plumbline.SLO{}
}

func (j *ledgerKeeper) entry(ctx context.Context, a ledger.Alarm, slo plumbline.SLO, deployments []ledger.Deployment, now time.Time) (ledger.Entry, error) {
	if slo.Name != "" {
		a.Promise = ledger.Objective(slo.Target)
	}
	if a.Kind == ledger.KindQuality {
		a.Segment = slo.Segment
	}
	e := ledger.Entry{Alarm: a, Judged: now}
	switch {
	case a.Promise.Made():
		cells, requests, err := j.reader.Labels(ctx, a)
		if err != nil {
			return e, err
		}
		e.Judgement = ledger.Judge(a, requests, cells, j.options(a.Model, now))
	case a.Kind == ledger.KindConcept:
		e.Judgement = ledger.Undecided(a.Unpromised())
	default:
		e.Judgement = ledger.Undecided("the model has no objective of quality to judge it by")
	}
	e.SLO = slo.Name
	if back, ok := ledger.Rollback(a, deployments, j.cfg.RollbackWithin); ok {
		e.Back = back
	}
	return e, nil
}
