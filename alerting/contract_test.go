package alerting_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/email"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
	"github.com/plumbline-slo/plumbline/alerting/slack"
	"github.com/plumbline-slo/plumbline/alerting/webhook"
	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
	"github.com/plumbline-slo/plumbline/testenv/fakepagerduty"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
	"github.com/plumbline-slo/plumbline/testenv/fakesmtp"
	"github.com/plumbline-slo/plumbline/testenv/fakewebhook"
)

// memory is a State.
type memory map[string]string

func (m memory) GetStr(key string) (string, bool) { v, ok := m[key]; return v, ok }
func (m memory) SetStr(key, value string)         { m[key] = value }

// rig is one notifier against its fake.
type rig struct {
	notifier alerting.Notifier
	// notice is what it is told, most often of a new page.
	notice func() alerting.Notice
	// fail appends faults to the fake's script.
	fail func(...fakehttp.Fault)
	// calls returns the bodies of the calls that tell of an incident, as far as
	// they must be the same when they are made again.
	calls func() []string
	// thread is what stands under Slack's first message.
	thread func() []fakeslack.Message
	// delivered counts the incidents that the fake has now.
	delivered func() int
	// holds are the statuses with which the destination can ask for time
	// (Retry-After).
	holds []int
}

// temporary are the statuses after which the same call may be taken. Slack asks for
// time with 429 alone.
var temporary = []int{
	http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
	http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// calls returns the bodies of the requests to a path.
func calls(server *fakehttp.Server, path string) func() []string {
	return func() []string {
		var bodies []string
		for _, r := range server.Requests() {
			if strings.HasSuffix(r.Path, path) {
				bodies = append(bodies, string(r.Body))
			}
		}
		return bodies
	}
}

// closing stops a fake when its test is over.
func closing[S interface{ Close() error }](t *testing.T, server S, err error) S {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() }) // nothing is left to lose
	return server
}

