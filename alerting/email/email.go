package email

import (
	"context"
	"errors"
	"fmt"
	"html"
	"log/slog"
	"net"
	"net/mail"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify"
	amemail "github.com/prometheus/alertmanager/notify/email"
	"github.com/prometheus/alertmanager/template"
	commoncfg "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// Config says how to reach the mail server. Without one nobody is mailed.
type Config struct {
	// Smarthost is the mail server, host:port. Port 465 is TLS from the start.
	Smarthost string `yaml:"smarthost"`
	From      string `yaml:"from"`
	// To receives the incidents of owners who name no address: addresses with
	// commas between them.
	To string `yaml:"to"`
	// Hello is the name that the server is greeted with.
	Hello string `yaml:"hello"`
	// AuthUsername and AuthPasswordFile log in, if they are given; the file is
	// read for every mail.
	AuthUsername     string `yaml:"auth_username"`
	AuthPasswordFile string `yaml:"auth_password_file"`
	AuthIdentity     string `yaml:"auth_identity"`
	// RequireTLS refuses a server without STARTTLS.
	RequireTLS bool `yaml:"require_tls"`
	// CAFile verifies the server in place of the machine's own authorities.
	CAFile string `yaml:"ca_file"`
	// Timeout bounds one mail.
	Timeout time.Duration `yaml:"timeout"`
	// ExternalURL is where people reach this service.
	ExternalURL string `yaml:"-"`
}

// DefaultConfig returns the defaults: no server, TLS required.
func DefaultConfig() Config {
	return Config{Hello: "localhost", RequireTLS: true, Timeout: 30 * time.Second}
}

// Validate returns every problem of the configuration, each naming its key.
func (c Config) Validate() error {
	var errs []error
	if c.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout: %s is not above zero", c.Timeout))
	}
	if c.Smarthost == "" {
		if c.From != "" || c.To != "" {
			errs = append(errs, errors.New("smarthost: is missing, and from or to is given"))
		}
		return errors.Join(errs...)
	}
	if host, port, err := net.SplitHostPort(c.Smarthost); err != nil || host == "" || port == "" {
		errs = append(errs, fmt.Errorf("smarthost: %q is not host:port", c.Smarthost))
	}
	if from, err := mail.ParseAddressList(c.From); err != nil || len(from) != 1 {
		errs = append(errs, fmt.Errorf("from: %q is not one mail address", c.From))
	}
	if c.To != "" {
		errs = append(errs, wrap("to", ValidateAddresses(c.To)))
	}
	if (c.AuthUsername == "") != (c.AuthPasswordFile == "") {
		errs = append(errs, errors.New("auth_password_file: is given without auth_username, or the other way round"))
	}
	return errors.Join(errs...)
}

func wrap(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", key, err)
}

// ValidateAddresses returns what is wrong with a list of mail addresses. A
// template in it is: the addresses are executed as one.
func ValidateAddresses(list string) error {
	if _, err := mail.ParseAddressList(list); err != nil {
		return fmt.Errorf("%q is no list of mail addresses: %w", list, err)
	}
	if strings.Contains(list, "{{") {
		return fmt.Errorf("%q is a template", list)
	}
	return nil
}

// maxHanging is how many mails to one address may wait for a server that says
// nothing: Alertmanager's notifier sets no deadline on its connection.
const maxHanging = 4

// Channel is mail as a way to reach owners.
type Channel struct {
	config Config
	tmpl   *template.Template
	logger *slog.Logger

	mu      sync.Mutex
	hanging map[string]chan struct{} // by address
}

// New returns the channel. It opens nothing.
func New(c Config, logger *slog.Logger) (*Channel, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	tmpl, err := template.New()
	if err != nil {
		return nil, fmt.Errorf("mail templates: %w", err)
	}
	if tmpl.ExternalURL, err = url.Parse(c.ExternalURL); err != nil {
		return nil, fmt.Errorf("external URL: %w", err)
	}
	return &Channel{config: c, tmpl: tmpl, logger: logger, hanging: make(map[string]chan struct{})}, nil
}

// Name returns "email".
func (*Channel) Name() string { return "email" }

// Notifier returns the notifier of the owner's addresses, or nil if there is no
// server or no address.
func (c *Channel) Notifier(owner plumbline.OwnerEntry) alerting.Notifier {
	to := owner.Email
	if to == "" {
		to = c.config.To
	}
	if to == "" || c.config.Smarthost == "" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	room, ok := c.hanging[to]
	if !ok {
		room = make(chan struct{}, maxHanging)
		c.hanging[to] = room
	}
	return &notifier{Channel: c, receiver: string(owner.Name), to: to, room: room}
}

type notifier struct {
	*Channel
	receiver, to string
	room         chan struct{}
}

