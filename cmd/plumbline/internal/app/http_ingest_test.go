package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
)

// Events that are posted become rows, once each, and their labels meet them.
func TestEventsOverHTTPBecomeRows(t *testing.T) {
	w := newWorld(t)
	const token = "0123456789abcdef0123456789abcdef"
	w.write(t, "http.tokens", token+"\n")
	s := w.serve(t, func(c *app.Config) { c.HTTPIngest.TokenFile = w.dir + "/http.tokens" })
	now := time.Now().UnixMilli()
	var predictions, labels strings.Builder
	for i := range 500 {
		fmt.Fprintf(&predictions, `{"prediction_id":"h%d","model":"checkout","deploy_hash":"d1","ts":%d,"features":{"amount":%d},"predicted":"yes"}`+"\n", i, now, i)
		fmt.Fprintf(&labels, `{"prediction_id":"h%d","model":"checkout","ts":%d,"label":"yes"}`+"\n", i, now)
	}
	deployment := fmt.Sprintf(`{"model":"checkout","deploy_hash":"d1","ts":%d}`, now)
	for _, send := range []struct {
		kind, body string
		status     int
		want       string
	}{
		{"predictions", predictions.String() + "not an event\n", 202, `{"accepted":500,"rejected":[{"line":501,"event":501,"reason":"unparsable","fix":"send one JSON object a record"}]}`},
		{"labels", labels.String(), 202, `{"accepted":500,"rejected":[]}`},
		{"deployments", deployment, 202, `{"accepted":1,"rejected":[]}`},
	} {
		if status, body := s.post(t, "/api/v1/"+send.kind, token, send.body); status != send.status || strings.TrimSpace(body) != send.want {
			t.Errorf("%s: %d %s, want %d %s", send.kind, status, body, send.status, send.want)
		}
	}
	if status, _ := s.post(t, "/api/v1/labels", "another"+token, labels.String()); status != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d, want 401", status)
	}
	s.until(t, stored, 1001)
	s.until(t, "SELECT sum(labelled) FROM outcome_cells FINAL WHERE model = 'checkout'", 500)
	checkPosted(t, s)
	if v, _ := s.metric(t, `plumbline_ingest_http_events_total{kind="predictions",result="accepted"}`); v != "500" {
		t.Errorf("/metrics counts %q accepted predictions, want 500", v)
	}
}

// checkPosted compares what is stored with what was posted.
func checkPosted(t *testing.T, s *service) {
	t.Helper()
	for query, want := range map[string]int{
		"SELECT count() FROM predictions":                         500,
		"SELECT uniqExact(prediction_id) FROM predictions":        500,
		"SELECT count() FROM labels":                              500,
		"SELECT count() FROM deployments":                         1,
		"SELECT sum(dead) FROM batches FINAL":                     0,
		"SELECT sum(correct) FROM outcome_cells FINAL":            500,
		"SELECT toInt64(sum(numbers['amount'])) FROM predictions": 500 * 499 / 2,
	} {
		if got := s.number(t, query); got != want {
			t.Errorf("%s = %d, want %d", query, got, want)
		}
	}
}

// Without a token file nobody can send.
func TestEventsOverHTTPAreOffByDefault(t *testing.T) {
	s := newWorld(t).serve(t)
	if status, body := s.post(t, "/api/v1/predictions", "", "{}"); status != http.StatusNotFound || !strings.Contains(body, "http_ingest.token_file") {
		t.Errorf("%d %s, want 404 and the setting", status, body)
	}
}

// post sends JSON lines.
func (s *service) post(t *testing.T, path, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}
