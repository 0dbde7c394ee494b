package alerting

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Channel is a way to reach owners: alerting/slack, alerting/pagerduty.
type Channel interface {
	// Name is short and stable: it is part of what the notification log
	// remembers.
	Name() string
	// Notifier returns the notifier of an owner, or nil if the registry gives
	// no way to reach the owner here.
	Notifier(owner plumbline.OwnerEntry) Notifier
}

// Notifier tells one owner about incidents.
type Notifier interface {
	// Notify is called for the first alert of an incident, for every change,
	// for repeats and for the resolution, until it returns no error or one
	// that Result says not to retry.
	Notify(ctx context.Context, n Notice) (Result, error)
}

// Notice is what is to be told.
type Notice struct {
	Text Text
	// Receiver names who is told, the same in every process and at every start. Two
	// receivers of one incident may share a destination: the owner and whom the owner's
	// pages escalate to, in one Slack channel.
	Receiver string
	// Alerts are the incident's alerts, resolved ones included, for channels
	// that pass them on as they are.
	Alerts []Alert
	// Repeat says that nothing changed since the last notice but the clock.
	Repeat bool
	// Incident is the history so far: since when, and who took it on. An
	// acknowledgement is told in a Notice of its own, of which Acknowledged is
	// true; a channel that knows of acknowledgements passes it on.
	Incident     Incident
	Acknowledged bool
	// MaybeTold says that an earlier notice may have been delivered though the
	// record of it was lost in a crash: State is older than that notice. A
	// channel that can ask what it delivered asks before it opens something new;
	// one that cannot takes the incident as open when it is to be resolved.
	MaybeTold bool
	// State is the notifier's memory of this incident. It is kept with the
	// notification log once Notify succeeds, and starts empty for an incident
	// that is new or had been resolved.
	State State
}

// Untold reports whether a channel has anything to tell that remembers under the key
// what it told last and nothing else; Remember keeps that.
func (n Notice) Untold(key string) bool {
	if n.MaybeTold {
		return true // what was told may be newer than what is remembered
	}
	told, _ := n.State.GetStr(key)
	if told == "" && n.Text.Status == StatusResolved {
		return false
	}
	return n.Repeat || told != n.Text.Conditions()
}

// Remember keeps under the key that the notice was told: the conditions, or that
// nothing fires.
func (n Notice) Remember(key string) {
	told := n.Text.Conditions()
	if n.Text.Status == StatusResolved {
		told = ""
	}
	n.State.SetStr(key, told)
}

// State is a notifier's memory of one incident.
type State interface {
	GetStr(key string) (string, bool)
	SetStr(key, value string)
}

// Result is the outcome of one Notify.
type Result struct {
	// Sent is false if there was nothing to tell on this channel.
	Sent bool
	// Retry says that the same call may succeed later.
	Retry bool
}

// RefuseRedirect is an http.Client's CheckRedirect for whoever tells somebody: a
// redirected POST arrives as a GET without its body, or takes a secret to a stranger,
// and a login page would be taken for an acknowledgement.
func RefuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// TemporaryStatus reports whether a request that was answered with the status may be
// taken later as it is: 408, 429 and 5xx.
func TemporaryStatus(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status >= 500
}

// RetryAfter returns for how long the header of an answer asks to be left alone, in
// seconds or until a date; zero if it does not, and the pipeline's own back-off
// applies.
func RetryAfter(h http.Header) time.Duration {
	asked := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(asked, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(asked); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// LongestHold is the longest that one Retry-After keeps a destination's calls back:
// a proxy that says a day would take a day's pages. Whoever meant it says it again.
const LongestHold = 5 * time.Minute

// Pacer spaces the calls to one destination and holds them back after the
// destination asked for it (Retry-After). It is safe for concurrent use.
type Pacer struct {
	interval time.Duration

	mu   sync.Mutex
	next time.Time
}

// NewPacer returns a Pacer that lets one call pass per interval; zero spaces
// nothing and only obeys Hold.
func NewPacer(interval time.Duration) *Pacer { return &Pacer{interval: interval} }

// Wait returns when the next call may be made. It returns
// context.DeadlineExceeded at once if that is after the context's deadline.
func (p *Pacer) Wait(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	at := now
	if p.next.After(now) {
		at = p.next
	}
	if deadline, ok := ctx.Deadline(); ok && at.After(deadline) {
		p.mu.Unlock()
		return context.DeadlineExceeded
	}
	p.next = at.Add(p.interval)
	p.mu.Unlock()

	timer := time.NewTimer(at.Sub(now))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Delay returns how long the next call would wait now.
func (p *Pacer) Delay() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, time.Until(p.next))
}

// Hold keeps every later call back for d, but for no longer than LongestHold.
func (p *Pacer) Hold(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(min(d, LongestHold)); until.After(p.next) {
		p.next = until
	}
}