// rigs are the notifiers that keep the contract.
var rigs = map[string]func(t *testing.T, timeout time.Duration) rig{
	"slack":           slackRig("chat.postMessage"),
	"slack/searching": slackRig("conversations.history"),
	// What people hear by a reply alone, for the root is changed in place.
	"slack/escalating": slackReplyRig(func(n *alerting.Notice) { n.Text.Severity = plumbline.SeverityTicket }),
	"slack/repeating":  slackReplyRig(func(n *alerting.Notice) { n.Repeat = true }),
	"pagerduty": func(t *testing.T, timeout time.Duration) rig {
		fake, err := fakepagerduty.Start("127.0.0.1:0")
		server := closing(t, fake, err)
		file := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(file, []byte(routingKey), 0o600); err != nil {
			t.Fatal(err)
		}
		config := pagerduty.DefaultConfig()
		config.APIURL, config.Timeout = server.URL(), timeout
		channel, err := pagerduty.New(config)
		if err != nil {
			t.Fatal(err)
		}
		return rig{
			notifier: channel.Notifier(plumbline.OwnerEntry{PagerDutyKeyFile: file}), fail: server.Fail,
			calls: calls(server.Server, "/v2/enqueue"), notice: notice, delivered: func() int { return len(server.Alerts()) }, holds: temporary,
		}
	},
	"webhook": func(t *testing.T, timeout time.Duration) rig {
		fake, err := fakewebhook.Start("127.0.0.1:0")
		server := closing(t, fake, err)
		config := webhook.DefaultConfig()
		config.Timeout = timeout
		channel, err := webhook.New(config, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return rig{
			notifier: channel.Notifier(plumbline.OwnerEntry{Name: "o", WebhookURL: server.Address()}), fail: server.Fail,
			calls: calls(server.Server, "/hook"), notice: notice, holds: temporary,
		}
	},
	"email": func(t *testing.T, timeout time.Duration) rig {
		fake, err := fakesmtp.Start("127.0.0.1:0")
		server := closing(t, fake, err)
		config := email.DefaultConfig()
		config.Smarthost, config.From, config.RequireTLS, config.Timeout = server.Addr(), "p@example.org", false, timeout
		channel, err := email.New(config, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return rig{
			notifier: channel.Notifier(plumbline.OwnerEntry{Name: "o", Email: "a@example.org"}),
			fail: func(faults ...fakehttp.Fault) {
				for i := range faults {
					faults[i].Status = smtpCode[faults[i].Status]
				}
				server.Fail(faults...)
			},
			delivered: func() int { return len(server.Mails()) }, notice: notice,
		}
	},
}

// slackRig plays faults on one method of Slack's.
func slackRig(method string) func(t *testing.T, timeout time.Duration) rig {
	return func(t *testing.T, timeout time.Duration) rig {
		fake, err := fakeslack.Start("127.0.0.1:0")
		server := closing(t, fake, err)
		config := slack.DefaultConfig()
		config.Token, config.APIURL, config.Timeout, config.Interval = "xoxb-test", server.APIURL(), timeout, 0
		channel, err := slack.New(config, prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		var holds []int
		if method == "chat.postMessage" {
			holds = []int{http.StatusTooManyRequests}
		}
		return rig{
			notifier: channel.Notifier(plumbline.OwnerEntry{SlackChannel: "CFLIGHTS"}),
			fail: func(faults ...fakehttp.Fault) {
				for i := range faults {
					faults[i].Path = cmp.Or(faults[i].Path, method)
				}
				server.Fail(faults...)
			},
			calls: calls(server.Server, method), delivered: func() int { return len(server.Roots()) }, holds: holds,
			thread: func() []fakeslack.Message { return server.Thread(server.Roots()[0].TS) }, notice: notice,
		}
	}
}

// slackReplyRig plays faults on the reply to an incident that was told before.
// Change makes that of a page, or of the notice that follows it.
func slackReplyRig(change func(*alerting.Notice)) func(t *testing.T, timeout time.Duration) rig {
	return func(t *testing.T, timeout time.Duration) rig {
		r := slackRig("chat.postMessage")(t, timeout)
		told, next := notice(), notice()
		change(&told)
		if told.Repeat {
			told, next = next, told
		}
		if _, err := r.notifier.Notify(t.Context(), told); err != nil {
			t.Fatal(err)
		}
		next.State = told.State
		all := r.calls
		r.calls = func() []string { return all()[1:] }
		r.notice, r.delivered = func() alerting.Notice { return next }, func() int { return len(r.thread()) }
		return r
	}
}

// smtpCode is what a mail server says where an HTTP server says the status
// (RFC 5321, 4.2.3): 4xx is for now, 5xx for good.
var smtpCode = map[int]int{
	http.StatusBadRequest: 554, http.StatusUnauthorized: 535, http.StatusForbidden: 550, http.StatusNotFound: 550, http.StatusRequestEntityTooLarge: 552,
	http.StatusFound: 551, http.StatusRequestTimeout: 421, http.StatusTooManyRequests: 450, http.StatusInternalServerError: 451, http.StatusBadGateway: 451, http.StatusServiceUnavailable: 421, http.StatusGatewayTimeout: 451,
}

func notice() alerting.Notice {
	ex, err := known{}.Explain(context.Background(), alerting.Question{})
	alerts := []alerting.Alert{firing(plumbline.SeverityPage)}
	text := alerting.NewText(alerts, plumbline.OwnerEntry{Name: "o"}, ex, err, time.Now())
	return alerting.Notice{Text: text, Alerts: alerts, State: memory{}}
}

// TestNotifierContract holds every notifier to the same rules: what is taken,
// what may be retried, what may not.
func TestNotifierContract(t *testing.T) {
	const taken, retry, never = "taken", "retry", "never"
	// What a rig says that differs. A search that is refused is no reason for Slack
	// to keep back a page that may stand twice; an answer of 200 that is no JSON was
	// cut off; a receiver of our webhook may answer any 2xx.
	but := map[string]map[string]string{
		"slack":            {"200 of a stranger": retry},
		"slack/escalating": {"200 of a stranger": retry},
		"slack/repeating":  {"200 of a stranger": retry},
		"slack/searching":  {"400": taken, "401": taken, "403": taken, "404": taken, "413": taken, "a redirect": taken, "200 of a stranger": retry},
		"webhook":          {"200 of a stranger": taken},
		"email":            {"200 of a stranger": taken}, // a mail server has no such answer
	}
	for name, start := range rigs {
		for _, c := range []struct {
			name  string
			fault fakehttp.Fault
			want  string
		}{
			{"taken", fakehttp.Fault{}, taken},
			{"200 of a stranger", fakehttp.Fault{Status: http.StatusOK, Body: "<html>who are you?"}, never},
			{"a redirect", fakehttp.Fault{Status: http.StatusFound, Location: "/login"}, never},
			{"408", fakehttp.Fault{Status: http.StatusRequestTimeout}, retry},
			{"slow within the timeout", fakehttp.Fault{Delay: 20 * time.Millisecond}, taken},
			{"slow beyond the timeout", fakehttp.Fault{Hang: true}, retry},
			{"400", fakehttp.Fault{Status: http.StatusBadRequest, Body: `{"message":"bad","errors":["x"]}`}, never},
			{"401", fakehttp.Fault{Status: http.StatusUnauthorized}, never},
			{"403", fakehttp.Fault{Status: http.StatusForbidden}, never},
			{"404", fakehttp.Fault{Status: http.StatusNotFound}, never},
			{"413", fakehttp.Fault{Status: http.StatusRequestEntityTooLarge}, never},
			{"429", fakehttp.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Second}, retry},
			{"500", fakehttp.Fault{Status: http.StatusInternalServerError}, retry},
			{"502", fakehttp.Fault{Status: http.StatusBadGateway, Body: "<html>"}, retry},
			{"503", fakehttp.Fault{Status: http.StatusServiceUnavailable, RetryAfter: time.Second}, retry},
			{"504", fakehttp.Fault{Status: http.StatusGatewayTimeout}, retry},
			{"cut before the answer", fakehttp.Fault{Cut: true}, retry},
			{"cut after the work", fakehttp.Fault{CutAfter: true}, retry},
		} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				timeout := patience
				if c.fault.Hang {
					timeout = 50 * time.Millisecond
				}
				r := start(t, timeout)
				want := c.want
				if differs, ok := but[name][c.name]; ok {
					want = differs
				}
				r.fail(c.fault)
				if c.fault.Location != "" {
					r.fail(fakehttp.Fault{Path: c.fault.Location, Status: http.StatusOK, Body: "<html>log in"})
				}
				n := r.notice()
				result, err := r.notifier.Notify(context.Background(), n)
				got := taken
				switch {
				case err != nil && result.Retry:
					got = retry
				case err != nil:
					got = never
				}
				if got != want || result.Sent != (want == taken) {
					t.Errorf("got %s (%+v, %v), want %s", got, result, err, want)
				}
				if c.fault.CutAfter && name != "email" {
					// What arrived although nobody heard of it does not arrive twice; a
					// mail alone has nothing to know it by.
					n.MaybeTold = true
					again, err := r.notifier.Notify(context.Background(), n)
					if err != nil || !again.Sent || r.delivered != nil && r.delivered() != 1 {
						t.Errorf("again: %+v, %v", again, err)
					}
				}
			})
		}
	}
}

