package slack

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/slack-go/slack"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// Path is where callbacks are served; the app's interactivity request URL in
// Slack is the external URL followed by it.
const Path = "/slack/actions"

// Actions is what the buttons do. An error is told to the person who clicked.
type Actions interface {
	// Acknowledge records that somebody saw the incident at the level, empty is the
	// one it has now, and the time, and looks after it; it is on disk when it returns,
	// and twice is once. It returns whether the level that the incident has is taken:
	// not so if it has risen since it was shown, or began to fire anew.
	Acknowledge(ctx context.Context, incident, level string, saw time.Time, who string) (taken bool, err error)
	// Silence keeps the incident from notifying anybody for d at the level that somebody
	// saw, empty is the one it has now; it is on disk when it returns.
	Silence(ctx context.Context, incident, level string, d time.Duration, who string) error
}

// Gate judges a deploy and says in words what it found.
type Gate interface {
	Gate(ctx context.Context, m plumbline.Model, deploy plumbline.DeployHash) (string, error)
}

const (
	// tolerance is how old a signature may be, Slack's own rule.
	tolerance = 5 * time.Minute
	// maxCallback bounds a callback's body. Slack sends the message along.
	maxCallback = 1 << 20
	// maxSeen bounds the callbacks that are remembered; over it they are refused.
	maxSeen = 10_000
	// answerWithin leaves Slack's three seconds some room.
	answerWithin = 2500 * time.Millisecond
	// silenceFor is how long the button silences.
	silenceFor = time.Hour
	// maxReplies is how many answers may wait to be posted, gateTimeout how long
	// a gate may take, maxPayload what the thread shows of its words.
	maxReplies  = 64
	gateTimeout = 2 * time.Minute
	maxVerdict  = 2500
)

// Callbacks answers Slack's signed callbacks. Make it with NewCallbacks, run it
// with Run; what a click does is done when the callback is answered, what the
// thread says of it follows.
type Callbacks struct {
	channel *Channel
	actions Actions
	gate    Gate
	now     func() time.Time
	logger  *slog.Logger
	results *prometheus.CounterVec
	replies chan reply
	started time.Time
	seen    replays
}

// reply is what is posted after a click.
type reply struct {
	channel, thread, user, text string
	// gate is what to judge first, if it is not empty.
	gate gateTarget
}

// NewCallbacks returns the handler of the channel's buttons. Gate may be nil, if
// the channel was made without WithGate.
func NewCallbacks(channel *Channel, actions Actions, gate Gate, now func() time.Time, registry prometheus.Registerer, logger *slog.Logger) (*Callbacks, error) {
	c := &Callbacks{
		channel: channel, actions: actions, gate: gate, now: now, logger: logger, started: now(),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "plumbline_alerting_slack_callbacks_total",
			Help: "Clicks on buttons in Slack by what became of them.",
		}, []string{"result"}),
		replies: make(chan reply, maxReplies),
		seen:    replays{until: make(map[[sha256.Size]byte]time.Time)},
	}
	if err := registry.Register(c.results); err != nil {
		return nil, fmt.Errorf("register Slack callback metrics: %w", err)
	}
	return c, nil
}

// What became of a callback, as the metric counts it.
const (
	resultDone     = "done"
	resultNothing  = "nothing"   // a link, or a button of another version
	resultRefused  = "refused"   // a user who may not
	resultForged   = "forged"    // no valid signature
	resultReplayed = "replayed"  // a signature that was used
	resultBad      = "malformed" // signed, but not what Slack sends
	resultFailed   = "failed"    // the action's own error
	resultUnsaid   = "unsaid"    // done, but the answer could not be posted
)

// ServeHTTP implements http.Handler.
func (c *Callbacks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, result, err := c.serve(r)
	c.results.WithLabelValues(result).Inc()
	if err != nil {
		c.logger.Warn("slack callback", "result", result, "err", err)
		http.Error(w, result, status)
		return
	}
	w.WriteHeader(status)
}

func (c *Callbacks) serve(r *http.Request) (status int, result string, err error) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, resultBad, fmt.Errorf("method %s", r.Method)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxCallback+1))
	if err != nil || len(body) > maxCallback {
		return http.StatusRequestEntityTooLarge, resultBad, fmt.Errorf("a body of %d bytes or cut off: %w", len(body), errors.Join(err))
	}
	secret, err := c.secret()
	if err != nil {
		return http.StatusServiceUnavailable, resultFailed, err
	}
	now := c.now()
	at, err := verify(r.Header, secret, body, now)
	if err != nil {
		return http.StatusUnauthorized, resultForged, err
	}
	// What was used before this process began is not remembered: it is refused.
	if at.Before(c.started.Truncate(time.Second)) {
		return http.StatusServiceUnavailable, resultReplayed, errors.New("signed before this process began")
	}
	if err := c.seen.once(r.Header.Get(headerSignature), now); err != nil {
		return http.StatusConflict, resultReplayed, err
	}
	click, err := parseClick(body)
	if err != nil {
		return http.StatusBadRequest, resultBad, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	return c.do(ctx, click, at)
}

