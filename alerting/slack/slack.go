// Package slack tells owners about incidents in Slack: one root message an
// incident, changed in place, with its history in the thread. It knows
// alerting's texts and Slack's Web API and may import nothing else of the
// module.
package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/slack-go/slack"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// Config says how to reach Slack. Without a token the channel reaches nobody.
type Config struct {
	// Token is a bot token (xoxb-) with the scope chat:write. TokenFile is read
	// before every call, so that a rotated token is picked up; it goes first.
	Token     string `yaml:"token"`
	TokenFile string `yaml:"token_file"`
	// APIURL is the Web API's address.
	APIURL string `yaml:"api_url"`
	// Channel receives the incidents of owners who name no channel.
	Channel string `yaml:"channel"`
	// Timeout bounds one HTTP call.
	Timeout time.Duration `yaml:"timeout"`
	// Interval is the least time between two messages to one channel; Slack
	// allows one a second.
	Interval time.Duration `yaml:"interval"`
}

// DefaultConfig returns the defaults: Slack itself, no token.
func DefaultConfig() Config {
	return Config{APIURL: slack.APIURL, Timeout: 10 * time.Second, Interval: time.Second}
}

// Validate returns every problem of the configuration, each naming its key.
func (c Config) Validate() error {
	var errs []error
	if c.Token != "" && c.TokenFile != "" {
		errs = append(errs, errors.New("token: give token or token_file, not both"))
	}
	if !strings.HasPrefix(c.APIURL, "http://") && !strings.HasPrefix(c.APIURL, "https://") {
		errs = append(errs, fmt.Errorf("api_url: %q is not an http or https URL", c.APIURL))
	}
	if c.Timeout <= 0 {
		errs = append(errs, fmt.Errorf("timeout: %s is not above zero", c.Timeout))
	}
	if c.Interval < 0 {
		errs = append(errs, fmt.Errorf("interval: %s is below zero", c.Interval))
	}
	return errors.Join(errs...)
}

// Channel is Slack as a way to reach owners.
type Channel struct {
	config         Config
	client         *http.Client
	threadFailures prometheus.Counter

	mu     sync.Mutex
	pacers map[string]*alerting.Pacer
}

// New returns the channel. It opens nothing and registers its metrics.
func New(config Config, registry prometheus.Registerer) (*Channel, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	c := &Channel{
		config: config,
		client: &http.Client{Timeout: config.Timeout},
		threadFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "plumbline_alerting_slack_thread_failures_total",
			Help: "Replies in an incident's Slack thread that could not be posted. The root message was.",
		}),
		pacers: make(map[string]*alerting.Pacer),
	}
	if err := registry.Register(c.threadFailures); err != nil {
		return nil, fmt.Errorf("register Slack metrics: %w", err)
	}
	return c, nil
}

// Name returns "slack".
func (*Channel) Name() string { return "slack" }

