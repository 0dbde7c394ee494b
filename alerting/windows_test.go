package alerting_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

// never is a time interval that no test runs in.
func never() []any {
	return []any{map[string]any{"name": "office", "time_intervals": []any{map[string]any{"years": []any{"1999"}}}}}
}

func TestTicketsWaitForBusinessHoursAndPagesDoNot(t *testing.T) {
	w := newWorld(t)
	w.Config.TimeIntervals, w.Config.Owners[0].BusinessHours = never(), "office"
	s := w.start(t)
	s.send(t, firing(plumbline.SeverityTicket))
	marker := with(firing(plumbline.SeverityPage), plumbline.LabelSLO, "other")
	s.send(t, with(marker, plumbline.LabelDeploy, "other"))
	w.waitPagerDuty(t, 1)
	for _, m := range w.slack.Roots() {
		if strings.Contains(m.Text, "TICKET") {
			t.Fatalf("a ticket was told at night: %s", m.Text)
		}
	}
	s.send(t, firing(plumbline.SeverityPage))
	w.waitPagerDuty(t, 2)
}

func TestPageThatNobodyTakesIsHandedOn(t *testing.T) {
	w := newWorld(t)
	key := filepath.Join(t.TempDir(), "second-key")
	if err := os.WriteFile(key, []byte("fedcba9876543210fedcba9876543210"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Config.Owners[0].Escalation = &plumbline.Escalation{After: 50 * time.Millisecond, To: "manager"}
	patient := w.Config.Owners[0]
	patient.Name, patient.Models, patient.Escalation = "patient", []plumbline.Model{"fares"}, &plumbline.Escalation{After: 2 * time.Hour, To: "manager"}
	w.Config.Owners = append(w.Config.Owners, patient, plumbline.OwnerEntry{Name: "manager", SlackChannel: "#managers", PagerDutyKeyFile: key})
	s := w.start(t)
	// It burns for hours, and they were silenced, or alerting was down: its owner hears of
	// it now, and has two hours from now on.
	waits, left := with(with(firing(plumbline.SeverityPage), plumbline.LabelModel, "fares"), plumbline.LabelOwner, "patient"), with(firing(plumbline.SeverityPage), plumbline.LabelDeploy, "left")
	waits.StartsAt = time.Now().Add(-3 * time.Hour)
	s.send(t, waits)
	w.waitPagerDuty(t, 1)
	eventually(t, func() bool { return s.journal.count(alerting.EventOpened) == 2 })
	s.send(t, left)
	w.waitPagerDuty(t, 3)
	s.turns(t, 8)
	told := map[string]int{}
	for _, e := range w.pagerduty.Events() {
		told[e.RoutingKey[:4]+e.DedupKey]++
	}
	late, known := alerting.IncidentKey("flight-delay", "left", "late-accuracy"), alerting.IncidentKey("fares", "9c41d2e0", "late-accuracy")
	if told["fedc"+late] != 1 || told["0123"+late] != 1 || told["0123"+known] != 1 || len(told) != 3 {
		t.Errorf("told %v, want the late one of both owners and the other of its own", told)
	}
	var i alerting.Incident
	told = map[string]int{}
	eventually(t, func() bool { // a notice is noted after it was sent
		var err error
		if i, err = s.Incident(t.Context(), late); err != nil {
			t.Fatal(err)
		}
		clear(told)
		for _, e := range i.Events {
			told[string(e.Kind)+" "+e.By]++
		}
		return told["notified flights-oncall"] > 0 && told["notified manager"] > 0
	})
	if told["handed_on manager"] != 1 || told["notified "] != 0 {
		t.Errorf("history %+v, want it handed on once, and every notice to name who was told", i.Events)
	}
	s.send(t, resolved(left))
	w.waitPagerDuty(t, 5) // both hear of the end
}

// canaries are the windows of one canary.
type canaries []alerting.MuteWindow

func (c canaries) MuteWindows(time.Time) ([]alerting.MuteWindow, bool) { return c, true }

// lateCanaries are not known until somebody says so.
type lateCanaries struct {
	canaries
	known atomic.Bool
}

func (c *lateCanaries) MuteWindows(time.Time) ([]alerting.MuteWindow, bool) {
	if !c.known.Load() {
		return nil, false
	}
	return c.canaries, true
}

// After a start nobody knows yet what is tried out: tickets wait until it is known, and
// those that a canary explains are never told. Pages and the service's own news do not.
func TestTicketsWaitUntilCanariesAreKnown(t *testing.T) {
	w := newWorld(t)
	late := &lateCanaries{canaries: canaries{{Model: "flight-delay", Deploy: "canary", From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Reason: "canary"}}}
	s := w.start(t, func(d *alerting.Deps) { d.Windows = late })
	s.send(t, with(firing(plumbline.SeverityTicket), plumbline.LabelDeploy, "canary"), with(firing(plumbline.SeverityTicket), plumbline.LabelDeploy, "told"))
	s.send(t, with(firing(plumbline.SeverityPage), plumbline.LabelDeploy, "paged"))
	w.waitPagerDuty(t, 1)
	s.turns(t, 8)
	if roots := w.slack.Roots(); len(roots) != 1 {
		t.Fatalf("%d messages before it is known what is tried out, want that of the page", len(roots))
	}
	late.known.Store(true)
	w.waitSlack(t, func([]fakeslack.Message) bool { return len(w.slack.Roots()) == 2 })
	s.turns(t, 8)
	if roots := w.slack.Roots(); len(roots) != 2 || strings.Contains(roots[1].Text, "canary") {
		t.Errorf("%d messages, want those of the page and of the other ticket", len(roots))
	}
}

func TestExperimentsMuteTheirTickets(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	w.Config.MuteWindows = []alerting.MuteWindow{{Model: "flight-delay", SLO: "late-drift", From: now.Add(-time.Hour), To: now.Add(time.Hour), Reason: "a new ranking"}}
	s := w.start(t, func(d *alerting.Deps) {
		d.Windows = canaries{{Model: "flight-delay", Deploy: "canary", From: now.Add(-time.Hour), To: now.Add(time.Hour), Reason: "canary"}}
	})
	s.send(t, with(firing(plumbline.SeverityTicket), plumbline.LabelSLO, "late-drift"), with(firing(plumbline.SeverityTicket), plumbline.LabelDeploy, "canary"))
	s.send(t, with(firing(plumbline.SeverityTicket), plumbline.LabelDeploy, "told"))
	w.waitSlack(t, func(m []fakeslack.Message) bool { return len(m) == 1 })
	s.turns(t, 8)
	if roots := w.slack.Roots(); len(roots) != 1 {
		t.Fatalf("%d tickets were told, want one", len(roots))
	}
	s.send(t, with(firing(plumbline.SeverityPage), plumbline.LabelDeploy, "canary"))
	w.waitPagerDuty(t, 1) // a page is told all the same
}

func TestOwnRouteComesFirst(t *testing.T) {
	w := newWorld(t)
	w.Config.Owners = append(w.Config.Owners, plumbline.OwnerEntry{Name: "night", SlackChannel: "#night"})
	w.Config.Route = map[string]any{"routes": []any{map[string]any{"receiver": "night", "matchers": []any{`slo="late-drift"`}}}, "receiver": "night", "matchers": []any{`slo="late-drift"`}}
	s := w.start(t)
	s.send(t, with(firing(plumbline.SeverityTicket), plumbline.LabelSLO, "late-drift"), firing(plumbline.SeverityTicket))
	w.waitSlack(t, func([]fakeslack.Message) bool { return len(w.slack.Roots()) == 2 })
	channels := map[string]bool{}
	for _, m := range w.slack.Roots() {
		channels[m.Channel] = true
	}
	if len(channels) != 2 {
		t.Errorf("both went to %v", channels)
	}
	for problem, route := range map[string]map[string]any{
		"group_by":               {"group_by": []any{"model"}},
		"route.receiver":         {"receiver": "stranger"},
		"route.routes[0].receiv": {"routes": []any{map[string]any{"receiver": 1}}},
		"route.routes: is no":    {"routes": "x"},
	} {
		c := w.Config
		c.Route = route
		if _, err := alerting.RoutesYAML(c); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v", problem, err)
		}
	}
}

// An own route takes the pages alone. The incident is one, and lasts as long as
// anything of it fires, whichever way that goes: to its owner, or to nobody.
func TestIncidentLastsOverAllRoutes(t *testing.T) {
	for name, model := range map[string]string{"declared": "flight-delay", "of no owner": "stranger"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Config.Owners = append(w.Config.Owners, plumbline.OwnerEntry{Name: "night", SlackChannel: "#night"})
			w.Config.Route = map[string]any{"receiver": "night", "matchers": []any{`severity="page"`}, "continue": true}
			s := w.start(t)
			ticket, page := with(firing(plumbline.SeverityTicket), plumbline.LabelModel, model), with(firing(plumbline.SeverityPage), plumbline.LabelModel, model)
			night := func(level string) bool {
				return slices.ContainsFunc(w.slack.Roots(), func(m fakeslack.Message) bool { return m.Channel == "CNIGHT" && strings.Contains(m.Text, level) })
			}
			s.send(t, ticket)
			s.turns(t, 8)
			s.send(t, page)
			eventually(t, func() bool { return night("PAGE") })
			s.turns(t, 8)
			s.send(t, resolved(page))
			eventually(t, func() bool { return night("RESOLVED") })
			s.send(t, ticket)
			s.turns(t, 8)
			all, err := s.Incidents(t.Context())
			if err != nil || len(all) != 1 || !all[0].Open() || all[0].Severity != plumbline.SeverityPage {
				t.Fatalf("while the ticket fires: %+v, %v", all, err)
			}
			ended := resolved(ticket)
			s.send(t, ended)
			eventually(t, func() bool {
				all, err = s.Incidents(t.Context())
				return err == nil && len(all) == 1 && !all[0].Open()
			})
			if got := all[0].ResolvedAt; got.Before(ended.EndsAt.Truncate(time.Millisecond)) {
				t.Errorf("resolved at %s, before its ticket ended at %s", got, ended.EndsAt)
			}
		})
	}
}

