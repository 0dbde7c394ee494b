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
	// Token is a bot token (xoxb-) with the scopes chat:write and
	// channels:history (groups:history for private channels), and channels:read
	// where channels are given by name. TokenFile is read before every call, so
	// that a rotated token is picked up; it goes first.
	Token     string `yaml:"token"`
	TokenFile string `yaml:"token_file"`
	// APIURL is the Web API's address.
	APIURL string `yaml:"api_url"`
	// Channel receives the incidents of owners who name no channel: an id
	// (C0123456789) or a name (#ml-oncall). A name costs a look-up.
	Channel string `yaml:"channel"`
	// SigningSecretFile holds the app's signing secret. Without it messages have
	// no buttons. It is read for every callback.
	SigningSecretFile string `yaml:"signing_secret_file"`
	// Users are the ids (U0123456789) of those whom the buttons obey; nobody
	// else is.
	Users []string `yaml:"users"`
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
	for i, user := range c.Users {
		if !userID.MatchString(user) {
			errs = append(errs, fmt.Errorf("users[%d]: %q is not a member id such as U0123456789; names can be changed by whoever bears them", i, user))
		}
	}
	if len(c.Users) > 0 && c.SigningSecretFile == "" {
		errs = append(errs, errors.New("signing_secret_file: is missing, and users are listed: without it no button is shown"))
	}
	return errors.Join(errs...)
}

// Channel is Slack as a way to reach owners.
type Channel struct {
	config         Config
	client         *http.Client
	threadFailures prometheus.Counter
	searchFailures prometheus.Counter
	adopted        prometheus.Counter
	// gate says that messages have a button that runs the gate.
	gate bool
	// searching holds the reads of histories back when Slack asks for it: it
	// counts them by workspace and takes bursts.
	searching *alerting.Pacer

	mu      sync.Mutex
	targets map[string]*target
}

// target is one channel that messages go to.
type target struct {
	name   string
	pacer  *alerting.Pacer
	search search
}

// Option changes a Channel.
type Option func(*Channel)

// WithGate gives messages a button that runs the gate; Callbacks must have one.
func WithGate() Option { return func(c *Channel) { c.gate = true } }

// New returns the channel. It opens nothing and registers its metrics.
func New(config Config, registry prometheus.Registerer, options ...Option) (*Channel, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "plumbline_alerting_slack_" + name, Help: help})
	}
	c := &Channel{
		config: config,
		client: &http.Client{
			Timeout:       config.Timeout,
			CheckRedirect: alerting.RefuseRedirect,
		},
		threadFailures: counter("thread_failures_total", "Replies in an incident's Slack thread that could not be posted. The root message was; a reply by which people hear of a page is posted again."),
		searchFailures: counter("search_failures_total", "New incidents posted without a look into the channel's history, because Slack refused it: a send lost in a crash may stand twice."),
		adopted:        counter("adopted_total", "Messages found again in a channel's history, whose record had been lost."),
		searching:      alerting.NewPacer(0),
		targets:        make(map[string]*target),
	}
	for _, option := range options {
		option(c)
	}
	for _, metric := range []prometheus.Collector{c.threadFailures, c.searchFailures, c.adopted} {
		if err := registry.Register(metric); err != nil {
			return nil, fmt.Errorf("register Slack metrics: %w", err)
		}
	}
	return c, nil
}

// Name returns "slack".
func (*Channel) Name() string { return "slack" }

// Notifier returns the notifier of the owner's channel, or nil if there is no
// token or no channel.
func (c *Channel) Notifier(owner plumbline.OwnerEntry) alerting.Notifier {
	name := owner.SlackChannel
	if name == "" {
		name = c.config.Channel
	}
	if name == "" || (c.config.Token == "" && c.config.TokenFile == "") {
		return nil
	}
	return &notifier{Channel: c, target: c.target(name)}
}

func (c *Channel) target(name string) *target {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.targets[name]
	if !ok {
		t = &target{name: name, pacer: alerting.NewPacer(c.config.Interval)}
		c.targets[name] = t
	}
	return t
}

// buttons says which buttons the message of an incident has.
func (c *Channel) buttons(i alerting.Incident) Buttons {
	return Buttons{Shown: c.config.SigningSecretFile != "", Gate: c.gate, Level: i.Severity}
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
	target *target
}

