package webhook

import (
	"strings"
	"time"

	"github.com/prometheus/alertmanager/notify"
	amwebhook "github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// message is Alertmanager's webhook message, with what only Plumbline knows
// beside it under one key of its own.
type message struct {
	amwebhook.Message
	Plumbline incident `json:"plumbline"`
}

// incident is the text of the alert, in parts and as a person reads it.
type incident struct {
	Incident string `json:"incident"`
	// Level is PAGE, TICKET or RESOLVED.
	Level    string            `json:"level"`
	Headline string            `json:"headline"`
	Facts    []alerting.Fact   `json:"facts"`
	Why      []string          `json:"why,omitempty"`
	Links    map[string]string `json:"links,omitempty"`
	SQL      string            `json:"sql,omitempty"`
	TakenBy  string            `json:"taken_by,omitempty"`
}

func (n *notifier) message(notice alerting.Notice) message {
	var (
		q    alerting.PlainQuoter
		text = notice.Text
	)
	m := message{
		Message: amwebhook.Message{Version: "4", GroupKey: text.Incident, Data: n.data(notice)},
		Plumbline: incident{
			Incident: text.Incident, Level: text.Level(), Headline: text.Headline(q), Facts: text.Facts(q), Why: text.Why(q),
			Links: make(map[string]string), SQL: alerting.CleanLines(text.SQL),
		},
	}
	if limit := n.config.MaxAlerts; limit > 0 && len(m.Alerts) > limit {
		m.TruncatedAlerts = uint64(len(m.Alerts) - limit)
		m.Alerts = m.Alerts[:limit]
	}
	for _, l := range text.Links {
		m.Plumbline.Links[strings.ToLower(l.Name)] = l.URL
	}
	if text.Acked != nil {
		m.Plumbline.TakenBy = q.Name(text.Acked.By)
	}
	return m
}

// data is what Alertmanager's templates and webhook show of a group. The group
// of an incident is its identity.
func (n *notifier) data(notice alerting.Notice) *template.Data {
	text := notice.Text
	d := &template.Data{
		Receiver: n.receiver, Status: string(text.Status), ExternalURL: n.config.ExternalURL, NotificationReason: reason(notice),
		GroupLabels: template.KV{}, CommonLabels: template.KV{}, CommonAnnotations: template.KV{}, RouteLabels: template.KV{}, Alerts: template.Alerts{},
	}
	for name, value := range map[string]string{
		plumbline.LabelModel: string(text.Model), plumbline.LabelDeploy: string(text.Deploy), plumbline.LabelSLO: string(text.SLO),
	} {
		if value != "" {
			d.GroupLabels[name] = value
		}
	}
	if text.Service() {
		d.GroupLabels[plumbline.LabelAlert] = text.Name
		if text.Object != "" {
			d.GroupLabels[plumbline.LabelObject] = text.Object
		}
	}
	for i, a := range notice.Alerts {
		labels, annotations := known(a.Labels), known(a.Annotations)
		status := string(model.AlertFiring)
		if !a.EndsAt.IsZero() && !a.EndsAt.After(text.At) {
			status = string(model.AlertResolved)
		}
		shown := template.Alert{
			Status: status, Labels: labels, Annotations: annotations, StartsAt: a.StartsAt, EndsAt: a.EndsAt,
			GeneratorURL: a.GeneratorURL, Fingerprint: fingerprint(labels),
		}
		if status == string(model.AlertFiring) {
			shown.EndsAt = time.Time{} // as Alertmanager: its end is not known
		}
		d.Alerts = append(d.Alerts, shown)
		if i == 0 {
			d.CommonLabels, d.CommonAnnotations = labels.Remove(nil), annotations.Remove(nil)
			continue
		}
		keepCommon(d.CommonLabels, labels)
		keepCommon(d.CommonAnnotations, annotations)
	}
	return d
}

// known drops empty values: in the Prometheus data model an empty label is none.
func known(m map[string]string) template.KV {
	kv := make(template.KV, len(m))
	for name, value := range m {
		if value != "" {
			kv[name] = value
		}
	}
	return kv
}

// keepCommon drops from common what the next alert has otherwise.
func keepCommon(common, next template.KV) {
	for name, value := range common {
		if next[name] != value {
			delete(common, name)
		}
	}
}

func fingerprint(labels template.KV) string {
	set := make(model.LabelSet, len(labels))
	for name, value := range labels {
		set[model.LabelName(name)] = model.LabelValue(value)
	}
	return set.Fingerprint().String()
}

// reason is Alertmanager's word for why it notifies.
func reason(notice alerting.Notice) string {
	told, _ := notice.State.GetStr(stateTold)
	switch {
	case told == "":
		return notify.ReasonFirstNotification.String()
	case notice.Text.Status == alerting.StatusResolved:
		return notify.ReasonAllAlertsResolved.String()
	case notice.Repeat:
		return notify.ReasonRepeatIntervalElapsed.String()
	}
	return notify.ReasonNewAlertsInGroup.String()
}
