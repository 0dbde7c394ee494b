package ingest_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(runChild())
	}
	testenv.Main(m)
}

// testConfig reads topics of the environment's own, in small quick batches.
func testConfig(env *testenv.Env) ingest.Config {
	cfg := ingest.DefaultConfig()
	cfg.Brokers = env.Brokers
	cfg.Group = "ingest-" + env.Suffix
	cfg.Topics = ingest.Topics{
		Predictions: "predictions-" + env.Suffix, Labels: "labels-" + env.Suffix,
		Deployments: "deployments-" + env.Suffix, DeadLetters: "dead-" + env.Suffix,
	}
	cfg.Partitions = 2
	cfg.FlushInterval = 50 * time.Millisecond
	cfg.SessionTimeout = 6 * time.Second
	cfg.RetryMin, cfg.RetryMax = 10*time.Millisecond, 100*time.Millisecond
	cfg.ParkRetry = 200 * time.Millisecond
	cfg.BadShare = 1 // the traffic has bad events on purpose, and batches here are small
	return cfg
}

func logger() *slog.Logger {
	if os.Getenv("PLUMBLINE_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// start runs an Ingester; the returned function stops it and waits.
func start(t *testing.T, cfg ingest.Config, deps ingest.Dependencies) func() {
	t.Helper()
	if deps.Logger == nil {
		deps.Logger = logger()
	}
	i, err := ingest.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- i.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// count runs a query that returns one number.
func count(t *testing.T, env *testenv.Env, query string) uint64 {
	t.Helper()
	var n uint64
	if err := env.DB.Conn().QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// until polls a query until it returns want, at most five minutes.
func until(t *testing.T, env *testenv.Env, query string, want uint64) {
	t.Helper()
	deadline := time.After(5 * time.Minute)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got := count(t, env, query)
		if got == want {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s = %d after five minutes, want %d", query, got, want)
		case <-tick.C:
		}
	}
}

const (
	committedEvents = "SELECT sum(events) FROM (SELECT topic, epoch, partition, first, any(events) AS events FROM batches GROUP BY topic, epoch, partition, first)"
	requests        = "SELECT sum(count) FROM series_hour WHERE series = 'requests' AND model != ''"
)

func options(seed uint64, n int) traffic.Options {
	return traffic.Options{
		Seed: seed, Model: "fraud", Deploy: "abc123", Predictions: n,
		Start: time.Now().Add(-50 * time.Hour).Truncate(time.Second), Span: 49 * time.Hour,
		Bad: 0.05, Duplicate: 0.05, Unlabelled: 0.1, Corrected: 0.05, MeanLabelDelay: time.Minute,
	}
}

func produce(t *testing.T, env *testenv.Env, cfg ingest.Config, opts traffic.Options) traffic.Expected {
	t.Helper()
	messages, expected, err := traffic.Generate(opts)
	if err != nil {
		t.Fatal(err)
	}
	topics := map[string]string{"predictions": cfg.Topics.Predictions, "labels": cfg.Topics.Labels}
	if err := env.Produce(t.Context(), messages, func(topic string) string { return topics[topic] }); err != nil {
		t.Fatal(err)
	}
	return expected
}

func TestProducedIsStoredIsRolledUp(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{Kafka: true})
	cfg := testConfig(env)
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	want := produce(t, env, cfg, options(1, 3000))
	start(t, cfg, ingest.Dependencies{DB: env.DB})
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	for query, n := range map[string]int{
		"SELECT count() FROM predictions":                  want.Predictions,
		"SELECT uniqExact(prediction_id) FROM predictions": want.Distinct,
		"SELECT count() FROM labels":                       want.Labels,
		requests:                                           want.Predictions,
		"SELECT sum(count) FROM series_minute WHERE series = 'requests' AND model != ''":              want.Predictions,
		"SELECT sum(count) FROM categories_hour WHERE series = 'feature:channel' AND model = 'fraud'": want.Predictions,
		"SELECT sum(dead) FROM batches FINAL WHERE table = 'predictions'":                             want.Dead,
	} {
		if got := count(t, env, query); got != uint64(n) {
			t.Errorf("%s = %d, want %d", query, got, n)
		}
	}
}
