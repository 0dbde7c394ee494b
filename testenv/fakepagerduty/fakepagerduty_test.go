package fakepagerduty_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/testenv/fakepagerduty"
)

const key = "0123456789abcdef0123456789abcdef"

func enqueue(t *testing.T, s *fakepagerduty.Server, body string) int {
	t.Helper()
	response, err := http.Post(s.URL()+"/v2/enqueue", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func event(t *testing.T, change func(map[string]any, map[string]any)) string {
	t.Helper()
	payload := map[string]any{"summary": "s", "source": "m", "severity": "critical"}
	e := map[string]any{"routing_key": key, "event_action": "trigger", "dedup_key": "d", "payload": payload}
	change(e, payload)
	body, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func start(t *testing.T) *fakepagerduty.Server {
	t.Helper()
	s, err := fakepagerduty.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestInvalidEventsAreRefused(t *testing.T) {
	s := start(t)
	for name, change := range map[string]func(e, p map[string]any){
		"routing key": func(e, _ map[string]any) { e["routing_key"] = "short" },
		"action":      func(e, _ map[string]any) { e["event_action"] = "page" },
		"dedup key":   func(e, _ map[string]any) { e["dedup_key"] = strings.Repeat("x", 256) },
		"no dedup":    func(e, _ map[string]any) { e["event_action"], e["dedup_key"] = "resolve", "" },
		"summary":     func(_, p map[string]any) { p["summary"] = strings.Repeat("x", 1025) },
		"no summary":  func(_, p map[string]any) { p["summary"] = "" },
		"source":      func(_, p map[string]any) { p["source"] = "" },
		"severity":    func(_, p map[string]any) { p["severity"] = "page" },
		"size":        func(_, p map[string]any) { p["custom_details"] = strings.Repeat("x", 513<<10) },
	} {
		if status := enqueue(t, s, event(t, change)); status != http.StatusBadRequest {
			t.Errorf("%s: status %d", name, status)
		}
	}
	if status := enqueue(t, s, "{"); status != http.StatusBadRequest {
		t.Errorf("no JSON: status %d", status)
	}
	if len(s.Events()) != 0 {
		t.Error("an invalid event was accepted")
	}
}

func TestDedupKeyFoldsUntilResolved(t *testing.T) {
	s := start(t)
	trigger := event(t, func(_, _ map[string]any) {})
	resolve := event(t, func(e, _ map[string]any) { e["event_action"] = "resolve" })
	for _, body := range []string{resolve, trigger, trigger, resolve, trigger} {
		if status := enqueue(t, s, body); status != http.StatusAccepted {
			t.Fatalf("status %d", status)
		}
	}
	alerts := s.Alerts()
	if len(alerts) != 2 || alerts[0].Triggers != 2 || !alerts[0].Resolved || alerts[1].Resolved {
		t.Errorf("alerts %+v, want one folded and resolved, one open", alerts)
	}
}
