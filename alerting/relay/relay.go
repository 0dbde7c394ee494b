package relay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plumbline-slo/plumbline/alerting"
)

// Config says whom to send to.
type Config struct {
	// Peers are the base URLs of the replicas' Alertmanager API: /api/v2/alerts
	// is added.
	Peers []string `yaml:"peers"`
	// Credentials are what the replicas ask of whoever calls them.
	Credentials `yaml:",inline"`
	// Timeout bounds one request. Default 5 s.
	Timeout time.Duration `yaml:"timeout"`
	// Retry is how soon a replica that did not answer is asked again. Default 1 s.
	Retry time.Duration `yaml:"retry"`
}

// DefaultConfig returns the defaults; Peers has none.
func DefaultConfig() Config { return Config{Timeout: 5 * time.Second, Retry: time.Second} }

// Validate returns every problem, each naming its key.
func (c Config) Validate() error {
	var errs []error
	for i, p := range c.Peers {
		if !strings.HasPrefix(p, "http://") && !strings.HasPrefix(p, "https://") {
			errs = append(errs, fmt.Errorf("peers[%d]: %q is not an http or https URL", i, p))
		}
	}
	errs = append(errs, c.Credentials.validate()...)
	if c.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout: %s is not above zero", c.Timeout))
	}
	if c.Retry <= 0 {
		errs = append(errs, fmt.Errorf("retry: %s is not above zero", c.Retry))
	}
	return errors.Join(errs...)
}

// Relay sends to every peer on its own: one that does not answer keeps none of
// the others waiting. It is safe for concurrent use.
type Relay struct {
	cfg    Config
	client *http.Client
	log    *slog.Logger
	peers  []*peer
	sends  *prometheus.CounterVec // result
}

// New returns a relay that sends nothing until Run.
func New(cfg Config, registry prometheus.Registerer, log *slog.Logger) (*Relay, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	transport, err := cfg.transport()
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	r := &Relay{
		cfg: cfg, log: log, client: &http.Client{Timeout: cfg.Timeout, Transport: transport},
		sends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plumbline_relay_requests_total", Help: "Requests to alerting replicas by result (taken, failed, refused, fenced).",
		}, []string{"result"}),
	}
	if err := registry.Register(r.sends); err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	for _, url := range cfg.Peers {
		r.peers = append(r.peers, &peer{url: strings.TrimSuffix(url, "/"), wake: make(chan struct{}, 1), waiting: make(map[string][]item)})
	}
	return r, nil
}

// Send hands alerts to every peer's queue and returns at once. A later version
// of an alert takes the place of one that waits, but a beginning not that of an
// end: both are told. Term is the evaluator's right to speak for its rule group.
func (r *Relay) Send(term alerting.Term, alerts ...alerting.Alert) {
	for _, p := range r.peers {
		p.put(term, alerts, time.Now())
	}
}

// Pending returns how many alerts some peer has not acknowledged yet.
func (r *Relay) Pending() int {
	n := 0
	for _, p := range r.peers {
		p.mu.Lock()
		for _, items := range p.waiting {
			n += len(items)
		}
		p.mu.Unlock()
	}
	return n
}

// Run sends until ctx is done. What still waits then is sent again by the rules
// of whoever evaluates next, or ends by its EndsAt.
func (r *Relay) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, p := range r.peers {
		all.Go(func() { r.serve(ctx, p) })
	}
	all.Wait()
	return nil
}

// peer is one replica and what it has not acknowledged.
type peer struct {
	url  string
	wake chan struct{}

	mu      sync.Mutex
	waiting map[string][]item // by the alert's labels, in order
}

type item struct {
	term  alerting.Term
	alert alerting.Alert
}

func (p *peer) put(term alerting.Term, alerts []alerting.Alert, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ended := func(a alerting.Alert) bool { return !a.EndsAt.IsZero() && !a.EndsAt.After(now) }
	for _, a := range alerts {
		key := identity(a)
		items := p.waiting[key]
		// An end makes a beginning that was never delivered old news; a beginning
		// does not make an end so.
		if n := len(items); n > 0 && (ended(items[n-1].alert) == ended(a) || ended(a)) {
			items = items[:n-1]
		}
		p.waiting[key] = append(slices.Clone(items), item{term, a})
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func identity(a alerting.Alert) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
		fmt.Fprintf(&b, "%q=%q,", name, a.Labels[name])
	}
	return b.String()
}

// batch returns the first waiting item of every alert of one term.
func (p *peer) batch() (term alerting.Term, taken map[string]item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken = make(map[string]item)
	for key, items := range p.waiting {
		if len(taken) == 0 {
			term = items[0].term
		}
		if items[0].term == term {
			taken[key] = items[0]
		}
	}
	return term, taken
}

// done takes items out that were acknowledged, unless a newer one has taken
// their place.
func (p *peer) done(taken map[string]item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, sent := range taken {
		items := p.waiting[key]
		if len(items) == 0 || !same(items[0], sent) {
			continue
		}
		if len(items) == 1 {
			delete(p.waiting, key)
			continue
		}
		p.waiting[key] = items[1:]
	}
}

