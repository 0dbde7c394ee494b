package pagerduty_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
	"github.com/plumbline-slo/plumbline/testenv/fakepagerduty"
)

const routingKey = "0123456789abcdef0123456789abcdef"

// memory is a State.
type memory map[string]string

func (m memory) GetStr(key string) (string, bool) { v, ok := m[key]; return v, ok }
func (m memory) SetStr(key, value string)         { m[key] = value }

func start(t *testing.T) (*fakepagerduty.Server, *pagerduty.Channel, plumbline.OwnerEntry) {
	t.Helper()
	fake, err := fakepagerduty.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fake.Close() })
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(routingKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := pagerduty.DefaultConfig()
	config.APIURL = fake.URL()
	channel, err := pagerduty.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return fake, channel, plumbline.OwnerEntry{PagerDutyKeyFile: file}
}

func page() alerting.Text {
	return alerting.Text{
		Incident: "i", Status: alerting.StatusFiring, Severity: plumbline.SeverityPage, Model: "fare", Name: "SLOBurn",
		Since: time.Unix(1795262400, 0), At: time.Unix(1795262460, 0),
	}
}

// Each step is what the notifier is told; want are the actions it sends.
func TestTheLifeOfAnAlert(t *testing.T) {
	acked := page()
	acked.Acked = &alerting.Ack{By: "ann"}
	over := page()
	over.Status = alerting.StatusResolved
	ticket := page()
	ticket.Severity = plumbline.SeverityTicket
	takenTicket := ticket
	takenTicket.Acked = &alerting.Ack{By: "ann"}
	type step struct {
		text   alerting.Text
		repeat bool
		want   string
		// lost says that the process was killed before the step was written down; it
		// is what the next one knows of it.
		lost bool
	}
	const again, once, lost = true, false, true
	for name, steps := range map[string][]step{
		"acknowledged":             {{page(), once, "trigger", false}, {acked, once, "acknowledge", false}, {acked, once, "", false}, {acked, again, "", false}, {over, once, "resolve", false}, {over, once, "", false}},
		"a second life":            {{acked, once, "trigger acknowledge", false}, {over, once, "resolve", false}, {page(), once, "trigger", false}, {acked, once, "acknowledge", false}},
		"repeated":                 {{page(), once, "trigger", false}, {page(), once, "", false}, {page(), again, "trigger", false}},
		"a ticket rings nobody":    {{ticket, once, "", false}, {takenTicket, once, "", false}, {page(), once, "trigger", false}, {ticket, once, "resolve", false}},
		"over before it was told":  {{over, once, "", false}},
		"a taken ticket escalates": {{takenTicket, once, "", false}, {acked, once, "trigger acknowledge", false}},
		// PagerDuty folds what it has: of an alert that was ended and of one that goes on.
		"a lost end":             {{page(), once, "trigger", false}, {over, once, "resolve", lost}, {page(), once, "trigger", false}, {page(), once, "", false}},
		"a lost fall-back":       {{page(), once, "trigger", false}, {ticket, once, "resolve", lost}, {page(), once, "trigger", false}},
		"a lost end, then taken": {{acked, once, "trigger acknowledge", false}, {over, once, "resolve", lost}, {acked, once, "trigger acknowledge", false}},
		"a lost page":            {{page(), once, "trigger", lost}, {over, once, "resolve", false}, {over, once, "", false}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for PagerDuty's pace
			fake, channel, owner := start(t)
			n, state, told := channel.Notifier(owner), memory{}, 0
			for i, s := range steps {
				written := maps.Clone(state)
				maybe := i > 0 && steps[i-1].lost
				result, err := n.Notify(context.Background(), alerting.Notice{Text: s.text, Repeat: s.repeat, State: state, MaybeTold: maybe})
				if err != nil || result.Sent != (s.want != "") {
					t.Fatalf("step %d: %+v, %v", i, result, err)
				}
				var got []string
				for _, e := range fake.Events()[told:] {
					got = append(got, e.Action)
				}
				told += len(got)
				if strings.Join(got, " ") != s.want {
					t.Errorf("step %d sent %q, want %q", i, got, s.want)
				}
				if s.lost {
					state = written
				}
			}
		})
	}
}

// The trigger was taken and the acknowledge was not: only that is sent again.
func TestHalfAStepIsNotRepeated(t *testing.T) {
	fake, channel, owner := start(t)
	n, state := channel.Notifier(owner), memory{}
	text := page()
	text.Acked = &alerting.Ack{By: "ann"}
	fake.Fail(fakehttp.Fault{}, fakehttp.Fault{Status: http.StatusBadGateway})
	if result, err := n.Notify(t.Context(), alerting.Notice{Text: text, State: state}); err == nil || !result.Retry {
		t.Fatalf("%+v, %v", result, err)
	}
	if result, err := n.Notify(t.Context(), alerting.Notice{Text: text, State: state}); err != nil || !result.Sent {
		t.Fatalf("%+v, %v", result, err)
	}
	if a := fake.Alerts(); len(a) != 1 || a[0].Triggers != 1 || !a[0].Acknowledged {
		t.Errorf("%+v", a)
	}
}

func TestChangeEvents(t *testing.T) {
	fake, channel, owner := start(t)
	deploy := plumbline.Deployment{
		Model: "fare", Deploy: plumbline.DeployHash(strings.Repeat("<!here>", 300)), Stage: plumbline.StageProduction,
		Time: time.Unix(1795262400, 0), Version: "v2", By: "ci\n\u202eevil", Commit: "abc",
	}
	if err := channel.Change(t.Context(), owner, deploy, "http://plumbline.example/models/fare"); err != nil {
		t.Fatal(err)
	}
	if err := channel.Change(t.Context(), plumbline.OwnerEntry{Name: "nobody"}, deploy, ""); err != nil {
		t.Fatal(err)
	}
	changes := fake.Changes()
	if len(changes) != 1 {
		t.Fatalf("%d changes, want 1", len(changes))
	}
	c := changes[0]
	if !strings.HasPrefix(c.Payload.Summary, "fare: deploy <!here>") || c.Payload.Timestamp != "2026-11-21T12:00:00Z" || len(c.Links) != 1 ||
		!strings.Contains(string(c.Payload.Details), `"by":"ci evil"`) {
		t.Errorf("%+v %s", c, c.Payload.Details)
	}
	fake.Fail(fakehttp.Fault{Status: http.StatusBadRequest}, fakehttp.Fault{Status: http.StatusServiceUnavailable})
	if err := channel.Change(t.Context(), owner, deploy, ""); !errors.Is(err, pagerduty.ErrRefused) {
		t.Errorf("400: %v", err)
	}
	if err := channel.Change(t.Context(), owner, deploy, ""); err == nil || errors.Is(err, pagerduty.ErrRefused) {
		t.Errorf("503: %v", err)
	}
}

// An empty key file is said by its name, and is no key.
func TestEmptyKeyIsNoKey(t *testing.T) {
	fake, channel, owner := start(t)
	if err := os.WriteFile(owner.PagerDutyKeyFile, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	result, err := channel.Notifier(owner).Notify(t.Context(), alerting.Notice{Text: page(), State: memory{}})
	if err == nil || !result.Retry || !strings.Contains(err.Error(), owner.PagerDutyKeyFile) || len(fake.Requests()) != 0 {
		t.Errorf("%+v, %v, %d requests", result, err, len(fake.Requests()))
	}
}
