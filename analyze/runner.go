package analyze

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/concept"
	"github.com/plumbline-slo/plumbline/analyze/dataquality"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality"
	"github.com/plumbline-slo/plumbline/storage"
)

// Runner writes findings. Make it with New.
type Runner struct {
	cfg        Config
	db         *storage.DB
	objectives []plumbline.Objective
	log        *slog.Logger
	metrics    metrics
	now        func() time.Time

	drift      drift.Reader
	quality    quality.Reader
	burn       burn.Reader
	references *references
	hygiene    *hygiene
	truth      *truth
	watch      *watch
	alarms     *alarms
}

// New does nothing but check the configuration and the objectives.
func New(cfg Config, deps Dependencies) (*Runner, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.DB == nil {
		return nil, errors.New("analyze: no database")
	}
	for _, o := range deps.Objectives {
		if err := checkPairs(o); err != nil {
			return nil, err
		}
	}
	log := deps.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	conn := deps.DB.Conn()
	r := &Runner{
		cfg: cfg, db: deps.DB, objectives: deps.Objectives, log: log, metrics: newMetrics(), now: time.Now,
		drift:   drift.Reader{Conn: conn},
		quality: quality.Reader{Conn: conn},
		burn:    burn.Reader{Conn: conn, MaxLag: cfg.MaxLabelLag},
	}
	r.references = newReferences(r.drift, cfg.ReferenceRefresh)
	r.hygiene = newHygiene(dataquality.Reader{Conn: conn}, cfg)
	r.truth = newTruth(concept.Reader{Conn: conn}, cfg)
	asker, err := ask.New(ask.Config{KeepFor: cfg.ReferenceRefresh, KeepCounts: ask.DefaultConfig().KeepCounts}, conn)
	if err != nil {
		return nil, fmt.Errorf("analyze: %w", err)
	}
	if r.watch, err = newWatch(cfg, asker, conn); err != nil {
		return nil, fmt.Errorf("analyze: %w", err)
	}
	if r.alarms, err = newAlarms(cfg, *r.watch, conn); err != nil {
		return nil, fmt.Errorf("analyze: %w", err)
	}
	if err := r.metrics.register(deps.Registerer); err != nil {
		return nil, fmt.Errorf("analyze: %w", err)
	}
	return r, nil
}

func checkPairs(o plumbline.Objective) error {
	for _, p := range o.Pairs {
		if p.Short < time.Minute || p.Short > p.Long || p.Long%time.Minute != 0 || p.Short%time.Minute != 0 {
			return fmt.Errorf("SLO %q: windows %s and %s are not minutes, the short one at most the long one", o.SLO.Name, p.Long, p.Short)
		}
	}
	return nil
}

// Burn returns the reader that the runner evaluates objectives with, for
// evaluations as known at another time.
func (r *Runner) Burn() burn.Reader { return r.burn }

// Run steps until the context ends, at once and then every interval. A step
// that ends in an error is counted and logged; the next one looks again.
func (r *Runner) Run(ctx context.Context) error {
	ticker := time.NewTicker(r.cfg.Interval)
	defer ticker.Stop()
	for {
		if _, err := r.Step(ctx); err != nil && ctx.Err() == nil {
			r.metrics.errors.Inc()
			r.log.Error("analysis step was incomplete and will be repeated", "err", err, "after", r.cfg.Interval)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Step looks at every model once, writes what it found in one insert, and
// returns it. What one model or analyzer cannot say does not keep the others
// from being written: their findings are stored and the errors returned.
func (r *Runner) Step(ctx context.Context) ([]Finding, error) {
	at := r.now()
	findings, lookErr := r.look(ctx, at)
	for i := range findings {
		findings[i].At = at
	}
	if len(findings) == 0 {
		return nil, lookErr
	}
	rec := record(findings)
	defer rec.Release()
	// The token is never the same twice, for two looks may well find the same,
	// but it is the same for every attempt to store this one.
	token := "findings/" + rand.Text()
	insert := func(ctx context.Context) error {
		return r.db.Derived().Insert(ctx, plumbline.TableFindings, token, rec)
	}
	if err := storage.Again(ctx, insert); err != nil {
		return nil, errors.Join(lookErr, err)
	}
	r.metrics.findings.Add(float64(len(findings)))
	if lookErr == nil {
		r.metrics.last.Set(float64(at.Unix()))
	}
	return findings, lookErr
}

func (r *Runner) look(ctx context.Context, now time.Time) ([]Finding, error) {
	models, err := serving(ctx, r.db.Conn(), "", now)
	if err != nil {
		return nil, err
	}
	var (
		findings []Finding
		errs     []error
	)
	add := func(found []Finding, err error) {
		findings, errs = append(findings, found...), append(errs, err)
	}
	byModel := map[plumbline.Model]traffic{}
	for _, t := range models {
		byModel[t.model] = t
		add(r.lookDrift(ctx, t, now))
		add(r.alarms.look(ctx, t, now))
		add(r.lookQuality(ctx, t))
		add(r.hygiene.look(ctx, t, now))
		add(r.truth.look(ctx, t, now))
	}
	for _, o := range r.objectives {
		add(r.lookBurn(ctx, o, byModel[o.SLO.Model]))
	}
	return findings, errors.Join(errs...)
}

type metrics struct {
	findings, errors prometheus.Counter
	last             prometheus.Gauge
}

func newMetrics() metrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "plumbline", Subsystem: "analyze", Name: name, Help: help}
	}
	return metrics{
		findings: prometheus.NewCounter(prometheus.CounterOpts(opts("findings_total", "Rows of findings written."))),
		errors:   prometheus.NewCounter(prometheus.CounterOpts(opts("step_errors_total", "Steps in which something could not be looked at."))),
		last:     prometheus.NewGauge(prometheus.GaugeOpts(opts("last_complete_step_timestamp_seconds", "Unix time of the last step that looked at everything."))),
	}
}

func (m metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{m.findings, m.errors, m.last} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}
