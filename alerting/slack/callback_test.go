package slack_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/slack"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

const (
	secret  = "8f742231b10e8888abcd99yyyzzz85a5"
	allowed = "U0123ABCD"
	// patience bounds what a test waits for; it is no expectation.
	patience = 5 * time.Minute
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// actions remembers what the buttons did.
type actions struct {
	mu   sync.Mutex
	done []string
	fail error
	// risen says that incidents have become pages since they were shown.
	risen bool
	// saw is when the last acknowledgement was clicked.
	saw time.Time
}

func (a *actions) note(what string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		return a.fail
	}
	a.done = append(a.done, what)
	return nil
}

func (a *actions) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.done...)
}

func (a *actions) Acknowledge(_ context.Context, incident, level string, saw time.Time, who string) (bool, error) {
	a.mu.Lock()
	a.saw = saw
	a.mu.Unlock()
	return !a.risen, a.note("ack " + incident + level + " by " + who)
}

func (a *actions) Silence(_ context.Context, incident, level string, d time.Duration, who string) error {
	return a.note("silence " + incident + level + " for " + d.String() + " by " + who)
}

// gate has one verdict.
type gate struct{}

func (gate) Gate(_ context.Context, m plumbline.Model, deploy plumbline.DeployHash) (string, error) {
	if deploy == "unknown" {
		return "", errors.New("deploy <unknown> has no events")
	}
	return "fail: " + string(m) + " *is* worse <!channel>", nil
}

// desk is the handler beside a fake Slack.
type desk struct {
	*actions
	fake    *fakeslack.Server
	handler *slack.Callbacks
	now     func() time.Time
}

