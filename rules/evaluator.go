package rules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	promrules "github.com/prometheus/prometheus/rules"
)

// Alert is Prometheus' alert: labels, annotations, state and times.
type Alert = promrules.Alert

// StateFiring is the state of an alert that holds.
const StateFiring = promrules.StateFiring

// Notify receives the alerts of one rule whenever one of them changes, and those
// still firing again every Config.ResendDelay. A resolved alert has ResolvedAt
// set and is repeated for 15 minutes; a firing one is over at ValidUntil unless
// repeated. Expr is the rule's expression. It has to return soon: the group's
// evaluation waits for it.
type Notify func(ctx context.Context, expr string, alerts ...*Alert)

// Config of the evaluator.
type Config struct {
	// Interval is how often rules without an interval of their own are
	// evaluated. A series that is not refreshed for two of them is gone.
	Interval time.Duration `yaml:"interval"`
	// RulesDir holds the rule files: every *.yml and *.yaml in it is evaluated,
	// the generated one and the user's own alike.
	RulesDir string `yaml:"rules_dir"`
	// StateFile keeps the alerts' state over restarts.
	StateFile string `yaml:"state_file"`
	// ExternalURL is where people reach this process; it stands in templates.
	ExternalURL string `yaml:"-"`
	// Lookback is how far back range selectors see.
	Lookback time.Duration `yaml:"lookback"`
	// SourceTimeout bounds one read of the findings, and one PromQL query over them.
	SourceTimeout time.Duration `yaml:"source_timeout"`
	// MaxSampleAge is the age beyond which a sample counts as not given.
	MaxSampleAge time.Duration `yaml:"max_sample_age"`
	// HoldBlind is how long the last ratios of an SLO that nothing is known of
	// any more keep its alerts as they are.
	HoldBlind time.Duration `yaml:"hold_blind"`
	// ResendDelay is how often a firing alert is sent again.
	ResendDelay time.Duration `yaml:"resend_delay"`
	// OutageTolerance is the longest stop after which `for` is resumed.
	OutageTolerance time.Duration `yaml:"outage_tolerance"`
}

// DefaultConfig returns Prometheus' habits with an evaluation every 15 seconds;
// RulesDir and StateFile have no default.
func DefaultConfig() Config {
	return Config{
		Interval:        15 * time.Second,
		Lookback:        time.Hour,
		SourceTimeout:   10 * time.Second,
		MaxSampleAge:    15 * time.Minute,
		HoldBlind:       6 * time.Hour,
		ResendDelay:     time.Minute,
		OutageTolerance: time.Hour,
	}
}

// Validate returns an error that names every field that cannot be used.
func (c Config) Validate() error {
	var errs []error
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"interval", c.Interval}, {"lookback", c.Lookback}, {"source_timeout", c.SourceTimeout},
		{"max_sample_age", c.MaxSampleAge}, {"hold_blind", c.HoldBlind},
		{"resend_delay", c.ResendDelay}, {"outage_tolerance", c.OutageTolerance},
	} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("%s: %v is not positive", d.field, d.value))
		}
	}
	if c.Lookback > 0 && c.Lookback < 3*c.Interval {
		errs = append(errs, fmt.Errorf("lookback: %v is under three intervals of %v", c.Lookback, c.Interval))
	}
	if c.RulesDir == "" {
		errs = append(errs, errors.New("rules_dir: is empty"))
	}
	if c.StateFile == "" {
		errs = append(errs, errors.New("state_file: is empty"))
	}
	if _, err := url.Parse(c.ExternalURL); err != nil {
		errs = append(errs, fmt.Errorf("external_url: %w", err))
	}
	return errors.Join(errs...)
}

// Dependencies of the evaluator.
type Dependencies struct {
	Source FindingSource
	Notify Notify
	// Turn reports whether this evaluator has the duty of a rule group now: whose
	// alerts it does not speak of, it evaluates all the same, so that `for` and
	// `keep_firing_for` go on where they were when it takes over. Nil has every
	// duty.
	Turn   func(group string) bool
	Logger *slog.Logger
	// Registerer gets the metrics of Prometheus' rule manager and engine and
	// plumbline's own. It needs to be one that no other evaluator uses, wrapped
	// with the prefix that both are to have: cmd takes plumbline_rules_.
	Registerer prometheus.Registerer
}

