package analyze

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
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
	// label before they may speak, in (0, 1]. Default 0.9.
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
	// targets are the objectives that quality is judged by, the first of a model
	// and segment also its drifts.
	targets []plumbline.SLO
	looked  attempt
	written map[string]ledger.Entry
}

func newLedgerKeeper(reader ledger.Reader, cfg LedgerConfig, objectives []plumbline.Objective) *ledgerKeeper {
	j := &ledgerKeeper{reader: reader, cfg: cfg, written: map[string]ledger.Entry{}}
	for _, o := range objectives {
		if o.SLO.Measure == plumbline.MeasureAccuracy && o.SLO.SLI.Is(plumbline.SLIQuality) {
			j.targets = append(j.targets, o.SLO)
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
	since := now.Add(-j.cfg.For)
	quality, err := j.reader.Quality(ctx, since)
	drifts, driftErr := j.reader.Drift(ctx, since)
	errs := []error{err, driftErr}
	deployments := map[plumbline.Model][]ledger.Deployment{}
	var changed []ledger.Entry
	young := map[string]ledger.Entry{}
	for _, a := range append(quality, drifts...) {
		slo, ok := j.target(a)
		if a.Kind == ledger.KindQuality && !ok {
			continue // of an objective that is no quality, or is not declared any more
		}
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

// target returns the objective that an alarm is judged by.
func (j *ledgerKeeper) target(a ledger.Alarm) (plumbline.SLO, bool) {
	for _, slo := range j.targets {
		if slo.Model == a.Model && (a.Kind == ledger.KindDrift || slo.Name == a.SLO) {
			return slo, true
		}
	}
	return plumbline.SLO{}, false
}

func (j *ledgerKeeper) entry(ctx context.Context, a ledger.Alarm, slo plumbline.SLO, deployments []ledger.Deployment, now time.Time) (ledger.Entry, error) {
	e := ledger.Entry{Alarm: a, Target: math.NaN(), Judged: now}
	if slo.Name == "" {
		nan := math.NaN()
		e.Judgement = ledger.Judgement{Truth: ledger.TruthUndecided, Reason: "the model has no objective of quality to judge it by", Quality: nan, Low: nan, High: nan, Coverage: nan}
	} else {
		if a.Kind == ledger.KindQuality {
			a.Segment = slo.Segment
		}
		cells, requests, err := j.reader.Labels(ctx, a)
		if err != nil {
			return e, err
		}
		a.SLO = slo.Name
		e.Alarm, e.Target = a, slo.Target
		e.Judgement = ledger.Judge(a, slo.Target, requests, cells, j.cfg.options())
	}
	if back, ok := ledger.Rollback(a, deployments, j.cfg.RollbackWithin); ok {
		e.Back = back
	}
	return e, nil
}