func (c *Callbacks) secret() (string, error) {
	content, err := os.ReadFile(c.channel.config.SigningSecretFile)
	if err != nil {
		return "", fmt.Errorf("read Slack signing secret: %w", err)
	}
	if secret := strings.TrimSpace(string(content)); secret != "" {
		return secret, nil
	}
	return "", fmt.Errorf("read Slack signing secret: %s is empty", c.channel.config.SigningSecretFile)
}

// do does what a click asks for, if who clicked may.
func (c *Callbacks) do(ctx context.Context, click click, at time.Time) (status int, result string, err error) {
	if !slices.Contains([]string{actionAck, actionSilence, actionGate}, click.action) {
		return http.StatusOK, resultNothing, nil // a link is a button, too
	}
	if !slices.Contains(c.channel.config.Users, click.user) {
		c.say(click.whisper("You are not among the users of alerting.slack.users, so nothing was done."))
		return http.StatusOK, resultRefused, nil
	}
	var answer reply
	switch click.action {
	case actionAck:
		// The thread hears of it from the notifier, which sees the incident change.
		var taken bool
		incident, level, _ := strings.Cut(click.value, " ")
		// A callback that is sent once more, to another replica, takes nothing that
		// began after the click. Signatures tell whole seconds.
		taken, err = c.actions.Acknowledge(ctx, incident, level, at.Add(time.Second), click.by())
		answer = click.whisper("You look after it now.")
		if !taken {
			answer = click.whisper("It has become a page since, or fires again, which nobody has taken: acknowledge that, too, when the message shows it.")
		}
	case actionSilence:
		// Counted from the click, so that a callback that was held up for minutes
		// does not silence for longer than its button says.
		until := at.Add(silenceFor)
		incident, level, _ := strings.Cut(click.value, " ")
		err = c.actions.Silence(ctx, incident, level, until.Sub(c.now()), click.by())
		answer = click.thread(fmt.Sprintf("Silenced until %s by %s.", until.UTC().Format("15:04 UTC"), quoter{}.Name(click.by())))
	case actionGate:
		target, ok := click.gate()
		if !ok || c.gate == nil {
			return http.StatusOK, resultNothing, nil // a button of another version
		}
		answer = reply{channel: click.channel, thread: click.message, gate: target}
	}
	if err != nil {
		c.say(click.whisper("Nothing was done: " + quoter{}.Sentence(err.Error()) + "."))
		return http.StatusInternalServerError, resultFailed, fmt.Errorf("%s of incident %q by %s: %w", click.action, alerting.Clean(click.value), click.user, err)
	}
	c.say(answer)
	return http.StatusOK, resultDone, nil
}

// say hands an answer to Run, or counts that it could not.
func (c *Callbacks) say(r reply) {
	select {
	case c.replies <- r:
	default:
		c.results.WithLabelValues(resultUnsaid).Inc()
	}
}

// Run posts the answers to clicks until ctx is done.
func (c *Callbacks) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case r := <-c.replies:
			if err := c.post(ctx, r); err != nil && ctx.Err() == nil {
				c.results.WithLabelValues(resultUnsaid).Inc()
				c.logger.Warn("answer a click in Slack", "err", err)
			}
		}
	}
}

func (c *Callbacks) post(ctx context.Context, r reply) error {
	if r.gate != (gateTarget{}) {
		r.text = c.judge(ctx, r.gate)
	}
	api, err := c.channel.api()
	if err != nil {
		return err
	}
	n := notifier{Channel: c.channel, target: c.channel.target(r.channel)}
	options := []slack.MsgOption{slack.MsgOptionText(r.text, false), slack.MsgOptionBlocks(section(r.text)), slack.MsgOptionTS(r.thread)}
	if r.user != "" {
		options = append(options, slack.MsgOptionPostEphemeral(r.user))
	} else {
		options = append(options, slack.MsgOptionPost())
	}
	if _, _, err := n.send(ctx, api, r.channel, options...); err != nil {
		return fmt.Errorf("post in Slack channel %s: %w", r.channel, err)
	}
	return nil
}

