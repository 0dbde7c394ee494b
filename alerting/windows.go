package alerting

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
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
	MuteWindows(now time.Time) []MuteWindow
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
	windows := c.config.MuteWindows
	if c.windows != nil {
		windows = append(windows[:len(windows):len(windows)], c.windows.MuteWindows(now)...)
	}
	var heard []*alert.Alert
	for _, a := range alerts {
		muted := false
		for _, w := range windows {
			muted = muted || w.mutes(a, now)
		}
		if !muted {
			heard = append(heard, a)
		}
	}
	return ctx, heard, nil
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
	to, due := string(e.from.Escalation.To), i.pagedAt().Add(e.from.Escalation.After)
	if _, acked := i.Acknowledged(); !e.handed(i, to, pages(alerts)) {
		if isMuted(ctx) || acked || !i.Open() || i.EscalatedAt.IsZero() || turnTime(ctx).Before(due) {
			return ctx, nil, nil
		}
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
