package slack

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/plumbline-slo/plumbline/alerting"
)

// How far a search goes: a page as large as Slack recommends, and not for ever
// in a busy channel.
const (
	searchPage  = 200
	searchPages = 10
	// clockSlack is how much earlier than the incident its message may seem.
	clockSlack = 10 * time.Minute
	// longestWait is the longest rate limit that a search waits for. A page that
	// may stand twice is better than one that comes a minute later.
	longestWait = 30 * time.Second
)

var (
	channelID = regexp.MustCompile(`^[CGD][A-Z0-9]{5,}$`)
	userID    = regexp.MustCompile(`^[UW][A-Z0-9]{5,}$`)
)

// search remembers the last look into one channel's history, so that many
// incidents that begin at once share one.
type search struct {
	mu     sync.Mutex
	id     string // the channel's
	began  time.Time
	oldest time.Time
	roots  map[root]string // open incidents: their message's time stamp
}

// root is what a message of an incident is known by. Receivers who share a channel have
// one each: who is told by a change of somebody else's message hears nothing. Versions
// before this one named none.
type root struct{ incident, receiver string }

// know remembers the channel's id, which every answer of Slack's tells. A name may come
// to be another channel's: what was read of the former is of no use any more.
func (s *search) know(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != id {
		s.id, s.began = id, time.Time{}
	}
}

// adopt finds the open root message of the incident and receiver in the channel's
// history and remembers it. Of what is over, one that names no receiver is ended, too.
// An error means that the search can be made again; where Slack
// refuses it for good, nothing is found and that is counted.
func (n *notifier) adopt(ctx context.Context, api *slack.Client, notice alerting.Notice, text alerting.Text) (bool, error) {
	asked := time.Now()
	s := &n.target.search
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest := text.Since.Add(-clockSlack)
	if s.began.Before(asked) || s.oldest.After(oldest) {
		began := time.Now()
		roots, err := n.openRoots(ctx, api, oldest)
		var limited *slack.RateLimitedError
		switch {
		case err == nil:
			s.began, s.oldest, s.roots = began, oldest, roots
		case !errors.Is(err, errHeld) && retryable(err) && (!errors.As(err, &limited) || limited.RetryAfter <= longestWait):
			return false, fmt.Errorf("look for incident in the history of Slack channel %s: %w", n.target.name, err)
		default:
			n.searchFailures.Inc()
			return false, nil
		}
	}
	ts, ok := s.roots[root{text.Incident, notice.Receiver}]
	if !ok && text.Status == alerting.StatusResolved {
		ts, ok = s.roots[root{incident: text.Incident}]
	}
	if !ok {
		return false, nil
	}
	n.adopted.Inc()
	notice.State.SetStr(stateChannel, s.id)
	notice.State.SetStr(stateTS, ts)
	return true, nil
}

// errHeld is a search that Slack has asked to wait for longer than a page may: it
// said so to an earlier one.
var errHeld = errors.New("slack asked not to be searched for a while")

// ask makes one call of a search. For as long as Slack asks for a long wait, none
// is made: waiting for it would keep back the pages of all that time.
func (n *notifier) ask(ctx context.Context, call func() error) error {
	if n.searching.Delay() > longestWait {
		return errHeld
	}
	return paced(ctx, n.searching, call)
}

// openRoots returns the time stamps of the messages of incidents that are open.
// The search's lock is held.
func (n *notifier) openRoots(ctx context.Context, api *slack.Client, oldest time.Time) (map[root]string, error) {
	id, err := n.channelOf(ctx, api)
	if err != nil || id == "" {
		return nil, err
	}
	n.target.search.id = id
	roots := make(map[root]string)
	cursor := ""
	for range searchPages {
		var page *slack.GetConversationHistoryResponse
		err := n.ask(ctx, func() (err error) {
			page, err = api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
				ChannelID: id, Cursor: cursor, Limit: searchPage, IncludeAllMetadata: true,
				Oldest: strconv.FormatInt(oldest.Unix(), 10), Inclusive: true,
			})
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, m := range page.Messages { // the newest first
			of, open := rootOf(m.Metadata)
			if _, seen := roots[of]; of.incident == "" || seen {
				continue
			}
			roots[of] = ""
			if open {
				roots[of] = m.Timestamp
			}
		}
		if cursor = page.ResponseMetaData.NextCursor; !page.HasMore || cursor == "" {
			return openOnly(roots), nil
		}
	}
	// What is further back than a channel's last two thousand messages is not
	// what a crash has just lost.
	return openOnly(roots), nil
}

// openOnly drops the incidents whose newest message says that they are over.
func openOnly(roots map[root]string) map[root]string {
	for of, ts := range roots {
		if ts == "" {
			delete(roots, of)
		}
	}
	return roots
}