// One feature job feeds two models: the page of the one explains the ticket of
// the other.
func TestPageInhibitsTicketsOfItsFeatureJob(t *testing.T) {
	w := newWorld(t)
	w.Config.Owners[0].Models = append(w.Config.Owners[0].Models, "other")
	s := w.start(t)
	page := with(firing(plumbline.SeverityPage), plumbline.LabelFeatureJob, "hourly")
	s.send(t, page)
	w.waitPagerDuty(t, 1)
	ticket := with(with(firing(plumbline.SeverityTicket), plumbline.LabelModel, "other"), plumbline.LabelFeatureJob, "hourly")
	eventually(t, func() bool { return s.Inhibits(t.Context(), ticket.Labels) })
	if s.Inhibits(t.Context(), with(ticket, plumbline.LabelFeatureJob, "daily").Labels) {
		t.Error("a ticket of another job is inhibited")
	}
	i, err := s.Incident(t.Context(), flightIncident())
	if err != nil || i.FeatureJob != "hourly" {
		t.Errorf("incident %+v, %v; want its feature job", i, err)
	}
}

// actionsOf lists the PagerDuty actions of one incident.
func actionsOf(w *world, key string) string {
	var actions []string
	for _, e := range w.pagerduty.Events() {
		if e.DedupKey == key {
			actions = append(actions, e.Action)
		}
	}
	return strings.Join(actions, " ")
}