// A destination that asks for time has the next call held back for as long as it
// said, and a call that cannot wait so long says at once that it may be retried.
func TestNotifierObeysRetryAfter(t *testing.T) {
	for name, start := range rigs {
		for _, status := range start(t, patience).holds {
			t.Run(fmt.Sprintf("%s/%d", name, status), func(t *testing.T) {
				r := start(t, patience)
				r.fail(fakehttp.Fault{Status: status, RetryAfter: time.Hour})
				n := r.notice()
				if result, err := r.notifier.Notify(context.Background(), n); err == nil || !result.Retry {
					t.Fatalf("refused: %+v, %v", result, err)
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if result, err := r.notifier.Notify(ctx, n); err == nil || !result.Retry {
					t.Errorf("within the hour: %+v, %v, want to be told to retry", result, err)
				}
				if n := len(r.calls()); n != 1 {
					t.Errorf("the server got %d calls, want 1", n)
				}
			})
		}
	}
}

// What is refused for good asks nothing of the notices that follow.
func TestNotifierIsNotHeldByARefusal(t *testing.T) {
	for name, start := range rigs {
		t.Run(name, func(t *testing.T) {
			r := start(t, patience)
			if r.holds == nil {
				t.Skip("asks for no time")
			}
			r.fail(fakehttp.Fault{Status: http.StatusForbidden, RetryAfter: time.Hour})
			n := r.notice()
			if result, err := r.notifier.Notify(context.Background(), n); err == nil || result.Retry {
				t.Fatalf("refused: %+v, %v", result, err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if result, err := r.notifier.Notify(ctx, n); err != nil || !result.Sent {
				t.Errorf("the next: %+v, %v, want it taken", result, err)
			}
		})
	}
}

// A notifier that was refused remembers nothing: the retry says everything.
func TestNotifierRetrySaysTheSame(t *testing.T) {
	for name, start := range rigs {
		t.Run(name, func(t *testing.T) {
			r := start(t, patience)
			r.fail(fakehttp.Fault{Status: http.StatusInternalServerError})
			n := r.notice()
			if _, err := r.notifier.Notify(context.Background(), n); err == nil {
				t.Fatal("the fault did not play")
			}
			n.MaybeTold = true
			if result, err := r.notifier.Notify(context.Background(), n); err != nil || !result.Sent {
				t.Fatalf("retry: %+v, %v", result, err)
			}
			if r.calls != nil {
				if calls := r.calls(); len(calls) != 2 || calls[0] != calls[1] {
					t.Errorf("the retry was not the same call: %q", calls)
				}
			}
			if r.delivered != nil && r.delivered() != 1 {
				t.Errorf("%d were delivered, want 1", r.delivered())
			}
		})
	}
}

// An update that Slack refused is made again as well.
func TestSlackRetriesAnUpdate(t *testing.T) {
	r := slackRig("chat.update")(t, patience)
	n := notice()
	if _, err := r.notifier.Notify(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	n.Text.Severity = plumbline.SeverityTicket
	r.fail(fakehttp.Fault{Status: http.StatusInternalServerError})
	if _, err := r.notifier.Notify(context.Background(), n); err == nil {
		t.Fatal("the fault did not play")
	}
	if result, err := r.notifier.Notify(context.Background(), n); err != nil || !result.Sent || len(r.calls()) != 2 {
		t.Errorf("update again: %+v, %v, %d calls", result, err, len(r.calls()))
	}
}

func TestRepeatsAndChanges(t *testing.T) {
	for name, start := range rigs {
		t.Run(name, func(t *testing.T) {
			r := start(t, patience)
			n := r.notice()
			if n.Repeat {
				t.Skip("begins with a repeat")
			}
			notify := func(want bool) {
				t.Helper()
				if result, err := r.notifier.Notify(context.Background(), n); err != nil || result.Sent != want {
					t.Fatalf("%+v, %v, want sent %t", result, err, want)
				}
			}
			notify(true)
			notify(false) // nothing to tell
			n.Repeat = true
			notify(true)
			n.Repeat, n.Text.Status, n.Text.Until = false, alerting.StatusResolved, time.Now()
			notify(true)
		})
	}
}

// An end was delivered and its record was lost: what fires again in the meantime
// is told, though it is what is remembered as told.
func TestALostEndHidesNoPage(t *testing.T) {
	for name, start := range rigs {
		t.Run(name, func(t *testing.T) {
			r := start(t, patience)
			n := notice()
			state := memory{}
			notify := func(status alerting.Status, remembered alerting.State, maybe bool) {
				t.Helper()
				n.Text.Status, n.State, n.MaybeTold = status, remembered, maybe
				if status == alerting.StatusResolved {
					n.Text.Until = time.Now()
				}
				if result, err := r.notifier.Notify(context.Background(), n); err != nil || !result.Sent {
					t.Fatalf("%s: %+v, %v", status, result, err)
				}
			}
			notify(alerting.StatusFiring, state, false)
			notify(alerting.StatusResolved, maps.Clone(state), false)
			notify(alerting.StatusFiring, state, true)
		})
	}
}

func TestSlackPutsALongStatementInTheThread(t *testing.T) {
	server, err := fakeslack.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	config := slack.DefaultConfig()
	config.Token, config.APIURL, config.Interval = "xoxb-test", server.APIURL(), 0
	channel, err := slack.New(config, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	n := notice()
	n.Text.SQL = "SELECT 1\n" + strings.Repeat("-- <long>\n", 400)
	if _, err := channel.Notifier(plumbline.OwnerEntry{SlackChannel: "#a"}).Notify(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	roots := server.Roots()
	if len(roots) != 1 || strings.Contains(string(roots[0].Blocks), "SELECT") {
		t.Fatalf("roots %+v", roots)
	}
	if thread := server.Thread(roots[0].TS); len(thread) != 1 || !strings.Contains(thread[0].Text, "SELECT 1") || !strings.Contains(thread[0].Text, "-- cut") {
		t.Errorf("thread %+v", thread)
	}
}

func TestSlackErrorsInTheAnswer(t *testing.T) {
	for problem, retry := range map[string]bool{
		"ratelimited": true, "internal_error": true, "service_unavailable": true, "request_timeout": true, "fatal_error": true,
		"channel_not_found": false, "invalid_auth": false, "not_in_channel": false, "msg_blocks_too_long": false, "is_archived": false,
	} {
		r := rigs["slack"](t, patience)
		r.fail(fakehttp.Fault{Status: http.StatusOK, Body: `{"ok":false,"error":"` + problem + `"}`})
		result, err := r.notifier.Notify(context.Background(), notice())
		if err == nil || result.Retry != retry {
			t.Errorf("%s: %+v, %v, want retry %t", problem, result, err, retry)
		}
	}
}

func TestNotifierNeedsATarget(t *testing.T) {
	slackChannel, err := slack.New(slack.DefaultConfig(), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	pagerdutyChannel, err := pagerduty.New(pagerduty.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	owner := plumbline.OwnerEntry{Name: "o", SlackChannel: "#o"}
	if slackChannel.Notifier(owner) != nil {
		t.Error("Slack without a token reaches somebody")
	}
	if pagerdutyChannel.Notifier(owner) != nil {
		t.Error("PagerDuty without a key reaches somebody")
	}
}
