package fakeslack

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Click is what a person does in the fake.
type Click struct {
	// User is the id and Name the name of who clicks.
	User, Name string
	// Message is the message that has the button.
	Message Message
	// Action and Value are the button's action_id and value.
	Action, Value string
	// At is when; it is what the signature's time says too.
	At time.Time
}

// Body returns the callback's body, a form as Slack sends it.
func (c Click) Body() ([]byte, error) {
	payload, err := json.Marshal(map[string]any{
		"type": "block_actions", "user": map[string]string{"id": c.User, "username": c.Name, "name": c.Name},
		"container": map[string]string{"type": "message", "channel_id": c.Message.Channel, "message_ts": c.Message.TS},
		"actions":   []map[string]string{{"action_id": c.Action, "value": c.Value, "type": "button", "action_ts": stamp(c.At) + ".000100"}},
	})
	if err != nil {
		return nil, fmt.Errorf("callback of %s: %w", c.User, err)
	}
	return []byte(url.Values{"payload": {string(payload)}}.Encode()), nil
}

func stamp(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// Sign sets the headers that Slack signs a request with
// (https://docs.slack.dev/authentication/verifying-requests-from-slack).
func Sign(header http.Header, secret string, at time.Time, body []byte) {
	mac := hmac.New(sha256.New, []byte(secret))
	// A hash never refuses to be written to.
	_, _ = fmt.Fprintf(mac, "v0:%s:%s", stamp(at), body)
	header.Set("X-Slack-Request-Timestamp", stamp(at))
	header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
}

// Request returns the signed callback of a click to an address.
func (c Click) Request(ctx context.Context, address, secret string) (*http.Request, error) {
	body, err := c.Body()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("callback of %s: %w", c.User, err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	Sign(request.Header, secret, c.At, body)
	return request, nil
}
