package pagerduty

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/PagerDuty/go-pagerduty"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

// ErrRefused is returned for an event that PagerDuty will never take.
var ErrRefused = errors.New("refused by PagerDuty")

// Change tells PagerDuty that a deploy began to serve, so that it stands beside
// the incidents it may have caused. It notifies nobody and PagerDuty keeps it
// for 90 days. pageURL may be empty. An owner without a routing key is none of
// PagerDuty's, and nothing is sent. An error that is not ErrRefused may be gone
// when the same call is made again; the same change twice is two lines there.
func (c *Channel) Change(ctx context.Context, owner plumbline.OwnerEntry, d plumbline.Deployment, pageURL string) error {
	k := c.key(owner)
	if k == nil {
		return nil
	}
	routingKey, err := k.read()
	if err != nil {
		return err
	}
	event := NewChange(routingKey, d, pageURL)
	body, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode change event: %w: %w", ErrRefused, err)
	}
	if retry, err := k.send(ctx, "/v2/change/enqueue", body); err != nil {
		if !retry {
			err = errors.Join(ErrRefused, err)
		}
		return fmt.Errorf("tell PagerDuty of deploy %s of %s: %w", alerting.Clean(string(d.Deploy)), alerting.Clean(string(d.Model)), err)
	}
	return nil
}

// NewChange returns the change event of a deploy.
func NewChange(routingKey string, d plumbline.Deployment, pageURL string) pagerduty.ChangeEvent {
	var q alerting.PlainQuoter
	summary := fmt.Sprintf("%s: deploy %s began to serve in %s", q.Name(string(d.Model)), q.Name(string(d.Deploy)), q.Name(string(d.Stage)))
	details := map[string]any{}
	for _, field := range []struct{ name, value string }{
		{"model", string(d.Model)}, {"deploy_hash", string(d.Deploy)}, {"stage", string(d.Stage)}, {"version", d.Version}, {"by", d.By},
		{"commit", d.Commit}, {"dataset_hash", d.DatasetHash}, {"feature_job", d.FeatureJob}, {"note", d.Note},
	} {
		if value := q.Sentence(field.value); value != "" {
			details[field.name] = value
		}
	}
	if d.Version != "" {
		summary += ", version " + q.Sentence(d.Version)
	}
	event := pagerduty.ChangeEvent{RoutingKey: routingKey, Payload: pagerduty.ChangeEventPayload{
		Summary: cut(summary, maxSummary), Source: "plumbline", Timestamp: d.Time.UTC().Format(time.RFC3339), CustomDetails: details,
	}}
	if pageURL != "" {
		event.Links = []pagerduty.ChangeEventLink{{Href: pageURL, Text: "Model"}}
	}
	return event
}
