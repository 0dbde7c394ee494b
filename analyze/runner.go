package analyze

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/burn/budget"
	"github.com/plumbline-slo/plumbline/analyze/concept"
	"github.com/plumbline-slo/plumbline/analyze/dataquality"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/drift/cluster"
	"github.com/plumbline-slo/plumbline/analyze/ledger"
	"github.com/plumbline-slo/plumbline/analyze/proxy"
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
	patience   time.Duration

	drift       drift.Reader
	quality     quality.Reader
	burn        burn.Reader
	counted     *counted
	budgets     budget.Reader
	dataQuality *dataQuality
	labelLook   *labelLook
	driftLook   *driftLook
	alarms      *alarms
	proxies     *proxies
	ledger      *ledgerKeeper
	// declared writes what models declare of their quality.
	declared *declaredQuality

	arrivals  *arrivals
	forecasts *forecasts
}

// patience is how long one analyzer may look at one model: others are not kept
// waiting for it without end.
const patience = 3 * time.Minute

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
		cfg: cfg, db: deps.DB, objectives: deps.Objectives, log: log, metrics: newMetrics(), now: time.Now, patience: patience,
		drift:   drift.Reader{Conn: conn},
		quality: quality.Reader{Conn: conn},
		burn:    cfg.Burn(conn),
	}
	r.counted = newCounted(cfg, deps)
	r.budgets = budgetsOf(conn, deps.Objectives)
	r.dataQuality = newDataQuality(dataquality.Reader{Conn: conn}, cfg)
	r.labelLook = newLabelLook(concept.Reader{Conn: conn}, cfg)
	r.proxies = newProxies(proxy.Reader{Conn: conn}, cfg.Proxies)
	r.ledger = newLedgerKeeper(ledger.Reader{Conn: conn}, cfg, deps.Objectives)
	asker, err := ask.New(ask.Config{KeepFor: cfg.ReferenceRefresh, KeepCounts: ask.DefaultConfig().KeepCounts}, conn)
	if err != nil {
		return nil, fmt.Errorf("analyze: %w", err)
	}
	// All looks share what was read of references.
	asker = asker.Clustered(cluster.NewKeeper(cfg.Clusters, conn))
	if r.driftLook, err = newDriftLook(cfg, asker, conn); err != nil {
		return nil, fmt.Errorf("analyze: %w", err)
	}
	r.alarms = newAlarms(cfg, *r.driftLook, deps.DB.Derived())
	if r.declared, err = newDeclaredQuality(cfg, deps); err != nil {
		return nil, fmt.Errorf("analyze: %w", err)
	}
	r.arrivals, r.forecasts = newArrivals(cfg, conn), newForecasts(cfg, deps.DB, deps.Objectives)
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

// look is one of the rounds that the runner makes. It keeps what it finds in as
// many inserts as it likes.
type look struct {
	name string
	make func(ctx context.Context, now time.Time, keep keeper) error
	// pause is how long after a look that took so long the next one begins.
	pause func(took time.Duration) time.Duration
}

// keeper writes findings that belong together.
type keeper func([]Finding) error

// looks returns the rounds. What a page stands on has one of its own, so that
// comparing many features, or catching up with past days, never delays it.
func (r *Runner) looks() []look {
	every := func(took time.Duration) time.Duration { return max(r.cfg.Interval-took, 0) }
	return []look{
		{"service", r.lookService, every}, {"counts", r.lookCounts, r.pauseCounts}, {"features", r.lookFeatures, every},
		{"ledger", r.lookLedger, every}, {"arrival", r.lookArrival, every}, {"estimates", r.lookEstimates, every},
		{"budgets", r.lookBudgets, r.pauseBudgets},
	}
}

// Run looks until the context ends, at once and then again and again. A look that
// ends in an error is counted and logged; the next one looks again.
func (r *Runner) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	for _, l := range r.looks() {
		loops.Go(func() { r.repeat(ctx, l) })
	}
	loops.Wait()
	return nil
}

