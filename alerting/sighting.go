package alerting

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
)

// incidentKey is where the stages find the incident of their turn.
type incidentKey struct{}

// sightings is the stage that keeps the incidents: it stands behind everything
// that mutes, so that an incident is what people are told of, and before
// everything that sends, so that it is on disk when they are.
type sightings struct {
	*core
	owner plumbline.OwnerEntry
}

// observe implements notify.Stage. An incident that cannot be stored is counted
// and paged all the same: its alerts and notices are durable without it.
func (s *sightings) observe(ctx context.Context, l *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	alerts = s.current(alerts)
	if len(alerts) == 0 {
		return ctx, alerts, nil
	}
	key := keyOfAlert(alerts[0])
	if firing, _ := splitAlerts(alerts); len(firing) == 0 {
		if _, over := s.alerts.over(key); !over {
			// What goes another route fires: the end that is told here is not the
			// incident's.
			i, _ := s.incidents.last(key)
			return context.WithValue(ctx, incidentKey{}, i), alerts, nil
		}
	}
	if isMuted(ctx) {
		i, ok := s.incidents.last(key)
		if ok && !i.Open() {
			return ctx, nil, nil
		}
		return context.WithValue(ctx, incidentKey{}, i), alerts, nil
	}
	seen, err := s.incidents.observe(s.look(alerts))
	if err != nil {
		s.metrics.storageFailures.WithLabelValues("incidents").Inc()
		l.Error("store incident", "incident", seen.ID, "err", err)
	}
	return context.WithValue(ctx, incidentKey{}, seen), alerts, nil
}

// end ends the incident of alerts that are told to nobody, when they were the last of
// it: what goes another route may have opened it.
func (s *sightings) end(ctx context.Context, l *slog.Logger, alerts ...*alert.Alert) (context.Context, []*alert.Alert, error) {
	if firing, _ := splitAlerts(alerts); len(firing) == 0 && len(alerts) > 0 {
		if _, _, err := s.observe(ctx, l, alerts...); err != nil {
			return ctx, nil, err
		}
	}
	return ctx, alerts, nil
}

// clocksDiffer is how far clocks of replicas may be apart. What is noted of a later time
// was noted before the clock was set back: an incident that is over then ended before
// whatever fires now began.
const clocksDiffer = time.Minute

// current leaves out firing alerts that are old news: their incident is over, as
// another replica knew first, and nobody has said since that they fire. They are
// what a replica remembers that was down, or heard late, when they ended.
// Without any other firing alert nothing is left: who told the end told it.
func (c *core) current(alerts []*alert.Alert) []*alert.Alert {
	firing, resolved := splitAlerts(alerts)
	if len(firing) == 0 {
		return alerts
	}
	last, ok := c.incidents.last(keyOfAlert(firing[0]))
	if !ok || last.Open() || last.ResolvedAt.After(time.Now().Add(clocksDiffer)) {
		return alerts
	}
	var kept []*alert.Alert
	for _, a := range firing {
		if a.UpdatedAt.After(last.ResolvedAt) || a.StartsAt.After(last.ResolvedAt) {
			kept = append(kept, a)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return append(kept, resolved...)
}

// keyOfAlert is the key of the alert's incident.
func keyOfAlert(a *alert.Alert) string { return fromAlertmanager(a).incident() }

// look reads the alerts of one incident.
func (s *sightings) look(alerts []*alert.Alert) sighting {
	firing, resolved := splitAlerts(alerts)
	told := firing
	if len(told) == 0 {
		told = resolved
	}
	lead := told[0]
	label := func(name string) string { return string(lead.Labels[model.LabelName(name)]) }
	seen := sighting{Incident: Incident{
		Model: plumbline.Model(label(plumbline.LabelModel)), Deploy: plumbline.DeployHash(label(plumbline.LabelDeploy)),
		SLO: plumbline.SLOName(label(plumbline.LabelSLO)), Name: label(plumbline.LabelAlert), Object: label(plumbline.LabelObject),
		Owner: s.owner.Name,
	}}
	seen.Key = keyOfAlert(lead)
	for _, a := range told {
		severity := string(a.Labels[plumbline.LabelSeverity])
		seen.Severity = higher(seen.Severity, severity)
		seen.OpenedAt = earliest(seen.OpenedAt, a.StartsAt)
		if severity == plumbline.SeverityPage {
			seen.EscalatedAt = earliest(seen.EscalatedAt, a.StartsAt)
		}
		if again := moment(s.alerts.again(a.Fingerprint())); !again.IsZero() {
			seen.Again = mergeAgain(seen.Again, map[string]time.Time{severity: again})
		}
		seen.DatasetHash = max(seen.DatasetHash, string(a.Labels[plumbline.LabelDatasetHash]))
		seen.FeatureJob = max(seen.FeatureJob, string(a.Labels[plumbline.LabelFeatureJob]))
	}
	if s.correlator != nil && seen.Model != "" {
		dataset, job := s.correlator.Correlation(seen.Model, seen.Deploy)
		seen.DatasetHash, seen.FeatureJob = cmp.Or(seen.DatasetHash, dataset), cmp.Or(seen.FeatureJob, job)
	}
	seen.OpenedAt, seen.EscalatedAt = moment(seen.OpenedAt), moment(seen.EscalatedAt)
	if len(firing) == 0 {
		var last time.Time
		for _, a := range resolved {
			last = later(last, a.EndsAt)
		}
		known, _ := s.alerts.over(seen.Key)
		seen.over = later(last, known)
	}
	return seen
}