// judge runs the gate and returns its words, or why there are none.
func (c *Callbacks) judge(ctx context.Context, target gateTarget) string {
	ctx, cancel := context.WithTimeout(ctx, gateTimeout)
	defer cancel()
	var q quoter
	about := "Gate of deploy " + q.Name(string(target.Deploy)) + " of " + q.Name(string(target.Model)) + ": "
	words, err := c.gate.Gate(ctx, target.Model, target.Deploy)
	if err != nil {
		return about + "no verdict, " + q.Sentence(err.Error()) + "."
	}
	lines := strings.Split(alerting.CleanLines(words), "\n")
	for i, line := range lines {
		lines[i] = q.Sentence(line)
	}
	return about + "\n" + fit(lines, maxVerdict)
}

// click is what a callback says.
type click struct {
	user, name, channel, message, action, value string
}

// whisper is an answer that only who clicked sees.
func (k click) whisper(text string) reply {
	return reply{channel: k.channel, thread: k.message, user: k.user, text: text}
}

// thread is an answer that stands in the thread.
func (k click) thread(text string) reply {
	return reply{channel: k.channel, thread: k.message, text: text}
}

// gate reads what gateValue wrote.
func (k click) gate() (gateTarget, bool) {
	var target gateTarget
	err := json.Unmarshal([]byte(k.value), &target)
	return target, err == nil && target.Model != ""
}

// by names who clicked: the name is the person's own choice, the id is not.
func (k click) by() string {
	if name := alerting.Clean(k.name); name != "" {
		return name + " (" + k.user + ")"
	}
	return k.user
}

// callback is the part of Slack's block_actions payload that is read:
// https://docs.slack.dev/reference/interaction-payloads/block_actions-payload.
type callback struct {
	Type string `json:"type"`
	User struct {
		ID       string `json:"id"`
		Username string `json:"username"`
		Name     string `json:"name"`
	} `json:"user"`
	Container struct {
		ChannelID string `json:"channel_id"`
		MessageTS string `json:"message_ts"`
	} `json:"container"`
	Actions []struct {
		ActionID string `json:"action_id"`
		Value    string `json:"value"`
	} `json:"actions"`
}

// parseClick reads a callback's form.
func parseClick(body []byte) (click, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return click{}, fmt.Errorf("callback: %w", err)
	}
	var p callback
	if err := json.Unmarshal([]byte(form.Get("payload")), &p); err != nil {
		return click{}, fmt.Errorf("callback payload: %w", err)
	}
	if p.Type != "block_actions" || len(p.Actions) != 1 {
		return click{}, fmt.Errorf("callback: a %q with %d actions, want block_actions with one", alerting.Clean(p.Type), len(p.Actions))
	}
	k := click{
		user: p.User.ID, name: p.User.Username, channel: p.Container.ChannelID, message: p.Container.MessageTS,
		action: p.Actions[0].ActionID, value: p.Actions[0].Value,
	}
	if k.name == "" {
		k.name = p.User.Name
	}
	if !userID.MatchString(k.user) || k.channel == "" || k.message == "" || len(k.value) > maxValue {
		return click{}, errors.New("callback: user, channel or message is missing, or a value is too long")
	}
	return k, nil
}

const (
	headerSignature = "X-Slack-Signature"
	headerTimestamp = "X-Slack-Request-Timestamp"
)

// verify checks Slack's signature of a request, v0=HMAC-SHA256("v0:time:body"),
// and that it was made within tolerance of now. It returns when.
// https://docs.slack.dev/authentication/verifying-requests-from-slack
func verify(h http.Header, secret string, body []byte, now time.Time) (time.Time, error) {
	stamp := h.Get(headerTimestamp)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return time.Time{}, errors.New("the time of the signature is missing or no number")
	}
	at := time.Unix(seconds, 0)
	if age := now.Sub(at); age > tolerance || age < -tolerance {
		return time.Time{}, fmt.Errorf("signed at %s, more than %s from now", at.UTC().Format(time.RFC3339), tolerance)
	}
	given, err := hex.DecodeString(strings.TrimPrefix(h.Get(headerSignature), "v0="))
	if err != nil {
		return time.Time{}, errors.New("the signature is not hexadecimal")
	}
	mac := hmac.New(sha256.New, []byte(secret))
	// A hash never refuses to be written to.
	_, _ = fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	if !hmac.Equal(mac.Sum(nil), given) {
		return time.Time{}, errors.New("the signature is not that of the body")
	}
	return at, nil
}
