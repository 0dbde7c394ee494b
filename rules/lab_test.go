package rules

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/promql"
	promrules "github.com/prometheus/prometheus/rules"

	"github.com/plumbline-slo/plumbline"
)

// fakeSource gives the rows it was last told.
type fakeSource struct {
	mu   sync.Mutex
	rows map[string]FindingRow
	err  error
}

func (f *fakeSource) Current(context.Context) ([]Sample, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	rows := slices.Collect(maps.Values(f.rows))
	for i := range rows {
		rows[i].At = time.Now()
	}
	return Samples(rows), nil
}

// set gives one deploy's bad shares over the two windows of testSLO, of so many
// labels that no noise does that.
func (f *fakeSource) set(deploy string, long, low, short float64) {
	f.row(deploy, "6h", long, low)
	f.row(deploy, "30m", short, short)
	f.quiet(deploy, 1e-12)
}

func (f *fakeSource) row(deploy, window string, value, low float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.rows == nil {
		f.rows = make(map[string]FindingRow)
	}
	verdict := plumbline.VerdictOK
	if math.IsNaN(value) {
		verdict = plumbline.VerdictInsufficient
	}
	f.rows[deploy+window] = FindingRow{
		Model: "flight-delay", Deploy: plumbline.DeployHash(deploy), SLO: "flights-accuracy",
		Window: window, Measure: plumbline.MeasureBadShare, Value: value, Low: low, Coverage: 0.8, Noise: math.NaN(), Verdict: verdict,
	}
}

func (f *fakeSource) drop(deploy string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.rows, deploy+"6h")
	delete(f.rows, deploy+"30m")
}

func (f *fakeSource) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// inbox keeps what was sent, as alertname/deploy=firing|resolved.
type inbox struct {
	mu     sync.Mutex
	alerts []*Alert
}

func (n *inbox) notify(_ context.Context, _ string, alerts ...*Alert) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.alerts = append(n.alerts, alerts...)
}

// take returns the states that were sent since the last call, repeats left out.
func (n *inbox) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var states []string
	for _, a := range n.alerts {
		state := "firing"
		if !a.ResolvedAt.IsZero() {
			state = "resolved"
		}
		s := a.Labels.Get("alertname") + "/" + a.Labels.Get(plumbline.LabelDeploy) + "=" + state
		if !slices.Contains(states, s) {
			states = append(states, s)
		}
	}
	n.alerts = nil
	return states
}

func (n *inbox) last(t *testing.T, alertname string) *Alert {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range slices.Backward(n.alerts) {
		if a.Labels.Get("alertname") == alertname {
			return a
		}
	}
	t.Fatalf("no %s among %d alerts", alertname, len(n.alerts))
	return nil
}

// lab is an evaluator over testdata/flights.yml: threshold 0.672 over 6h/30m.
type lab struct {
	t        *testing.T
	cfg      Config
	source   *fakeSource
	inbox    *inbox
	registry *prometheus.Registry
	eval     *Evaluator
	turn     func(group string) bool // nil has every duty
	stop     func()
}

func newLab(t *testing.T) *lab {
	t.Helper()
	dir := t.TempDir()
	slos, err := ParseFiles("testdata/flights.yml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := WriteFile(filepath.Join(dir, "rules"), slos, linked()); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.RulesDir = filepath.Join(dir, "rules")
	cfg.StateFile = filepath.Join(dir, "alerts.json")
	cfg.ExternalURL = "http://plumbline.example"
	return &lab{t: t, cfg: cfg, source: &fakeSource{}, inbox: &inbox{}}
}

// start runs a new process on the same files.
func (l *lab) start() {
	l.t.Helper()
	l.registry = prometheus.NewRegistry()
	eval, err := New(l.cfg, Dependencies{
		Source: l.source, Notify: l.inbox.notify, Turn: l.turn, Logger: slog.New(slog.DiscardHandler), Registerer: l.registry,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.eval = eval
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- eval.Run(ctx) }()
	l.stop = func() {
		l.t.Helper()
		cancel()
		if err := <-done; err != nil {
			l.t.Errorf("Run: %v", err)
		}
	}
}

// pass lets n evaluations happen.
func (l *lab) pass(n int) { advance(time.Duration(n) * l.cfg.Interval) }

// advance moves the fake clock of a synctest bubble: it takes no time, and the
// result is the same every time.
func advance(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (l *lab) expect(when string, want ...string) {
	l.t.Helper()
	got := l.inbox.take()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		l.t.Errorf("%s: sent %v, want %v", when, got, want)
	}
}

// bubble runs a test under a fake clock.
func bubble(t *testing.T, f func(t *testing.T, l *lab)) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		f(t, l)
		if l.stop != nil {
			l.stop()
		}
	})
}

// value is what PromQL sees of a series now.
func (e *Evaluator) value(metric, deploy string) (float64, bool) {
	engine := promql.NewEngine(promql.EngineOpts{
		Parser: e.parser, MaxSamples: 1000, Timeout: e.cfg.SourceTimeout, LookbackDelta: 2*e.cfg.Interval + time.Millisecond,
	})
	vector, err := promrules.EngineQueryFunc(engine, e.memory)(context.Background(), metric+`{deploy_hash=`+promString(deploy)+`}`, time.Now())
	if err != nil || len(vector) == 0 {
		return 0, false
	}
	return vector[0].F, true
}
