package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// Config says where the incidents of owners who name no address go.
type Config struct {
	// URL is the address. URLFile holds it instead, where it is a secret.
	URL     string `yaml:"url"`
	URLFile string `yaml:"url_file"`
	// SecretFile holds the secret that requests are signed with. Both files are
	// read before every call. An owner's own address is signed with the owner's
	// own secret, or not at all.
	SecretFile string `yaml:"secret_file"`
	// Timeout bounds one HTTP call.
	Timeout time.Duration `yaml:"timeout"`
	// MaxAlerts bounds the alerts that one request carries, 0 does not.
	MaxAlerts int `yaml:"max_alerts"`
	// ExternalURL is where people reach this service.
	ExternalURL string `yaml:"-"`
}

// DefaultConfig returns the defaults: no address.
func DefaultConfig() Config { return Config{Timeout: 10 * time.Second} }

// Validate returns every problem of the configuration, each naming its key.
func (c Config) Validate() error {
	var errs []error
	if c.URL != "" && c.URLFile != "" {
		errs = append(errs, errors.New("url: give url or url_file, not both"))
	}
	if c.URL != "" && !httpURL(c.URL) {
		errs = append(errs, fmt.Errorf("url: %q is not an http or https URL", c.URL))
	}
	if c.SecretFile != "" && c.URL == "" && c.URLFile == "" {
		errs = append(errs, errors.New("secret_file: is given without url or url_file"))
	}
	if c.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout: %s is not above zero", c.Timeout))
	}
	if c.MaxAlerts < 0 {
		errs = append(errs, fmt.Errorf("max_alerts: %d is below zero", c.MaxAlerts))
	}
	return errors.Join(errs...)
}

// ValidateOwner returns what is wrong with an owner's own address.
func ValidateOwner(o plumbline.OwnerEntry) error {
	switch {
	case o.WebhookURL != "" && !httpURL(o.WebhookURL):
		return fmt.Errorf("webhook_url: %q is not an http or https URL", o.WebhookURL)
	case o.WebhookURL == "" && o.WebhookSecretFile != "":
		return errors.New("webhook_secret_file: is given without webhook_url")
	}
	return nil
}

func httpURL(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// Channel is a webhook as a way to reach owners.
type Channel struct {
	config Config
	client *http.Client
	now    func() time.Time

	mu     sync.Mutex
	pacers map[string]*alerting.Pacer
}

// New returns the channel. It opens nothing. now is the time that signatures
// carry.
func New(config Config, now func() time.Time) (*Channel, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Channel{
		config: config, now: now, pacers: make(map[string]*alerting.Pacer),
		client: &http.Client{
			Timeout:       config.Timeout,
			CheckRedirect: alerting.RefuseRedirect,
		},
	}, nil
}

// Name returns "webhook".
func (*Channel) Name() string { return "webhook" }

// Notifier returns the notifier of the owner's address, or nil if there is none.
func (c *Channel) Notifier(owner plumbline.OwnerEntry) alerting.Notifier {
	n := &notifier{Channel: c, receiver: string(owner.Name), url: owner.WebhookURL, secretFile: owner.WebhookSecretFile}
	if n.url == "" {
		n.url, n.urlFile, n.secretFile = c.config.URL, c.config.URLFile, c.config.SecretFile
	}
	if n.url == "" && n.urlFile == "" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := n.url + "\n" + n.urlFile
	pacer, ok := c.pacers[key]
	if !ok {
		pacer = alerting.NewPacer(0) // it only obeys Retry-After
		c.pacers[key] = pacer
	}
	n.pacer = pacer
	return n
}

type notifier struct {
	*Channel
	receiver                 string
	url, urlFile, secretFile string
	pacer                    *alerting.Pacer
}

// stateTold is the conditions that were told last.
const stateTold = "webhook_told"

// Notify implements alerting.Notifier.
func (n *notifier) Notify(ctx context.Context, notice alerting.Notice) (alerting.Result, error) {
	if !notice.Untold(stateTold) {
		return alerting.Result{}, nil
	}
	address, err := content(n.url, n.urlFile)
	if err != nil {
		return alerting.Result{Retry: true}, fmt.Errorf("webhook address: %w", err)
	}
	secret, err := content("", n.secretFile)
	if err != nil {
		return alerting.Result{Retry: true}, fmt.Errorf("webhook secret: %w", err)
	}
	body, err := json.Marshal(n.message(notice))
	if err != nil {
		return alerting.Result{}, fmt.Errorf("encode webhook: %w", err)
	}
	if retry, err := n.send(ctx, address, secret, body); err != nil {
		return alerting.Result{Retry: retry}, fmt.Errorf("post incident to the webhook of %s: %w", n.receiver, err)
	}
	notice.Remember(stateTold)
	return alerting.Result{Sent: true}, nil
}

// content returns the value, or what the file holds.
func content(value, file string) (string, error) {
	if value != "" || file == "" {
		return value, nil
	}
	read, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if value = strings.TrimSpace(string(read)); value == "" {
		return "", fmt.Errorf("%s is empty", file)
	}
	return value, nil
}

// send posts the body: 2xx is taken, 408, 429 and 5xx may be retried, everything
// else, a redirect too, is refused for good.
func (n *notifier) send(ctx context.Context, address, secret string, body []byte) (retry bool, err error) {
	if err := n.pacer.Wait(ctx); err != nil {
		return true, fmt.Errorf("wait as the receiver asked: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("the address is no URL") // which may be a secret
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "plumbline")
	if secret != "" {
		request.Header.Set(HeaderSignature, Sign(secret, n.now(), body))
	}
	response, err := n.client.Do(request)
	if err != nil {
		var where *url.Error
		if errors.As(err, &where) {
			err = where.Err // the URL may be a secret
		}
		return true, err
	}
	defer func() { _ = response.Body.Close() }() // the answer has been read or does not matter
	answer, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if response.StatusCode/100 == 2 {
		return false, nil
	}
	if retry = alerting.TemporaryStatus(response.StatusCode); retry {
		n.pacer.Hold(alerting.RetryAfter(response.Header))
	}
	return retry, errors.Join(fmt.Errorf("status %d: %s", response.StatusCode, alerting.Clean(string(answer))), err)
}