// channelOf returns the id of the target's channel: histories are read by id
// only. A name that is in no list gives an error that is final.
func (n *notifier) channelOf(ctx context.Context, api *slack.Client) (string, error) {
	if id := n.target.search.id; id != "" {
		return id, nil
	}
	if channelID.MatchString(n.target.name) {
		return n.target.name, nil
	}
	want := strings.TrimPrefix(n.target.name, "#")
	cursor := ""
	for range searchPages {
		var (
			channels []slack.Channel
			next     string
		)
		err := n.ask(ctx, func() (err error) {
			channels, next, err = api.GetConversationsContext(ctx, &slack.GetConversationsParameters{
				Cursor: cursor, Limit: 1000, ExcludeArchived: true, Types: []string{"public_channel", "private_channel"},
			})
			return err
		})
		if err != nil {
			return "", err
		}
		for _, c := range channels {
			if c.Name == want {
				return c.ID, nil
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return "", slack.SlackErrorResponse{Err: "channel_not_found"}
}

// word is what a reply of ours says, as its metadata have it.
type word struct {
	// conditions names what fires, level is Text.Level.
	conditions, level string
	// repeats is when that was said which a repeat repeats, empty for anything else.
	repeats string
}

// wordOf is what the replies of a notice say.
func wordOf(notice alerting.Notice, text, before alerting.Text) word {
	w := word{conditions: text.Conditions(), level: text.Level()}
	if notice.Repeat {
		w.repeats = before.At.UTC().Format(time.RFC3339Nano)
	}
	return w
}

// saidBy reports whether a reply that stands there says it.
func (w word) saidBy(last word) bool {
	return last.conditions == w.conditions && (w.repeats == "" || w.repeats == last.repeats)
}

// endedSince reports whether a page may have been told to be over after what State
// remembers of it: the thread's last word is of another level, or there is none.
func endedSince(last word, text, before alerting.Text) bool {
	if last.level == "" {
		return text.SameConditions(before)
	}
	return last.level != text.Level()
}

// lastWord returns what the newest reply of ours in a thread says, nothing if there
// is none or Slack does not tell: a line that stands twice is better than one that is
// missing.
func (n *notifier) lastWord(ctx context.Context, api *slack.Client, channel, ts string) (last word) {
	cursor := ""
	for range searchPages {
		var (
			replies []slack.Message
			more    bool
			next    string
		)
		err := n.ask(ctx, func() (err error) {
			replies, more, next, err = api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
				ChannelID: channel, Timestamp: ts, Cursor: cursor, Limit: searchPage, IncludeAllMetadata: true,
			})
			return err
		})
		if err != nil {
			return word{}
		}
		for _, m := range replies { // the oldest first
			if m.Metadata.EventType != replyType {
				continue
			}
			say := func(key string) string { said, _ := m.Metadata.EventPayload[key].(string); return said }
			last = word{conditions: say(metaMark), level: say(metaLevel), repeats: say(metaRepeats)}
		}
		if cursor = next; !more || cursor == "" {
			break
		}
	}
	return last
}

// marked says in a reply's metadata what it says in words.
func (w word) marked() slack.MsgOption {
	payload := map[string]any{metaMark: w.conditions, metaLevel: w.level}
	if w.repeats != "" {
		payload[metaRepeats] = w.repeats
	}
	return slack.MsgOptionMetadata(slack.SlackMetadata{EventType: replyType, EventPayload: payload})
}

// What the metadata of a root message and of a reply say.
const (
	replyType    = "plumbline_notice"
	metaMark     = "conditions"
	metaLevel    = "level"
	metaRepeats  = "repeats"
	eventType    = "plumbline_incident"
	metaIncident = "incident"
	metaReceiver = "receiver"
	metaStatus   = "status"
	metaSince    = "since"
)

// metadata marks the root message with the incident, who is told and whether it is
// over, so that it can be found again in the channel's history.
func metadata(t alerting.Text, receiver string) slack.MsgOption {
	return slack.MsgOptionMetadata(slack.SlackMetadata{
		EventType: eventType,
		EventPayload: map[string]any{
			metaIncident: t.Incident, metaReceiver: receiver, metaStatus: string(t.Status), metaSince: t.Since.UTC().Format(time.RFC3339),
		},
	})
}

// rootOf reads what metadata wrote; the incident is empty for a message that is none of
// ours.
func rootOf(m slack.SlackMetadata) (of root, open bool) {
	if m.EventType != eventType {
		return root{}, false
	}
	of.incident, _ = m.EventPayload[metaIncident].(string)
	of.receiver, _ = m.EventPayload[metaReceiver].(string)
	status, _ := m.EventPayload[metaStatus].(string)
	return of, status == string(alerting.StatusFiring)
}
