package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/email"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
	"github.com/plumbline-slo/plumbline/alerting/slack"
	"github.com/plumbline-slo/plumbline/alerting/webhook"
	"github.com/plumbline-slo/plumbline/analyze"
	"github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/drift/cluster"
	qualityask "github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/dashboards"
	pages "github.com/plumbline-slo/plumbline/dashboards/web"
	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/ingest/dial"
	"github.com/plumbline-slo/plumbline/ingest/join"
	"github.com/plumbline-slo/plumbline/rules"
	"github.com/plumbline-slo/plumbline/rules/promapi"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/broker"
)

// App is the service. New checks, Run does everything.
type App struct {
	cfg      Config
	log      *slog.Logger
	extra    []alerting.Channel
	slos     []plumbline.SLO
	registry registry

	// What Run has built; valid once ready is closed.
	ready      chan struct{}
	isReady    atomic.Bool
	away       atomic.Pointer[error] // of a server that is awaited
	failed     chan struct{}         // closed when Run has returned
	db         *storage.DB
	reads      *storage.DB // as the user that may only read; nil without one
	prometheus *promapi.API
	rules      *rules.Evaluator
	engine     *engine.Engine // nil with a real ClickHouse
	troubles   *troubles
	canaries   *canaries
	stored     chan struct{} // closed when ClickHouse has the tables
	web        *webServer
	slack      *slack.Channel
	pagerduty  *pagerduty.Channel
	brokers    []string
	dialer     *dial.Dialer
	dashboards int
}

// New reads the SLO files and builds nothing yet. Channels are notifiers beside
// Slack and PagerDuty.
func New(cfg Config, log *slog.Logger, channels ...alerting.Channel) (*App, error) {
	slos, err := cfg.SLOs()
	if err != nil {
		return nil, err
	}
	for _, w := range cfg.warnings(slos) {
		log.Warn("configuration", "at", w.At, "field", w.Field, "warning", w.Text)
	}
	return &App{
		cfg: cfg.placed(), log: log, extra: channels, slos: slos, registry: newRegistry(), stored: make(chan struct{}),
		ready: make(chan struct{}), failed: make(chan struct{}),
	}, nil
}

// Run builds the parts in the order of the data, runs them until ctx is done or
// one dies, and stops them in reverse.
//
//	kafka ─ clickhouse ─ web ─ alerting ─ troubles ─ watchdog ─ schema ─ rules ─ analyze ─ join ─ ingest
//
// What answers comes before what asks: alerting is there before a rule can
// fire, and events flow only when everything behind them stands. ClickHouse is
// awaited only when /-/ready and the alerts can say why it does not come, and Kafka
// when rules are evaluated. The function is one straight line on purpose; each part
// stops by the stack.
func (a *App) Run(ctx context.Context) (err error) {
	defer close(a.failed)
	unlock, err := lockDirs(a.cfg.ownDirs())
	if err != nil {
		return err
	}
	parts := newStack(a.log)
	// Parts that stop still write, so ClickHouse's client closes after them.
	defer func() {
		begun := time.Now()
		if err != nil && ctx.Err() != nil && !a.isReady.Load() {
			a.log.Info("told to stop while starting", "was", err)
			err = nil // whatever was waited for was broken off
		}
		err = errors.Join(err, parts.stopAll(err), a.closeStorage(), unlock())
		a.log.Info("stopped", "took", time.Since(begun).Round(time.Millisecond))
	}()

	if err := a.startKafka(parts); err != nil {
		return err
	}
	if err := a.startClickHouse(ctx, parts); err != nil {
		return err
	}
	if err := a.tell(parts); err != nil {
		return err
	}
	if a.web, err = newWebServer(a.cfg.Web, a.registry, a.unready, a.log); err != nil {
		return err
	}
	runner, err := a.newAnalyze()
	if err != nil {
		return err
	}
	speaks, err := a.newSpeaker()
	if err != nil {
		return err
	}
	evaluator, alerts, err := a.newAlerting(runner, speaks)
	if err != nil {
		return err
	}
	joiner, err := join.New(a.cfg.Join, join.Dependencies{DB: a.db, Registerer: a.registry, Log: a.log})
	if err != nil {
		return err
	}
	watches, err := a.newWatchdog(alerts, evaluator, speaks, joiner)
	if err != nil {
		return err
	}
	if err := a.startButtons(parts, alerts, runner); err != nil {
		return err
	}
	if err := a.mountPages(alerts); err != nil {
		return err
	}
	if err := a.mountIngest(parts); err != nil {
		return err
	}
	parts.start("web", a.web.run)
	parts.start("alerting", alerts.Run)
	if err := await(ctx, alerts.Ready(), parts); err != nil {
		return err
	}
	a.startTroubles(parts, alerts)
	parts.start("watchdog", watches.Run)
	if err := a.awaitClickHouse(ctx, parts); err != nil {
		return err
	}
	if err := a.startDeployNews(parts); err != nil {
		return err
	}
	speaks.start(parts, evaluator)
	parts.start("canaries", a.canaries.run)
	parts.start("rules", evaluator.Run)
	// A service that said it is ready, and had no rules yet, refused a reload.
	if err := await(ctx, evaluator.Ready(), parts); err != nil {
		return err
	}
	parts.start("analyze", runner.Run)
	parts.start("join", joiner.Run)
	ingester, err := a.newIngest(ctx, parts)
	if err != nil {
		return err
	}
	parts.start("ingest", ingester.Run)
	a.isReady.Store(true)
	close(a.ready)
	a.log.Info("ready", "page", a.web.externalURL(), "kafka", a.brokers, "slos", len(a.slos))
	return parts.wait(ctx)
}