func newDesk(t testing.TB, now func() time.Time) *desk {
	t.Helper()
	fake, err := fakeslack.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fake.Close() })
	file := filepath.Join(t.TempDir(), "signing-secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := slack.DefaultConfig()
	config.Token, config.APIURL, config.Interval = "xoxb-test", fake.APIURL(), 0
	config.SigningSecretFile, config.Users = file, []string{allowed}
	registry := prometheus.NewRegistry()
	channel, err := slack.New(config, registry, slack.WithGate())
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{actions: &actions{}, fake: fake, now: now}
	d.handler, err = slack.NewCallbacks(channel, d.actions, gate{}, now, registry, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- d.handler.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *desk) click(action, value string) fakeslack.Click {
	return fakeslack.Click{
		User: allowed, Name: "ann", Message: fakeslack.Message{Channel: "CFLIGHTS", TS: "1795262400.000001"},
		Action: action, Value: value, At: d.now(),
	}
}

// send answers a click's signed request.
func (d *desk) send(t testing.TB, c fakeslack.Click, change ...func(*http.Request)) int {
	t.Helper()
	request, err := c.Request(t.Context(), "http://plumbline.example"+slack.Path, secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(request)
	}
	recorder := httptest.NewRecorder()
	d.handler.ServeHTTP(recorder, request)
	return recorder.Code
}

// waitSaid waits until a message of the fake has the text.
func (d *desk) waitSaid(t *testing.T, text string) fakeslack.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var found fakeslack.Message
	err := d.fake.WaitMessages(ctx, func(all []fakeslack.Message) bool {
		for _, m := range all {
			if strings.Contains(m.Text, text) {
				found = m
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatalf("nobody said %q: %v; said were %+v", text, err, d.fake.Messages())
	}
	return found
}

func fixed() time.Time { return noon }

func TestButtonsDoWhatTheySay(t *testing.T) {
	d := newDesk(t, fixed)
	for _, c := range []fakeslack.Click{d.click("plumbline_ack", "k1"), d.click("plumbline_silence", "k1"), d.click("plumbline_dashboard", "")} {
		if status := d.send(t, c); status != http.StatusOK {
			t.Fatalf("%s: status %d", c.Action, status)
		}
	}
	want := []string{"ack k1 by ann (U0123ABCD)", "silence k1 for 1h0m0s by ann (U0123ABCD)"}
	if got := d.all(); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("done: %q, want %q", got, want)
	}
	if m := d.waitSaid(t, "You look after it now"); m.Ephemeral != allowed {
		t.Errorf("everybody sees it: %+v", m)
	}
	if m := d.waitSaid(t, "Silenced until 13:00 UTC by"); m.ThreadTS != "1795262400.000001" || m.Ephemeral != "" {
		t.Errorf("not in the thread: %+v", m)
	}
}

// Who clicks on a ticket that has become a page is told that the page is nobody's.
func TestAcknowledgedIsWhatWasShown(t *testing.T) {
	d := newDesk(t, fixed)
	d.risen = true
	if status := d.send(t, d.click("plumbline_ack", "k1 ticket")); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	if got := d.all(); len(got) != 1 || got[0] != "ack k1ticket by ann (U0123ABCD)" || !d.saw.Equal(noon.Add(time.Second)) {
		t.Errorf("done: %q, of what fired at %s", got, d.saw)
	}
	if m := d.waitSaid(t, "It has become a page"); m.Ephemeral != allowed {
		t.Errorf("everybody sees it: %+v", m)
	}
}

// The button says which level the incident had when the message was written.
func TestTheButtonSaysTheLevel(t *testing.T) {
	fake := start(t)
	config := slack.DefaultConfig()
	config.Token, config.APIURL, config.Interval, config.SigningSecretFile = "xoxb-test", fake.APIURL(), 0, "secret"
	channel, err := slack.New(config, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	n, state := channel.Notifier(plumbline.OwnerEntry{SlackChannel: "#flights"}), memory{}
	for _, level := range []string{plumbline.SeverityTicket, plumbline.SeverityPage} {
		text := firing("k1")
		text.Severity = level
		if _, err := n.Notify(t.Context(), alerting.Notice{Text: text, State: state, Incident: alerting.Incident{Severity: level}}); err != nil {
			t.Fatal(err)
		}
		if blocks := string(fake.Roots()[0].Blocks); !strings.Contains(blocks, `"value":"k1 `+level+`"`) {
			t.Errorf("%s: %s", level, blocks)
		}
	}
}

func TestTheGateAnswersInTheThread(t *testing.T) {
	d := newDesk(t, fixed)
	if status := d.send(t, d.click("plumbline_gate", `{"m":"fare","d":"9c41"}`)); status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	m := d.waitSaid(t, "Gate of deploy `9c41` of `fare`")
	if m.ThreadTS == "" || !strings.Contains(m.Text, "is∗ worse &lt;!channel&gt;") {
		t.Errorf("the verdict is not in the thread, or its markup works: %+v", m)
	}
	d.send(t, d.click("plumbline_gate", `{"m":"fare","d":"unknown"}`))
	d.waitSaid(t, "no verdict, deploy &lt;unknown&gt; has no events")
	if status := d.send(t, d.click("plumbline_gate", `{`)); status != http.StatusOK {
		t.Errorf("a button of another version: status %d", status)
	}
}

func TestOnlyAllowedUsersMayClick(t *testing.T) {
	d := newDesk(t, fixed)
	for _, user := range []string{"U0000OTHER", "U0123ABCD2", "W0123ABCD"} {
		c := d.click("plumbline_ack", "k1")
		c.User, c.Name = user, "ann"
		if status := d.send(t, c); status != http.StatusOK {
			t.Errorf("%s: status %d", user, status)
		}
	}
	if m := d.waitSaid(t, "You are not among the users"); m.Ephemeral != "U0000OTHER" {
		t.Errorf("told to %q", m.Ephemeral)
	}
	if got := d.all(); len(got) != 0 {
		t.Errorf("done all the same: %q", got)
	}
}

func TestForgeriesAndReplays(t *testing.T) {
	now := noon
	d := newDesk(t, func() time.Time { return now })
	started := now
	click := d.click("plumbline_ack", "k1")
	for name, c := range map[string]struct {
		change func(*http.Request)
		at     time.Time
		want   int
	}{
		"no signature":        {func(r *http.Request) { r.Header.Del("X-Slack-Signature") }, now, http.StatusUnauthorized},
		"another's signature": {func(r *http.Request) { fakeslack.Sign(r.Header, "wrong", now, nil) }, now, http.StatusUnauthorized},
		"half a signature":    {func(r *http.Request) { r.Header.Set("X-Slack-Signature", r.Header.Get("X-Slack-Signature")[:20]) }, now, http.StatusUnauthorized},
		"no time":             {func(r *http.Request) { r.Header.Del("X-Slack-Request-Timestamp") }, now, http.StatusUnauthorized},
		"another time":        {func(r *http.Request) { r.Header.Set("X-Slack-Request-Timestamp", "1795262401") }, now, http.StatusUnauthorized},
		"another body": {func(r *http.Request) {
			r.Body = http.NoBody
		}, now, http.StatusUnauthorized},
		"six minutes old":    {nil, now.Add(-6 * time.Minute), http.StatusUnauthorized},
		"six minutes early":  {nil, now.Add(6 * time.Minute), http.StatusUnauthorized},
		"before the process": {nil, now.Add(-time.Minute), http.StatusServiceUnavailable},
		"read, not posted":   {func(r *http.Request) { r.Method = http.MethodGet }, now, http.StatusMethodNotAllowed},
	} {
		change := func(*http.Request) {}
		if c.change != nil {
			change = c.change
		}
		click := click
		click.At = c.at
		if status := d.send(t, click, change); status != c.want {
			t.Errorf("%s: status %d, want %d", name, status, c.want)
		}
	}
	if got := d.all(); len(got) != 0 {
		t.Fatalf("a forgery did %q", got)
	}

	if status := d.send(t, click); status != http.StatusOK {
		t.Fatalf("the real one: status %d", status)
	}
	upper := func(r *http.Request) {
		r.Header.Set("X-Slack-Signature", "v0="+strings.ToUpper(strings.TrimPrefix(r.Header.Get("X-Slack-Signature"), "v0=")))
	}
	for _, later := range []time.Duration{0, time.Minute, 4*time.Minute + 59*time.Second} {
		now = started.Add(later)
		if status := d.send(t, click); status != http.StatusConflict {
			t.Errorf("replayed after %s: status %d", later, status)
		}
		if status := d.send(t, click, upper); status != http.StatusConflict {
			t.Errorf("replayed in capitals after %s: status %d", later, status)
		}
	}
	if got := d.all(); len(got) != 1 {
		t.Errorf("done %q, want one", got)
	}
}

func TestAFailedActionIsNoSuccess(t *testing.T) {
	d := newDesk(t, fixed)
	d.fail = errors.New("no such incident: it is over")
	if status := d.send(t, d.click("plumbline_ack", "k1")); status != http.StatusInternalServerError {
		t.Errorf("status %d", status)
	}
	if m := d.waitSaid(t, "Nothing was done: no such incident"); m.Ephemeral != allowed {
		t.Errorf("told to %q", m.Ephemeral)
	}
}

// FuzzCallback: nothing unsigned does anything, nothing at all panics, and a
// signed body of whatever kind does no more than its button says.
func FuzzCallback(f *testing.F) {
	body, err := fakeslack.Click{
		User: allowed, Message: fakeslack.Message{Channel: "C1", TS: "1.2"}, Action: "plumbline_ack", Value: "k", At: noon,
	}.Body()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body, "v0=00", "1795262400", true)
	f.Add(body, "v0=00", "1795262400", false)
	f.Add([]byte("payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A%5Bnull%5D%7D"), "", "", true)
	f.Add([]byte("payload=%ZZ"), "v0=", "-1", true)
	d := newDesk(f, fixed)
	f.Fuzz(func(t *testing.T, body []byte, signature, stamp string, signed bool) {
		before := len(d.all())
		request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, slack.Path, bytes.NewReader(body))
		if signed {
			fakeslack.Sign(request.Header, secret, noon, body)
		} else {
			request.Header["X-Slack-Signature"], request.Header["X-Slack-Request-Timestamp"] = []string{signature}, []string{stamp}
		}
		recorder := httptest.NewRecorder()
		d.handler.ServeHTTP(recorder, request)
		after := len(d.all())
		if !signed && (recorder.Code == http.StatusOK || after != before) {
			t.Errorf("an unsigned request: status %d, %d actions", recorder.Code, after-before)
		}
		if after > before+1 || after > before && recorder.Code != http.StatusOK {
			t.Errorf("%d actions, status %d", after-before, recorder.Code)
		}
	})
}
