package alerting_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

func TestKillAfterAPageDoesNotPageAgain(t *testing.T) {
	w := newWorld(t)
	p := w.spawn(t)
	p.send(t, firing(plumbline.SeverityPage))
	p.wait(t, "opened ")
	p.wait(t, "opened ") // Slack and PagerDuty, in either order
	p.kill()

	// The rules speak again after the restart, then the problem ends.
	s := w.start(t)
	s.turns(t, 4)
	s.send(t, firing(plumbline.SeverityPage))
	s.turns(t, 4)
	wantActions(t, w, "trigger")
	if m := w.slack.Messages(); len(m) != 1 || m[0].Updates != 0 {
		t.Errorf("Slack messages after the restart: %+v", m)
	}
	s.send(t, resolved(firing(plumbline.SeverityPage)))
	w.waitPagerDuty(t, 2)
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 2 })
	wantActions(t, w, "trigger resolve")
	if roots := w.slack.Roots(); len(roots) != 1 || roots[0].Updates != 1 {
		t.Errorf("Slack roots %+v, want the old message, updated", roots)
	}
}

func TestKillBeforeThePageDoesNotLoseIt(t *testing.T) {
	w := newWorld(t)
	// The first service would wait for an hour; the alert is too young for the
	// immediate flush of old alerts.
	w.Config.GroupWait, w.Config.RepeatInterval, w.Config.Retention = time.Hour, 2*time.Hour, 4*time.Hour
	p := w.spawn(t)
	p.send(t, firing(plumbline.SeverityPage))
	p.kill()
	wantActions(t, w, "")

	w.Config.GroupWait = 5 * time.Millisecond
	w.start(t) // nobody sends the alert again
	w.waitPagerDuty(t, 1)
	wantActions(t, w, "trigger")
}

func TestEndWhileDownIsToldWithoutTheRules(t *testing.T) {
	w := newWorld(t)
	p := w.spawn(t)
	a := firing(plumbline.SeverityPage)
	a.EndsAt = time.Now().Add(5 * time.Second) // how long the rules' silence may last
	p.send(t, a)
	p.wait(t, "opened ")
	p.wait(t, "opened ")
	p.kill()

	w.Config.RestartGrace = 50 * time.Millisecond
	w.start(t)
	w.waitPagerDuty(t, 2)
	wantActions(t, w, "trigger resolve")
}

func TestEndThatWasTakenAndNotDeliveredIsDeliveredAfterAKill(t *testing.T) {
	w := newWorld(t)
	w.Config.GroupInterval, w.Config.RepeatInterval, w.Config.Retention = time.Hour, 2*time.Hour, 4*time.Hour
	p := w.spawn(t)
	p.send(t, firing(plumbline.SeverityPage))
	p.wait(t, "opened ")
	p.wait(t, "opened ")
	p.send(t, resolved(firing(plumbline.SeverityPage))) // the next turn is in an hour
	p.kill()
	wantActions(t, w, "trigger")

	w.start(t)
	w.waitPagerDuty(t, 2)
	wantActions(t, w, "trigger resolve")
}

func TestSilenceSurvivesAKillRightAfterItsAnswer(t *testing.T) {
	w := newWorld(t)
	p := w.spawn(t)
	status, _ := silence(t, p.api, "flight-delay", time.Hour)
	p.kill()
	if status != http.StatusOK {
		t.Fatalf("silence: status %d", status)
	}

	s := w.start(t)
	s.send(t, firing(plumbline.SeverityPage), firing(plumbline.SeverityTicket))
	// An incident that is not silenced shows that the others had their turn.
	w.Config.Owners[0].Models = append(w.Config.Owners[0].Models, "other")
	s.stop()
	s = w.start(t)
	s.send(t, with(firing(plumbline.SeverityPage), plumbline.LabelModel, "other"))
	w.waitPagerDuty(t, 1)
	s.turns(t, 8)
	if events := w.pagerduty.Events(); len(events) != 1 || events[0].Payload.Group != "other" {
		t.Errorf("a silenced incident paged: %+v", events)
	}
}

// active is what the rules know.
type active []alerting.Alert

func (a active) ActiveAlerts(context.Context) ([]alerting.Alert, error) { return a, nil }

func TestAlertsOfTheRulesSeedTheStart(t *testing.T) {
	w := newWorld(t)
	w.Config.RestartGrace = time.Hour
	a := firing(plumbline.SeverityPage)
	a.EndsAt = time.Time{}
	s := w.start(t, func(d *alerting.Deps) { d.Active = active{a} })
	w.waitPagerDuty(t, 1)
	s.send(t, resolved(a))
	w.waitPagerDuty(t, 2)
	wantActions(t, w, "trigger resolve")
}

func TestCleanRestartDoesNotPageAgain(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityPage))
	eventually(t, func() bool { return s.journal.count(alerting.EventOpened) == 2 })
	for range 3 {
		s.stop()
		s = w.start(t)
		s.send(t, firing(plumbline.SeverityPage))
		s.turns(t, 4)
	}
	wantActions(t, w, "trigger")
	if m := w.slack.Messages(); len(m) != 1 || m[0].Updates != 0 {
		t.Errorf("Slack messages: %+v", m)
	}
}
