// Package pagerduty pages owners through PagerDuty's Events API v2: one alert
// an incident, triggered and resolved under a stable dedup_key. It knows
// alerting's texts and that API and may import nothing else of the module.
package pagerduty

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// Config says how to reach PagerDuty.
type Config struct {
	// RoutingKeyFile holds the Events v2 routing key for owners who have none
	// of their own. It is read before every call.
	RoutingKeyFile string `yaml:"routing_key_file"`
	// APIURL is the Events API's address; https://events.eu.pagerduty.com for
	// the EU service region.
	APIURL string `yaml:"api_url"`
	// ClientURL is where "Plumbline" on the incident links to, if the incident
	// has no page of its own.
	ClientURL string `yaml:"client_url"`
	// Timeout bounds one HTTP call.
	Timeout time.Duration `yaml:"timeout"`
}

// DefaultConfig returns the defaults: PagerDuty itself, no routing key.
func DefaultConfig() Config {
	return Config{APIURL: "https://events.pagerduty.com", Timeout: 10 * time.Second}
}

// Validate returns every problem of the configuration, each naming its key.
func (c Config) Validate() error {
	var errs []error
	if !strings.HasPrefix(c.APIURL, "http://") && !strings.HasPrefix(c.APIURL, "https://") {
		errs = append(errs, fmt.Errorf("api_url: %q is not an http or https URL", c.APIURL))
	}
	if c.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout: %s is not above zero", c.Timeout))
	}
	return errors.Join(errs...)
}

// callInterval spaces the events of one routing key: PagerDuty takes about 120
// a minute (https://developer.pagerduty.com/docs/events-api-v2-overview).
const callInterval = 500 * time.Millisecond

// Channel is PagerDuty as a way to reach owners.
type Channel struct {
	config Config
	client *http.Client

	mu     sync.Mutex
	pacers map[string]*alerting.Pacer
}

// New returns the channel. It opens nothing.
func New(config Config) (*Channel, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	return &Channel{
		config: config,
		client: &http.Client{Timeout: config.Timeout},
		pacers: make(map[string]*alerting.Pacer),
	}, nil
}

// Name returns "pagerduty".
func (*Channel) Name() string { return "pagerduty" }

// Notifier returns the notifier of the owner's routing key, or nil if there is
// none.
func (c *Channel) Notifier(owner plumbline.OwnerEntry) alerting.Notifier {
	file := owner.PagerDutyKeyFile
	if file == "" {
		file = c.config.RoutingKeyFile
	}
	if file == "" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	pacer, ok := c.pacers[file]
	if !ok {
		pacer = alerting.NewPacer(callInterval)
		c.pacers[file] = pacer
	}
	return &notifier{Channel: c, keyFile: file, pacer: pacer}
}

// stateOpen is set while an alert is open at PagerDuty.
const stateOpen = "pagerduty_open"

type notifier struct {
	*Channel
	keyFile string
	pacer   *alerting.Pacer
}

// Notify implements alerting.Notifier. A trigger for an alert that is open would
// only be a line in PagerDuty's log, so it is sent for repeats alone: they open
// the alert anew if somebody resolved it by hand. A ticket pages nobody; an incident that
// falls back from page to ticket is resolved here and goes on in Slack.
func (n *notifier) Notify(ctx context.Context, notice alerting.Notice) (alerting.Result, error) {
	opened, _ := notice.State.GetStr(stateOpen)
	open := opened != ""
	pages := notice.Text.Pages()
	var action string
	switch {
	case pages && (!open || notice.Repeat):
		action = actionTrigger
	case open && !pages:
		action = actionResolve
	default:
		return alerting.Result{}, nil
	}
	content, err := os.ReadFile(n.keyFile)
	if err != nil {
		return alerting.Result{Retry: true}, fmt.Errorf("read PagerDuty routing key: %w", err)
	}
	event := NewEvent(action, strings.TrimSpace(string(content)), n.config.ClientURL, notice.Text)
	if retry, err := n.send(ctx, event); err != nil {
		return alerting.Result{Retry: retry}, fmt.Errorf("%s incident at PagerDuty: %w", action, err)
	}
	if action == actionTrigger {
		notice.State.SetStr(stateOpen, "1")
	} else {
		notice.State.SetStr(stateOpen, "")
	}
	return alerting.Result{Sent: true}, nil
}

// send posts the event with the status rules of the Events API: 202 is taken,
// 429 and 5xx may be retried, everything else is refused for good.
func (n *notifier) send(ctx context.Context, event pagerduty.V2Event) (retry bool, err error) {
	body, err := encode(event)
	if err != nil {
		return false, err
	}
	if err := n.pacer.Wait(ctx); err != nil {
		return true, fmt.Errorf("wait for the rate limit: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(n.config.APIURL, "/")+"/v2/enqueue", bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "plumbline")
	response, err := n.client.Do(request)
	if err != nil {
		return true, err
	}
	defer func() { _ = response.Body.Close() }() // the answer has been read or does not matter
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if response.StatusCode/100 == 2 {
		return false, nil // taken; a body cut off does not take it back
	}
	if err != nil {
		return true, fmt.Errorf("status %d, answer cut off: %w", response.StatusCode, err)
	}
	if response.StatusCode == http.StatusTooManyRequests {
		n.pacer.Hold(retryAfter(response.Header))
	}
	return temporary(response.StatusCode), fmt.Errorf("status %d: %s", response.StatusCode, reason(answer))
}

func temporary(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500
}

// retryAfter reads the header in seconds; without one it is nothing, and the
// pipeline's own back-off applies.
func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func reason(answer []byte) string {
	var object pagerduty.EventsAPIV2ErrorObject
	if json.Unmarshal(answer, &object) != nil || object.Message == "" {
		return alerting.Clean(string(answer))
	}
	return alerting.Clean(strings.Join(append([]string{object.Message}, object.Errors...), "; "))
}
