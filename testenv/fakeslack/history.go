package fakeslack

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// historyPage is how many messages the fake returns at once, whatever is asked:
// clients must follow the cursor.
const historyPage = 50

// history answers conversations.history: roots of one channel, the newest
// first, with metadata only if it was asked for.
func (s *Server) history(w http.ResponseWriter, r *http.Request) {
	form, err := values(r)
	channel := form.Get("channel")
	switch {
	case err != nil:
		reply(w, map[string]any{"ok": false, "error": "invalid_form_data"})
		return
	case channel == "" || channel != channelID(channel):
		reply(w, map[string]any{"ok": false, "error": "channel_not_found"})
		return
	}
	all := s.filter(func(m Message) bool {
		return m.Channel == channel && m.ThreadTS == "" && m.Ephemeral == "" && m.TS >= form.Get("oldest")
	})
	slices.Reverse(all)
	page(w, form, all)
}

// replies answers conversations.replies: a root and its thread, the oldest
// first.
func (s *Server) replies(w http.ResponseWriter, r *http.Request) {
	form, err := values(r)
	if err != nil {
		reply(w, map[string]any{"ok": false, "error": "invalid_form_data"})
		return
	}
	all := s.filter(func(m Message) bool {
		return m.Channel == form.Get("channel") && m.Ephemeral == "" && (m.TS == form.Get("ts") || m.ThreadTS == form.Get("ts"))
	})
	if len(all) == 0 {
		reply(w, map[string]any{"ok": false, "error": "thread_not_found"})
		return
	}
	page(w, form, all)
}

// page answers with one page of messages, and where the next one begins.
func page(w http.ResponseWriter, form url.Values, all []Message) {
	from, err := strconv.Atoi(form.Get("cursor"))
	if err != nil || from > len(all) {
		from = 0
	}
	to := min(from+historyPage, len(all))
	messages := make([]map[string]any, 0, historyPage)
	for _, m := range all[from:to] {
		message := map[string]any{"type": "message", "text": m.Text, "ts": m.TS}
		if form.Get("include_all_metadata") == "1" && json.Valid(m.Metadata) {
			message["metadata"] = m.Metadata
		}
		messages = append(messages, message)
	}
	answer := map[string]any{"ok": true, "messages": messages, "has_more": to < len(all)}
	if to < len(all) {
		answer["response_metadata"] = map[string]string{"next_cursor": strconv.Itoa(to)}
	}
	reply(w, answer)
}

// list answers conversations.list with the channels that have messages.
func (s *Server) list(w http.ResponseWriter, _ *http.Request) {
	seen := map[string]bool{}
	channels := []map[string]any{}
	for _, m := range s.Messages() {
		if seen[m.Channel] {
			continue
		}
		seen[m.Channel] = true
		channels = append(channels, map[string]any{"id": m.Channel, "name": strings.ToLower(strings.TrimPrefix(m.Channel, "C"))})
	}
	reply(w, map[string]any{"ok": true, "channels": channels})
}
