package alerting_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

func TestOneIncidentOnePage(t *testing.T) {
	w := newWorld(t)
	w.Config.GroupWait = 200 * time.Millisecond // page and ticket are in the first turn
	s := w.start(t)
	page, ticket := firing(plumbline.SeverityPage), firing(plumbline.SeverityTicket)
	page.StartsAt, ticket.StartsAt = time.Now(), time.Now()
	for range 100 {
		page.EndsAt, ticket.EndsAt = time.Now().Add(5*time.Minute), time.Now().Add(5*time.Minute)
		s.send(t, page, ticket)
		s.turns(t, 2)
	}
	w.waitPagerDuty(t, 1)
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) > 0 })
	s.send(t, resolved(ticket)) // inhibited and never told: nothing to say
	s.turns(t, 4)
	s.send(t, resolved(page))
	w.waitPagerDuty(t, 2)
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) > 1 })
	eventually(t, func() bool { return s.journal.count(alerting.EventResolved) == 2 })

	wantActions(t, w, "trigger resolve")
	events := w.pagerduty.Events()
	if events[0].DedupKey != events[1].DedupKey || events[0].DedupKey != alerting.IncidentKey("flight-delay", "9c41d2e0", "late-accuracy") {
		t.Errorf("dedup keys %q and %q", events[0].DedupKey, events[1].DedupKey)
	}
	roots := w.slack.Roots()
	if len(roots) != 1 || roots[0].Updates != 1 || !strings.Contains(roots[0].Text, "RESOLVED") {
		t.Fatalf("Slack roots %+v, want one, updated once, resolved", roots)
	}
	if !strings.Contains(string(roots[0].Blocks), "distance") {
		t.Error("the resolved message no longer says what the cause was")
	}
	if thread := w.slack.Thread(roots[0].TS); len(thread) != 1 || !strings.HasPrefix(thread[0].Text, "Resolved") {
		t.Errorf("thread %+v, want one reply, resolved", thread)
	}
	if opened, ended := s.journal.count(alerting.EventOpened), s.journal.count(alerting.EventResolved); opened != 2 || ended != 2 {
		t.Errorf("journal: %d opened, %d resolved, want 2 and 2 (one a channel)", opened, ended)
	}
}

func TestTicketIsInhibitedByThePageOfItsDeploy(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityPage))
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
	other := with(firing(plumbline.SeverityTicket), plumbline.LabelSLO, "late-drift")
	eventually(t, func() bool { return s.Inhibits(t.Context(), other.Labels) })
	s.send(t, other)
	s.turns(t, 8)
	if roots := w.slack.Roots(); len(roots) != 1 {
		t.Fatalf("Slack roots %+v, want the page's only", roots)
	}
	// The page ends: the ticket may speak.
	s.send(t, resolved(firing(plumbline.SeverityPage)))
	w.waitSlack(t, func([]fakeslack.Message) bool { return len(w.slack.Roots()) == 2 })
	w.waitPagerDuty(t, 2)
	wantActions(t, w, "trigger resolve")
}

func TestTicketBecomesThePageOfTheSameIncident(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityTicket))
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
	if len(w.pagerduty.Requests()) != 0 {
		t.Fatal("a ticket reached PagerDuty")
	}
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 1)
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 2 })
	// Back to a ticket: nobody is kept awake, the incident goes on in Slack.
	s.send(t, resolved(firing(plumbline.SeverityPage)))
	w.waitPagerDuty(t, 2)
	w.waitSlack(t, func([]fakeslack.Message) bool { return strings.Contains(w.slack.Roots()[0].Text, "TICKET") })
	wantActions(t, w, "trigger resolve")
	if roots := w.slack.Roots(); len(roots) != 1 {
		t.Fatalf("Slack roots %+v, want one", roots)
	}
}

func TestUndeclaredModelIsRecordedAndNotSent(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	s.send(t, with(with(firing(plumbline.SeverityPage), plumbline.LabelModel, "nobody's"), plumbline.LabelOwner, ""))
	eventually(t, func() bool { return s.journal.count(alerting.EventUnrouted) == 1 })
	if len(w.slack.Requests())+len(w.pagerduty.Requests()) != 0 {
		t.Error("somebody was told of a model nobody declared")
	}
}

func TestAPageOfAnOwnerWhomNoChannelReachesIsRecorded(t *testing.T) {
	w := newWorld(t)
	for i := range w.Config.Owners {
		w.Config.Owners[i].SlackChannel, w.Config.Owners[i].PagerDutyKeyFile = "", ""
	}
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityPage))
	eventually(t, func() bool { return s.journal.count(alerting.EventUnrouted) == 1 })
	if len(w.slack.Requests())+len(w.pagerduty.Requests()) != 0 {
		t.Error("somebody was told")
	}
	if n := s.journal.count(alerting.EventOpened); n != 0 {
		t.Errorf("%d notices are said to have reached somebody", n)
	}
}

