package email_test

import (
	"context"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/email"
	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
	"github.com/plumbline-slo/plumbline/testenv/fakesmtp"
)

// memory is a State.
type memory map[string]string

func (m memory) GetStr(key string) (string, bool) { v, ok := m[key]; return v, ok }
func (m memory) SetStr(key, value string)         { m[key] = value }

func start(t *testing.T, timeout time.Duration) (*fakesmtp.Server, alerting.Notifier) {
	t.Helper()
	fake, err := fakesmtp.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fake.Close() })
	config := email.DefaultConfig()
	config.Smarthost, config.From, config.RequireTLS, config.Timeout = fake.Addr(), "Plumbline <plumbline@example.org>", false, timeout
	config.ExternalURL = "http://plumbline.example"
	channel, err := email.New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return fake, channel.Notifier(plumbline.OwnerEntry{Name: "o", Email: "ann@example.org, Bob <bob@example.org>"})
}

func text() alerting.Text {
	return alerting.Text{
		Incident: "0123456789abcdef0123", Status: alerting.StatusFiring, Severity: plumbline.SeverityPage, Model: "fare <b>{{ .Status }}</b>\r\nBcc: x@evil.example",
		SLO: "right", Name: "SLOBurn", Summary: "wrong", Since: time.Now(), At: time.Now(),
		Links: []alerting.Link{{Name: "Runbook", URL: "https://runbooks.example/slo-burn?a=1&b=2"}}, SQL: "SELECT 1 < 2",
	}
}

// part returns the decoded part of a mail.
func part(t *testing.T, m *mail.Message, kind string) string {
	t.Helper()
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatalf("no part %s: %v", kind, err)
		}
		if strings.HasPrefix(p.Header.Get("Content-Type"), kind) {
			content, err := io.ReadAll(quotedprintable.NewReader(p))
			if err != nil {
				t.Fatal(err)
			}
			return string(content)
		}
	}
}

func TestTheMailIsTheText(t *testing.T) {
	fake, n := start(t, time.Minute)
	state := memory{}
	for _, status := range []alerting.Status{alerting.StatusFiring, alerting.StatusFiring, alerting.StatusResolved, alerting.StatusResolved} {
		told := text()
		told.Status = status
		if _, err := n.Notify(t.Context(), alerting.Notice{Text: told, State: state}); err != nil {
			t.Fatal(err)
		}
	}
	mails := fake.Mails()
	if len(mails) != 2 || len(mails[0].To) != 2 || mails[0].To[1] != "bob@example.org" || mails[0].From != "plumbline@example.org" {
		t.Fatalf("%+v", mails)
	}
	var read []*mail.Message
	for _, m := range mails {
		one, err := mail.ReadMessage(strings.NewReader(m.Data))
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, one)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(read[0].Header.Get("Subject"))
	if err != nil || subject != "PAGE: fare <b>{{ .Status }}</b> Bcc: x@evil.example: wrong" || read[0].Header.Get("Bcc") != "" {
		t.Errorf("subject %q, %v, Bcc %q", subject, err, read[0].Header.Get("Bcc"))
	}
	if a, b := read[0].Header.Get("References"), read[1].Header.Get("References"); a == "" || a != b {
		t.Errorf("the mails of one incident are not one thread: %q, %q", a, b)
	}
	if body := part(t, read[1], "text/plain"); !strings.Contains(body, "SELECT 1 < 2") || !strings.Contains(body, "RESOLVED") {
		t.Errorf("text:\n%s", body)
	}
	body := part(t, read[0], "text/html")
	if strings.Contains(body, "<b>") || !strings.Contains(body, "{{ .Status }}") || !strings.Contains(body, `<a href="https://runbooks.example/slo-burn?a=1&amp;b=2">Runbook</a>`) {
		t.Errorf("html:\n%s", body)
	}
}

// A server that says nothing holds up neither the caller nor other mails for
// ever, and costs a bounded number of goroutines.
func TestAServerThatHangs(t *testing.T) {
	fake, n := start(t, 50*time.Millisecond)
	bound := time.Now().Add(5 * time.Minute)
	for {
		fake.Fail(fakehttp.Fault{Hang: true})
		result, err := n.Notify(context.Background(), alerting.Notice{Text: text(), State: memory{}})
		if err == nil || !result.Retry {
			t.Fatalf("%+v, %v", result, err)
		}
		if strings.Contains(err.Error(), "has not answered for 4 mails") {
			return
		}
		if time.Now().After(bound) {
			t.Fatalf("mails hang without a bound: %v, %d sessions", err, fake.Sessions())
		}
	}
}

func TestConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*email.Config)
		want   string
	}{
		"no port":          {func(c *email.Config) { c.Smarthost = "mail.example" }, "smarthost"},
		"no sender":        {func(c *email.Config) { c.From = "" }, "from"},
		"no address":       {func(c *email.Config) { c.To = "nobody" }, "to:"},
		"a template":       {func(c *email.Config) { c.To = `"{{ .Status }}" <a@example.org>` }, "template"},
		"half a login":     {func(c *email.Config) { c.AuthUsername = "u" }, "auth_password_file"},
		"no server":        {func(c *email.Config) { c.Smarthost = "" }, "smarthost"},
		"no time":          {func(c *email.Config) { c.Timeout = 0 }, "timeout"},
		"what is complete": {func(*email.Config) {}, ""},
	} {
		config := email.DefaultConfig()
		config.Smarthost, config.From, config.To = "mail.example:587", "p@example.org", "a@example.org"
		c.change(&config)
		err := config.Validate()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if err := email.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}
