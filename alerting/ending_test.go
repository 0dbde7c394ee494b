package alerting_test

import (
	"strings"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

// What is over says why: that the model is well only where the rules told so.
func TestAnEndSaysWhy(t *testing.T) {
	for alertname, want := range map[string]string{
		"SLOBurn":                 "🟢 RESOLVED: flight-delay is back within late-accuracy",
		plumbline.AlertSLOMissing: "🟢 RESOLVED: flight-delay: something is known of late-accuracy again",
	} {
		t.Run(alertname, func(t *testing.T) {
			w := newWorld(t)
			s := w.start(t)
			ticket := with(firing(plumbline.SeverityTicket), plumbline.LabelAlert, alertname)
			s.send(t, ticket)
			w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
			s.send(t, resolved(ticket))
			w.waitSlack(t, func([]fakeslack.Message) bool { return strings.HasPrefix(w.slack.Roots()[0].Text, want) })
		})
	}
}

// An incident that another owner has now goes on, and its former owner hears that.
func TestAnOwnersPartEndsAndTheIncidentGoesOn(t *testing.T) {
	w := newWorld(t)
	w.Config.Owners = append(w.Config.Owners, plumbline.OwnerEntry{Name: "second", SlackChannel: "#second"})
	s := w.start(t)
	page := firing(plumbline.SeverityPage)
	s.send(t, page)
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
	s.send(t, with(page, plumbline.LabelOwner, "second"))
	w.waitSlack(t, func([]fakeslack.Message) bool { return len(w.slack.Roots()) == 2 })
	s.send(t, resolved(page))
	w.waitSlack(t, func([]fakeslack.Message) bool {
		return strings.Contains(w.slack.Roots()[0].Text, "⚪ RESOLVED: flight-delay: late-accuracy goes on with another owner")
	})
}