// Evaluator evaluates rule files with Prometheus' rule manager and engine over
// the series of a FindingSource.
type Evaluator struct {
	cfg     Config
	deps    Dependencies
	memory  *memory
	view    *view
	parser  parser.Parser
	metrics evaluatorMetrics
	ready   chan struct{}

	mu sync.Mutex
	// manager is nil before Run and after it.
	manager *promrules.Manager
	ledger  ledger
	lately  lately
	sooner  sooner
	turns   turns
	keeper  keeper
}

type evaluatorMetrics struct {
	sourceErrors prometheus.Counter
	stateErrors  prometheus.Counter
	held         prometheus.GaugeFunc
}

// New returns an evaluator that does nothing yet. An error names the field of
// the configuration or the dependency that is missing.
func New(cfg Config, deps Dependencies) (*Evaluator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if deps.Source == nil || deps.Notify == nil || deps.Logger == nil || deps.Registerer == nil {
		return nil, errors.New("rules: source, notify, logger and registerer are all needed")
	}
	e := &Evaluator{cfg: cfg, deps: deps, memory: newMemory(cfg.Lookback), parser: parser.NewParser(parser.Options{}),
		sooner: sooner{wake: make(chan struct{}, 1)}, ready: make(chan struct{})}
	e.view = &view{
		source: deps.Source, memory: e.memory, live: make(map[string]*liveSeries),
		interval: cfg.Interval, timeout: cfg.SourceTimeout, maxAge: cfg.MaxSampleAge, holdBlind: cfg.HoldBlind,
		onError: func(err error) {
			e.metrics.sourceErrors.Inc()
			deps.Logger.Warn("findings could not be read; alerts stay as they are", "err", err)
		},
	}
	e.ledger = ledger{path: cfg.StateFile, memory: e.memory, view: e.view}
	e.metrics = evaluatorMetrics{
		sourceErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "source_errors_total", Help: "Reads of the findings that gave an error."}),
		stateErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "state_errors_total", Help: "Writes of the alert state that gave an error."}),
		held: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "held_series", Help: "Error ratios shown with their last value because nothing newer is known."},
			func() float64 { return float64(e.view.heldSeries()) }),
	}
	return e, nil
}

// Run evaluates the rules until ctx ends, then finishes the evaluation under
// way, writes the state and returns nil. It returns an error if the state or a
// rule file cannot be read, or the last state not be written. It may be called
// once.
func (e *Evaluator) Run(ctx context.Context) error {
	if err := e.ledger.load(time.Now(), e.validity()); err != nil {
		return err
	}
	e.keeper.remember(e.ledger.formerly(time.Now().Add(-e.cfg.OutageTolerance)))
	for _, c := range []prometheus.Collector{e.metrics.sourceErrors, e.metrics.stateErrors, e.metrics.held} {
		if err := e.deps.Registerer.Register(c); err != nil {
			return fmt.Errorf("register metrics of rules: %w", err)
		}
	}
	external, err := url.Parse(e.cfg.ExternalURL)
	if err != nil {
		return fmt.Errorf("rules: external_url: %w", err)
	}
	// An evaluation under way when ctx ends is finished, not broken off: its
	// notifications may be half sent.
	e.mu.Lock()
	manager := e.newManager(context.WithoutCancel(ctx), external)
	e.manager = manager
	err = e.update()
	e.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		manager.Run()
	}()
	if err == nil {
		close(e.ready)
		e.sooner.run(ctx, func(groups map[string]bool) { e.evaluateNow(context.WithoutCancel(ctx), manager, groups) })
	}
	e.mu.Lock()
	e.manager = nil
	e.mu.Unlock()
	manager.Stop()
	<-done
	if err != nil {
		return err
	}
	return e.ledger.save(time.Now())
}

// Ready is closed once the rule files are in force, and never if they cannot be.
func (e *Evaluator) Ready() <-chan struct{} { return e.ready }

func (e *Evaluator) newManager(ctx context.Context, external *url.URL) *promrules.Manager {
	engine := promql.NewEngine(promql.EngineOpts{
		Logger: e.deps.Logger, Reg: e.deps.Registerer, Parser: e.parser,
		MaxSamples: 50_000_000, Timeout: e.cfg.SourceTimeout,
		// Seen at the refresh, one interval and two intervals later, not at three.
		LookbackDelta:    2*e.cfg.Interval + time.Millisecond,
		EnableAtModifier: true, EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 { return e.cfg.Interval.Milliseconds() },
	})
	return promrules.NewManager(&promrules.ManagerOptions{
		Context: ctx, ExternalURL: external, Logger: e.deps.Logger, Registerer: e.deps.Registerer,
		QueryFunc:  promrules.EngineQueryFunc(engine, e.memory),
		NotifyFunc: e.notify, Appendable: e.memory, Queryable: e.memory, Parser: e.parser,
		ResendDelay: e.cfg.ResendDelay, OutageTolerance: e.cfg.OutageTolerance,
		// Zero, so that a rule with any `for`, and with none, is restored
		// (prometheus#15175: a shorter `for` than this is not).
		ForGracePeriod: 0,
	})
}

