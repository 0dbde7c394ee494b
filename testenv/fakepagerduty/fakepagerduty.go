// Package fakepagerduty is a PagerDuty Events API v2 that keeps its alerts in
// memory: it checks events as PagerDuty documents, folds them by dedup_key, and
// plays faults on demand. It may be imported by tests, testenv and cmd only.
package fakepagerduty

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
)

// PagerDuty's limits: https://developer.pagerduty.com/docs/send-alert-event.
const (
	maxEvent      = 512 << 10
	maxSummary    = 1024
	maxDedupKey   = 255
	routingKeyLen = 32
)

// Event is one accepted event.
type Event struct {
	RoutingKey string `json:"routing_key"`
	Action     string `json:"event_action"`
	DedupKey   string `json:"dedup_key"`
	Client     string `json:"client"`
	ClientURL  string `json:"client_url"`
	Links      []struct {
		Href string `json:"href"`
		Text string `json:"text"`
	} `json:"links"`
	Payload struct {
		Summary   string          `json:"summary"`
		Source    string          `json:"source"`
		Severity  string          `json:"severity"`
		Timestamp string          `json:"timestamp"`
		Component string          `json:"component"`
		Group     string          `json:"group"`
		Class     string          `json:"class"`
		Details   json.RawMessage `json:"custom_details"`
	} `json:"payload"`
}

// Alert is what PagerDuty would show for one dedup_key: each trigger after a
// resolve opens a new one.
type Alert struct {
	RoutingKey string
	DedupKey   string
	Summary    string
	Triggers   int
	// Acknowledged is set by an acknowledge: it rings no more.
	Acknowledged bool
	Resolved     bool
}

// Change is one accepted change event.
type Change struct {
	RoutingKey string `json:"routing_key"`
	Payload    struct {
		Summary   string          `json:"summary"`
		Source    string          `json:"source"`
		Timestamp string          `json:"timestamp"`
		Details   json.RawMessage `json:"custom_details"`
	} `json:"payload"`
	Links []struct {
		Href string `json:"href"`
		Text string `json:"text"`
	} `json:"links"`
}

// Server is a running fake. It is safe for concurrent use.
type Server struct {
	*fakehttp.Server

	mu      sync.Mutex
	events  []Event
	alerts  []Alert
	changes []Change
}

// Start serves on addr, for example "127.0.0.1:0", until Close.
func Start(addr string) (*Server, error) {
	s := &Server{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v2/enqueue", s.enqueue)
	mux.HandleFunc("POST /v2/change/enqueue", s.change)
	server, err := fakehttp.Start(addr, mux)
	if err != nil {
		return nil, fmt.Errorf("fake PagerDuty: %w", err)
	}
	s.Server = server
	return s, nil
}

// Events returns the accepted events in order.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Alerts returns every alert that was ever opened, in order.
func (s *Server) Alerts() []Alert {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.alerts)
}

// Changes returns the accepted change events in order.
func (s *Server) Changes() []Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.changes)
}

// change answers a change event:
// https://developer.pagerduty.com/docs/send-change-event.
func (s *Server) change(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away while sending
	}
	var c Change
	problems := []string{}
	switch err := json.Unmarshal(body, &c); {
	case len(body) > maxEvent:
		problems = append(problems, "event is larger than 512 KB")
	case err != nil:
		problems = append(problems, "event is not JSON: "+err.Error())
	case len(c.RoutingKey) != routingKeyLen:
		problems = append(problems, "'routing_key' must be 32 characters")
	case c.Payload.Summary == "" || utf8.RuneCountInString(c.Payload.Summary) > maxSummary:
		problems = append(problems, "'payload.summary' is blank or longer than 1024 characters")
	}
	if len(problems) > 0 {
		answer(w, http.StatusBadRequest, map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": problems})
		return
	}
	s.mu.Lock()
	s.changes = append(s.changes, c)
	s.mu.Unlock()
	answer(w, http.StatusAccepted, map[string]any{"status": "success", "message": "Change event processed"})
}

// WaitEvents blocks until ok accepts the events, or the context ends.
func (s *Server) WaitEvents(ctx context.Context, ok func([]Event) bool) error {
	return s.Wait(ctx, func() bool { return ok(s.Events()) })
}

func (s *Server) enqueue(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away while sending
	}
	var event Event
	problems := []string{}
	if len(body) > maxEvent {
		problems = append(problems, "event is larger than 512 KB")
	} else if err := json.Unmarshal(body, &event); err != nil {
		problems = append(problems, "event is not JSON: "+err.Error())
	} else {
		problems = event.problems()
	}
	if len(problems) > 0 {
		answer(w, http.StatusBadRequest, map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": problems})
		return
	}
	s.accept(event)
	answer(w, http.StatusAccepted, map[string]any{"status": "success", "message": "Event processed", "dedup_key": event.DedupKey})
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that went away needs no body
}

func (e Event) problems() []string {
	problems := []string{}
	must := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, problem)
		}
	}
	must(len(e.RoutingKey) == routingKeyLen, "'routing_key' must be 32 characters")
	must(len(e.DedupKey) <= maxDedupKey, "'dedup_key' is longer than 255 characters")
	switch e.Action {
	case "trigger":
		must(e.Payload.Summary != "", "'payload.summary' is missing or blank")
		must(utf8.RuneCountInString(e.Payload.Summary) <= maxSummary, "'payload.summary' is longer than 1024 characters")
		must(e.Payload.Source != "", "'payload.source' is missing or blank")
		must(slices.Contains([]string{"critical", "error", "warning", "info"}, e.Payload.Severity), "'payload.severity' is invalid")
	case "acknowledge", "resolve":
		must(e.DedupKey != "", "'dedup_key' is missing or blank")
	default:
		must(false, "'event_action' is invalid")
	}
	return problems
}

func (s *Server) accept(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	open := slices.IndexFunc(s.alerts, func(a Alert) bool {
		return a.RoutingKey == e.RoutingKey && a.DedupKey == e.DedupKey && !a.Resolved
	})
	switch {
	case e.Action == "trigger" && open < 0:
		s.alerts = append(s.alerts, Alert{RoutingKey: e.RoutingKey, DedupKey: e.DedupKey, Summary: e.Payload.Summary, Triggers: 1})
	case e.Action == "trigger":
		s.alerts[open].Triggers++
		s.alerts[open].Summary = e.Payload.Summary
	case e.Action == "acknowledge" && open >= 0:
		s.alerts[open].Acknowledged = true
	case e.Action == "resolve" && open >= 0:
		s.alerts[open].Resolved = true
	}
}
