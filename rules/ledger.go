package rules

import (
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"github.com/plumbline-slo/plumbline"
)

// ledger is the durable memory of which alerts fire. An alert is in its file
// before it leaves the process.
type ledger struct {
	path   string
	memory *memory
	view   *view

	mu     sync.Mutex
	loaded bool
	firing map[string]firingAlert
	former []firingAlert // as the file had them
	// changed says that alerts came or went since the last write.
	changed bool
	saved   time.Time
}

// load reads the file, the first time it is called: points go to the memory,
// held ratios to the view, and alerts stay valid for the given time.
func (l *ledger) load(now time.Time, validity time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loaded {
		return nil
	}
	s, err := readState(l.path)
	if err != nil {
		return err
	}
	l.firing = make(map[string]firingAlert)
	l.former = s.Firing
	for _, f := range s.Firing {
		f.ValidUntil = now.Add(validity)
		l.firing[encode(f.Labels)] = f
	}
	for _, p := range s.Series {
		switch p.Labels.Get(model.MetricNameLabel) {
		case alertsMetric, forStateMetric:
			l.memory.append(p.Labels, p.Milliseconds, p.Value)
		default:
			l.view.restore(p)
		}
	}
	l.loaded = true
	return nil
}

// Names under which Prometheus' rules write the state of alerts.
const (
	alertsMetric   = "ALERTS"
	forStateMetric = "ALERTS_FOR_STATE"
)

// record notes alerts that are about to be sent and writes the file if a new
// one fires. An alert that fired before a restart keeps the time it fired at.
func (l *ledger) record(now time.Time, expr string, alerts []*Alert) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range alerts {
		key := encode(a.Labels)
		known, ok := l.firing[key]
		if ok && known.FiredAt.Before(a.FiredAt) {
			a.FiredAt = known.FiredAt
		}
		if !a.ResolvedAt.IsZero() {
			continue
		}
		l.changed = l.changed || !ok
		l.firing[key] = firingAlert{
			Labels: a.Labels, Annotations: a.Annotations, Value: a.Value,
			ActiveAt: a.ActiveAt, FiredAt: a.FiredAt, ValidUntil: a.ValidUntil,
			Expr: expr, KeepFiringSince: a.KeepFiringSince,
		}
	}
	if !l.changed {
		return nil
	}
	return l.saveLocked(now)
}

// formerly returns the alerts that the former process had firing, unless it ended
// too long ago to go on with them.
func (l *ledger) formerly(since time.Time) []firingAlert {
	l.mu.Lock()
	defer l.mu.Unlock()
	var recent []firingAlert
	for _, f := range l.former {
		if !f.ValidUntil.Before(since) {
			recent = append(recent, f)
		}
	}
	return recent
}

// keeps notes since when the condition of an alert does not hold that goes on all
// the same.
func (l *ledger) keeps(a *Alert) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f, ok := l.firing[encode(a.Labels)]; ok && !f.KeepFiringSince.Equal(a.KeepFiringSince) {
		f.KeepFiringSince, l.changed = a.KeepFiringSince, true
		l.firing[encode(a.Labels)] = f
	}
}

// settle forgets alerts that were sent as resolved.
func (l *ledger) settle(alerts []*Alert) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range alerts {
		key := encode(a.Labels)
		if _, ok := l.firing[key]; ok && !a.ResolvedAt.IsZero() {
			delete(l.firing, key)
			l.changed = true
		}
	}
}

// saveEvery writes the file if alerts came or went, and else once an interval:
// restoring `for` needs to know when the process was last alive.
func (l *ledger) saveEvery(now time.Time, interval time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.changed && now.Sub(l.saved) < interval {
		return nil
	}
	return l.saveLocked(now)
}

func (l *ledger) save(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.saveLocked(now)
}

func (l *ledger) saveLocked(now time.Time) error {
	s := state{Version: stateVersion}
	for key, f := range l.firing {
		if f.ValidUntil.Before(now) {
			// Neither repeated nor resolved: its rule is gone.
			delete(l.firing, key)
			continue
		}
		s.Firing = append(s.Firing, f)
	}
	active := make(map[string]bool)
	note := func(ls labels.Labels) bool {
		active[ls.Get(plumbline.LabelSLO)] = true
		return true
	}
	s.save(l.memory, alertsMetric, note)
	s.save(l.memory, forStateMetric, note)
	l.view.eachHeld(func(slo string, p savedPoint) {
		if active[slo] || slo == "" {
			s.Series = append(s.Series, p)
		}
	})
	if err := s.write(l.path); err != nil {
		return err
	}
	l.saved, l.changed = now, false
	return nil
}

func (l *ledger) firingAt(now time.Time) []*Alert {
	l.mu.Lock()
	defer l.mu.Unlock()
	alerts := make([]*Alert, 0, len(l.firing))
	for _, f := range l.firing {
		if !f.ValidUntil.Before(now) {
			alerts = append(alerts, f.alert())
		}
	}
	return alerts
}
