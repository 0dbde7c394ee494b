package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/alerting/slack"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
	"github.com/plumbline-slo/plumbline/testenv/fakesmtp"
	"github.com/plumbline-slo/plumbline/testenv/fakewebhook"
)

// longPatience bounds the waits of tests that go through every channel.
const longPatience = 5 * time.Minute

const clicker = "U0123ABCD"

// A page reaches every channel of its owner; a click in Slack takes it, which
// PagerDuty hears of, and the end is told everywhere.
func TestAPageOnEveryChannelAndAClick(t *testing.T) {
	w := newWorld(t)
	hook, err := fakewebhook.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hook.Close() }) // the test is over
	post, err := fakesmtp.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = post.Close() })
	w.write(t, "signing.secret", "s3cret")
	s := w.serve(t, func(c *app.Config) {
		c.Alerting.Slack.SigningSecretFile, c.Alerting.Slack.Users = filepath.Join(w.dir, "signing.secret"), []string{clicker}
		c.Alerting.Owners[0].WebhookURL, c.Alerting.Owners[0].Email = hook.Address(), "ml@example.org"
		c.Alerting.Email.Smarthost, c.Alerting.Email.From, c.Alerting.Email.RequireTLS = post.Addr(), "plumbline@example.org", false
	})
	s.alert(t, time.Now().Add(time.Hour))
	root := w.awaitRoot(t, func(m fakeslack.Message) bool { return strings.Contains(string(m.Blocks), "plumbline_ack") })

	click := fakeslack.Click{User: clicker, Name: "ann", Message: root, Action: "plumbline_ack", Value: incidentOf(t, root), At: time.Now()}
	request, err := click.Request(t.Context(), s.URL()+slack.Path, "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the click: status %d", response.StatusCode)
	}
	w.awaitRoot(t, func(m fakeslack.Message) bool { return strings.Contains(string(m.Blocks), "ann (U0123ABCD)") })
	s.alert(t, time.Now().Add(-time.Second))
	w.awaitRoot(t, func(m fakeslack.Message) bool { return strings.Contains(m.Text, "RESOLVED") })

	ctx, cancel := context.WithTimeout(t.Context(), longPatience)
	defer cancel()
	if err := w.pagerduty.Wait(ctx, func() bool { a := w.pagerduty.Alerts(); return len(a) == 1 && a[0].Acknowledged && a[0].Resolved }); err != nil {
		t.Errorf("%v: %+v", err, w.pagerduty.Alerts())
	}
	if err := hook.Wait(ctx, func() bool {
		r := hook.Requests()
		return len(r) > 1 && bytes.Contains(r[len(r)-1].Body, []byte(`"status":"resolved"`))
	}); err != nil {
		t.Errorf("webhook: %v, %d requests", err, len(hook.Requests()))
	}
	awaitMails(ctx, t, post, 2)
	if roots := w.slack.Roots(); len(roots) != 1 {
		t.Errorf("%d root messages, want 1", len(roots))
	}
	for _, series := range []string{
		`plumbline_alerting_slack_callbacks_total{result="done"}`, `plumbline_alerting_events_total{channel="slack",kind="opened"}`,
		`plumbline_alerting_events_total{channel="email",kind="opened"}`, `plumbline_alerting_events_total{channel="webhook",kind="opened"}`,
	} {
		if v, ok := s.metric(t, series); !ok || v != "1" {
			t.Errorf("/metrics: %s is %q, want 1", series, v)
		}
	}
}

// incidentOf reads the value of the button that acknowledges.
func incidentOf(t *testing.T, m fakeslack.Message) string {
	t.Helper()
	var blocks []struct {
		Elements []struct {
			ActionID string `json:"action_id"`
			Value    string
		}
	}
	if err := json.Unmarshal(m.Blocks, &blocks); err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		for _, e := range b.Elements {
			if e.ActionID == "plumbline_ack" {
				return e.Value
			}
		}
	}
	t.Fatalf("no button: %s", m.Blocks)
	return ""
}

