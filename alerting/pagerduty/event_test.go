package pagerduty

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/PagerDuty/go-pagerduty"

	"github.com/plumbline-slo/plumbline/alerting"
)

// An event over the limit loses its details, never itself.
func TestOversizedEventStillPages(t *testing.T) {
	event := NewEvent(actionTrigger, "key", "", alerting.Text{Incident: "i", Model: "m", Severity: "page", Status: alerting.StatusFiring})
	event.Payload.Details = map[string]any{"x": strings.Repeat("x", maxEvent)}
	body, err := encode(event)
	if err != nil || len(body) > maxEvent {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	var got pagerduty.V2Event
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if got.DedupKey != "i" || got.Payload.Summary == "" || !strings.Contains(string(body), "left out") {
		t.Errorf("the event lost more than its details: %s", body)
	}
}

// The regions are PagerDuty's:
// https://support.pagerduty.com/main/docs/service-regions
func TestRegions(t *testing.T) {
	for _, c := range []struct{ region, url, want string }{
		{"us", "", "https://events.pagerduty.com/v2/enqueue"},
		{"eu", "", "https://events.eu.pagerduty.com/v2/enqueue"},
		{"eu", "http://proxy.example/pd/", "http://proxy.example/pd/v2/enqueue"},
	} {
		config := DefaultConfig()
		config.Region, config.APIURL = c.region, c.url
		if err := config.Validate(); err != nil {
			t.Error(err)
		}
		if got := config.endpoint("/v2/enqueue"); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	config := DefaultConfig()
	config.Region, config.APIURL = "mars", "ftp://x"
	if err := config.Validate(); err == nil || !strings.Contains(err.Error(), "region") || !strings.Contains(err.Error(), "api_url") {
		t.Errorf("got %v", err)
	}
}

func TestSummaryIsCutInCharacters(t *testing.T) {
	event := NewEvent(actionTrigger, "key", "https://client", alerting.Text{
		Model: "m", Summary: "x", Features: []alerting.FeatureShift{{Feature: "ä", Before: strings.Repeat("ä", 900), After: strings.Repeat("ß", 900)}},
	})
	if n := len([]rune(event.Payload.Summary)); n > maxSummary {
		t.Errorf("%d characters", n)
	}
	if event.ClientURL != "https://client" {
		t.Errorf("client URL %q", event.ClientURL)
	}
}
