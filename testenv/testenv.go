// Package testenv gives a test, in one call, the world Plumbline lives in: a
// Kafka, a ClickHouse with the schema, and on demand fake Slack and PagerDuty
// servers. Kafka and ClickHouse are the embedded ones, never mocks; if
// PLUMBLINE_TEST_KAFKA or PLUMBLINE_TEST_CLICKHOUSE names an address, that real
// one is used instead, with topics and a database of its own; of several addresses
// of ClickHouse, by comma, each is a shard of testenv/realclickhouse's cluster.
// Traffic with faults comes from testenv/traffic.
//
// Only tests and commands import it.
package testenv

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/broker"
	"github.com/plumbline-slo/plumbline/testenv/fakepagerduty"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
	"github.com/plumbline-slo/plumbline/testenv/kafkatest"
	"github.com/plumbline-slo/plumbline/testenv/realclickhouse"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// Setup says which parts a test needs; the zero value is a ClickHouse with the
// schema.
type Setup struct {
	Kafka     bool
	Slack     bool
	PagerDuty bool
	// Storage changes the storage configuration before the schema is made.
	Storage func(*storage.Config)
}

// Env is what Start made. Parts that were not asked for are zero.
type Env struct {
	DB        *storage.DB
	DSN       string
	Engine    *engine.Engine // nil with a real ClickHouse
	Brokers   []string
	Broker    *broker.Broker // nil with a real Kafka
	Slack     *fakeslack.Server
	PagerDuty *fakepagerduty.Server
	// Suffix is unique to the environment: append it to names that a real
	// Kafka shares.
	Suffix string
}

// Main runs the tests of a package that calls Start. A TestMain must call it,
// because the embedded engine runs as a child of the test binary.
func Main(m *testing.M) {
	engine.RunChildIfRequested()
	QuickEnds()
	os.Exit(m.Run())
}

// QuickEnds keeps processes that a test starts of its own binary from sleeping
// for a second before they end, as the race detector otherwise makes them do.
// They find it in GORACE, unless that says something already.
func QuickEnds() {
	if os.Getenv("GORACE") == "" {
		_ = os.Setenv("GORACE", "atexit_sleep_ms=0") // or they end later
	}
}

// Start makes the environment and takes it down with the test. Without the
// engine library it skips, saying how to get it; under CI it fails instead.
func Start(tb testing.TB, setup Setup) *Env {
	tb.Helper()
	env := &Env{Suffix: suffix(tb)}
	env.startStorage(tb, setup)
	if setup.Kafka {
		env.startKafka(tb)
	}
	if setup.Slack {
		server, err := fakeslack.Start("127.0.0.1:0")
		closeWith(tb, server, err)
		env.Slack = server
	}
	if setup.PagerDuty {
		server, err := fakepagerduty.Start("127.0.0.1:0")
		closeWith(tb, server, err)
		env.PagerDuty = server
	}
	return env
}

func closeWith(tb testing.TB, server io.Closer, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := server.Close(); err != nil {
			tb.Errorf("close %T: %v", server, err)
		}
	})
}

func suffix(tb testing.TB) string {
	tb.Helper()
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		tb.Fatal(err)
	}
	return hex.EncodeToString(b[:])
}

func (e *Env) startStorage(tb testing.TB, setup Setup) {
	tb.Helper()
	cfg := storage.DefaultConfig()
	addresses := strings.Split(os.Getenv("PLUMBLINE_TEST_CLICKHOUSE"), ",")
	if cfg.DSN = addresses[0]; cfg.DSN == "" {
		e.startEngine(tb)
		cfg.DSN = e.Engine.DSN()
	}
	if len(addresses) > 1 {
		cfg.Cluster = realclickhouse.Cluster
		for i, dsn := range addresses {
			cfg.Shards = append(cfg.Shards, storage.Shard{Name: fmt.Sprintf("shard%d", i+1), DSN: dsn})
		}
	}
	cfg.Database = "test_" + e.Suffix
	if setup.Storage != nil {
		setup.Storage(&cfg)
	}
	db, err := storage.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	if err := db.Migrate(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		// The test's own context is done by now.
		drop := db.Conn().Exec(context.Background(), "DROP DATABASE IF EXISTS "+cfg.Database+db.OnCluster())
		if err := errors.Join(drop, db.Close()); err != nil {
			tb.Errorf("drop %s: %v", cfg.Database, err)
		}
	})
	e.DB, e.DSN = db, cfg.DSN
}

func (e *Env) startEngine(tb testing.TB) {
	tb.Helper()
	cfg := engine.DefaultConfig()
	cfg.DataDir = tb.TempDir()
	if _, err := engine.FindLibrary(cfg.LibraryPath, cfg.LibraryCache); err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatal(err)
		}
		tb.Skip(err)
	}
	e.Engine = engine.New(cfg, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Engine.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("engine: %v", err)
		}
	})
	wait, stop := context.WithTimeout(ctx, 5*time.Minute)
	defer stop()
	if err := e.Engine.WaitReady(wait); err != nil {
		tb.Fatal(err)
	}
}

func (e *Env) startKafka(tb testing.TB) {
	tb.Helper()
	if e.Brokers = kafkatest.Real(); e.Brokers != nil {
		return
	}
	// A short session is for tests that wait for one to end.
	e.Broker = kafkatest.Embedded(tb, func(c *broker.Config) { c.MinSession = time.Second })
	e.Brokers = e.Broker.Addresses()
}

// Produce writes messages in order, waits until every replica acknowledged
// them, and keeps each message's own timestamp. rename maps a topic of the
// traffic to the one the test reads; nil keeps it.
func (e *Env) Produce(ctx context.Context, messages []traffic.Message, rename func(topic string) string) error {
	// A transport of its own: the default one remembers for seconds which topics
	// a Kafka has, and tests share a real one.
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{
		Addr: kafka.TCP(e.Brokers...), Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond, BatchSize: 1000, Transport: transport,
		// What takes long and is sent again is in Kafka twice.
		ReadTimeout: 5 * time.Minute, WriteTimeout: 5 * time.Minute,
	}
	batch := make([]kafka.Message, len(messages))
	for i, m := range messages {
		topic := m.Topic
		if rename != nil {
			topic = rename(topic)
		}
		batch[i] = kafka.Message{Topic: topic, Key: []byte(m.Key), Value: m.Value, Time: m.Time}
	}
	err := w.WriteMessages(ctx, batch...)
	if err := errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("produce %d messages: %w", len(messages), err)
	}
	return nil
}
