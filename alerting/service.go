package alerting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Deps is what a Service is given. Channels, Registry and Logger are needed;
// the rest may be nil.
type Deps struct {
	Channels  []Channel
	Explainer Explainer
	Journal   Journal
	Recorder  Recorder
	Active    ActiveAlerts
	Windows   Windows
	// Correlator fills in what the alerts' labels do not say.
	Correlator Correlator
	Registry   prometheus.Registerer
	Logger     *slog.Logger
}

// Service takes alerts, keeps them and tells their owners. Make it with New,
// run it with Run; its methods are safe for concurrent use.
type Service struct {
	core *core
	seed ActiveAlerts

	ready   chan struct{}
	stopped chan struct{}
	running sync.Once
}

// ErrStopped is returned by Send after Run has returned.
var ErrStopped = errors.New("alerting has stopped")

// New checks the configuration and registers metrics; it opens nothing.
func New(config Config, deps Deps) (*Service, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	m, err := newMetrics(deps.Registry)
	if err != nil {
		return nil, err
	}
	cut, cutNow := context.WithCancel(context.Background())
	c := &core{
		files: make(map[string]*frameFile), broke: make(chan struct{}, 1), sends: sendGate{cut: cut, cutNow: cutNow},
		config: config, channels: deps.Channels, journal: deps.Journal, recorder: deps.Recorder, windows: deps.Windows, correlator: deps.Correlator, metrics: m, logger: deps.Logger,
	}
	c.texts = &texts{
		explainer: deps.Explainer, timeout: config.ExplainTimeout, metrics: m, logger: deps.Logger,
		now: time.Now, acked: c.acked, last: make(map[string]*cachedText),
		othersFire: func(incident, owner string) bool { return c.alerts.othersFire(incident, owner) },
	}
	return &Service{
		core:    c,
		seed:    deps.Active,
		ready:   make(chan struct{}),
		stopped: make(chan struct{}),
	}, nil
}

// Run opens the data directory, starts and returns when the context ends. It
// may be called once.
func (s *Service) Run(ctx context.Context) (err error) {
	first := false
	s.running.Do(func() { first = true })
	if !first {
		return errors.New("run alerting: it has run already")
	}
	defer close(s.stopped)
	defer func() { err = errors.Join(err, s.core.stop()) }()
	if err := s.core.start(ctx, s.seed); err != nil {
		return fmt.Errorf("start alerting: %w", err)
	}
	s.core.maintenances.Add(2)
	go s.core.maintain(ctx)
	go s.core.recordRows(ctx)
	close(s.ready)
	<-ctx.Done()
	return nil
}

// Ready is closed once alerts are taken and sent.
func (s *Service) Ready() <-chan struct{} { return s.ready }

// Send takes alerts, firing or resolved, and returns when they are on disk. It
// waits until the service is ready. Alerts that are not valid are refused in
// the error; the others are taken all the same.
func (s *Service) Send(ctx context.Context, alerts ...Alert) error {
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	valid, err := toAlertmanagers(alerts, time.Now(), s.core.config.ResolveTimeout)
	s.core.metrics.refused.Add(float64(len(alerts) - len(valid)))
	if putErr := s.core.alerts.Put(ctx, valid...); putErr != nil {
		s.core.metrics.refused.Add(float64(len(valid)))
		s.core.metrics.storageFailures.WithLabelValues("alerts").Inc()
		return errors.Join(err, putErr)
	}
	s.core.metrics.received.Add(float64(len(valid)))
	return err
}

// Handler serves Alertmanager's API v2 beneath Config.RoutePrefix, for amtool
// and Grafana, and the incidents beside it; until the service is ready it
// answers 503. It authenticates nobody: whoever serves it must.
func (s *Service) Handler() http.Handler {
	prefix := "/" + strings.Trim(s.core.config.RoutePrefix, "/")
	return s.incidentAPI(prefix, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-s.ready:
			s.core.handler.ServeHTTP(w, r)
		default:
			http.Error(w, "alerting is starting", http.StatusServiceUnavailable)
		}
	}))
}

// durableSilences makes a change of a silence succeed only if it is on disk: the
// API itself does not learn of a write that failed.
func durableSilences(next http.Handler, file *frameFile) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, "/silence") {
			next.ServeHTTP(w, r)
			return
		}
		held := &heldAnswer{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(held, r)
		if err := file.Err(); err != nil && held.status < http.StatusMultipleChoices {
			http.Error(w, fmt.Sprintf("the silence is not durable: %v", err), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(held.status)
		// A client that went away does not take the silence back.
		_, _ = w.Write(held.body)
	})
}

// heldAnswer keeps a small answer back.
type heldAnswer struct {
	http.ResponseWriter
	status int
	body   []byte
}

// WriteHeader implements http.ResponseWriter.
func (h *heldAnswer) WriteHeader(status int) { h.status = status }

// Write implements http.ResponseWriter.
func (h *heldAnswer) Write(b []byte) (int, error) {
	h.body = append(h.body, b...)
	return len(b), nil
}