// Notify implements alerting.Notifier.
func (n *notifier) Notify(ctx context.Context, notice alerting.Notice) (alerting.Result, error) {
	api, err := n.api()
	if err != nil {
		return alerting.Result{Retry: true}, err
	}
	text, before := recall(notice)
	ts, posted := notice.State.GetStr(stateTS)
	adopted := false
	known := !notice.MaybeTold // what was told may be newer than what is remembered
	if known && (!posted && text.Status == alerting.StatusResolved || posted && !notice.Repeat && text.SameConditions(before)) {
		// Nobody was told that it began; or what changed, an inhibited ticket, was
		// never shown.
		return alerting.Result{}, nil
	}
	if !posted {
		// The last process, or the other replica, may have posted and died before
		// anybody wrote it down.
		if adopted, err = n.adopt(ctx, api, notice, text); err != nil {
			return alerting.Result{Retry: true}, err
		}
		if !adopted && text.Status == alerting.StatusResolved {
			return alerting.Result{}, nil // the send that may have been was not
		}
		posted = adopted
		ts, _ = notice.State.GetStr(stateTS)
	}
	if posted {
		err = n.update(ctx, api, notice, ts, text)
		if gone(err) && text.Status == alerting.StatusFiring {
			posted = false // somebody deleted the message: the incident goes on
		} else if gone(err) {
			return alerting.Result{}, nil
		}
	}
	if !posted {
		err = n.post(ctx, api, notice, text)
	}
	if err != nil {
		return alerting.Result{Retry: retryable(err)}, err
	}
	// What was taken up is not told as new, but its end is.
	if err := n.thread(ctx, api, notice, text, before, posted && (!adopted || text.Status == alerting.StatusResolved)); err != nil {
		return alerting.Result{Retry: retryable(err)}, err
	}
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

func (n *notifier) post(ctx context.Context, api *slack.Client, notice alerting.Notice, text alerting.Text) error {
	channel, ts, err := n.send(ctx, api, n.target.name, append(message(text, n.buttons(notice.Incident), notice.Receiver), slack.MsgOptionPost())...)
	if err != nil {
		return fmt.Errorf("post incident to Slack channel %s: %w", n.target.name, err)
	}
	notice.State.SetStr(stateChannel, channel)
	notice.State.SetStr(stateTS, ts)
	n.target.search.know(channel)
	return nil
}

func (n *notifier) update(ctx context.Context, api *slack.Client, notice alerting.Notice, ts string, text alerting.Text) error {
	channel, _ := notice.State.GetStr(stateChannel)
	if _, _, err := n.send(ctx, api, channel, append(message(text, n.buttons(notice.Incident), notice.Receiver), slack.MsgOptionUpdate(ts))...); err != nil {
		return fmt.Errorf("update incident in Slack channel %s: %w", n.target.name, err)
	}
	return nil
}

// thread writes the history under the root message. A root that is changed in place
// notifies nobody: a reply by which people hear of a page, or that it still fires,
// must be posted, and its error is the notice's. The retry changes the root into what
// it is. Any other reply that cannot be posted is counted: the root says everything.
func (n *notifier) thread(ctx context.Context, api *slack.Client, notice alerting.Notice, text, before alerting.Text, update bool) error {
	replies, broadcast := replies(notice, text, before, update)
	channel, _ := notice.State.GetStr(stateChannel)
	ts, _ := notice.State.GetStr(stateTS)
	now := wordOf(notice, text, before)
	if len(replies) > 0 && notice.MaybeTold {
		last := n.lastWord(ctx, api, channel, ts)
		if now.saidBy(last) {
			return nil // before the crash that lost the record
		}
		broadcast = broadcast || text.Pages() && (last.level != "" || !notice.Repeat) && endedSince(last, text, before)
	}
	for i, reply := range replies {
		options := []slack.MsgOption{
			slack.MsgOptionPost(), slack.MsgOptionTS(ts), slack.MsgOptionText(reply, false),
			slack.MsgOptionBlocks(section(reply)), now.marked(),
			slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
		}
		first := i == 0 && update
		if broadcast && first {
			options = append(options, slack.MsgOptionBroadcast())
		}
		if _, _, err := n.send(ctx, api, channel, options...); err != nil {
			n.threadFailures.Inc()
			if first && (broadcast || notice.Repeat) {
				return fmt.Errorf("reply to incident in Slack channel %s: %w", n.target.name, err)
			}
			return nil
		}
	}
	return nil
}

// send makes one call at the channel's pace.
func (n *notifier) send(ctx context.Context, api *slack.Client, channel string, options ...slack.MsgOption) (id, ts string, err error) {
	err = paced(ctx, n.target.pacer, func() error {
		id, ts, _, err = api.SendMessageContext(ctx, channel, options...)
		return err
	})
	return id, ts, err
}

// paced makes one call at the pacer's pace, and holds the next ones back for as
// long as Slack says.
func paced(ctx context.Context, pacer *alerting.Pacer, call func() error) error {
	if err := pacer.Wait(ctx); err != nil {
		return fmt.Errorf("wait for Slack's rate limit: %w", err)
	}
	err := call()
	var limited *slack.RateLimitedError
	if errors.As(err, &limited) {
		pacer.Hold(limited.RetryAfter)
	}
	return err
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
		return status.Retryable() || status.Code == http.StatusRequestTimeout
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
