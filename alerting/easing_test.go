package alerting_test

import (
	"strings"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

func TestEasing(t *testing.T) {
	burn := func(severity, windows string, rate float64) alerting.Burn {
		return alerting.Burn{Severity: severity, Windows: windows, Rate: alerting.Known{V: rate, OK: rate > 0}}
	}
	fast, slow, ticket := burn("page", "1h/5m", 26.5), burn("page", "6h/30m", 7.2), burn("ticket", "3d/6h", 1.2)
	silent := burn("ticket", "", 0)
	text := func(burns ...alerting.Burn) alerting.Text {
		return alerting.Text{Status: alerting.StatusFiring, Severity: burns[0].Severity, Burns: burns}
	}
	taken := text(fast, slow)
	taken.Acked = &alerting.Ack{By: "ann"}
	over := text(slow)
	over.Status = alerting.StatusResolved
	for name, tt := range map[string]struct {
		before, now alerting.Text
		want        string
	}{
		"a pair ends":            {text(fast, slow), text(slow), "Improves: the page over 1h/5m is over; the page over 6h/30m goes on, 7.2 times too fast."},
		"the page ends":          {text(fast, slow, ticket), text(ticket), "Improves to a ticket: the page over 1h/5m and the page over 6h/30m are over; the ticket over 3d/6h goes on, 1.2 times too fast."},
		"what has no windows":    {text(fast, ticket, silent), text(ticket, silent), "Improves to a ticket: the page over 1h/5m is over; the ticket over 3d/6h and the ticket go on, 1.2 times too fast."},
		"nothing was known":      {alerting.Text{}, text(slow), ""},
		"nothing ends":           {text(slow), text(slow), ""},
		"another begins":         {text(fast), text(slow), ""},
		"it gets worse":          {text(ticket), text(fast), ""},
		"it is over":             {text(fast, slow), over, ""},
		"nobody looks any more ": {taken, text(slow), ""},
	} {
		if got := tt.now.Easing(tt.before, alerting.PlainQuoter{}); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// The end of one of two burns is told in the thread as what it is, and to nobody else.
func TestTheThreadSaysThatItImproves(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	fast, slow := firing(plumbline.SeverityPage), with(firing(plumbline.SeverityPage), "window", "6h")
	fast.Annotations[plumbline.AnnotationWindows] = "1h/5m"
	slow.Annotations[plumbline.AnnotationWindows] = "6h/30m"
	s.send(t, fast, slow)
	w.waitSlack(t, func(m []fakeslack.Message) bool {
		return len(m) > 0 && strings.Contains(string(m[0].Blocks), "1h/5m") && strings.Contains(string(m[0].Blocks), "6h/30m")
	})
	s.send(t, resolved(fast), slow)
	w.waitSlack(t, func(m []fakeslack.Message) bool {
		last := m[len(m)-1]
		return last.ThreadTS == m[0].TS && strings.HasPrefix(last.Text, "Improves: the page over 1h/5m is over; the page over 6h/30m goes on, ")
	})
}
