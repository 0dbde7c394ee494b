package alerting_test

import (
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

// What is over says why: that the model is well only where the rules told so.
func TestAnEndSaysWhy(t *testing.T) {
	missing := func(a alerting.Alert) alerting.Alert { return with(a, plumbline.LabelAlert, plumbline.AlertSLOMissing) }
	same := func(a alerting.Alert) alerting.Alert { return a }
	for name, tt := range map[string]struct {
		change func(alerting.Alert) alerting.Alert
		unsaid bool
		want   string
	}{
		"told":           {same, false, "🟢 RESOLVED: flight-delay is back within late-accuracy"},
		"known again":    {missing, false, "🟢 RESOLVED: flight-delay: something is known of late-accuracy again"},
		"unsaid":         {same, true, "⚪ RESOLVED: flight-delay: nothing is said of late-accuracy any more"},
		"missing unsaid": {missing, true, "⚪ RESOLVED: flight-delay: nothing is said of late-accuracy any more"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s := w.start(t)
			ticket := tt.change(firing(plumbline.SeverityTicket))
			if tt.unsaid { // nobody sends it again
				ticket.EndsAt = time.Now().Add(6 * time.Second)
			}
			s.send(t, ticket)
			w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
			if !tt.unsaid {
				s.send(t, resolved(ticket))
			}
			w.waitSlack(t, func([]fakeslack.Message) bool { return strings.Contains(w.slack.Roots()[0].Text, "RESOLVED") })
			if text := w.slack.Roots()[0].Text; !strings.HasPrefix(text, tt.want) {
				t.Errorf("%s, want %s", text, tt.want)
			}
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
