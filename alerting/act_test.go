package alerting_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

func flightIncident() string {
	return alerting.IncidentKey("flight-delay", "9c41d2e0", "late-accuracy")
}

// muted waits until n more alerts were kept from notifying.
func (s *service) muted(t *testing.T, n int) {
	t.Helper()
	const suppressed = "alertmanager_notifications_suppressed_total"
	goal := s.counter(t, suppressed) + float64(n)
	eventually(t, func() bool { return s.counter(t, suppressed) >= goal })
}

// paged starts a service that has paged, and returns it with its incident.
func paged(t *testing.T, w *world) (*service, alerting.Incident) {
	t.Helper()
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 1)
	eventually(t, func() bool { return s.journal.count(alerting.EventOpened) == 2 })
	i, err := s.Incident(t.Context(), flightIncident())
	if err != nil {
		t.Fatal(err)
	}
	return s, i
}

func TestAcknowledgementIsDurableAndTold(t *testing.T) {
	w := newWorld(t)
	s, i := paged(t, w)
	if !i.Open() || i.Severity != plumbline.SeverityPage || i.Owner != "flights-oncall" || !strings.HasPrefix(i.ID, i.Key[:16]) {
		t.Fatalf("incident %+v", i)
	}
	for _, who := range []string{"ann", "bob"} { // the first counts
		if got, err := s.Acknowledge(t.Context(), flightIncident(), who); err != nil || got.ID != i.ID {
			t.Fatalf("acknowledged %+v, %v", got, err)
		}
	}
	w.waitPagerDuty(t, 2)
	wantActions(t, w, "trigger acknowledge")
	w.waitSlack(t, func([]fakeslack.Message) bool { return strings.Contains(string(w.slack.Roots()[0].Blocks), "ann") })
	s.stop()

	s = w.start(t)
	s.turns(t, 4)
	got, err := s.Incident(t.Context(), i.ID)
	if ack, ok := got.Acknowledged(); err != nil || !ok || ack.By != "ann" {
		t.Errorf("after a restart %+v, %v", got, err)
	}
	s.send(t, resolved(firing(plumbline.SeverityPage)))
	w.waitPagerDuty(t, 3)
	wantActions(t, w, "trigger acknowledge resolve")
	if _, err := s.Acknowledge(t.Context(), i.ID, "ann"); !errors.Is(err, alerting.ErrNoIncident) {
		t.Errorf("acknowledged what is over: %v", err)
	}
	if _, err := s.Acknowledge(t.Context(), "nothing", "ann"); !errors.Is(err, alerting.ErrNoIncident) {
		t.Errorf("acknowledged nothing: %v", err)
	}
}

func TestAcknowledgedIncidentIsNotRepeated(t *testing.T) {
	w := newWorld(t)
	w.Config.RepeatInterval, w.Config.GroupInterval = 50*time.Millisecond, 20*time.Millisecond
	s, i := paged(t, w)
	if _, err := s.Acknowledge(t.Context(), i.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	told := func() bool { return strings.HasSuffix(w.actions(), "acknowledge") }
	eventually(t, told)
	s.turns(t, 40)
	if !told() {
		t.Errorf("after the acknowledgement PagerDuty got %q", w.actions())
	}
	s.send(t, resolved(firing(plumbline.SeverityPage)))
	eventually(t, func() bool { return strings.HasSuffix(w.actions(), "acknowledge resolve") })
}

func TestAcknowledgedTicketThatEscalatesPages(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityTicket))
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
	i, err := s.Acknowledge(t.Context(), flightIncident(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 1)
	wantActions(t, w, "trigger")
	got, err := s.Incident(t.Context(), flightIncident())
	if _, acked := got.Acknowledged(); err != nil || got.ID != i.ID || acked || got.EscalatedAt.IsZero() {
		t.Errorf("the page is %+v, %v; want the ticket's incident, acknowledged by nobody", got, err)
	}
}

