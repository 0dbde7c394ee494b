package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/duty"
	"github.com/plumbline-slo/plumbline/alerting/relay"
	"github.com/plumbline-slo/plumbline/rules"
)

// validateReplicas returns what keeps several replicas from sharing the work.
func (c Config) validateReplicas() error {
	errs := []error{
		prefixed("alerting.relay", c.Alerting.Relay.Validate()), prefixed("alerting.duty", c.Alerting.Duty.Validate()),
		prefixed("watchdog", c.Watchdog.Validate()),
	}
	if c.Alerting.CanaryWindow <= 0 {
		errs = append(errs, fmt.Errorf("alerting.canary_window: %s is not above zero", c.Alerting.CanaryWindow))
	}
	if len(c.Alerting.Relay.Peers) > 0 {
		if len(c.Kafka.Brokers) == 0 {
			errs = append(errs, errors.New("alerting.relay.peers: are given, but kafka.brokers is empty: replicas share one Kafka"))
		}
		if c.Alerting.Cluster.Listen == "" {
			errs = append(errs, errors.New("alerting.relay.peers: are given, but alerting.cluster.listen is empty: each replica would page for itself"))
		}
	}
	return errors.Join(errs...)
}

// speaker carries what the rules say to whoever alerts: this process alone, or
// every replica, in turns.
type speaker struct {
	local  *alerting.Service
	relay  *relay.Relay // nil alone
	member *duty.Member
	log    *slog.Logger
}

// newSpeaker returns a speaker whose local service is still to be set.
func (a *App) newSpeaker() (*speaker, error) {
	s := &speaker{log: a.log}
	if len(a.cfg.Alerting.Relay.Peers) == 0 {
		return s, nil
	}
	cfg := a.cfg.Alerting.Relay
	cfg.Retention = a.cfg.Alerting.Retention
	carrier, err := relay.New(cfg, a.registry, a.log)
	if err != nil {
		return nil, err
	}
	s.relay = carrier
	s.member, err = duty.New(a.cfg.Alerting.Duty, duty.Dependencies{
		Brokers: a.brokers, Dialer: a.dialer.Kafka("plumbline-duty"), Transport: a.dialer.Transport("plumbline-duty"),
		Announcer: carrier, Registry: a.registry, Logger: a.log,
	})
	if err != nil {
		return nil, err
	}
	carrier.RaiseBy(s.member)
	return s, nil
}

// notify implements rules.Notify.
func (s *speaker) notify(ctx context.Context, _ string, fired ...*rules.Alert) {
	if s.relay != nil {
		// Without the duty any more, another evaluator says it.
		if term, ok := s.member.Term(rules.GroupOf(ctx)); ok {
			s.relay.Send(term, fromRules(fired)...)
		}
		return
	}
	if err := s.local.Send(ctx, fromRules(fired)...); err != nil {
		s.log.Error("rules: alerts were not taken and will be sent again", "err", err)
	}
}

// turn returns who evaluates a rule group; nil is this process, always.
func (s *speaker) turn() func(group string) bool {
	if s.member == nil {
		return nil
	}
	return func(group string) bool {
		_, ok := s.member.Term(group)
		return ok
	}
}

// start begins to carry, and to take duties.
func (s *speaker) start(parts *stack, evaluator *rules.Evaluator) {
	if s.relay == nil {
		return
	}
	parts.start("relay", s.relay.Run)
	parts.start("duty", s.member.Run)
	taking := newTakeover(s.relay, s.member.Term, evaluator, s.log)
	parts.start("takeover", taking.run)
}

// evaluations is what the takeover asks the evaluator.
type evaluations interface {
	Evaluations() []rules.Evaluated
	Conditions() []map[string]string
}

// takeover ends what a former evaluator had firing and this one does not see.
type takeover struct {
	relay     *relay.Relay
	term      func(group string) (alerting.Term, bool)
	evaluator evaluations
	log       *slog.Logger
	taken     map[string]taken // by rule group
	every     time.Duration
}

// askAgain is the longest time between two questions to replicas of which one
// does not answer.
const askAgain = time.Minute

func newTakeover(r *relay.Relay, term func(string) (alerting.Term, bool), evaluator evaluations, log *slog.Logger) *takeover {
	return &takeover{relay: r, term: term, evaluator: evaluator, log: log, taken: make(map[string]taken), every: time.Second}
}

type taken struct {
	term  alerting.Term
	since time.Time
	next  time.Time     // when replicas are asked; zero at once
	pause time.Duration // between two questions
	done  bool
}

// asked is what is known of a group after the replicas were asked. One that did
// not answer may alone know of an alert: it is asked again, ever more rarely.
func (of taken) asked(all bool, now time.Time, every time.Duration) taken {
	of.pause = min(max(2*of.pause, every), askAgain)
	of.next, of.done = now.Add(of.pause), all
	return of
}

// run looks until ctx is done.
func (t *takeover) run(ctx context.Context) error {
	ticker := time.NewTicker(t.every)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			if err := t.look(ctx, now); err != nil && ctx.Err() == nil {
				t.log.Warn("alerts of a former evaluator that only this replica knows end by themselves, or when it answers", "err", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (t *takeover) look(ctx context.Context, now time.Time) error {
	ripe := make(map[string]alerting.Term)
	for _, e := range t.evaluator.Evaluations() {
		term, ok := t.term(e.Group)
		if !ok {
			delete(t.taken, e.Group)
			continue
		}
		if t.taken[e.Group].term != term {
			t.taken[e.Group] = taken{term: term, since: now}
		}
		// The first evaluation may have lacked what is stored in between.
		if of := t.taken[e.Group]; !of.done && !now.Before(of.next) && e.At.After(of.since.Add(e.Every)) {
			ripe[e.Group] = term
		}
	}
	if len(ripe) == 0 {
		return nil
	}
	active, err := t.relay.Active(ctx) // what answered counts, whoever did not
	holds := make(map[string]bool)
	for _, labels := range t.evaluator.Conditions() {
		holds[labelText(labels)] = true
	}
	for _, a := range active {
		term, ok := ripe[rules.GroupPrefix+a.Label(plumbline.LabelSLO)]
		if name := a.Label(plumbline.LabelAlert); !ok || !slices.Contains([]string{plumbline.AlertSLOBurn, plumbline.AlertSLOMissing, plumbline.AlertLabelsSilent}, name) || holds[labelText(a.Labels)] {
			continue
		}
		a.EndsAt = now
		t.relay.Send(term, a)
	}
	for group := range ripe {
		t.taken[group] = t.taken[group].asked(err == nil, now, t.every)
	}
	if err != nil {
		return fmt.Errorf("take over: %w", err)
	}
	return nil
}

// labelText is the same for the same labels: fmt prints maps in order.
func labelText(labels map[string]string) string { return fmt.Sprint(labels) }
