package alerting

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/timeinterval"

	plumbline "github.com/plumbline-slo/plumbline"
)

// MuteWindow keeps the tickets of an experiment or a canary from being told while
// it lasts: what it explains is no news. Pages are told all the same, unless it
// says so.
type MuteWindow struct {
	Model plumbline.Model `yaml:"model"`
	// Deploy and SLO narrow it down; empty is any.
	Deploy plumbline.DeployHash `yaml:"deploy_hash"`
	SLO    plumbline.SLOName    `yaml:"slo"`
	From   time.Time            `yaml:"from"`
	To     time.Time            `yaml:"to"`
	// Pages mutes pages too.
	Pages  bool   `yaml:"pages"`
	Reason string `yaml:"reason"`
}

func (w MuteWindow) validate(i int) []error {
	var errs []error
	if w.Model == "" {
		errs = append(errs, fmt.Errorf("mute_windows[%d].model: is missing", i))
	}
	if !w.To.After(w.From) {
		errs = append(errs, fmt.Errorf("mute_windows[%d].to: %s is not after from", i, w.To.Format(time.RFC3339)))
	}
	if w.Reason == "" {
		errs = append(errs, fmt.Errorf("mute_windows[%d].reason: is missing; say what is tried out", i))
	}
	return errs
}

// mutes reports whether the window explains an alert at a time.
func (w MuteWindow) mutes(a *alert.Alert, now time.Time) bool {
	plain := fromAlertmanager(a)
	return !now.Before(w.From) && now.Before(w.To) &&
		plain.Label(plumbline.LabelModel) == string(w.Model) &&
		(w.Deploy == "" || plain.Label(plumbline.LabelDeploy) == string(w.Deploy)) &&
		(w.SLO == "" || plain.Label(plumbline.LabelSLO) == string(w.SLO)) &&
		(w.Pages || plain.Label(plumbline.LabelSeverity) != plumbline.SeverityPage)
}

// Windows knows the experiments and canaries that deployments announce. It
// answers at once, from memory.
type Windows interface {
	// MuteWindows returns those at a time, and whether they are known. Until they are,
	// tickets wait: those that a canary explains would be told after every start.
	MuteWindows(now time.Time) (windows []MuteWindow, known bool)
}

// turnTime is the time of the turn, by which Alertmanager's own stages go.
func turnTime(ctx context.Context) time.Time {
	if now, ok := notify.Now(ctx); ok {
		return now
	}
	return time.Now()
}

// muteWindows is the stage of the mute windows.
func (c *core) muteWindows(ctx context.Context, _ *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	now := turnTime(ctx)
	windows, known := c.config.MuteWindows, true
	if c.windows != nil {
		var announced []MuteWindow
		announced, known = c.windows.MuteWindows(now)
		windows = append(windows[:len(windows):len(windows)], announced...)
	}
	var heard []*alert.Alert
	for _, a := range alerts {
		muted := !known && mayBeTriedOut(a)
		for _, w := range windows {
			muted = muted || w.mutes(a, now)
		}
		if !muted {
			heard = append(heard, a)
		}
	}
	return ctx, heard, nil
}

// mayBeTriedOut reports whether a window that nobody knows yet may mute the alert: those
// that deployments announce are of models, and mute tickets alone.
func mayBeTriedOut(a *alert.Alert) bool {
	return a.Labels[plumbline.LabelModel] != "" && a.Labels[plumbline.LabelSeverity] != plumbline.SeverityPage
}

// businessHours is the stage by which an owner's tickets wait for the morning. A
// page is told at any time, with the tickets of its incident.
type businessHours []timeinterval.TimeInterval

// Exec implements notify.Stage.
func (h businessHours) Exec(ctx context.Context, _ *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	now := turnTime(ctx).UTC()
	for _, i := range h {
		if i.ContainsTime(now) {
			return ctx, alerts, nil
		}
	}
	for _, a := range alerts {
		if a.Labels[plumbline.LabelSeverity] == plumbline.SeverityPage {
			return ctx, alerts, nil
		}
	}
	return ctx, nil, nil
}