// Notifier returns the notifier of the owner's channel, or nil if there is no
// token or no channel.
func (c *Channel) Notifier(owner plumbline.OwnerEntry) alerting.Notifier {
	target := owner.SlackChannel
	if target == "" {
		target = c.config.Channel
	}
	if target == "" || (c.config.Token == "" && c.config.TokenFile == "") {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	pacer, ok := c.pacers[target]
	if !ok {
		pacer = alerting.NewPacer(c.config.Interval)
		c.pacers[target] = pacer
	}
	return &notifier{Channel: c, target: target, pacer: pacer}
}

func (c *Channel) api() (*slack.Client, error) {
	token := c.config.Token
	if c.config.TokenFile != "" {
		content, err := os.ReadFile(c.config.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("read Slack token: %w", err)
		}
		token = strings.TrimSpace(string(content))
	}
	return slack.New(token, slack.OptionAPIURL(c.config.APIURL), slack.OptionHTTPClient(c.client)), nil
}

// What the notifier remembers of an incident. The text is kept so that the
// resolved message still says what the cause was.
const (
	stateChannel = "slack_channel"
	stateTS      = "slack_ts"
	stateText    = "slack_text"
)

type notifier struct {
	*Channel
	target string
	pacer  *alerting.Pacer
}

// Notify implements alerting.Notifier.
func (n *notifier) Notify(ctx context.Context, notice alerting.Notice) (alerting.Result, error) {
	api, err := n.api()
	if err != nil {
		return alerting.Result{Retry: true}, err
	}
	text, before := recall(notice)
	ts, posted := notice.State.GetStr(stateTS)
	if !posted && text.Status == alerting.StatusResolved {
		return alerting.Result{}, nil // nobody was told that it began
	}
	if posted && !notice.Repeat && text.SameConditions(before) {
		// What changed was never shown: an inhibited ticket has ended.
		return alerting.Result{}, nil
	}
	if posted {
		err = n.update(ctx, api, notice.State, ts, text)
		if gone(err) && text.Status == alerting.StatusFiring {
			posted = false // somebody deleted the message: the incident goes on
		} else if gone(err) {
			return alerting.Result{}, nil
		}
	}
	if !posted {
		err = n.post(ctx, api, notice.State, text)
	}
	if err != nil {
		return alerting.Result{Retry: retryable(err)}, err
	}
	n.thread(ctx, api, notice, text, before, posted)
	return alerting.Result{Sent: true}, remember(notice.State, text)
}

// recall returns the text to show, and what was shown before (zero if nothing).
// A resolved text keeps the cause that was found while it fired.
func recall(notice alerting.Notice) (text, before alerting.Text) {
	text = notice.Text
	if kept, ok := notice.State.GetStr(stateText); ok {
		if json.Unmarshal([]byte(kept), &before) != nil {
			before = alerting.Text{} // written by another version: show without it
		}
	}
	if text.Status == alerting.StatusResolved {
		text.Features, text.Carriers, text.Quality, text.Info = before.Features, before.Carriers, before.Quality, before.Info
		return text, before
	}
	return text, before
}

// remember keeps the text that is shown now. Only after it is: a retry must see
// what it was before.
func remember(state alerting.State, text alerting.Text) error {
	kept, err := json.Marshal(text)
	if err != nil {
		return fmt.Errorf("keep the text of an incident: %w", err)
	}
	state.SetStr(stateText, string(kept))
	return nil
}

func (n *notifier) post(ctx context.Context, api *slack.Client, state alerting.State, text alerting.Text) error {
	channel, ts, err := n.send(ctx, api, n.target, append(message(text), slack.MsgOptionPost(), metadata(text))...)
	if err != nil {
		return fmt.Errorf("post incident to Slack channel %s: %w", n.target, err)
	}
	state.SetStr(stateChannel, channel)
	state.SetStr(stateTS, ts)
	return nil
}

func (n *notifier) update(ctx context.Context, api *slack.Client, state alerting.State, ts string, text alerting.Text) error {
	channel, _ := state.GetStr(stateChannel)
	if _, _, err := n.send(ctx, api, channel, append(message(text), slack.MsgOptionUpdate(ts))...); err != nil {
		return fmt.Errorf("update incident in Slack channel %s: %w", n.target, err)
	}
	return nil
}

// thread writes the history under the root message. The root already says
// everything, so a reply that cannot be posted is counted and not retried: a
// retry would have to post the root again or remember half a success.
func (n *notifier) thread(ctx context.Context, api *slack.Client, notice alerting.Notice, text, before alerting.Text, update bool) {
	replies, broadcast := replies(notice, text, before, update)
	channel, _ := notice.State.GetStr(stateChannel)
	ts, _ := notice.State.GetStr(stateTS)
	for _, reply := range replies {
		options := []slack.MsgOption{
			slack.MsgOptionPost(), slack.MsgOptionTS(ts), slack.MsgOptionText(reply, false),
			slack.MsgOptionBlocks(section(reply)),
			slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
		}
		if broadcast {
			options = append(options, slack.MsgOptionBroadcast())
		}
		if _, _, err := n.send(ctx, api, channel, options...); err != nil {
			n.threadFailures.Inc()
			return
		}
	}
}

// send makes one call at the channel's pace.
func (n *notifier) send(ctx context.Context, api *slack.Client, channel string, options ...slack.MsgOption) (id, ts string, err error) {
	if err := n.pacer.Wait(ctx); err != nil {
		return "", "", fmt.Errorf("wait for Slack's rate limit: %w", err)
	}
	id, ts, _, err = api.SendMessageContext(ctx, channel, options...)
	var limited *slack.RateLimitedError
	if errors.As(err, &limited) {
		n.pacer.Hold(limited.RetryAfter)
	}
	return id, ts, err
}

// retryable says whether the same call may succeed later. What is neither an
// HTTP status nor an answer of Slack is the network.
func retryable(err error) bool {
	var (
		status slack.StatusCodeError
		answer slack.SlackErrorResponse
	)
	switch {
	case errors.As(err, &status):
		return status.Retryable()
	case errors.As(err, &answer):
		switch answer.Err {
		// https://docs.slack.dev/reference/methods/chat.postMessage#errors
		case "ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error", "service_unavailable", "request_timeout":
			return true
		}
		return false
	}
	return true
}

// gone reports whether the root message cannot be changed any more.
func gone(err error) bool {
	var answer slack.SlackErrorResponse
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Err {
	case "message_not_found", "cant_update_message", "edit_window_closed":
		return true
	}
	return false
}