// Reload reads the rule files again; alerts whose rule is unchanged keep their
// state. After an error the former rules stay in force.
func (e *Evaluator) Reload() error {
	// No group is taken away while Soon is at it.
	e.sooner.busy.Lock()
	defer e.sooner.busy.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.manager == nil {
		return errors.New("reload rules: the evaluator is not running")
	}
	return e.update()
}

// update hands the rule files to the manager, which logs what is wrong with
// them and returns no more than that something is; so they are checked first.
func (e *Evaluator) update() error {
	files, err := ruleFiles(e.cfg.RulesDir)
	if err != nil {
		return err
	}
	if err := checkFiles(files, e.parser, e.deps.Logger); err != nil {
		return err
	}
	if err := e.manager.Update(e.cfg.Interval, files, labels.EmptyLabels(), e.cfg.ExternalURL, e.inOrder); err != nil {
		return fmt.Errorf("load rule files: %w", err)
	}
	return nil
}

// CheckOwn returns what is wrong with the rule files that stand in a directory beside
// the generated one, and that an evaluator would refuse to start with. There need not
// be such a directory, which is made at the first start, and who checks a configuration
// need not be the user that may look into it.
func CheckOwn(dir string) error {
	files, err := ruleFiles(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	own := slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == GeneratedFile })
	return checkFiles(own, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
}

func checkFiles(files []string, p parser.Parser, log *slog.Logger) error {
	var errs []error
	for _, file := range files {
		_, bad := rulefmt.ParseFile(file, false, model.UTF8Validation, p, log)
		errs = append(errs, bad...)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("read rule files: %w", err)
	}
	return nil
}

func ruleFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read rule files: %w", err)
	}
	var files []string
	for _, entry := range entries {
		if ext := filepath.Ext(entry.Name()); !entry.IsDir() && (ext == ".yml" || ext == ".yaml") {
			files = append(files, filepath.Join(dir, entry.Name()))
		}
	}
	slices.Sort(files)
	return files, nil
}

// evaluate is one iteration of one group.
func (e *Evaluator) evaluate(ctx context.Context, g *promrules.Group, ts time.Time) {
	if e.turns.begin(keyOf(g), e.turn(g.Name())) {
		sayAgain(g)
	}
	ctx = context.WithValue(ctx, groupKey{}, g)
	e.view.refresh(ctx, ts)
	promrules.DefaultEvalIterationFunc(ctx, g, ts)
	e.keep(ctx, g, ts)
	e.countState(e.ledger.saveEvery(ts, e.cfg.Interval))
}

// notify puts firing alerts on disk before they are handed on, or leaves them to
// whoever has the duty.
func (e *Evaluator) notify(ctx context.Context, expr string, alerts ...*Alert) {
	if len(alerts) == 0 {
		return
	}
	if g, ok := ctx.Value(groupKey{}).(*promrules.Group); ok && !e.turn(g.Name()) {
		e.turns.begin(keyOf(g), false)
		return
	}
	e.countState(e.ledger.record(time.Now(), expr, alerts))
	e.deps.Notify(ctx, expr, alerts...)
	e.ledger.settle(alerts)
}

func (e *Evaluator) countState(err error) {
	if err != nil {
		e.metrics.stateErrors.Inc()
		e.deps.Logger.Error("alert state was not written; a restart would forget it", "err", err)
	}
}

// validity is how long an alert counts as firing after it was sent; the rule
// manager says the same of those it sends.
func (e *Evaluator) validity() time.Duration { return 4 * max(e.cfg.Interval, e.cfg.ResendDelay) }

// ActiveAlerts returns the alerts that were sent as firing and not as resolved.
// Before Run it reads those of the former process from the state file, valid for
// as long as a repeat takes: alerting is seeded with them, so that an alert that
// ended in between resolves.
func (e *Evaluator) ActiveAlerts() ([]*Alert, error) {
	now := time.Now()
	if err := e.ledger.load(now, e.validity()); err != nil {
		return nil, err
	}
	return e.ledger.firingAt(now), nil
}
