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
	// Retention is how long after its end an alert waits for a replica that does not
	// answer: alerting's own, for no replica knows it for longer.
	Retention time.Duration `yaml:"-"`
}

// DefaultConfig returns the defaults; Peers has none.
func DefaultConfig() Config {
	return Config{Timeout: 5 * time.Second, Retry: time.Second, Retention: alerting.DefaultConfig().Retention}
}

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
	if c.Retention <= 0 {
		errs = append(errs, fmt.Errorf("retention: %s is not above zero", c.Retention))
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
	raiser Raiser                 // nil has none
}

// Raiser lifts a term that a replica refused over the one that it knows, if the duty is
// still ours: then what was refused is sent under the one that is returned.
type Raiser interface {
	Raise(refused alerting.Term, known int64) (raised alerting.Term, held bool, err error)
}

// RaiseBy names who raises terms. Without it what a replica refuses is another
// evaluator's to say. It is called before Run.
func (r *Relay) RaiseBy(by Raiser) { r.raiser = by }

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
		cfg: cfg, log: log,
		client: &http.Client{
			Timeout: cfg.Timeout, Transport: transport,
			CheckRedirect: alerting.RefuseRedirect,
		},
		sends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plumbline_relay_requests_total", Help: "Requests to alerting replicas by result (taken, failed, refused, fenced, raised).",
		}, []string{"result"}),
	}
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "plumbline_relay_waiting_alerts", Help: "Alerts that wait for an alerting replica to take them, counted once a replica.",
	}, func() float64 { return float64(r.Pending()) })
	for _, c := range []prometheus.Collector{r.sends, waiting} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("relay: %w", err)
		}
	}
	for _, url := range cfg.Peers {
		r.peers = append(r.peers, newPeer(strings.TrimSuffix(url, "/"), cfg.Retention))
	}
	return r, nil
}

// Send hands alerts to every peer's queue and returns at once. A later version
// of an alert takes the place of one that waits, but a beginning not that of an
// end: both are told. What ended longer ago than Config.Retention waits no more: a
// peer that comes back ends by itself what nobody says any more. Term is the
// evaluator's right to speak for its rule group.
func (r *Relay) Send(term alerting.Term, alerts ...alerting.Alert) {
	for _, p := range r.peers {
		p.put(term, alerts, time.Now())
	}
}

// Pending returns how many alerts some peer has not acknowledged yet, counted once a
// peer.
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

// deliver reports whether the alerts need not be sent again as they are: they are on
// the peer's disk, or it will never take them.
func (r *Relay) deliver(ctx context.Context, p *peer, term alerting.Term, taken map[string]item) bool {
	err := r.post(ctx, p.url, term, alertsOf(taken))
	result := resultOf(err, len(taken))
	if fenced := new(alerting.FencedError); errors.As(err, &fenced) && r.raiser != nil {
		raised, held, raising := r.raiser.Raise(term, fenced.Known)
		switch {
		case raising != nil:
			err, result = errors.Join(err, raising), failed
		case held:
			p.under(raised, taken)
			result = "raised"
		}
	}
	r.sends.WithLabelValues(result).Inc()
	if err != nil && ctx.Err() == nil {
		r.log.Warn("relay alerts", "peer", p.url, "result", result, "alerts", len(taken), "err", err)
	}
	if tooLong(err) {
		p.shorten()
	}
	return result != failed
}

// failed is the result of what is sent again.
const failed = "failed"

// resultOf names what became of a post. A peer says of what it will never take; of all
// else, a password that is wrong or a proxy in between, somebody may mend the cause.
func resultOf(err error, alerts int) string {
	answer := new(answerError)
	switch {
	case err == nil:
		return "taken"
	case errors.Is(err, alerting.ErrFenced):
		return "fenced"
	case errors.As(err, &answer) && answer.status == http.StatusBadRequest, tooLong(err) && alerts == 1:
		return "refused"
	}
	return failed
}

// answerError is an answer that is no acknowledgement.
type answerError struct {
	status int
	text   string
}

// Error implements error.
func (e *answerError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.text) }

func tooLong(err error) bool {
	answer := new(answerError)
	return errors.As(err, &answer) && answer.status == http.StatusRequestEntityTooLarge
}

func alertsOf(taken map[string]item) []alerting.Alert {
	alerts := make([]alerting.Alert, 0, len(taken))
	for _, key := range slices.Sorted(maps.Keys(taken)) {
		alerts = append(alerts, taken[key].alert)
	}
	return alerts
}

// post returns nil if the peer has the alerts on its disk.
func (r *Relay) post(ctx context.Context, url string, term alerting.Term, alerts []alerting.Alert) error {
	body, err := json.Marshal(wire(alerts))
	if err != nil {
		return fmt.Errorf("encode alerts: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/v2/alerts", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if term.Share != "" {
		request.Header.Set(alerting.TermHeader, term.String())
	}
	response, err := r.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // the status says what matters
	if response.StatusCode == http.StatusOK {
		return nil
	}
	// Half an answer says as much as it says.
	text, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	answer := &answerError{response.StatusCode, strings.TrimSpace(string(text))}
	if response.StatusCode != http.StatusConflict {
		return answer
	}
	known, err := alerting.ParseTerm(response.Header.Get(alerting.TermHeader))
	if err != nil {
		return fmt.Errorf("%w: %w", alerting.ErrFenced, answer) // which term is known is not said
	}
	return &alerting.FencedError{Term: term, Known: known.Number}
}

// Announce tells every peer of a term before its first alert, so that a former
// evaluator that does not know yet is refused. All are told at once. It returns
// what peers answered wrongly, an *alerting.FencedError of one that knows a greater;
// those hear of the term with its first alert.
func (r *Relay) Announce(ctx context.Context, term alerting.Term) error {
	return errors.Join(each(r.peers, func(p *peer) error {
		if err := r.post(ctx, p.url, term, nil); err != nil {
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
