package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// alertSender takes alerts; it returns when they are durable.
type alertSender interface {
	Send(ctx context.Context, alerts ...alerting.Alert) error
}

// noticeRecorder keeps history where people can query it.
type noticeRecorder interface {
	RecordNotice(ctx context.Context, row notice) error
}

// troublesConfig says how the service speaks of its own trouble.
type troublesConfig struct {
	// Resend is how often an alert that goes on is sent again: one that is not
	// sent for five times as long is taken as over.
	Resend time.Duration
	// EventLasts is after how long an alert is over that tells of an event and
	// not of a state, such as lost offsets.
	EventLasts time.Duration
	// Settle is how long the engine must answer without another crash before a
	// crash loop is over.
	Settle time.Duration
	// Look is how often the engine is looked at.
	Look time.Duration
	// Owner is the label owner of the alerts; Base begins their links.
	Owner plumbline.Owner
	Base  string
}

func defaultTroublesConfig() troublesConfig {
	return troublesConfig{Resend: time.Minute, EventLasts: time.Hour, Settle: time.Minute, Look: time.Second}
}

// maxHistory bounds the notices that wait for ClickHouse to come back.
const maxHistory = 1000

// recordTimeout bounds one attempt to write a notice.
const recordTimeout = 5 * time.Second

// troubleKey is the identity of one trouble.
type troubleKey struct{ alert, object string }

// trouble is something that is wrong with the service itself.
type trouble struct {
	kind   troubleKind
	object string
	text   string
	since  time.Time
	until  time.Time // zero: until somebody says that it is over
}

// troubles knows what is wrong with the service itself. Its alerts go the way of
// all alerts; like a rule's they are sent again while they last. What tells it
// never waits for it: neither for alerting nor for ClickHouse, which may be what
// is wrong. It forgets with the process: what still is wrong says so again, and
// alerting keeps what was firing for its restart grace.
type troubles struct {
	cfg     troublesConfig
	sender  alertSender
	history noticeRecorder
	log     *slog.Logger
	now     func() time.Time

	firing   *prometheus.GaugeVec   // alert
	failures *prometheus.CounterVec // operation

	mu     sync.Mutex
	active map[troubleKey]trouble
	ended  map[troubleKey]alerting.Alert // not told to alerting yet
	past   []notice                      // not recorded yet
	wake   chan struct{}                 // one slot
}

// newTroubles returns troubles that collect at once and speak once run runs.
func newTroubles(cfg troublesConfig, registry prometheus.Registerer, log *slog.Logger) (*troubles, error) {
	t := &troubles{
		cfg: cfg, log: log, now: time.Now,
		active: make(map[troubleKey]trouble), ended: make(map[troubleKey]alerting.Alert), wake: make(chan struct{}, 1),
		firing: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "plumbline_service_troubles",
			Help: "What is wrong with the service itself now, by alert."}, []string{"alert"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "plumbline_service_troubles_failures_total",
			Help: "Attempts to send alerts about the service itself, or to record notices, that failed and are made again."}, []string{"operation"}),
	}
	for _, kind := range troubleKinds() {
		t.firing.WithLabelValues(kind.alert)
	}
	for _, operation := range []string{"send", "record"} {
		t.failures.WithLabelValues(operation)
	}
	for _, c := range []prometheus.Collector{t.firing, t.failures} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics of troubles: %w", err)
		}
	}
	return t, nil
}

// begin says that something is wrong, or still is.
func (t *troubles) begin(kind troubleKind, object, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key, now := troubleKey{kind.alert, object}, t.now()
	next := trouble{kind: kind, object: object, text: text, since: now}
	if former, ok := t.active[key]; ok {
		next.since = former.since
	} else {
		t.firing.WithLabelValues(kind.alert).Inc()
	}
	if kind.event {
		next.until = now.Add(t.cfg.EventLasts)
	}
	t.active[key] = next
	delete(t.ended, key)
	t.poke()
}

// end says that something is over; it need not have begun.
func (t *troubles) end(kind troubleKind, object string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.endLocked(troubleKey{kind.alert, object}, t.now())
	t.poke()
}