func (a *App) startKafka(parts *stack) (err error) {
	if a.dialer, err = dial.New(a.cfg.Kafka.Config); err != nil {
		return err
	}
	a.brokers = a.cfg.Kafka.Brokers
	if len(a.brokers) > 0 {
		return nil
	}
	b, err := broker.New(a.cfg.Kafka.Embedded)
	if err != nil {
		return err
	}
	if err := b.Start(); err != nil {
		return err
	}
	a.brokers = b.Addresses()
	parts.start("kafka", func(ctx context.Context) error {
		<-ctx.Done()
		b.Close()
		return nil
	})
	return nil
}

// startClickHouse starts the embedded engine, if it is the one, as far as its
// address; what is wrong with it from then on is a trouble that people hear of.
func (a *App) startClickHouse(ctx context.Context, parts *stack) (err error) {
	about := defaultTroublesConfig()
	about.Owner = a.cfg.Alerting.ServiceOwner
	if a.troubles, err = newTroubles(about, a.registry, a.log); err != nil {
		return err
	}
	cfg := a.cfg.ClickHouse
	if a.cfg.embedsClickHouse() {
		of := a.cfg.engineConfig()
		object := engineObject(of.DataDir)
		of.OnCrashLoop = func(cause error) { a.troubles.crashLoop(object, cause) }
		a.engine = engine.New(of, a.log)
		if err := registerEngine(a.registry, a.engine); err != nil {
			return err
		}
		parts.start("clickhouse", a.engine.Run)
		if err := a.engine.WaitAddress(ctx); err != nil {
			return fmt.Errorf("embedded clickhouse: %w", err)
		}
		cfg.DSN = a.engine.DSN()
	}
	a.db, err = storage.New(cfg)
	return err
}

