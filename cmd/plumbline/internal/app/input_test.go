package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// refused is an event that may not be stored, and why.
type refused struct {
	topic, value, reason string
}

// hostileModel is the name of a model that nobody declared.
const hostileModel = `<script>alert("x")</script>' OR 1=1 --`

// badEvents are what a broken or malicious producer sends. All of them but the
// field under test are right.
func badEvents(now time.Time) []refused {
	prediction := func(fields string) string {
		return fmt.Sprintf(`{"model":"checkout","deploy_hash":"d1","ts":%d,%s}`, now.UnixMilli(), fields)
	}
	at := func(ts any) string {
		return fmt.Sprintf(`{"prediction_id":"bad","model":"checkout","deploy_hash":"d1","ts":%v}`, ts)
	}
	return []refused{
		{"predictions", `{"prediction_id":"bad","model"`, "unparsable"},
		{"predictions", "\xff\xfe\x00not json", "unparsable"},
		{"predictions", "", "unparsable"},
		{"predictions", `[]`, "unparsable"},
		{"predictions", prediction(`"score":0.5`), "missing_field"},
		{"predictions", prediction(`"prediction_id":""`), "missing_field"},
		{"predictions", prediction(`"prediction_id":7`), "wrong_type"},
		{"predictions", prediction(`"prediction_id":"bad","score":"high"`), "wrong_type"},
		{"predictions", prediction(`"prediction_id":"bad","stage":"prod"`), "bad_value"},
		{"predictions", at(now.AddDate(-10, 0, 0).UnixMilli()), "time_out_of_range"},
		{"predictions", at(now.AddDate(10, 0, 0).UnixMilli()), "time_out_of_range"},
		{"predictions", prediction(`"prediction_id":"bad","features":{"note":"` + strings.Repeat("x", 10_000_000) + `"}`), "too_large"},
		{"predictions", prediction(`"prediction_id":"bad","prediction_id":"worse"`), "duplicate_key"},
		{"predictions", prediction(`"prediction_id":"b\u0000d"`), "bad_text"},
		{"predictions", prediction("\"prediction_id\":\"b\x00d\""), "bad_text"},
		{"predictions", prediction(`"prediction_id":"bad","features":{"a":{"b":{}}}`), "too_nested"},
		{"predictions", prediction(`"prediction_id":"bad","extra":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)), "too_nested"},
		{"labels", fmt.Sprintf(`{"model":"checkout","ts":%d,"label":"yes"}`, now.UnixMilli()), "missing_field"},
		{"labels", fmt.Sprintf(`{"prediction_id":"bad","model":"checkout","ts":%d,"label":["yes"]}`, now.UnixMilli()), "too_nested"},
		{"deployments", fmt.Sprintf(`{"model":"checkout","ts":%d}`, now.UnixMilli()), "missing_field"},
	}
}

// One service takes good traffic with faults, every kind of bad event among it,
// and a model nobody declared whose name is an attack.
func TestBadInputHarmsNobody(t *testing.T) {
	t.Parallel() // it mostly waits
	s := newWorld(t).serve(t)
	now := time.Now().Truncate(time.Second)
	messages, want, err := traffic.Generate(traffic.Options{
		Seed: 11, Model: "checkout", Deploy: "d1", Predictions: 3000, Start: now.Add(-40 * time.Hour), Span: 38 * time.Hour,
		Bad: 0.02, Duplicate: 0.03, Unlabelled: 0.1, Corrected: 0.05, EarlyLabel: 0.05, MeanLabelDelay: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	bad := badEvents(now)
	for i, b := range bad {
		m := traffic.Message{Topic: b.topic, Key: "bad", Value: []byte(b.value), Time: now}
		at := (i + 1) * len(messages) / (len(bad) + 1)
		messages = append(messages[:at], append([]traffic.Message{m}, messages[at:]...)...)
	}
	undeclared := fmt.Sprintf(`{"prediction_id":"u1","model":%q,"deploy_hash":"<b>","ts":%d,"features":{"<i>":1},"predicted":"yes"}`, hostileModel, now.UnixMilli())
	messages = append(messages, traffic.Message{Topic: "predictions", Key: "u1", Value: []byte(undeclared), Time: now})
	s.send(t, messages...)
	s.until(t, stored, len(messages))
	s.until(t, "SELECT sum(labelled) FROM outcome_cells FINAL WHERE model = 'checkout'", want.Labelled)

	t.Run("stored", func(t *testing.T) { checkCounts(t, s, want, len(bad)) })
	t.Run("dead letters", func(t *testing.T) { checkLetters(t, s, bad, want.Dead) })
	t.Run("rollups", func(t *testing.T) {
		report, err := verify.Run(t.Context(), s.DB().Conn(), verify.Options{From: now.Add(-48 * time.Hour), To: now.Add(time.Hour)})
		if err != nil || !report.Equal() || report.Rows != uint64(want.Predictions+1) {
			t.Errorf("verify: %+v, %v; want %d rows and no difference", report, err, want.Predictions+1)
		}
	})
	t.Run("undeclared", func(t *testing.T) { checkUndeclared(t, s) })
	t.Run("pages", func(t *testing.T) { checkPages(t, s) })
}

func checkCounts(t *testing.T, s *service, want traffic.Expected, bad int) {
	for query, n := range map[string]int{
		"SELECT count() FROM predictions WHERE model = 'checkout'":                                             want.Predictions,
		"SELECT uniqExact(prediction_id) FROM predictions WHERE model = 'checkout'":                            want.Distinct,
		"SELECT count() FROM labels":                                                                           want.Labels,
		"SELECT sum(count) FROM series_hour WHERE series = 'requests' AND model = 'checkout' AND segment = ''": want.Predictions,
		"SELECT sum(dead) FROM batches FINAL WHERE table IN ('predictions', 'labels', 'deployments')":          want.Dead + bad,
		"SELECT sum(labelled) FROM outcome_cells FINAL WHERE model = 'checkout'":                               want.Labelled,
		"SELECT sum(correct) FROM outcome_cells FINAL WHERE model = 'checkout'":                                want.Correct,
		"SELECT count() FROM predictions WHERE prediction_id IN ('bad', 'worse')":                              0,
	} {
		if got := s.number(t, query); got != n {
			t.Errorf("%s = %d, want %d", query, got, n)
		}
	}
}

// checkLetters reads the dead-letter topic from its beginning.
func checkLetters(t *testing.T, s *service, bad []refused, others int) {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: s.Brokers(), Topic: "plumbline.dead-letters", MaxWait: 50 * time.Millisecond, MaxBytes: 32 << 20})
	defer r.Close()
	ctx, cancel := withPatience(t)
	defer cancel()
	type kind struct{ topic, reason string }
	got, want := map[kind]int{}, map[kind]int{}
	for _, b := range bad {
		want[kind{b.topic, b.reason}]++
	}
	for range len(bad) + others {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		h := map[string]string{}
		for _, header := range m.Headers {
			h[header.Key] = string(header.Value)
		}
		reason, ok := strings.CutPrefix(h["__connect.errors.exception.class.name"], "plumbline.decode.")
		if !ok || h["__connect.errors.offset"] == "" || !strings.HasPrefix(h["__connect.errors.exception.message"], reason+": ") {
			t.Errorf("headers of a dead letter: %v", h)
		}
		if string(m.Key) == "bad" {
			got[kind{h["__connect.errors.topic"], reason}]++
		}
		if reason == "too_large" && (len(m.Value) > 1<<20 || !strings.HasPrefix(h["plumbline.value.bytes"], "10000")) {
			t.Errorf("the 10 MB event: a letter of %d bytes that says %q", len(m.Value), h["plumbline.value.bytes"])
		}
	}
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%d dead letters of %s for %s, want %d", got[k], k.topic, k.reason, n)
		}
	}
	for k := range got {
		if want[k] == 0 {
			t.Errorf("dead letters of %s for %s, which nobody sent", k.topic, k.reason)
		}
	}
	if v, _ := s.metric(t, `plumbline_ingest_dead_letters_total{reason="too_large",topic="predictions"}`); v != "1" {
		t.Errorf("/metrics counts %q events that are too large, want 1", v)
	}
	if v, _ := s.metric(t, `plumbline_ingest_events_total{result="dead",topic="labels"}`); v != "2" {
		t.Errorf("/metrics counts %q dead labels, want 2", v)
	}
}

// checkUndeclared expects the model on the page, escaped, and nothing made of it.
func checkUndeclared(t *testing.T, s *service) {
	s.until(t, "SELECT count() FROM predictions WHERE deploy_hash = '<b>'", 1)
	status, body := s.get(t, "/")
	if status != http.StatusOK || strings.Contains(body, "<script>alert") || !strings.Contains(body, "&lt;script&gt;alert") {
		t.Errorf("/ answers %d and holds the name unescaped, or not at all:\n%s", status, body)
	}
	if !strings.Contains(body, "undeclared: no owner, no alert") {
		t.Error("/ does not say that the model is undeclared")
	}
	status, body = s.get(t, "/models/%3Cscript%3Ealert%28%22x%22%29%3C%2Fscript%3E%27%20OR%201=1%20--")
	if status != http.StatusOK || strings.Contains(body, "<script>") || strings.Contains(body, "<b>") || strings.Contains(body, "<i>") {
		t.Errorf("the model's page answers %d; a name of the producer stands in it unescaped", status)
	}
	if n := s.number(t, "SELECT count() FROM findings WHERE signal = 'burn' AND model != 'checkout'"); n != 0 {
		t.Errorf("%d burn findings of a model that nobody declared", n)
	}
	if _, body := s.get(t, "/alertmanager/api/v2/alerts"); strings.Contains(body, "script") {
		t.Errorf("alerts of a model that nobody declared: %s", body)
	}
}

// checkPages asks every address that people and probes know.
func checkPages(t *testing.T, s *service) {
	for path, want := range map[string]string{
		"/-/healthy":                    "healthy",
		"/-/ready":                      "ready",
		"/metrics":                      "plumbline_ingest_batches_total",
		"/alertmanager/api/v2/status":   `"versionInfo"`,
		"/alertmanager/api/v2/alerts":   "[",
		"/alertmanager/api/v2/silences": "[",
		"/":                             "checkout",
		"/?model=checkout":              "checkout",
		"/models/checkout":              "d1",
		"/runbooks/":                    "slo-burn",
		"/runbooks/slo-burn":            "burn",
		"/runbooks/slo-burn.md":         "burn",
		"/plumbline.css":                "{",
		"/api/v1/drift?model=checkout":  "there is no training set",
	} {
		if status, body := s.get(t, path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s answers %d without %q:\n%.300s", path, status, want, body)
		}
	}
	for _, path := range []string{"/nowhere", "/models/nobody", "/runbooks/..%2f..%2fgo.mod", "/debug/pprof/", "/alertmanager/nowhere"} {
		if status, _ := s.get(t, path); status != http.StatusNotFound {
			t.Errorf("%s answers %d, want 404", path, status)
		}
	}
}
