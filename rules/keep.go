package rules

import (
	"context"
	"sync"
	"time"

	promrules "github.com/prometheus/prometheus/rules"

	plumbline "github.com/plumbline-slo/plumbline"
)

// keeper goes on with alerts that were firing when the process ended and whose
// rule keeps them firing for a while after its condition does not hold any more:
// Prometheus' rules forget those over a restart (they restore `for` alone).
type keeper struct {
	mu   sync.Mutex
	kept map[string]*keptAlert // by encoded labels
}

type keptAlert struct {
	firingAlert
	sent time.Time
}

// remember takes what the former process had firing.
func (k *keeper) remember(alerts []firingAlert) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = make(map[string]*keptAlert, len(alerts))
	for _, f := range alerts {
		k.kept[encode(f.Labels)] = &keptAlert{firingAlert: f}
	}
}

// keep says of a group's rules with keep_firing_for what they would say
// themselves had the process not ended, and puts on disk what they say now.
func (e *Evaluator) keep(ctx context.Context, g *promrules.Group, ts time.Time) {
	for _, r := range g.AlertingRules() {
		if r.KeepFiringFor() <= 0 {
			continue
		}
		states := make(map[string]promrules.AlertState)
		r.ForEachActiveAlert(func(a *Alert) {
			states[encode(a.Labels)] = a.State
			if a.State == StateFiring {
				e.ledger.keeps(a)
			}
		})
		expr := r.Query().String()
		if alerts := e.keeper.due(expr, r.Name(), r.KeepFiringFor(), states, ts, e.cfg.ResendDelay); len(alerts) > 0 {
			for _, a := range alerts {
				a.ValidUntil = ts.Add(e.validity())
			}
			e.notify(ctx, expr, alerts...)
		}
	}
}

// due returns the kept alerts of a rule that are to be sent: those that go on,
// every resend delay, and those whose time is over, once. One that the rule has
// firing again is the rule's. While the rule has one pending its condition holds:
// had the process not ended it would be firing, and its time does not run.
func (k *keeper) due(expr, name string, keepFor time.Duration, states map[string]promrules.AlertState, ts time.Time, resend time.Duration) []*Alert {
	k.mu.Lock()
	defer k.mu.Unlock()
	var alerts []*Alert
	for key, f := range k.kept {
		if f.Expr != expr || f.Labels.Get(plumbline.LabelAlert) != name {
			continue
		}
		state, holds := states[key]
		if holds && state == StateFiring {
			delete(k.kept, key)
			continue
		}
		switch pending := holds && state == promrules.StatePending; {
		case pending:
			f.KeepFiringSince = time.Time{}
		case f.KeepFiringSince.IsZero():
			f.KeepFiringSince = ts
		}
		a := f.alert()
		a.KeepFiringSince = f.KeepFiringSince
		if !f.KeepFiringSince.IsZero() && ts.Sub(f.KeepFiringSince) >= keepFor {
			a.State, a.ResolvedAt = promrules.StateInactive, ts
			delete(k.kept, key)
		} else if ts.Sub(f.sent) < resend {
			continue
		}
		f.sent = ts
		alerts = append(alerts, a)
	}
	return alerts
}