// Who clicks on a ticket while it becomes a page has taken note of the ticket: the
// page is nobody's, and stays so.
func TestAcknowledgedTicketIsNoAcknowledgedPage(t *testing.T) {
	w := newWorld(t)
	s, i := paged(t, w)
	ack := func(level, who string) alerting.Incident {
		t.Helper()
		got, err := s.AcknowledgeLevel(t.Context(), i.Key, level, time.Time{}, who)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for range 2 { // twice is once
		got := ack(plumbline.SeverityTicket, "ann")
		if by, taken := got.Acknowledged(); taken || got.Acks[plumbline.SeverityTicket].By != "ann" {
			t.Errorf("taken by %+v: %+v", by, got.Acks)
		}
	}
	s.turns(t, 8)
	wantActions(t, w, "trigger")
	for _, level := range []string{plumbline.SeverityPage, "", "none"} {
		if by, taken := ack(level, "bob").Acknowledged(); !taken || by.By != "bob" {
			t.Errorf("%q: taken by %+v", level, by)
		}
	}
	w.waitPagerDuty(t, 2)
	wantActions(t, w, "trigger acknowledge")
}

// tell sends alerts and waits until a notice tells of the change. The dispatcher
// takes alerts in at several hands: of two that follow each other at once, the
// second may be the first.
func (s *service) tell(t *testing.T, alerts ...alerting.Alert) {
	t.Helper()
	told := s.journal.count(alerting.EventNotified)
	s.send(t, alerts...)
	eventually(t, func() bool { return s.journal.count(alerting.EventNotified) > told })
	s.turns(t, 8) // the turn that told it is over
}

// take acknowledges an incident and waits until both channels have been told.
func (s *service) take(t *testing.T, w *world, who string) {
	t.Helper()
	if _, err := s.Acknowledge(t.Context(), flightIncident(), who); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		return strings.HasSuffix(w.actions(), "acknowledge") && strings.Contains(string(w.slack.Roots()[0].Blocks), who)
	})
	s.turns(t, 8)
}

// Somebody who took a page has not taken the one that fires again hours later,
// while a ticket kept the incident open: it pages anew.
func TestPageThatFiresAgainIsNobodysYet(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityTicket))
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 1)
	s.take(t, w, "ann")
	s.send(t, past(firing(plumbline.SeverityPage)))
	w.waitPagerDuty(t, 3)
	s.send(t, now(firing(plumbline.SeverityPage)))
	w.waitPagerDuty(t, 4)
	s.turns(t, 8)
	wantActions(t, w, "trigger acknowledge resolve trigger")
	s.stop()

	s = w.start(t)
	s.turns(t, 4)
	got, err := s.Incident(t.Context(), flightIncident())
	if ack, acked := got.Acknowledged(); err != nil || acked || len(got.Again) != 1 {
		t.Errorf("%+v, %v: taken by %+v", got, err, ack)
	}
	s.take(t, w, "bob")
	wantActions(t, w, "trigger acknowledge resolve trigger acknowledge")
}

// An end that was told is one, however soon the page fires again, and whatever is
// remembered of the alert that ended: days later its record is gone. Who took what
// ended has not taken what fires.
func TestPageThatFiresAgainAfterAToldEndIsNobodysYet(t *testing.T) {
	for name, forget := range map[string]bool{"soon": false, "after days": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Config.GroupInterval = 300 * time.Millisecond // a shorter pause is a flicker
			s := w.start(t)
			s.send(t, firing(plumbline.SeverityTicket))
			w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
			s.send(t, firing(plumbline.SeverityPage))
			w.waitPagerDuty(t, 1)
			s.take(t, w, "ann")
			ended := resolved(firing(plumbline.SeverityPage))
			s.tell(t, ended)
			w.waitPagerDuty(t, 3)
			if forget {
				s.stop()
				if err := os.Remove(filepath.Join(w.Config.DataDir, "alerts")); err != nil {
					t.Fatal(err)
				}
				s = w.start(t)
				s.send(t, firing(plumbline.SeverityTicket))
			}
			again := firing(plumbline.SeverityPage)
			again.StartsAt = ended.EndsAt.Add(time.Millisecond)
			s.send(t, again)
			w.waitPagerDuty(t, 4)
			s.turns(t, 8)
			wantActions(t, w, "trigger acknowledge resolve trigger")
			got, err := s.Incident(t.Context(), flightIncident())
			if ack, acked := got.Acknowledged(); err != nil || acked || len(got.Again) != 1 {
				t.Errorf("%+v, %v: taken by %+v", got, err, ack)
			}
		})
	}
}