func (a *App) closeStorage() error {
	var errs []error
	for _, db := range []*storage.DB{a.db, a.reads} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// startTroubles begins to tell people what is wrong with the service itself.
func (a *App) startTroubles(parts *stack, alerts *alerting.Service) {
	a.troubles.cfg.Base = a.web.externalURL()
	a.troubles.sender, a.troubles.history = alerts, notices{db: a.db.Derived()}
	parts.start("troubles", a.troubles.run)
	if a.engine != nil {
		of := a.cfg.engineConfig()
		w := &engineWatch{troubles: a.troubles, engine: a.engine, object: engineObject(of.DataDir), limit: of.DiskLimit}
		parts.start("engine watch", w.run)
	}
}

func (a *App) newAnalyze() (*analyze.Runner, error) {
	declared, err := rules.Objectives(a.slos)
	if err != nil {
		return nil, err
	}
	if err := a.openQueries(); err != nil {
		return nil, err
	}
	return analyze.New(a.cfg.Analyze, analyze.Dependencies{
		DB: a.db, Objectives: declared, Queries: a.queries(), PromQL: a.prometheus, Quality: a.cfg.DeclaredQuality(), Registerer: a.registry, Log: a.log,
		// There are rules before analyze runs.
		Changed: func(slos ...plumbline.SLOName) { a.rules.Soon(slos...) },
	})
}

// newAlerting builds the rules and the alerts, which need each other: rules
// send to alerting, alerting is seeded with what the rules know to fire.
func (a *App) newAlerting(runner *analyze.Runner, speaks *speaker) (*rules.Evaluator, *alerting.Service, error) {
	external := a.web.externalURL()
	if _, err := rules.WriteFile(a.cfg.Rules.RulesDir, a.slos, a.cfg.GenerateRules(external)); err != nil {
		return nil, nil, err
	}
	cfg := a.cfg.Rules.Config
	cfg.ExternalURL = external
	evaluator, err := rules.New(cfg, rules.Dependencies{
		Source: rules.FindingReader{Conn: a.db.Conn()},
		Notify: speaks.notify, Turn: speaks.turn(),
		Logger: a.log, Registerer: prometheus.WrapRegistererWithPrefix("plumbline_rules_", a.registry),
	})
	if err != nil {
		return nil, nil, err
	}
	a.rules = evaluator
	a.prometheus.Use(evaluator)
	channels, err := a.channels()
	if err != nil {
		return nil, nil, err
	}
	ofQuality, err := qualityask.New(a.db.Conn(), a.cfg.DeclaredQuality())
	if err != nil {
		return nil, nil, err
	}
	explains := explainer{runner: runner, base: external, stored: a.stored, conn: a.db.Conn(), asker: ofQuality, slos: map[plumbline.SLOName]plumbline.SLO{}}
	for _, slo := range a.slos {
		if !slo.SLI.Is(plumbline.SLIQuality) || !a.cfg.Analyze.Models[slo.Model].Feedback.Partial() { // whose budget nobody knows
			explains.slos[slo.Name] = slo
		}
	}
	a.canaries = &canaries{conn: a.db.Conn(), lasts: a.cfg.Alerting.CanaryWindow, every: canaryLook, log: a.log}
	alertingConfig := a.cfg.Alerting.Config
	alertingConfig.ExternalURL, alertingConfig.RoutePrefix = external, alertsPrefix
	alerts, err := alerting.New(alertingConfig, alerting.Deps{
		Channels: channels, Explainer: explains, Journal: notices{db: a.db.Derived()}, Recorder: storedIncidents{incidentRows{db: a.db.Derived()}, a.stored}, Windows: a.canaries, Correlator: a.canaries,
		Active: activeAlerts{evaluator}, Registry: a.registry, Logger: a.log,
	})
	speaks.local = alerts
	return evaluator, alerts, err
}

func (a *App) channels() ([]alerting.Channel, error) {
	toSlack, err := slack.New(a.cfg.Alerting.Slack, a.registry, slack.WithGate())
	if err != nil {
		return nil, err
	}
	toPagerDuty, err := pagerduty.New(a.cfg.Alerting.PagerDuty)
	if err != nil {
		return nil, err
	}
	byHook, byMail := a.cfg.Alerting.Webhook, a.cfg.Alerting.Email
	byHook.ExternalURL, byMail.ExternalURL = a.web.externalURL(), a.web.externalURL()
	toWebhook, err := webhook.New(byHook, time.Now)
	if err != nil {
		return nil, err
	}
	toMail, err := email.New(byMail, a.log)
	if err != nil {
		return nil, err
	}
	a.slack, a.pagerduty = toSlack, toPagerDuty
	return append([]alerting.Channel{toSlack, toPagerDuty, toWebhook, toMail}, a.extra...), nil
}

// newIngest returns when Kafka answers and has the topics.
func (a *App) newIngest(ctx context.Context, parts *stack) (*ingest.Ingester, error) {
	cfg := a.cfg.Ingest
	cfg.Brokers, cfg.Dialer = a.brokers, a.dialer
	prepare := func(ctx context.Context) error { return ingest.PrepareTopics(ctx, cfg, a.log) }
	if err := a.whileAway(ctx, parts, "Kafka", dial.Away, prepare); err != nil {
		return nil, err
	}
	deps := ingest.Dependencies{DB: a.db, Noticer: a.troubles, Registry: a.registry, Logger: a.log}
	if a.engine != nil {
		deps.Raw = rawGate{a.engine}
	}
	return ingest.New(cfg, deps)
}

// alertsPrefix is where Alertmanager's API v2 is served: amtool's
// --alertmanager.url is the external URL followed by it.
const alertsPrefix = "/alertmanager"

func (a *App) mountPages(alerts *alerting.Service) error {
	a.web.mountReload(a.Reload)
	a.web.mux.Handle(alertsPrefix+"/", alerts.Handler())
	a.web.mux.Handle(promapi.Path+"/", a.prometheus.Handler())
	declared, err := rules.Objectives(a.slos)
	if err != nil {
		return err
	}
	page, err := pages.New(pages.Config{Objectives: declared, Owners: a.cfg.Alerting.Owners, Models: a.cfg.declaredModels(), Partial: a.cfg.partialModels(), GrafanaURL: a.cfg.onCallURL()}, a.db.Conn())
	if err != nil {
		return err
	}
	a.web.mux.Handle("/", page)
	asker, err := ask.New(ask.DefaultConfig(), a.db.Conn())
	if err != nil {
		return err
	}
	a.web.mux.Handle("GET "+ask.Path, ask.Handler(asker.Clustered(cluster.NewKeeper(a.cfg.Analyze.Clusters, a.db.Conn())), a.log))
	ofQuality, err := qualityask.New(a.db.Conn(), a.cfg.DeclaredQuality())
	if err != nil {
		return err
	}
	ofQuality = ofQuality.Sliced(a.cfg.Slices())
	if a.reads != nil {
		ofQuality = ofQuality.Reading(a.reads.Conn())
	}
	estimates := forecast.DefaultConfig()
	estimates.History = a.cfg.Analyze.EstimateHistory
	a.web.mux.Handle("GET "+forecast.Path, forecast.Handler(forecast.Asker{Reader: history.Reader{Conn: a.db.Conn()}, Config: estimates}, a.log))
	a.web.mux.Handle("GET "+qualityask.Path, qualityask.Handler(ofQuality, a.log))
	if a.cfg.Dashboards.Dir == "" {
		return nil
	}
	a.dashboards, err = dashboards.Write(a.cfg.Dashboards.Dir, a.cfg.DashboardOptions(declared, a.web.externalURL())...)
	return err
}

// Reload has the rule files read again. The configuration and the SLO files are read at
// the start alone.
func (a *App) Reload() error {
	if !a.isReady.Load() {
		return errors.New("the service is starting, and has not read its files yet")
	}
	return a.rules.Reload()
}

// unready says why the service cannot serve now, nil if it can.
func (a *App) unready() error {
	if a.engine != nil && !a.engine.Ready() {
		if err := a.engine.Err(); err != nil {
			return fmt.Errorf("not ready: the embedded ClickHouse is %s: %w", a.engine.State(), err)
		}
		return fmt.Errorf("not ready: the embedded ClickHouse is %s", a.engine.State())
	}
	if err := a.away.Load(); err != nil {
		return fmt.Errorf("not ready: %w", *err)
	}
	if !a.isReady.Load() {
		return errors.New("not ready: starting")
	}
	return nil
}

// WaitReady returns when every part runs, or an error if Run ended first.
func (a *App) WaitReady(ctx context.Context) error {
	select {
	case <-a.ready:
		return nil
	case <-a.failed:
		return errors.New("the service ended before it was ready")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// DB returns the storage. It is valid after WaitReady, like the rest below.
func (a *App) DB() *storage.DB { return a.db }

// Brokers returns the Kafka addresses in use.
func (a *App) Brokers() []string { return a.brokers }

// Dialer returns what connects to Brokers.
func (a *App) Dialer() *dial.Dialer { return a.dialer }

// URL returns where people reach the service.
func (a *App) URL() string { return a.web.externalURL() }

// Dashboards returns the number of dashboards written.
func (a *App) Dashboards() int { return a.dashboards }

// EnginePID returns the process of the embedded ClickHouse, 0 with a real one.
func (a *App) EnginePID() int {
	if a.engine == nil {
		return 0
	}
	return a.engine.ChildPID()
}

// DiscoverDSN returns the DSN of the ClickHouse of a configuration: the
// configured one, or that of the embedded engine that a running service holds.
func (c Config) DiscoverDSN() (string, error) {
	if !c.ClickHouse.Embedded() {
		return c.ClickHouse.Address()
	}
	dsn, err := engine.Discover(filepath.Join(c.DataDir, "clickhouse"))
	if err != nil {
		return "", fmt.Errorf("%w; start it with plumbline serve, or set clickhouse.dsn", err)
	}
	return dsn, nil
}

// pageOf links the page of a model.
func pageOf(base string, model plumbline.Model) string {
	return base + "/models/" + url.PathEscape(string(model))
}
