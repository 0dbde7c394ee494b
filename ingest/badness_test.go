package ingest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// TestAPausedPartitionTellsItsLag: nothing is fetched, and what waits is counted.
func TestAPausedPartitionTellsItsLag(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	cfg.BadShare, cfg.Partitions, cfg.BadPause = ingest.DefaultConfig().BadShare, 1, time.Hour
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	send := func(n int, score string) {
		t.Helper()
		var messages []traffic.Message
		for i := range n {
			event := fmt.Sprintf(`{"prediction_id":"p%d","model":"m","deploy_hash":"d","ts":%d,"score":%s}`, i, now.UnixMilli(), score)
			messages = append(messages, traffic.Message{Topic: cfg.Topics.Predictions, Key: "k", Value: []byte(event), Time: now})
		}
		if err := env.Produce(t.Context(), messages, nil); err != nil {
			t.Fatal(err)
		}
	}
	seen, registry := newNotices(), prometheus.NewRegistry()
	send(160, `"high"`)
	start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen, Registry: registry})
	seen.await(t, ingest.NoticePaused)
	send(70, "0.5")
	eventually(t, "the lag of a paused partition", func() bool { return value(t, registry, "plumbline_ingest_lag_records") == 70 })
}

// TestMostlyBadPartitionPauses sends a producer's mistake among good events:
// people are told with the reason and a sample, what was read is stored or a
// letter, and when the producer is mended the partition goes on and nothing is
// lost.
func TestMostlyBadPartitionPauses(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	cfg.BadShare = ingest.DefaultConfig().BadShare
	cfg.Partitions = 1
	cfg.BadPause = 100 * time.Millisecond
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	send := func(n int, score string) {
		t.Helper()
		var messages []traffic.Message
		for i := range n {
			event := fmt.Sprintf(`{"prediction_id":"p%d","model":"m","deploy_hash":"d","ts":%d,"score":%s}`, i, now.UnixMilli(), score)
			messages = append(messages, traffic.Message{Topic: cfg.Topics.Predictions, Key: "k", Value: []byte(event), Time: now})
		}
		if err := env.Produce(t.Context(), messages, nil); err != nil {
			t.Fatal(err)
		}
	}
	seen, registry := newNotices(), prometheus.NewRegistry()
	send(100, "0.5")
	send(60, `"high"`)
	start(t, cfg, ingest.Dependencies{DB: env.DB, Noticer: seen, Registry: registry})
	seen.await(t, ingest.NoticePaused)
	text := seen.text(ingest.NoticePaused)
	for _, part := range []string{cfg.Topics.Predictions + "/0", "wrong_type", `field "score"`, "above bad_share 0.05", "dlq list", "offset "} {
		if !strings.Contains(text, part) {
			t.Errorf("the notice does not say %q: %s", part, text)
		}
	}
	send(3000, "0.5")
	seen.await(t, ingest.NoticeUnpaused)
	until(t, env, rawRows, 3100)
	until(t, env, requests, 3100)
	letters(t, env, cfg, 60)
	if got := value(t, registry, "plumbline_ingest_paused"); got != 0 {
		t.Errorf("%v partitions are paused after the producer was mended", got)
	}
}