// The end of a page that somebody took was never told, for at night the ticket
// that is left waits for the morning: PagerDuty, where the page is acknowledged,
// is made to ring again.
func TestPageThatFiresAgainAtNightRings(t *testing.T) {
	w := newWorld(t)
	w.Config.TimeIntervals, w.Config.Owners[0].BusinessHours = never(), "office"
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityTicket))
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 1)
	s.take(t, w, "ann")
	s.send(t, past(firing(plumbline.SeverityPage)))
	again := now(firing(plumbline.SeverityPage))
	eventually(t, func() bool { // as the rules do, it is said until it is heard
		s.send(t, again)
		return len(w.pagerduty.Events()) >= 4
	})
	wantActions(t, w, "trigger acknowledge resolve trigger")
}

// Of two conditions of a page one may end and come back: as long as the other
// fires, it is the page that was taken.
func TestPageThatNeverEndedStaysTaken(t *testing.T) {
	w := newWorld(t)
	s, i := paged(t, w)
	slow := firing(plumbline.SeverityPage)
	slow.Annotations[plumbline.AnnotationWindows] = "6h/30m"
	slow = with(slow, plumbline.LabelWindow, "6h")
	s.tell(t, slow)
	s.take(t, w, "ann")
	s.tell(t, resolved(firing(plumbline.SeverityPage)))
	s.tell(t, now(firing(plumbline.SeverityPage)))
	s.tell(t, resolved(slow))
	wantActions(t, w, "trigger acknowledge")
	if got, err := s.Incident(t.Context(), i.ID); err != nil || len(got.Acks) != 1 || len(got.Again) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Who silences a ticket has not seen the page that it becomes.
func TestASilencedTicketStillPages(t *testing.T) {
	w := newWorld(t)
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityTicket))
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
	if _, err := s.Silence(t.Context(), flightIncident(), alerting.SilenceRequest{For: time.Hour, By: "ann"}); err != nil {
		t.Fatal(err)
	}
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 1)
	s.turns(t, 4)
	// The message that somebody clicks on may show the ticket still.
	for level, pages := range map[string]bool{plumbline.SeverityTicket: true, plumbline.SeverityPage: false, "": false} {
		id, err := s.Silence(t.Context(), flightIncident(), alerting.SilenceRequest{Level: level, For: time.Hour, By: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.Get(s.api + "/api/v2/silence/" + id)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(text), `{"isEqual":false,"isRegex":false,"name":"severity","value":"page"}`); got != pages {
			t.Errorf("seen as %q, the silence is %s", level, text)
		}
	}
}

