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
	// Region is PagerDuty's service region of the account: us or eu.
	Region string `yaml:"region"`
	// APIURL is the Events API's address, where it is not the region's: a proxy.
	APIURL string `yaml:"api_url"`
	// ClientURL is where "Plumbline" on the incident links to, if the incident
	// has no page of its own.
	ClientURL string `yaml:"client_url"`
	// Timeout bounds one HTTP call.
	Timeout time.Duration `yaml:"timeout"`
}

// DefaultConfig returns the defaults: PagerDuty itself, no routing key.
func DefaultConfig() Config {
	return Config{Region: regionUS, Timeout: 10 * time.Second}
}

// PagerDuty's service regions and where their Events API is:
// https://developer.pagerduty.com/docs/events-api-v2-overview.
const (
	regionUS = "us"
	regionEU = "eu"
	urlUS    = "https://events.pagerduty.com"
	urlEU    = "https://events.eu.pagerduty.com"
)

// endpoint returns the address of a path of the Events API.
func (c Config) endpoint(path string) string {
	base := strings.TrimSuffix(c.APIURL, "/")
	switch {
	case base != "":
	case c.Region == regionEU:
		base = urlEU
	default:
		base = urlUS
	}
	return base + path
}

// Validate returns every problem of the configuration, each naming its key.
func (c Config) Validate() error {
	var errs []error
	if c.Region != regionUS && c.Region != regionEU {
		errs = append(errs, fmt.Errorf("region: %q is not us or eu", c.Region))
	}
	if c.APIURL != "" && !strings.HasPrefix(c.APIURL, "http://") && !strings.HasPrefix(c.APIURL, "https://") {
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
		client: &http.Client{
			Timeout:       config.Timeout,
			CheckRedirect: alerting.RefuseRedirect,
		},
		pacers: make(map[string]*alerting.Pacer),
	}, nil
}

// Name returns "pagerduty".
func (*Channel) Name() string { return "pagerduty" }

// Notifier returns the notifier of the owner's routing key, or nil if there is
// none.
func (c *Channel) Notifier(owner plumbline.OwnerEntry) alerting.Notifier {
	if k := c.key(owner); k != nil {
		return &notifier{k}
	}
	return nil
}

// key is one routing key and its pace; nil if the owner has none.
func (c *Channel) key(owner plumbline.OwnerEntry) *key {
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
	return &key{Channel: c, file: file, pacer: pacer}
}

type key struct {
	*Channel
	file  string
	pacer *alerting.Pacer
}

// read returns the routing key as the file has it now.
func (k *key) read() (string, error) {
	content, err := os.ReadFile(k.file)
	if err != nil {
		return "", fmt.Errorf("read PagerDuty routing key: %w", err)
	}
	if routingKey := strings.TrimSpace(string(content)); routingKey != "" {
		return routingKey, nil
	}
	return "", fmt.Errorf("read PagerDuty routing key: %s is empty", k.file)
}

// What the notifier remembers: stateOpen is set while an alert is open at
// PagerDuty, stateAcked while it is acknowledged there because it is here.
const (
	stateOpen  = "pagerduty_open"
	stateAcked = "pagerduty_acked"
)

type notifier struct{ *key }

// Notify implements alerting.Notifier. A trigger for an alert that is open would
// only be a line in PagerDuty's log, so it is sent for repeats alone: they open
// the alert anew if somebody resolved it by hand. A ticket pages nobody; an
// incident that falls back from page to ticket is resolved here and goes on in
// Slack. What somebody took here is acknowledged there, and rings no more.
func (n *notifier) Notify(ctx context.Context, notice alerting.Notice) (alerting.Result, error) {
	var sent alerting.Result
	for _, action := range actions(notice) {
		routingKey, err := n.read()
		if err != nil {
			return alerting.Result{Retry: true}, err
		}
		body, err := encode(NewEvent(action, routingKey, n.config.ClientURL, notice.Text))
		if err != nil {
			return alerting.Result{}, err
		}
		if retry, err := n.send(ctx, "/v2/enqueue", body); err != nil {
			return alerting.Result{Retry: retry}, fmt.Errorf("%s incident at PagerDuty: %w", action, err)
		}
		remember(notice.State, action)
		sent.Sent = true
	}
	return sent, nil
}

// actions returns the events that bring PagerDuty to what the notice says.
func actions(notice alerting.Notice) []string {
	has := func(key string) bool { v, _ := notice.State.GetStr(key); return v != "" }
	pages, acked := notice.Text.Pages(), notice.Text.Acked != nil
	// What is remembered may be older than an end that was delivered: then it is no
	// proof that an alert is open, or acknowledged, there. PagerDuty folds a trigger
	// for one that is.
	known := !notice.MaybeTold
	open := has(stateOpen)
	var todo []string
	switch {
	case pages && open && !acked && has(stateAcked):
		// What was taken has ended and fires again, and its end was never told.
		// PagerDuty rings no more for an alert that is acknowledged.
		return []string{actionResolve, actionTrigger}
	case pages && (!open || !known || notice.Repeat && !acked):
		todo = append(todo, actionTrigger)
	case (open || !known) && !pages:
		// What may have been triggered is resolved: PagerDuty drops the end of
		// what it does not know.
		return []string{actionResolve}
	}
	if pages && acked && !(has(stateAcked) && known) {
		todo = append(todo, actionAcknowledge)
	}
	return todo
}

func remember(state alerting.State, action string) {
	switch action {
	case actionTrigger:
		state.SetStr(stateOpen, "1")
	case actionAcknowledge:
		state.SetStr(stateAcked, "1")
	case actionResolve:
		state.SetStr(stateOpen, "")
		state.SetStr(stateAcked, "")
	}
}

// send posts an event with the status rules of the Events API: 202 is taken,
// 408, 429 and 5xx may be retried, everything else is refused for good: another
// 2xx is not PagerDuty's, and a redirect leads somewhere else.
func (k *key) send(ctx context.Context, path string, body []byte) (retry bool, err error) {
	if err := k.pacer.Wait(ctx); err != nil {
		return true, fmt.Errorf("wait for the rate limit: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, k.config.endpoint(path), bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "plumbline")
	response, err := k.client.Do(request)
	if err != nil {
		return true, err
	}
	defer func() { _ = response.Body.Close() }() // the answer has been read or does not matter
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if response.StatusCode == http.StatusAccepted {
		return false, nil // taken; a body cut off does not take it back
	}
	if retry = alerting.TemporaryStatus(response.StatusCode); retry {
		k.pacer.Hold(alerting.RetryAfter(response.Header))
	}
	if err != nil {
		return true, fmt.Errorf("status %d, answer cut off: %w", response.StatusCode, err)
	}
	return retry, fmt.Errorf("status %d: %s", response.StatusCode, reason(answer))
}

func reason(answer []byte) string {
	var object pagerduty.EventsAPIV2ErrorObject
	if json.Unmarshal(answer, &object) != nil || object.Message == "" {
		return alerting.Clean(string(answer))
	}
	return alerting.Clean(strings.Join(append([]string{object.Message}, object.Errors...), "; "))
}