// escalation is the stage before another owner is told: of a page that nobody
// has taken on in time. Who was told once hears the rest.
type escalation struct {
	*core
	from plumbline.OwnerEntry
	// heard is when the owner of an incident that nobody is known to have been told of
	// could first have heard of its page, as this process saw it.
	heard firstTurns
}

// firstTurns remembers the first turn of each incident at which a page was not muted.
type firstTurns struct {
	mu sync.Mutex
	at map[string]time.Time
}

// of returns the first turn of the incident, which is now if there was none. A page that
// fires again has another.
func (f *firstTurns) of(i Incident, now time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if first, ok := f.at[i.ID]; ok && !first.Before(i.pagedAt()) {
		return first
	}
	if f.at == nil {
		f.at = make(map[string]time.Time)
	}
	f.at[i.ID] = now
	return now
}

// forget drops an incident that is handed on or over.
func (f *firstTurns) forget(i Incident) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.at, i.ID)
}

// due is when the other owner is to hear of the page that there is: some time after its
// owner was first told of it, and not after it began, for it may have been silenced, and
// alerting may have been down. Where the owner cannot be told, the time runs from when
// they should have been.
func (e *escalation) due(i Incident, now time.Time) time.Time {
	for _, event := range i.Events { // the oldest first
		if event.Kind == EventNotified && event.By == string(e.from.Name) && !event.At.Before(i.pagedAt()) {
			return event.At.Add(e.from.Escalation.After)
		}
	}
	return e.heard.of(i, now).Add(e.from.Escalation.After)
}

// EventHandedOn is the escalation of an incident to another owner.
const EventHandedOn EventKind = "handed_on"

// handed reports whether the other owner is to hear of the incident because they
// were told before. A page that fires again is handed on again, in its own time;
// of anything else they hear at once.
func (e *escalation) handed(i Incident, to string, pages bool) bool {
	return slices.ContainsFunc(i.Events, func(event IncidentEvent) bool {
		return event.Kind == EventHandedOn && event.By == to && (!pages || !event.At.Before(i.pagedAt()))
	})
}

// pages reports whether one of the alerts is a page that fires.
func pages(alerts []*alert.Alert) bool {
	return slices.ContainsFunc(alerts, func(a *alert.Alert) bool {
		return !a.Resolved() && a.Labels[plumbline.LabelSeverity] == plumbline.SeverityPage
	})
}

// Exec implements notify.Stage.
func (e *escalation) Exec(ctx context.Context, l *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	if len(alerts) == 0 {
		return ctx, nil, nil
	}
	i, ok := e.incidents.last(keyOfAlert(alerts[0]))
	if !ok {
		return ctx, nil, nil
	}
	to := string(e.from.Escalation.To)
	if _, acked := i.Acknowledged(); !e.handed(i, to, pages(alerts)) {
		if !i.Open() {
			e.heard.forget(i)
		}
		if isMuted(ctx) || acked || !i.Open() || i.EscalatedAt.IsZero() {
			return ctx, nil, nil
		}
		due := e.due(i, turnTime(ctx))
		if turnTime(ctx).Before(due) {
			return ctx, nil, nil
		}
		e.heard.forget(i)
		// Both replicas write the same: the moment is when it was due.
		event := IncidentEvent{At: due, Kind: EventHandedOn, By: to, Text: "nobody acknowledged within " + e.from.Escalation.After.String()}
		changed, err := e.incidents.change(i.ID, func(i Incident) Incident { return i.with(event) })
		if err != nil {
			e.metrics.storageFailures.WithLabelValues("incidents").Inc()
			l.Error("store the escalation of an incident", "incident", i.ID, "err", err)
		} else {
			i = changed
		}
	}
	return context.WithValue(ctx, incidentKey{}, i), alerts, nil
}