func (t *troubles) endLocked(key troubleKey, at time.Time) {
	former, ok := t.active[key]
	if !ok {
		return
	}
	delete(t.active, key)
	t.firing.WithLabelValues(key.alert).Dec()
	t.ended[key] = t.alert(former, at)
}

func (t *troubles) isActive(kind troubleKind, object string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.active[troubleKey{kind.alert, object}]
	return ok
}

// remember has a notice recorded, now or when ClickHouse is back.
func (t *troubles) remember(kind, object, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.past = append(t.past, notice{at: t.now(), kind: kind, object: object, text: text})
	t.past = t.past[max(0, len(t.past)-maxHistory):]
	t.poke()
}

func (t *troubles) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// run sends and records until ctx is done. What is wrong then stays wrong:
// alerting keeps it over a restart.
func (t *troubles) run(ctx context.Context) error {
	again := time.NewTicker(t.cfg.Resend)
	defer again.Stop()
	for {
		select {
		case <-again.C:
		case <-t.wake:
		case <-ctx.Done():
			t.record(context.WithoutCancel(ctx))
			return nil
		}
		t.send(ctx)
		t.record(ctx)
	}
}

// send tells alerting what is wrong and what has ended since.
func (t *troubles) send(ctx context.Context) {
	alerts, ended := t.due()
	if len(alerts) == 0 {
		return
	}
	if err := t.sender.Send(ctx, alerts...); err != nil {
		if ctx.Err() == nil {
			t.failures.WithLabelValues("send").Inc()
			t.log.Error("alerts about the service itself were not taken and will be sent again", "err", err)
		}
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, a := range ended {
		if now, ok := t.ended[key]; ok && now.EndsAt.Equal(a.EndsAt) {
			delete(t.ended, key)
		}
	}
}

// due returns every alert to send, and those of them that have ended.
func (t *troubles) due() (alerts []alerting.Alert, ended map[troubleKey]alerting.Alert) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for key, tr := range t.active {
		if !tr.until.IsZero() && !tr.until.After(now) {
			t.endLocked(key, now)
			continue
		}
		alerts = append(alerts, t.alert(tr, now.Add(5*t.cfg.Resend)))
	}
	ended = make(map[troubleKey]alerting.Alert, len(t.ended))
	for key, a := range t.ended {
		ended[key] = a
		alerts = append(alerts, a)
	}
	return alerts, ended
}

func (t *troubles) alert(tr trouble, ends time.Time) alerting.Alert {
	labels := map[string]string{
		plumbline.LabelAlert: tr.kind.alert, plumbline.LabelObject: tr.object, plumbline.LabelSeverity: tr.kind.severity,
		plumbline.LabelOwner: string(t.cfg.Owner),
	}
	annotations := map[string]string{
		plumbline.AnnotationSummary:     fmt.Sprintf(tr.kind.summary, tr.object),
		plumbline.AnnotationDescription: tr.text,
		plumbline.AnnotationRunbook:     t.cfg.Base + "/runbooks/service",
		plumbline.AnnotationPage:        t.cfg.Base + "/",
	}
	return alerting.Alert{Labels: labels, Annotations: annotations, StartsAt: tr.since, EndsAt: ends}
}

// record writes what was noticed, oldest first, and stops at the first failure:
// the rest waits for the next turn.
func (t *troubles) record(ctx context.Context) {
	for {
		t.mu.Lock()
		if len(t.past) == 0 {
			t.mu.Unlock()
			return
		}
		n := t.past[0]
		t.past = t.past[1:]
		t.mu.Unlock()
		limited, cancel := context.WithTimeout(ctx, recordTimeout)
		err := t.history.RecordNotice(limited, n)
		cancel()
		if err == nil {
			continue
		}
		t.failures.WithLabelValues("record").Inc()
		t.log.Warn("a notice was not recorded and will be tried again", "kind", n.kind, "object", n.object, "err", err)
		t.mu.Lock()
		t.past = append([]notice{n}, t.past...)
		t.mu.Unlock()
		return
	}
}