func TestSilencedIncidentIsQuietUntilItsEnd(t *testing.T) {
	w := newWorld(t)
	s, i := paged(t, w)
	id, err := s.Silence(t.Context(), i.ID, alerting.SilenceRequest{For: time.Hour, By: "ann", Comment: "known"})
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(s.api + "/api/v2/silence/" + id)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var silence struct{ CreatedBy, Comment string }
	if err := json.NewDecoder(response.Body).Decode(&silence); err != nil || silence.CreatedBy != "ann" || silence.Comment != "known" {
		t.Errorf("silence %+v, %v", silence, err)
	}
	roots := len(w.slack.Messages())
	worse := with(firing(plumbline.SeverityPage), plumbline.LabelWindow, "6h")
	s.send(t, worse)
	s.muted(t, 4)
	if n := len(w.slack.Messages()); n != roots {
		t.Errorf("a silenced incident told something: %d messages after %d", n, roots)
	}
	s.send(t, resolved(firing(plumbline.SeverityPage)), resolved(worse))
	w.waitPagerDuty(t, 2)
	wantActions(t, w, "trigger resolve")
	for _, d := range []time.Duration{0, -time.Hour, 31 * 24 * time.Hour} {
		if _, err := s.Silence(t.Context(), i.ID, alerting.SilenceRequest{For: d, By: "ann"}); err == nil {
			t.Errorf("silenced for %s", d)
		}
	}
}

// While anything of an incident fires, silenced or not, it is not over.
func TestIncidentIsNotOverWhileAnAlertIsSilenced(t *testing.T) {
	w := newWorld(t)
	s, i := paged(t, w)
	second := with(firing(plumbline.SeverityPage), plumbline.LabelWindow, "6h")
	s.send(t, second)
	eventually(t, func() bool {
		got, err := s.Incident(t.Context(), i.ID)
		return err == nil && len(got.Events) > len(i.Events)
	})
	if _, err := s.Silence(t.Context(), i.ID, alerting.SilenceRequest{For: time.Hour, By: "ann", Comment: "known"}); err != nil {
		t.Fatal(err)
	}
	s.send(t, resolved(firing(plumbline.SeverityPage)))
	s.muted(t, 2)
	if strings.Contains(w.actions(), "resolve") {
		t.Fatal("resolved while an alert fires")
	}
	s.send(t, resolved(second))
	w.waitPagerDuty(t, 2)
	wantActions(t, w, "trigger resolve")
}

func TestActionsOverHTTP(t *testing.T) {
	w := newWorld(t)
	s, i := paged(t, w)
	post := func(path, body string) int {
		response, err := http.Post(s.api+"/api/incidents/"+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	for _, test := range []struct {
		path, body string
		want       int
	}{
		{i.ID + "/acknowledge", `{"by":"ann"}`, http.StatusOK},
		{i.Key + "/silence", `{"by":"ann","for":"1h","comment":"known"}`, http.StatusOK},
		{"nothing/acknowledge", `{"by":"ann"}`, http.StatusNotFound},
		{i.ID + "/acknowledge", `{}`, http.StatusBadRequest},
		{i.ID + "/acknowledge", `{"by":"ann","typo":1}`, http.StatusBadRequest},
		{i.ID + "/silence", `{"by":"ann","for":"1d","comment":"known"}`, http.StatusOK},
		{i.ID + "/silence", `{"by":"ann","for":"soon"}`, http.StatusBadRequest},
		{i.ID + "/silence", `{"by":"ann","for":"-1h"}`, http.StatusBadRequest},
		{i.ID + "/silence", `{"by":"ann","for":"31d"}`, http.StatusBadRequest},
	} {
		if got := post(test.path, test.body); got != test.want {
			t.Errorf("%s %s: %d, want %d", test.path, test.body, got, test.want)
		}
	}
	response, err := http.Get(s.api + "/api/incidents")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var all []alerting.Incident
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil || len(all) != 1 || all[0].ID != i.ID || all[0].Acks[plumbline.SeverityPage].By != "ann" {
		t.Errorf("incidents %+v, %v", all, err)
	}
}

// A trigger that was delivered, whose answer was lost, and whose incident ended
// before it could be sent again, is resolved all the same.
func TestWhatMayHaveBeenToldIsEnded(t *testing.T) {
	w := newWorld(t)
	w.pagerduty.Fail(fakehttp.Fault{CutAfter: true}, fakehttp.Fault{Status: http.StatusBadRequest})
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 1)
	s.send(t, resolved(firing(plumbline.SeverityPage)))
	eventually(t, func() bool {
		alerts := w.pagerduty.Alerts()
		return len(alerts) == 1 && alerts[0].Resolved
	})
}

// A ticket that the channel refused may have been told, and its incident was silenced
// before it could be told again: it stays muted.
func TestATicketThatMayHaveBeenToldStaysMuted(t *testing.T) {
	w := newWorld(t)
	w.Config.GroupInterval, w.Config.RepeatInterval, w.Config.Retention = time.Hour, 2*time.Hour, 4*time.Hour
	w.slack.Fail(fakehttp.Fault{Path: "chat.postMessage", Status: http.StatusBadRequest})
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityTicket))
	const failed = "alertmanager_notifications_failed_total"
	eventually(t, func() bool { return s.counter(t, failed) > 0 })
	if _, err := s.Silence(t.Context(), flightIncident(), alerting.SilenceRequest{For: time.Hour, By: "ann", Comment: "known"}); err != nil {
		t.Fatal(err)
	}
	s.stop()

	w.Config.GroupInterval = 20 * time.Millisecond
	s = w.start(t)
	s.muted(t, 4)
	s.turns(t, 4)
	if n := len(w.slack.Messages()); n != 0 {
		t.Errorf("a silenced ticket was told: %d messages", n)
	}
}

