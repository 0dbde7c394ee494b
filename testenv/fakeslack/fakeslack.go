// Package fakeslack is a Slack that keeps its messages in memory: enough of the
// Web API (posting, changing, finding messages) and of its signed callbacks for
// the tests and the demo, with Slack's documented limits enforced and faults on
// demand. It may be imported by tests, testenv and cmd only.
package fakeslack

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
)

// Slack's limits: https://docs.slack.dev/reference/block-kit/blocks, and for
// the sum over all blocks the measured msg_blocks_too_long.
const (
	maxBlocks      = 50
	maxSectionText = 3000
	maxHeaderText  = 150
	maxBlocksTotal = 13200
	maxElements    = 25
	maxValue       = 2000
	maxURL         = 3000
)

// Message is one message as it stands now.
type Message struct {
	Channel string
	TS      string
	// ThreadTS is the root's TS if the message is a reply.
	ThreadTS string
	Text     string
	// Blocks is the Block Kit JSON as it was sent.
	Blocks json.RawMessage
	// Metadata is the message metadata JSON as it was sent.
	Metadata json.RawMessage
	// Updates counts the successful chat.update calls.
	Updates int
	// Ephemeral is the user who alone sees the message, empty for all others.
	Ephemeral string
}

// Server is a running fake. It is safe for concurrent use.
type Server struct {
	*fakehttp.Server

	mu       sync.Mutex
	messages []Message
}

// Start serves on addr, for example "127.0.0.1:0", until Close.
func Start(addr string) (*Server, error) {
	s := &Server{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/chat.postMessage", s.method(s.post))
	mux.HandleFunc("POST /api/chat.update", s.method(s.update))
	mux.HandleFunc("POST /api/chat.postEphemeral", s.method(s.ephemeral))
	mux.HandleFunc("POST /api/conversations.history", s.history)
	mux.HandleFunc("POST /api/conversations.replies", s.replies)
	mux.HandleFunc("POST /api/conversations.list", s.list)
	server, err := fakehttp.Start(addr, mux)
	if err != nil {
		return nil, fmt.Errorf("fake Slack: %w", err)
	}
	s.Server = server
	return s, nil
}

// APIURL returns the address a Slack client takes in place of
// https://slack.com/api/.
func (s *Server) APIURL() string { return s.URL() + "/api/" }

// Messages returns every message, in the order of posting.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
}

// Roots returns the messages that are not replies.
func (s *Server) Roots() []Message {
	return s.filter(func(m Message) bool { return m.ThreadTS == "" && m.Ephemeral == "" })
}

// Thread returns the replies to the message with the time stamp ts.
func (s *Server) Thread(ts string) []Message {
	return s.filter(func(m Message) bool { return m.ThreadTS == ts })
}

func (s *Server) filter(keep func(Message) bool) []Message {
	var kept []Message
	for _, m := range s.Messages() {
		if keep(m) {
			kept = append(kept, m)
		}
	}
	return kept
}

// WaitMessages blocks until ok accepts the messages, or the context ends.
func (s *Server) WaitMessages(ctx context.Context, ok func([]Message) bool) error {
	return s.Wait(ctx, func() bool { return ok(s.Messages()) })
}

// method answers as Slack does: always 200, the error as JSON.
func (s *Server) method(do func(url.Values) (Message, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		form, err := values(r)
		if err != nil {
			reply(w, map[string]any{"ok": false, "error": "invalid_form_data"})
			return
		}
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if token == "" {
			token = form.Get("token")
		}
		if token == "" {
			reply(w, map[string]any{"ok": false, "error": "not_authed"})
			return
		}
		m, problem := do(form)
		if problem != "" {
			reply(w, map[string]any{"ok": false, "error": problem})
			return
		}
		reply(w, map[string]any{
			"ok": true, "channel": m.Channel, "ts": m.TS,
			"message": map[string]any{"text": m.Text, "ts": m.TS, "type": "message"},
		})
	}
}

func reply(w http.ResponseWriter, body map[string]any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(body) // a client that went away needs no body
}

// values reads the arguments from a form or a JSON body: Slack takes both.
func values(r *http.Request) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		err := r.ParseForm()
		return r.Form, err
	}
	var raw map[string]json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&raw); err != nil {
		return nil, err
	}
	form := make(url.Values, len(raw))
	for key, value := range raw {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		form.Set(key, text)
	}
	return form, nil
}

func (s *Server) post(form url.Values) (Message, string) {
	m := Message{
		Channel: channelID(form.Get("channel")), ThreadTS: form.Get("thread_ts"),
		Text: form.Get("text"), Blocks: json.RawMessage(form.Get("blocks")), Metadata: json.RawMessage(form.Get("metadata")),
	}
	if form.Get("channel") == "" {
		return m, "channel_not_found"
	}
	if problem := check(m); problem != "" {
		return m, problem
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.TS = fmt.Sprintf("%d.%06d", time.Now().Unix(), len(s.messages)+1)
	s.messages = append(s.messages, m)
	return m, ""
}

func (s *Server) ephemeral(form url.Values) (Message, string) {
	if form.Get("user") == "" {
		return Message{}, "user_not_in_channel"
	}
	m, problem := s.post(form)
	if problem != "" {
		return m, problem
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m.Ephemeral = form.Get("user")
	s.messages[slices.IndexFunc(s.messages, func(o Message) bool { return o.TS == m.TS })] = m
	return m, ""
}

func (s *Server) update(form url.Values) (Message, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.messages {
		m := s.messages[i]
		if m.TS != form.Get("ts") || m.Channel != form.Get("channel") {
			continue
		}
		m.Text, m.Blocks = form.Get("text"), json.RawMessage(form.Get("blocks"))
		if metadata := form.Get("metadata"); metadata != "" {
			m.Metadata = json.RawMessage(metadata)
		}
		if problem := check(m); problem != "" {
			return m, problem
		}
		m.Updates++
		s.messages[i] = m
		return m, ""
	}
	return Message{}, "message_not_found"
}

// channelID turns a name into an id, as Slack does: chat.update takes ids only.
func channelID(name string) string {
	if strings.HasPrefix(name, "C") {
		return name
	}
	return "C" + strings.ToUpper(strings.TrimPrefix(name, "#"))
}

// check returns Slack's error for a message over the limits.
func check(m Message) string {
	if m.Text == "" && len(m.Blocks) == 0 {
		return "no_text"
	}
	if len(m.Blocks) == 0 {
		return ""
	}
	var blocks []struct {
		Type     string                  `json:"type"`
		Text     *struct{ Text string }  `json:"text"`
		Fields   []struct{ Text string } `json:"fields"`
		Elements []struct {
			Text  json.RawMessage
			Value string
			URL   string
		} `json:"elements"`
	}
	if err := json.Unmarshal(m.Blocks, &blocks); err != nil || len(blocks) > maxBlocks {
		return "invalid_blocks"
	}
	total := 0
	for _, b := range blocks {
		limit := maxSectionText
		if b.Type == "header" {
			limit = maxHeaderText
		}
		if b.Text != nil {
			n := len([]rune(b.Text.Text))
			if n == 0 || n > limit {
				return "invalid_blocks"
			}
			total += n
		}
		if len(b.Elements) > maxElements {
			return "invalid_blocks"
		}
		for _, e := range b.Elements {
			if len([]rune(e.Value)) > maxValue || len([]rune(e.URL)) > maxURL {
				return "invalid_blocks"
			}
			total += len(e.Text)
		}
		for _, f := range b.Fields {
			total += len([]rune(f.Text))
		}
	}
	if total > maxBlocksTotal {
		return "msg_blocks_too_long"
	}
	return ""
}
