package watchdog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// AlertSilent is the alert that a service has stopped to send its heartbeat.
const AlertSilent = "PlumblineSilent"

// ReceiverConfig says whose heartbeats are awaited.
type ReceiverConfig struct {
	// Expect are the names that services give themselves (Config.Name).
	Expect []string
	// Silence is after how long without a heartbeat a service is gone. Default
	// 45 s: three heartbeats.
	Silence time.Duration
	// Every is how often that is looked at. Default 5 s.
	Every time.Duration
	// Owner is told.
	Owner plumbline.OwnerEntry
}

// DefaultReceiverConfig returns the defaults, which expect nobody.
func DefaultReceiverConfig() ReceiverConfig {
	return ReceiverConfig{Silence: 45 * time.Second, Every: 5 * time.Second}
}

// Receiver takes heartbeats and pages when one stops: it runs elsewhere than
// what it watches. It keeps nothing over a restart and needs nothing: PagerDuty
// folds a second trigger into the first, and drops an end that it does not know.
type Receiver struct {
	cfg      ReceiverConfig
	notifier alerting.Notifier
	log      *slog.Logger
	now      func() time.Time

	mu    sync.Mutex
	last  map[string]time.Time
	heard map[string]bool // since the start
	state map[string]memory
	told  map[string]bool // name -> silent is what was told last
}

// NewReceiver returns a receiver that awaits nothing until Run.
func NewReceiver(cfg ReceiverConfig, notifier alerting.Notifier, log *slog.Logger, now func() time.Time) (*Receiver, error) {
	switch {
	case len(cfg.Expect) == 0:
		return nil, errors.New("heartbeats: nobody is expected")
	case cfg.Silence <= 0 || cfg.Every <= 0:
		return nil, fmt.Errorf("heartbeats: silence %s and every %s must be above zero", cfg.Silence, cfg.Every)
	case notifier == nil:
		return nil, errors.New("heartbeats: nobody can be told; give a PagerDuty key")
	}
	if now == nil {
		now = time.Now
	}
	return &Receiver{
		cfg: cfg, notifier: notifier, log: log, now: now,
		last: make(map[string]time.Time), heard: make(map[string]bool), state: make(map[string]memory), told: make(map[string]bool),
	}, nil
}

// maxBeat bounds a heartbeat's body.
const maxBeat = 64 << 10

// ServeHTTP takes a heartbeat by POST.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		http.Error(w, "heartbeats are posted", http.StatusMethodNotAllowed)
		return
	}
	var b Beat
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, maxBeat)).Decode(&b); err != nil {
		http.Error(w, "heartbeat: "+err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, expected := r.last[b.Name]; !expected {
		http.Error(w, fmt.Sprintf("heartbeat: nobody expects %q", b.Name), http.StatusNotFound)
		return
	}
	r.last[b.Name], r.heard[b.Name] = r.now(), true
}

// Run pages of silence until ctx is done.
func (r *Receiver) Run(ctx context.Context) error {
	r.mu.Lock()
	for _, name := range r.cfg.Expect {
		r.last[name], r.state[name] = r.now(), make(memory)
	}
	r.mu.Unlock()
	ticker := time.NewTicker(r.cfg.Every)
	defer ticker.Stop()
	for {
		for _, name := range r.cfg.Expect {
			if err := r.look(ctx, name); err != nil && ctx.Err() == nil {
				r.log.Error("heartbeats: nobody could be told; tried again", "service", name, "err", err)
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look tells of a change since what was told last.
func (r *Receiver) look(ctx context.Context, name string) error {
	r.mu.Lock()
	now, last := r.now(), r.last[name]
	was, ever := r.told[name]
	heard := r.heard[name]
	r.mu.Unlock()
	silent := now.Sub(last) > r.cfg.Silence
	if ever && was == silent || !silent && !heard {
		return nil
	}
	a := alerting.Alert{
		Labels: map[string]string{plumbline.LabelAlert: AlertSilent, plumbline.LabelObject: name, plumbline.LabelSeverity: plumbline.SeverityPage, plumbline.LabelOwner: string(r.cfg.Owner.Name)},
		Annotations: map[string]string{
			plumbline.AnnotationSummary:     "Plumbline on " + name + " is silent",
			plumbline.AnnotationDescription: fmt.Sprintf("Its last heartbeat came at %s. It pages nobody of anything, or cannot be reached.", last.UTC().Format(time.RFC3339)),
		},
		StartsAt: last, EndsAt: now.Add(r.cfg.Silence),
	}
	if !silent {
		a.EndsAt = now
	}
	limited, cancel := context.WithTimeout(ctx, r.cfg.Silence)
	defer cancel()
	_, err := r.notifier.Notify(limited, alerting.Notice{
		Text: alerting.NewText([]alerting.Alert{a}, r.cfg.Owner, alerting.Explanation{}, nil, now), Alerts: []alerting.Alert{a},
		State: r.state[name], MaybeTold: !ever, // a former receiver may have paged
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told[name] = silent
	return nil
}