func same(a, b item) bool {
	return a.term == b.term && a.alert.StartsAt.Equal(b.alert.StartsAt) && a.alert.EndsAt.Equal(b.alert.EndsAt) &&
		maps.Equal(a.alert.Annotations, b.alert.Annotations)
}

func (r *Relay) serve(ctx context.Context, p *peer) {
	for {
		term, taken := p.batch()
		if len(taken) == 0 {
			select {
			case <-p.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		if r.deliver(ctx, p, term, taken) {
			p.done(taken)
			continue
		}
		timer := time.NewTimer(r.cfg.Retry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// deliver reports whether the alerts need not be sent again: they are on the
// peer's disk, or it will never take them.
func (r *Relay) deliver(ctx context.Context, p *peer, term alerting.Term, taken map[string]item) bool {
	alerts := make([]alerting.Alert, 0, len(taken))
	for _, key := range slices.Sorted(maps.Keys(taken)) {
		alerts = append(alerts, taken[key].alert)
	}
	status, answer, err := r.post(ctx, p.url, term, alerts)
	result := "taken"
	switch {
	case err != nil || status >= 500 || status == http.StatusTooManyRequests:
		result = "failed"
	case status == http.StatusConflict:
		result = "fenced"
	case status/100 != 2:
		result = "refused"
	}
	r.sends.WithLabelValues(result).Inc()
	if result != "taken" && ctx.Err() == nil {
		r.log.Warn("relay alerts", "peer", p.url, "result", result, "alerts", len(alerts), "status", status, "answer", answer, "err", err)
	}
	return result != "failed"
}

func (r *Relay) post(ctx context.Context, url string, term alerting.Term, alerts []alerting.Alert) (status int, answer string, err error) {
	body, err := json.Marshal(wire(alerts))
	if err != nil {
		return 0, "", fmt.Errorf("encode alerts: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/v2/alerts", bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	if term.Group != "" {
		request.Header.Set(alerting.TermHeader, term.String())
	}
	response, err := r.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }() // the status says what matters
	text, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	return response.StatusCode, strings.TrimSpace(string(text)), err
}

// Announce tells every peer of a term before its first alert, so that a former
// evaluator that does not know yet is refused. All are told at once. It returns
// what peers answered wrongly; those hear of the term with its first alert.
func (r *Relay) Announce(ctx context.Context, term alerting.Term) error {
	return errors.Join(each(r.peers, func(p *peer) error {
		status, answer, err := r.post(ctx, p.url, term, nil)
		if err == nil && status/100 != 2 {
			err = fmt.Errorf("status %d: %s", status, answer)
		}
		if err != nil {
			return fmt.Errorf("announce %s to %s: %w", term, p.url, err)
		}
		return nil
	})...)
}

// each calls f for all peers at once and returns the results in their order.
func each[T any](peers []*peer, f func(*peer) T) []T {
	results := make([]T, len(peers))
	var all sync.WaitGroup
	for i, p := range peers {
		all.Go(func() { results[i] = f(p) })
	}
	all.Wait()
	return results
}

// wireAlert is an alert as the API v2 takes it.
type wireAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt,omitzero"`
	EndsAt       time.Time         `json:"endsAt,omitzero"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

func wire(alerts []alerting.Alert) []wireAlert {
	out := make([]wireAlert, 0, len(alerts))
	for _, a := range alerts {
		out = append(out, wireAlert{a.Labels, a.Annotations, a.StartsAt, a.EndsAt, a.GeneratorURL})
	}
	return out
}

// Active returns what any peer that answers takes as firing, silenced and
// inhibited alerts included: whoever takes over a rule group ends those that it
// does not see firing itself, for its predecessor cannot any more. The error
// tells of the peers that did not answer; what the others said stands beside it.
func (r *Relay) Active(ctx context.Context) ([]alerting.Alert, error) {
	type answer struct {
		alerts []alerting.Alert
		err    error
	}
	answers := each(r.peers, func(p *peer) answer {
		alerts, err := r.active(ctx, p.url)
		if err != nil {
			err = fmt.Errorf("ask %s for its alerts: %w", p.url, err)
		}
		return answer{alerts, err}
	})
	found := make(map[string]alerting.Alert)
	var errs []error
	for _, said := range answers {
		errs = append(errs, said.err)
		for _, a := range said.alerts {
			found[identity(a)] = a
		}
	}
	return slices.Collect(maps.Values(found)), errors.Join(errs...)
}

// maxActive bounds the answer of a peer.
const maxActive = 64 << 20

func (r *Relay) active(ctx context.Context, url string) ([]alerting.Alert, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v2/alerts?active=true&silenced=true&inhibited=true", nil)
	if err != nil {
		return nil, err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // it has been read
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", response.StatusCode)
	}
	var list []wireAlert
	if err := json.NewDecoder(io.LimitReader(response.Body, maxActive)).Decode(&list); err != nil {
		return nil, err
	}
	out := make([]alerting.Alert, 0, len(list))
	for _, a := range list {
		out = append(out, alerting.Alert{Labels: a.Labels, Annotations: a.Annotations, StartsAt: a.StartsAt, EndsAt: a.EndsAt, GeneratorURL: a.GeneratorURL})
	}
	return out, nil
}
