package alerting_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
	"github.com/plumbline-slo/plumbline/alerting/slack"
	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
	"github.com/plumbline-slo/plumbline/testenv/fakepagerduty"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

// memory is a State.
type memory map[string]string

func (m memory) GetStr(key string) (string, bool) { v, ok := m[key]; return v, ok }
func (m memory) SetStr(key, value string)         { m[key] = value }

// rig is one notifier against its fake.
type rig struct {
	notifier alerting.Notifier
	server   *fakehttp.Server
}

// rigs are the notifiers that keep the contract.
var rigs = map[string]func(t *testing.T, timeout time.Duration) rig{
	"slack": func(t *testing.T, timeout time.Duration) rig {
		server, err := fakeslack.Start("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
		config := slack.DefaultConfig()
		config.Token, config.APIURL, config.Timeout, config.Interval = "xoxb-test", server.APIURL(), timeout, 0
		channel, err := slack.New(config, prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		return rig{channel.Notifier(plumbline.OwnerEntry{SlackChannel: "#flights"}), server.Server}
	},
	"pagerduty": func(t *testing.T, timeout time.Duration) rig {
		server, err := fakepagerduty.Start("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Close() })
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
		return rig{channel.Notifier(plumbline.OwnerEntry{PagerDutyKeyFile: file}), server.Server}
	},
}

func notice() alerting.Notice {
	ex, err := known{}.Explain(context.Background(), alerting.Question{})
	text := alerting.NewText([]alerting.Alert{firing(plumbline.SeverityPage)}, plumbline.OwnerEntry{Name: "o"}, ex, err, time.Now())
	return alerting.Notice{Text: text, State: memory{}}
}

// TestNotifierContract holds every notifier to the same rules: what is taken,
// what may be retried, what may not.
func TestNotifierContract(t *testing.T) {
	const taken, retry, never = "taken", "retry", "never"
	for name, start := range rigs {
		for _, c := range []struct {
			name  string
			fault fakehttp.Fault
			want  string
		}{
			{"taken", fakehttp.Fault{}, taken},
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
				timeout := 30 * time.Second
				if c.fault.Hang {
					timeout = 50 * time.Millisecond
				}
				r := start(t, timeout)
				r.server.Fail(c.fault)
				result, err := r.notifier.Notify(context.Background(), notice())
				got := taken
				switch {
				case err != nil && result.Retry:
					got = retry
				case err != nil:
					got = never
				}
				if got != c.want || result.Sent != (c.want == taken) {
					t.Errorf("got %s (%+v, %v), want %s", got, result, err, c.want)
				}
			})
		}
	}
}

// A rate limit holds the next call back for as long as the server said, and a
// call that cannot wait so long says at once that it may be retried.
func TestNotifierObeysRetryAfter(t *testing.T) {
	for name, start := range rigs {
		t.Run(name, func(t *testing.T) {
			r := start(t, 30*time.Second)
			r.server.Fail(fakehttp.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Hour})
			n := notice()
			if result, err := r.notifier.Notify(context.Background(), n); err == nil || !result.Retry {
				t.Fatalf("refused: %+v, %v", result, err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if result, err := r.notifier.Notify(ctx, n); err == nil || !result.Retry {
				t.Errorf("within the hour: %+v, %v, want to be told to retry", result, err)
			}
			if n := len(r.server.Requests()); n != 1 {
				t.Errorf("the server got %d requests, want 1", n)
			}
		})
	}
}

// A notifier that was refused remembers nothing: the retry says everything.
func TestNotifierRetrySaysTheSame(t *testing.T) {
	for name, start := range rigs {
		t.Run(name, func(t *testing.T) {
			r := start(t, 30*time.Second)
			r.server.Fail(fakehttp.Fault{Status: http.StatusInternalServerError})
			n := notice()
			if _, err := r.notifier.Notify(context.Background(), n); err == nil {
				t.Fatal("the fault did not play")
			}
			if result, err := r.notifier.Notify(context.Background(), n); err != nil || !result.Sent {
				t.Fatalf("retry: %+v, %v", result, err)
			}
			requests := r.server.Requests()
			if len(requests) != 2 || string(requests[0].Body) != string(requests[1].Body) {
				t.Errorf("the retry was not the same request: %d requests", len(requests))
			}
			// An update that was refused is made again as well.
			if name != "slack" {
				return
			}
			n.Text.Severity = plumbline.SeverityTicket
			r.server.Fail(fakehttp.Fault{Status: http.StatusInternalServerError})
			if _, err := r.notifier.Notify(context.Background(), n); err == nil {
				t.Fatal("the fault did not play")
			}
			if result, err := r.notifier.Notify(context.Background(), n); err != nil || !result.Sent {
				t.Errorf("update again: %+v, %v", result, err)
			}
		})
	}
}

func TestRepeatsAndChanges(t *testing.T) {
	for name, start := range rigs {
		t.Run(name, func(t *testing.T) {
			r := start(t, 30*time.Second)
			n := notice()
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
		r := rigs["slack"](t, 30*time.Second)
		r.server.Fail(fakehttp.Fault{Status: http.StatusOK, Body: `{"ok":false,"error":"` + problem + `"}`})
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