// A page ends while the ticket that is left of its incident is muted, whatever mutes
// it: the end is told, the ticket is not told again and again, and the page rings when
// it fires again.
func TestEndOfAPageIsToldThoughItsTicketIsMuted(t *testing.T) {
	other := with(firing(plumbline.SeverityPage), plumbline.LabelSLO, "other")
	for name, test := range map[string]struct {
		config func(*alerting.Config)
		mute   func(*testing.T, *world, *service) // when the page has been told
		silent bool                               // the page is muted as well
	}{
		"business hours": {config: func(c *alerting.Config) { c.TimeIntervals, c.Owners[0].BusinessHours = never(), "office" }},
		"mute window": {config: func(c *alerting.Config) {
			c.MuteWindows = []alerting.MuteWindow{{Model: "flight-delay", From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Reason: "a try"}}
		}},
		"inhibited by another SLO's page": {mute: func(t *testing.T, w *world, s *service) {
			s.send(t, other)
			w.waitPagerDuty(t, 2)
		}},
		"silenced": {silent: true, mute: func(t *testing.T, _ *world, s *service) {
			if _, err := s.Silence(t.Context(), flightIncident(), alerting.SilenceRequest{For: time.Hour, By: "ann", Comment: "known"}); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if test.config != nil {
				test.config(&w.Config)
			}
			s := w.start(t)
			s.send(t, firing(plumbline.SeverityTicket))
			s.send(t, firing(plumbline.SeverityPage))
			eventually(t, func() bool { return actionsOf(w, flightIncident()) == "trigger" })
			s.turns(t, 8)
			if test.mute != nil {
				test.mute(t, w, s)
			}
			s.send(t, past(firing(plumbline.SeverityPage)))
			eventually(t, func() bool { return actionsOf(w, flightIncident()) == "trigger resolve" })
			w.waitSlack(t, func([]fakeslack.Message) bool { return strings.Contains(w.slack.Roots()[0].Text, "TICKET") })
			s.turns(t, 8)
			said := len(w.slack.Messages())
			s.turns(t, 8)
			if n := len(w.slack.Messages()); n != said || actionsOf(w, flightIncident()) != "trigger resolve" {
				t.Errorf("a muted ticket was told: %d messages after %d, %s", n, said, w.actions())
			}
			if test.silent {
				return
			}
			s.send(t, now(firing(plumbline.SeverityPage)))
			eventually(t, func() bool { return actionsOf(w, flightIncident()) == "trigger resolve trigger" })
			w.waitSlack(t, func([]fakeslack.Message) bool { return strings.Contains(w.slack.Roots()[0].Text, "PAGE") })
		})
	}
}

