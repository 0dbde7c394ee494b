package pagerduty

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	"github.com/plumbline-slo/plumbline/alerting"
)

// PagerDuty's limits: https://developer.pagerduty.com/docs/send-alert-event.
const (
	maxSummary = 1024
	maxEvent   = 512_000
	maxDetail  = 8_000
)

const (
	actionTrigger     = "trigger"
	actionAcknowledge = "acknowledge"
	actionResolve     = "resolve"
)

// link is an element of V2Event.Links.
type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// NewEvent returns the event that triggers, acknowledges or resolves the
// incident of the text. The dedup_key is the incident's key (64 characters of the 255).
func NewEvent(action, routingKey, clientURL string, t alerting.Text) pagerduty.V2Event {
	event := pagerduty.V2Event{
		RoutingKey: routingKey, Action: action, DedupKey: t.Incident,
		Client: "Plumbline", ClientURL: t.Link("Page"),
		Payload: &pagerduty.V2Payload{
			Summary: cut(summary(t), maxSummary), Source: source(t), Severity: "critical",
			Timestamp: t.Since.UTC().Format(time.RFC3339),
			Component: alerting.Clean(string(t.Deploy)), Group: alerting.Clean(string(t.Model)),
			Class: alerting.Clean(string(t.SLO)), Details: details(t),
		},
	}
	if event.ClientURL == "" {
		event.ClientURL = clientURL
	}
	if t.Service() {
		event.Payload.Component, event.Payload.Class = alerting.Clean(t.Object), alerting.Clean(t.Name)
	}
	for _, l := range t.Links {
		event.Links = append(event.Links, link{Href: l.URL, Text: l.Name})
	}
	return event
}

// source is required and must not be empty.
func source(t alerting.Text) string {
	if name := alerting.Clean(string(t.Model)); name != "" {
		return name
	}
	return "plumbline"
}

// summary is what a phone shows and a voice reads: the headline, the worst
// feature, the deploy.
func summary(t alerting.Text) string {
	var q alerting.PlainQuoter
	parts := []string{t.Headline(q)}
	if len(t.Features) > 0 {
		parts = append(parts, t.Why(q)[0])
	}
	if t.Deploy != "" {
		parts = append(parts, "deploy "+q.Name(string(t.Deploy)))
	}
	return strings.Join(parts, "; ")
}

// details holds the numbers by name, and the whole text as a person reads it.
func details(t alerting.Text) map[string]any {
	var q alerting.PlainQuoter
	d := map[string]any{}
	for _, f := range t.Facts(q) {
		key := strings.ReplaceAll(strings.ToLower(f.Label), " ", "_")
		if former, ok := d[key].(string); ok {
			d[key] = former + "; " + f.Value
			continue
		}
		d[key] = f.Value
	}
	if why := t.Why(q); len(why) > 0 {
		d["why"] = why
	}
	if t.SQL != "" {
		d["sql"] = cut(alerting.CleanLines(t.SQL), maxDetail)
	}
	if t.Description != "" {
		d["description"] = cut(alerting.CleanLines(t.Description), maxDetail)
	}
	return d
}

// encode drops the details of an event over PagerDuty's limit: the page itself
// must arrive.
func encode(event pagerduty.V2Event) ([]byte, error) {
	body, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	if len(body) <= maxEvent {
		return body, nil
	}
	payload := *event.Payload
	payload.Details = map[string]any{"error": "the details were over PagerDuty's limit of 512 KB and were left out"}
	event.Payload, event.Links = &payload, nil
	body, err = json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return body, nil
}

// cut cuts s to n characters.
func cut(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}
