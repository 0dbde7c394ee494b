package alerting

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Alert is one alert as a rule evaluation reports it. The labels model,
// deploy_hash and slo are the identity of the incident; severity is its level.
// An alert without a model is about the service itself: alertname and object
// are its identity.
type Alert struct {
	Labels      map[string]string
	Annotations map[string]string
	// StartsAt is when the alert began to fire; zero means now.
	StartsAt time.Time
	// EndsAt in the past resolves the alert. In the future it is how long the
	// alert is taken as firing without being sent again; zero means
	// Config.ResolveTimeout from now.
	EndsAt       time.Time
	GeneratorURL string
}

// Label returns a label's value, or the empty string.
func (a Alert) Label(name string) string { return a.Labels[name] }

// resolvedAt reports whether the alert has ended at t.
func (a Alert) resolvedAt(t time.Time) bool {
	return !a.EndsAt.IsZero() && !a.EndsAt.After(t)
}

// incident is the key of the alert's incident.
func (a Alert) incident() string {
	if m := a.Label(plumbline.LabelModel); m != "" {
		return IncidentKey(plumbline.Model(m), plumbline.DeployHash(a.Label(plumbline.LabelDeploy)), plumbline.SLOName(a.Label(plumbline.LabelSLO)))
	}
	return ServiceIncidentKey(a.Label(plumbline.LabelAlert), a.Label(plumbline.LabelObject))
}

// IncidentKey is the stable name of the incident of a model, deploy and SLO: 64
// hexadecimal digits. Two parts that join to the same text stay apart.
func IncidentKey(m plumbline.Model, deploy plumbline.DeployHash, slo plumbline.SLOName) string {
	return keyOf(string(m), string(deploy), string(slo))
}

// ServiceIncidentKey is the stable name of an incident of the service itself,
// which never equals one of a model.
func ServiceIncidentKey(alertname, object string) string {
	return keyOf("", "service", alertname, object)
}

func keyOf(parts ...string) string {
	hash := sha256.New()
	for _, part := range parts {
		// A hash never refuses to be written to.
		_, _ = hash.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// toAlertmanager converts, fills in the times as Alertmanager's API does, and
// validates.
func (a Alert) toAlertmanager(now time.Time, resolveTimeout time.Duration) (*alert.Alert, error) {
	out := &alert.Alert{
		Alert: model.Alert{
			Labels:       labelSet(a.Labels),
			Annotations:  labelSet(a.Annotations),
			StartsAt:     a.StartsAt,
			EndsAt:       a.EndsAt,
			GeneratorURL: a.GeneratorURL,
		},
		UpdatedAt: now,
	}
	if out.EndsAt.IsZero() {
		out.EndsAt, out.Timeout = now.Add(resolveTimeout), true
	}
	if out.StartsAt.IsZero() {
		out.StartsAt = now
		if out.EndsAt.Before(now) {
			out.StartsAt = out.EndsAt
		}
	}
	if err := out.Validate(); err != nil {
		return nil, fmt.Errorf("alert %v: %w", a.Labels, err)
	}
	return out, nil
}

func toAlertmanagers(alerts []Alert, now time.Time, resolveTimeout time.Duration) ([]*alert.Alert, error) {
	var (
		out  = make([]*alert.Alert, 0, len(alerts))
		errs []error
	)
	for _, a := range alerts {
		converted, err := a.toAlertmanager(now, resolveTimeout)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, converted)
	}
	return out, errors.Join(errs...)
}

func fromAlertmanager(a *alert.Alert) Alert {
	return Alert{
		Labels:       stringMap(a.Labels),
		Annotations:  stringMap(a.Annotations),
		StartsAt:     a.StartsAt,
		EndsAt:       a.EndsAt,
		GeneratorURL: a.GeneratorURL,
	}
}

// labelSet drops empty values: in the Prometheus data model an empty label is
// no label.
func labelSet(m map[string]string) model.LabelSet {
	set := make(model.LabelSet, len(m))
	for name, value := range m {
		if value != "" {
			set[model.LabelName(name)] = model.LabelValue(value)
		}
	}
	return set
}

func stringMap(set model.LabelSet) map[string]string {
	m := make(map[string]string, len(set))
	for name, value := range set {
		m[string(name)] = string(value)
	}
	return m
}