// rows keeps what would be rows, and refuses the first writes.
type rows struct {
	refuse int
	got    chan []alerting.Incident
}

func (r *rows) RecordIncidents(_ context.Context, i []alerting.Incident) error {
	if r.refuse > 0 {
		r.refuse--
		return errors.New("no ClickHouse")
	}
	r.got <- i
	return nil
}

func TestIncidentsBecomeRows(t *testing.T) {
	w := newWorld(t)
	r := &rows{got: make(chan []alerting.Incident, 1000)}
	s := w.start(t, func(d *alerting.Deps) { d.Recorder = r })
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 1)
	s.send(t, resolved(firing(plumbline.SeverityPage)))
	late := time.After(5 * time.Minute)
	for {
		select {
		case batch := <-r.got:
			if len(batch) == 1 && !batch[0].Open() {
				return
			}
		case <-late:
			t.Fatal("the end was never written")
		}
	}
}

// Whom a page escalates to may have the owner's Slack channel, as by default everybody
// has the same: they are told by a message of their own, and both hear of the end.
func TestEscalationIntoTheSameChannelIsTold(t *testing.T) {
	w := newWorld(t)
	w.Config.Owners[0].Escalation = &plumbline.Escalation{After: 300 * time.Millisecond, To: "manager"}
	w.Config.Owners = append(w.Config.Owners, plumbline.OwnerEntry{Name: "manager", Team: "Managers", SlackChannel: w.Config.Owners[0].SlackChannel})
	s := w.start(t)
	page := now(firing(plumbline.SeverityPage))
	s.send(t, page)
	w.waitSlack(t, func([]fakeslack.Message) bool { return len(w.slack.Roots()) == 2 })
	for _, team := range []string{"Flights", "Managers"} {
		if !slices.ContainsFunc(w.slack.Roots(), func(m fakeslack.Message) bool { return strings.Contains(string(m.Blocks), team) }) {
			t.Errorf("%s were not told: %+v", team, w.slack.Roots())
		}
	}
	s.send(t, resolved(page))
	eventually(t, func() bool {
		ends := 0
		for _, m := range w.slack.Roots() {
			if strings.Contains(m.Text, "RESOLVED") {
				ends++
			}
		}
		return ends == 2 && len(w.pagerduty.Events()) == 2
	})
	if n := len(w.slack.Roots()); n != 2 {
		t.Errorf("%d roots, want one each", n)
	}
	wantActions(t, w, "trigger resolve")
}