func TestPagerDutyErrorsAreRetriedIntoOneTrigger(t *testing.T) {
	w := newWorld(t)
	w.Config.GroupInterval = time.Minute // the retries are within one turn
	w.pagerduty.Fail(fakehttp.Fault{Status: 500}, fakehttp.Fault{Status: 500})
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 1)
	eventually(t, func() bool { return s.journal.count(alerting.EventOpened) == 2 })
	wantActions(t, w, "trigger")
	if n := len(w.pagerduty.Requests()); n != 3 {
		t.Errorf("PagerDuty got %d requests, want 3", n)
	}
}

func TestMessageDeletedInSlackIsPostedAgain(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityTicket))
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
	eventually(t, func() bool { return s.journal.count(alerting.EventOpened) == 1 })
	w.slack.Fail(fakehttp.Fault{Status: 200, Body: `{"ok":false,"error":"message_not_found"}`})
	s.send(t, firing(plumbline.SeverityPage))
	w.waitSlack(t, func([]fakeslack.Message) bool { return len(w.slack.Roots()) == 2 })
}

func TestEndWhileSilencedIsTold(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 1)
	eventually(t, func() bool { return s.journal.count(alerting.EventOpened) == 2 })
	if status, _ := silence(t, s.api, "flight-delay", time.Hour); status != http.StatusOK {
		t.Fatalf("silence: status %d", status)
	}
	s.send(t, resolved(firing(plumbline.SeverityPage)))
	w.waitPagerDuty(t, 2)
	wantActions(t, w, "trigger resolve")
}

// explainerFunc makes an Explainer of a function.
type explainerFunc func(ctx context.Context) (alerting.Explanation, error)

func (f explainerFunc) Explain(ctx context.Context, _ alerting.Question) (alerting.Explanation, error) {
	return f(ctx)
}

func TestPageGoesOutWithoutAnExplanation(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for name, explain := range map[string]explainerFunc{
		"error": func(context.Context) (alerting.Explanation, error) {
			return alerting.Explanation{}, errors.New("findings are gone")
		},
		"deaf":  func(context.Context) (alerting.Explanation, error) { <-release; return alerting.Explanation{}, nil },
		"panic": func(context.Context) (alerting.Explanation, error) { panic("nil map") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Config.ExplainTimeout = 50 * time.Millisecond
			s := w.start(t, func(d *alerting.Deps) { d.Explainer = explain })
			s.send(t, firing(plumbline.SeverityPage))
			w.waitPagerDuty(t, 1)
			w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
			if blocks := string(w.slack.Messages()[0].Blocks); !strings.Contains(blocks, "The explanation is missing") {
				t.Errorf("Slack does not say that the explanation is missing: %s", blocks)
			}
			if details := string(w.pagerduty.Events()[0].Payload.Details); !strings.Contains(details, "The explanation is missing") {
				t.Errorf("PagerDuty does not say that the explanation is missing: %s", details)
			}
			if s.counter(t, "plumbline_alerting_explain_failures_total") != 1 {
				t.Error("the missing explanation was not counted once")
			}
		})
	}
}

func TestSendRefusesWhatIsNotValidAndTakesTheRest(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	bad := firing(plumbline.SeverityPage)
	bad.Labels = nil
	if err := s.Send(context.Background(), bad, firing(plumbline.SeverityPage)); err == nil {
		t.Error("an alert without labels was taken")
	}
	w.waitPagerDuty(t, 1)
	if s.counter(t, "plumbline_alerting_alerts_refused_total") != 1 || s.counter(t, "plumbline_alerting_alerts_received_total") != 1 {
		t.Error("counters: want one refused, one received")
	}
	s.stop()
	if err := s.Send(context.Background(), firing(plumbline.SeverityPage)); !errors.Is(err, alerting.ErrStopped) {
		t.Errorf("Send after Run: %v, want ErrStopped", err)
	}
	if err := s.Run(context.Background()); err == nil {
		t.Error("a second Run was allowed")
	}
}

func TestAPIV2(t *testing.T) {
	w := newWorld(t)
	w.Config.RoutePrefix = "/alertmanager"
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 1)
	get := func(path string, into any) {
		t.Helper()
		response, err := http.Get(s.api + "/alertmanager/api/v2/" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d, %v: %s", path, response.StatusCode, err, body)
		}
		if err := json.Unmarshal(body, into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	var alerts []struct {
		Labels    map[string]string
		Receivers []struct{ Name string }
		Status    struct{ State string }
	}
	get("alerts", &alerts)
	if len(alerts) != 1 || alerts[0].Labels[plumbline.LabelDeploy] != "9c41d2e0" || alerts[0].Receivers[0].Name != "owner/flights-oncall" || alerts[0].Status.State != "active" {
		t.Errorf("alerts: %+v", alerts)
	}
	var groups []json.RawMessage
	get("alerts/groups", &groups)
	if len(groups) != 1 {
		t.Errorf("groups: %s", groups)
	}
	var status struct{ Config struct{ Original string } }
	get("status", &status)
	if !strings.Contains(status.Config.Original, "flight-delay") {
		t.Errorf("status does not show the routes: %q", status.Config.Original)
	}
}
