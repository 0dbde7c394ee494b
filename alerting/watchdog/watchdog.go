package watchdog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// Config says when the service counts as blind, and whom a heartbeat tells that it
// is alive.
type Config struct {
	// Every is how often everything is looked at. With the limit of a probe and
	// alerting's group_wait it is how soon blindness is paged. Default 5 s.
	Every time.Duration `yaml:"every"`
	// Limit is how far behind anything may be before it counts as blind.
	// Default 40 s, so that the page comes within a minute.
	Limit time.Duration `yaml:"limit"`
	// HeartbeatURL is sent a POST every HeartbeatEvery as long as alerts are
	// handled; its silence is what pages. HeartbeatURLFile holds it where it is
	// a secret. Default none, and 15 s.
	HeartbeatURL     string        `yaml:"heartbeat_url"`
	HeartbeatURLFile string        `yaml:"heartbeat_url_file"`
	HeartbeatEvery   time.Duration `yaml:"heartbeat_every"`
	// Name is what the heartbeat calls this service. Default the host's name.
	Name string `yaml:"name"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Every: 5 * time.Second, Limit: 40 * time.Second, HeartbeatEvery: 15 * time.Second}
}

// Validate returns every problem, each naming its key.
func (c Config) Validate() error {
	var errs []error
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"every", c.Every}, {"limit", c.Limit}, {"heartbeat_every", c.HeartbeatEvery}} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("%s: %s is not above zero", d.key, d.value))
		}
	}
	if c.HeartbeatURL != "" && c.HeartbeatURLFile != "" {
		errs = append(errs, errors.New("heartbeat_url: give heartbeat_url or heartbeat_url_file, not both"))
	}
	if u := c.HeartbeatURL; u != "" && !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
		errs = append(errs, fmt.Errorf("heartbeat_url: %q is not an http or https URL", u))
	}
	return errors.Join(errs...)
}

// Probe asks one part how far behind it is.
type Probe struct {
	// Alert is the name of the alert, Object what it is about.
	Alert, Object string
	// Summary is the headline; Runbook a page about it, or empty.
	Summary, Runbook string
	// Limit is the part's own bound, if its work is rarer than Config.Limit
	// allows; zero takes that.
	Limit time.Duration
	// Lag returns how far behind the part is, and in words what is. An error is
	// blindness since the last time that there was none.
	Lag func(ctx context.Context, now time.Time) (lag time.Duration, what string, err error)
}

// Handler takes alerts and says when one last went all the way.
type Handler interface {
	Send(ctx context.Context, alerts ...alerting.Alert) error
	LastBeat() time.Time
}

// Dependencies of the watchdog. Direct may be nil: then nobody hears that
// alerting itself is stuck but those who miss the heartbeat.
type Dependencies struct {
	Handler  Handler
	Direct   alerting.Notifier
	Owner    plumbline.OwnerEntry
	Probes   []Probe
	Registry prometheus.Registerer
	Log      *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// AlertStuck is the alert that alerting itself is stuck; it goes the direct way.
const AlertStuck = "AlertingStuck"

// Watchdog looks at every probe on its own: one that hangs keeps no other
// waiting, and is blind itself. Make it with New, run it with Run.
type Watchdog struct {
	cfg    Config
	deps   Dependencies
	began  time.Time
	lag    *prometheus.GaugeVec
	blind  *prometheus.GaugeVec
	failed *prometheus.CounterVec

	mu     sync.Mutex
	probes []state
	stuck  state
	// sending says that alerting has not answered yet, taken is when it last took
	// what it was given.
	sending bool
	taken   time.Time
	// direct is the memory of the direct way, words what it has said of alerting and
	// then of every probe. Only the look uses them.
	direct memory
	words  []word
}

// state is what is known of one probe.
type state struct {
	seen    time.Time // last answer that was within the limit, or without an error
	since   time.Time // blind since; zero if it sees
	what    string
	asking  bool
	telling bool // the end is to be told
}

// New returns a watchdog that looks at nothing yet.
func New(cfg Config, deps Dependencies) (*Watchdog, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("watchdog: %w", err)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if cfg.Name == "" {
		cfg.Name = "plumbline"
		if host, err := os.Hostname(); err == nil {
			cfg.Name = host
		}
	}
	w := &Watchdog{
		cfg: cfg, deps: deps, probes: make([]state, len(deps.Probes)), direct: make(memory), words: make([]word, 1+len(deps.Probes)),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "plumbline_watchdog_lag_seconds", Help: "How far behind a part is.",
		}, []string{"alert", "object"}),
		blind: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "plumbline_watchdog_blind", Help: "1 while a part is further behind than its limit.",
		}, []string{"alert", "object"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plumbline_watchdog_failures_total", Help: "What the watchdog could not do, by operation.",
		}, []string{"operation"}),
	}
	for _, c := range []prometheus.Collector{w.lag, w.blind, w.failed} {
		if err := deps.Registry.Register(c); err != nil {
			return nil, fmt.Errorf("watchdog: register metrics: %w", err)
		}
	}
	w.began = deps.Now()
	return w, nil
}

// Run looks until ctx is done.
func (w *Watchdog) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	w.mu.Lock()
	w.began = w.deps.Now()
	for i := range w.probes {
		w.probes[i].seen = w.began
	}
	w.stuck.seen, w.taken = w.began, w.began
	w.mu.Unlock()
	parts.Go(func() { w.beat(ctx) })
	ticker := time.NewTicker(w.cfg.Every)
	defer ticker.Stop()
	for {
		for i := range w.deps.Probes {
			if w.begin(i) {
				parts.Go(func() { w.ask(ctx, i) })
			}
		}
		// Nothing is told any more once the service ends: its parts end too.
		if ctx.Err() == nil {
			w.tell(ctx)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// begin reports whether a probe is to be asked: one that hangs is not asked
// again.
func (w *Watchdog) begin(i int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.probes[i].asking {
		return false
	}
	w.probes[i].asking = true
	return true
}

func (w *Watchdog) ask(ctx context.Context, i int) {
	p := w.deps.Probes[i]
	limited, cancel := context.WithTimeout(ctx, w.limit(p))
	defer cancel()
	lag, what, err := p.Lag(limited, w.deps.Now())
	now := w.deps.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	s := &w.probes[i]
	s.asking = false
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.what = "It cannot be asked: " + err.Error()
	default:
		s.what = what
		s.seen = now.Add(-lag)
	}
}

func (w *Watchdog) limit(p Probe) time.Duration { return max(p.Limit, w.cfg.Limit) }

// judge turns how long ago each part was seen into what is blind now, and names
// the parts whose end is among it. The lock is held.
func (w *Watchdog) judge(now time.Time) (alerts []alerting.Alert, over []int) {
	for i, p := range w.deps.Probes {
		s := &w.probes[i]
		behind := now.Sub(s.seen)
		w.lag.WithLabelValues(p.Alert, p.Object).Set(behind.Seconds())
		s.mark(behind > w.limit(p), now)
		w.blind.WithLabelValues(p.Alert, p.Object).Set(flag(!s.since.IsZero()))
		if a, ok := s.alert(p, w.deps.Owner, now, w.cfg); ok {
			alerts = append(alerts, a)
			if s.since.IsZero() {
				over = append(over, i)
			}
		}
	}
	return alerts, over
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

func (s *state) mark(blind bool, now time.Time) {
	switch {
	case blind && s.since.IsZero():
		s.since = now
	case !blind && !s.since.IsZero():
		s.since, s.telling = time.Time{}, true
	}
}

// alert returns what alerting is to be told of a part, if anything.
func (s *state) alert(p Probe, owner plumbline.OwnerEntry, now time.Time, cfg Config) (alerting.Alert, bool) {
	if s.since.IsZero() && !s.telling {
		return alerting.Alert{}, false
	}
	a := alerting.Alert{
		Labels: map[string]string{
			plumbline.LabelAlert: p.Alert, plumbline.LabelObject: p.Object, plumbline.LabelSeverity: plumbline.SeverityPage, plumbline.LabelOwner: string(owner.Name),
		},
		Annotations: map[string]string{plumbline.AnnotationSummary: p.Summary, plumbline.AnnotationDescription: s.what},
		StartsAt:    s.since, EndsAt: now.Add(10 * cfg.Every),
	}
	if p.Runbook != "" {
		a.Annotations[plumbline.AnnotationRunbook] = p.Runbook
	}
	if s.since.IsZero() {
		a.StartsAt, a.EndsAt = now, now
	}
	return a, true
}