// alert sends one page by the API v2 that amtool and Prometheus use.
func (s *service) alert(t *testing.T, ends time.Time) {
	t.Helper()
	body, err := json.Marshal([]map[string]any{{
		"labels":      map[string]string{"alertname": "ByHand", "model": "checkout", "deploy_hash": "d1", "slo": "by-hand", "severity": "page"},
		"annotations": map[string]string{"summary": "checkout: by hand"},
		"startsAt":    time.Now().Add(-time.Minute).Format(time.RFC3339Nano), "endsAt": ends.Format(time.RFC3339Nano),
	}})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/alertmanager/api/v2/alerts", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("alert: status %d", response.StatusCode)
	}
}

// awaitRoot returns the first root message that ok accepts.
func (w *world) awaitRoot(t *testing.T, ok func(fakeslack.Message) bool) fakeslack.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longPatience)
	defer cancel()
	var found fakeslack.Message
	if err := w.slack.Wait(ctx, func() bool {
		for _, m := range w.slack.Roots() {
			if ok(m) {
				found = m
				return true
			}
		}
		return false
	}); err != nil {
		t.Fatalf("%v; roots: %+v", err, w.slack.Roots())
	}
	return found
}

func awaitMails(ctx context.Context, t *testing.T, post *fakesmtp.Server, want int) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for len(post.Mails()) < want {
		select {
		case <-ctx.Done():
			t.Fatalf("%d mails, want %d", len(post.Mails()), want)
		case <-tick.C:
		}
	}
}

// A deploy that producers report, each of its replicas too, is a change event at PagerDuty.
func TestADeployReachesPagerDuty(t *testing.T) {
	w := newWorld(t)
	token := strings.Repeat("0123456789abcdef", 2)
	w.write(t, "http.tokens", token+"\n")
	s := w.serve(t, func(c *app.Config) { c.HTTPIngest.TokenFile = filepath.Join(w.dir, "http.tokens") })
	report := func(hash, by string) {
		if status, body := s.post(t, "/api/v1/deployments", token, `{"model":"checkout","deploy_hash":"`+hash+`","ts":`+unixMilli(time.Now())+`,"version":"v2","by":"`+by+`"}`); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, body)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), longPatience)
	defer cancel()
	await := func(n int) {
		if err := w.pagerduty.Wait(ctx, func() bool { return len(w.pagerduty.Changes()) >= n }); err != nil {
			t.Fatal(err)
		}
	}
	report("d2", "ci")
	await(1)
	report("d2", "a replica")
	report("d3", "ci")
	await(2)
	if last := w.pagerduty.Changes()[1]; len(w.pagerduty.Changes()) != 2 || !strings.HasPrefix(last.Payload.Summary, "checkout: deploy d3 ") {
		t.Errorf("what a replica tells again is told again: %+v", last)
	}
	c := w.pagerduty.Changes()[0]
	if !strings.HasPrefix(c.Payload.Summary, "checkout: deploy d2 began to serve") || !strings.Contains(string(c.Payload.Details), `"by":"ci"`) ||
		len(c.Links) != 1 || c.Links[0].Href != s.URL()+"/models/checkout" {
		t.Errorf("%+v", c)
	}
}

func unixMilli(at time.Time) string {
	raw, err := json.Marshal(at.UnixMilli())
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// What channels and owners cannot do is refused with the key.
func TestChannelConfiguration(t *testing.T) {
	w := newWorld(t)
	config, err := os.ReadFile(filepath.Join(w.dir, "plumbline.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for broken, want := range map[string]string{
		`email: "nobody"`:          "alerting.owners[0].email",
		`email: "a@example.org"`:   "email.smarthost is not",
		`webhook_url: "ftp://x"`:   "alerting.owners[0].webhook_url",
		`webhook_secret_file: "x"`: "alerting.owners[0].webhook_secret_file",
	} {
		w.write(t, "broken.yml", strings.Replace(string(config), "{name: ml-oncall,", "{name: ml-oncall, "+broken+",", 1))
		if _, err := app.Load(filepath.Join(w.dir, "broken.yml")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", broken, err, want)
		}
	}
}
