package alerting_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

// trouble is an alert about the service itself that fires now.
func trouble(name, object, severity string) alerting.Alert {
	a := serviceAlert()
	a.Labels = map[string]string{"alertname": name, plumbline.LabelObject: object, plumbline.LabelSeverity: severity}
	a.StartsAt, a.EndsAt = time.Now(), time.Now().Add(5*time.Minute)
	return a
}

// asked is an explainer that fails the test: no model explains these alerts.
type asked struct{ t *testing.T }

func (a asked) Explain(_ context.Context, about alerting.Question) (alerting.Explanation, error) {
	a.t.Errorf("the explainer was asked about model %q", about.Model)
	return alerting.Explanation{}, errors.New("no model")
}

func TestServiceTroubleReachesItsOwner(t *testing.T) {
	w := newWorld(t)
	platform := w.Config.Owners[0]
	platform.Name, platform.SlackChannel, platform.Models = "platform", "#platform", nil
	w.Config.Owners = append(w.Config.Owners, platform)
	w.Config.ServiceOwner = "platform"
	s := w.start(t, func(d *alerting.Deps) { d.Explainer = asked{t} })
	parked := trouble("PartitionParked", "predictions/3", plumbline.SeverityPage)
	// Neither another partition nor a ticket is the same incident, and a page
	// of the one explains nothing of the others.
	s.send(t, parked, trouble("PartitionParked", "labels/0", plumbline.SeverityPage), trouble("NewEpoch", "predictions/3", plumbline.SeverityTicket))
	w.waitPagerDuty(t, 2)
	w.waitSlack(t, func([]fakeslack.Message) bool { return len(w.slack.Roots()) == 3 })
	keys := []string{w.pagerduty.Events()[0].DedupKey, w.pagerduty.Events()[1].DedupKey}
	want := []string{alerting.ServiceIncidentKey("PartitionParked", "predictions/3"), alerting.ServiceIncidentKey("PartitionParked", "labels/0")}
	slices.Sort(keys)
	slices.Sort(want)
	if !slices.Equal(keys, want) {
		t.Errorf("dedup keys %q, want %q", keys, want)
	}
	s.send(t, resolved(parked))
	w.waitPagerDuty(t, 3)
	w.waitSlack(t, func([]fakeslack.Message) bool {
		return slices.ContainsFunc(w.slack.Roots(), func(m fakeslack.Message) bool {
			return strings.Contains(m.Text, "RESOLVED: Plumbline: PartitionParked of predictions/3 is over")
		})
	})
	for _, m := range w.slack.Roots() {
		if m.Channel != w.slack.Roots()[0].Channel {
			t.Errorf("%q was posted to another channel", m.Text)
		}
	}
	if events := w.pagerduty.Events(); events[2].Action != "resolve" || events[2].DedupKey != alerting.ServiceIncidentKey("PartitionParked", "predictions/3") {
		t.Errorf("last event %+v, want the resolution of predictions/3", events[2])
	}
}

func TestServiceTroubleWithoutOwnerIsRecorded(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	s.send(t, trouble("PartitionParked", "predictions/3", plumbline.SeverityPage), trouble("NewEpoch", "labels/0", plumbline.SeverityTicket))
	eventually(t, func() bool { return s.journal.count(alerting.EventUnrouted) == 2 })
	if len(w.slack.Requests())+len(w.pagerduty.Requests()) != 0 {
		t.Error("somebody was told")
	}
}

func TestServiceIncidentIsNoModels(t *testing.T) {
	if alerting.ServiceIncidentKey("a", "b") == alerting.IncidentKey("", "a", "b") || alerting.ServiceIncidentKey("ab", "") == alerting.ServiceIncidentKey("a", "b") {
		t.Error("two incidents share a key")
	}
}