func (r *Runner) repeat(ctx context.Context, l look) {
	var before complaints
	for {
		began := time.Now()
		_, err := r.step(ctx, l)
		pause := l.pause(time.Since(began))
		if err != nil && ctx.Err() == nil {
			r.metrics.errors.Inc()
			level := slog.LevelDebug
			if before.news(err, r.now()) {
				level = slog.LevelError
			}
			r.log.Log(ctx, level, "analysis was incomplete and will be repeated", "look", l.name, "err", err, "after", pause)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Step makes every look once and returns what was found and written. What one
// model or analyzer cannot say does not keep the others from being written:
// their findings are stored and the errors returned.
func (r *Runner) Step(ctx context.Context) ([]Finding, error) {
	var (
		findings []Finding
		errs     []error
	)
	r.counted.tell() // whatever was written lately
	for _, l := range r.looks() {
		found, err := r.step(ctx, l)
		findings, errs = append(findings, found...), append(errs, err)
	}
	return findings, errors.Join(errs...)
}

// step makes one look and returns the findings that were written.
func (r *Runner) step(ctx context.Context, l look) ([]Finding, error) {
	at := r.now()
	var written []Finding
	err := l.make(ctx, at, func(findings []Finding) error {
		if len(findings) == 0 {
			return nil
		}
		if err := r.write(ctx, findings); err != nil {
			return err
		}
		written = append(written, findings...)
		return nil
	})
	if err == nil {
		r.metrics.last.WithLabelValues(l.name).Set(float64(at.Unix()))
	}
	return written, err
}

// write stores findings in one insert, with the time of writing.
func (r *Runner) write(ctx context.Context, findings []Finding) error {
	at := r.now()
	for i := range findings {
		findings[i].At = at
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
		return err
	}
	r.metrics.findings.Add(float64(len(findings)))
	return nil
}

// lookService looks at the quality of every model and the burn of the objectives
// on quality. All it finds is one insert of one time: readers take the newest
// time of an SLO for its newest look.
func (r *Runner) lookService(ctx context.Context, now time.Time, keep keeper) error {
	models, err := serving(ctx, r.db.Conn(), "", now)
	if err != nil {
		return err // nobody is known to serve, which must not read as nobody serves
	}
	byModel := make(map[plumbline.Model]traffic, len(models))
	for _, t := range models {
		byModel[t.model] = t
	}
	findings, err := r.within(ctx, func(ctx context.Context) ([]Finding, error) { return r.lookQuality(ctx, models) })
	errs := []error{err}
	for _, o := range r.objectives {
		if !o.SLO.SLI.Is(plumbline.SLIQuality) {
			continue
		}
		found, err := r.within(ctx, func(ctx context.Context) ([]Finding, error) { return r.lookBurn(ctx, o, byModel[o.SLO.Model]) })
		findings, errs = append(findings, found...), append(errs, err)
	}
	return errors.Join(append(errs, keep(findings))...)
}

// lookFeatures looks at what every model saw: drift, data quality, and what
// labels say of both. A model's findings are kept before the next model is looked
// at, so that a slow one neither delays nor ages those of the others.
func (r *Runner) lookFeatures(ctx context.Context, now time.Time, keep keeper) error {
	// The alarm knows how past days varied, by which drift is judged.
	looks := []func(context.Context, traffic, time.Time) ([]Finding, error){r.alarms.look, r.lookDrift, r.dataQuality.look, r.labelLook.look, r.proxies.look, r.declared.look}
	return r.eachModel(ctx, now, func(t traffic) error {
		var (
			findings []Finding
			errs     []error
		)
		for _, look := range looks {
			found, err := r.within(ctx, func(ctx context.Context) ([]Finding, error) { return look(ctx, t, now) })
			findings, errs = append(findings, found...), append(errs, err)
		}
		return errors.Join(append(errs, keep(findings))...)
	})
}

// lookEstimates says of every model how mature its windows are and what they will
// be.
func (r *Runner) lookEstimates(ctx context.Context, now time.Time, keep keeper) error {
	return r.eachModel(ctx, now, func(t traffic) error { return r.keepOne(ctx, t, now, keep, r.forecasts.look) })
}

// keepOne looks at one model and keeps what was found, beside an error too.
func (r *Runner) keepOne(ctx context.Context, t traffic, now time.Time, keep keeper, look func(context.Context, traffic, time.Time) ([]Finding, error)) error {
	found, err := r.within(ctx, func(ctx context.Context) ([]Finding, error) { return look(ctx, t, now) })
	if kept := keep(slices.Clone(found)); kept != nil {
		return kept
	}
	return err
}

// within looks for as long as the runner is patient.
func (r *Runner) within(ctx context.Context, look func(context.Context) ([]Finding, error)) ([]Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	return look(ctx)
}

// eachModel looks at every model that served lately.
func (r *Runner) eachModel(ctx context.Context, now time.Time, look func(traffic) error) error {
	models, err := serving(ctx, r.db.Conn(), "", now)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range models {
		errs = append(errs, look(t))
	}
	return errors.Join(errs...)
}

type metrics struct {
	findings, errors prometheus.Counter
	uncounted        prometheus.Gauge
	last             *prometheus.GaugeVec // by look
}

func newMetrics() metrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "plumbline", Subsystem: "analyze", Name: name, Help: help}
	}
	return metrics{
		findings:  prometheus.NewCounter(prometheus.CounterOpts(opts("findings_total", "Rows of findings written."))),
		errors:    prometheus.NewCounter(prometheus.CounterOpts(opts("step_errors_total", "Looks in which something could not be looked at."))),
		uncounted: prometheus.NewGauge(prometheus.GaugeOpts(opts("uncounted_seconds", "Event time that is not counted yet, of the indicator that has most of it left: one that is new, or fell behind."))),
		last:      prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("last_complete_step_timestamp_seconds", "Unix time of the last look that saw everything: service is quality and its burn, counts is the burn of what is counted as it comes, features is drift and data quality, ledger is what became of alarms, arrival is whether labels come, estimates is maturity and quality before labels, budgets is what is left of error budgets.")), []string{"look"}),
	}
}

func (m metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{m.findings, m.errors, m.uncounted, m.last} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}