// stateTold is the conditions that were told last.
const stateTold = "email_told"

// Notify implements alerting.Notifier.
func (n *notifier) Notify(ctx context.Context, notice alerting.Notice) (alerting.Result, error) {
	if !notice.Untold(stateTold) {
		return alerting.Result{}, nil
	}
	if retry, err := n.send(ctx, notice.Text); err != nil {
		return alerting.Result{Retry: retry}, fmt.Errorf("mail incident to %s: %w", n.receiver, err)
	}
	notice.Remember(stateTold)
	return alerting.Result{Sent: true}, nil
}

// send mails the text. A server that hangs is left to itself when the time is
// over: the mail may still arrive, and is sent again all the same.
func (n *notifier) send(ctx context.Context, text alerting.Text) (retry bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, n.config.Timeout)
	select {
	case n.room <- struct{}{}:
	default:
		cancel()
		return true, fmt.Errorf("the mail server has not answered for %d mails before", maxHanging)
	}
	type outcome struct {
		retry bool
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-n.room }()
		retry, err := amemail.New(n.conf(), n.tmpl, n.logger).Notify(n.about(ctx, text), told(text))
		done <- outcome{retry, err}
	}()
	defer cancel()
	select {
	case o := <-done:
		return o.retry && !final(o.err), o.err
	case <-ctx.Done():
		return true, fmt.Errorf("no answer of the mail server: %w", ctx.Err())
	}
}

// final reports whether the server said with a 5xx that the same mail will never
// be taken (RFC 5321, 4.2.1), which Alertmanager's notifier would retry.
func final(err error) bool {
	var answer *textproto.Error
	return errors.As(err, &answer) && answer.Code >= 500
}

// The parts of a mail. They are templates that show annotations, which are never
// executed themselves.
const (
	subjectAnnotation = "subject"
	textAnnotation    = "text"
	linksAnnotation   = "links"

	subjectTemplate = `{{ .CommonAnnotations.subject }}`
	textTemplate    = `{{ .CommonAnnotations.text }}`
	htmlTemplate    = `<!DOCTYPE html><html><body><h3>{{ .CommonAnnotations.subject }}</h3><p>{{ .CommonAnnotations.links | safeHtml }}</p>` +
		`<pre style="white-space: pre-wrap">{{ .CommonAnnotations.text }}</pre></body></html>`
)

// conf is Alertmanager's configuration of one mail. Its notifier writes into it.
func (n *notifier) conf() *config.EmailConfig {
	host, port, err := net.SplitHostPort(n.config.Smarthost)
	if err != nil {
		host = n.config.Smarthost // Validate has seen it
	}
	requireTLS := n.config.RequireTLS
	return &config.EmailConfig{
		To: n.to, From: n.config.From, Hello: n.config.Hello, Smarthost: config.HostPort{Host: host, Port: port},
		AuthUsername: n.config.AuthUsername, AuthPasswordFile: n.config.AuthPasswordFile, AuthIdentity: n.config.AuthIdentity,
		Headers: map[string]string{"Subject": subjectTemplate, "To": n.to, "From": n.config.From, "Auto-Submitted": "auto-generated"},
		HTML:    htmlTemplate, Text: textTemplate, RequireTLS: &requireTLS,
		TLSConfig: &commoncfg.TLSConfig{CAFile: n.config.CAFile},
		Threading: config.ThreadingConfig{Enabled: true, ThreadByDate: "none"},
	}
}

// about gives Alertmanager's notifier what its pipeline would: the group, which
// makes the mails of one incident one thread.
func (n *notifier) about(ctx context.Context, text alerting.Text) context.Context {
	ctx = notify.WithGroupKey(ctx, text.Incident)
	ctx = notify.WithReceiverName(ctx, n.receiver)
	ctx = notify.WithGroupLabels(ctx, model.LabelSet{})
	return notify.WithNotificationReason(ctx, notify.ReasonFirstNotification)
}

// told is the incident as one alert, whose annotations are the mail.
func told(text alerting.Text) *alert.Alert {
	var (
		q     alerting.PlainQuoter
		links []string
	)
	for _, l := range text.Links {
		links = append(links, `<a href="`+html.EscapeString(l.URL)+`">`+html.EscapeString(l.Name)+`</a>`)
	}
	return &alert.Alert{Alert: model.Alert{
		Labels: model.LabelSet{plumbline.LabelAlert: model.LabelValue(text.Name)},
		Annotations: model.LabelSet{
			subjectAnnotation: model.LabelValue(alerting.Clean(text.Level() + ": " + text.Headline(q))),
			textAnnotation:    model.LabelValue(alerting.RenderText(text)),
			linksAnnotation:   model.LabelValue(strings.Join(links, " · ")),
		},
		StartsAt: text.Since, EndsAt: text.Until,
	}}
}