// Whom the page was handed on to hears of its end as well, and nobody else is handed
// a ticket that is muted.
func TestEndOfAPageReachesWhomItWasHandedOnTo(t *testing.T) {
	w := newWorld(t)
	key := filepath.Join(t.TempDir(), "second-key")
	if err := os.WriteFile(key, []byte("fedcba9876543210fedcba9876543210"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Config.MuteWindows = []alerting.MuteWindow{{Model: "flight-delay", From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Reason: "a try"}}
	w.Config.Owners[0].Escalation = &plumbline.Escalation{After: 50 * time.Millisecond, To: "manager"}
	w.Config.Owners = append(w.Config.Owners, plumbline.OwnerEntry{Name: "manager", PagerDutyKeyFile: key})
	s := w.start(t)
	late := func(severity string, set func(alerting.Alert) alerting.Alert) alerting.Alert {
		a := firing(severity)
		a.StartsAt = time.Now().Add(-3 * time.Hour)
		return set(a)
	}
	same := func(a alerting.Alert) alerting.Alert { return a }
	s.send(t, late(plumbline.SeverityTicket, same))
	s.send(t, late(plumbline.SeverityPage, same))
	w.waitPagerDuty(t, 2)
	s.turns(t, 12)
	s.send(t, late(plumbline.SeverityPage, past))
	eventually(t, func() bool {
		ends := map[string]int{}
		for _, e := range w.pagerduty.Events() {
			if e.Action == "resolve" {
				ends[e.RoutingKey[:4]]++
			}
		}
		return ends["0123"] == 1 && ends["fedc"] == 1
	})
}
