package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/bench"
	"github.com/plumbline-slo/plumbline/testenv/broker"
)

// world is the broker and the engine that all contenders share, each in a
// process of its own.
type world struct {
	events int
	// inFlight is the size of two batches, by format, in MiB.
	inFlight map[string]float64
	dir      string
	broker   *bench.Child
	address  string
	engine   *engine.Engine
	close    []func() error
}

// eventRate is how many events a second their event times stand for.
const eventRate = 1000

func newWorld(ctx context.Context, o options) (w *world, err error) {
	w = &world{events: o.events, inFlight: map[string]float64{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	if w.dir, err = os.MkdirTemp("", "plumbline-bench-"); err != nil {
		return w, err
	}
	w.close = append(w.close, func() error { return os.RemoveAll(w.dir) })
	if err := os.WriteFile(w.schema("avro"), avroSchema(), 0o600); err != nil {
		return w, err
	}
	if w.broker, err = bench.Spawn(ctx, "broker", filepath.Join(w.dir, "kafka")); err != nil {
		return w, err
	}
	w.close = append(w.close, w.broker.Close)
	if w.address, err = w.broker.Line(); err != nil {
		return w, err
	}
	if err := w.startEngine(); err != nil {
		return w, err
	}
	for _, f := range o.formats {
		if err := w.produce(ctx, f); err != nil {
			return w, err
		}
	}
	return w, nil
}

// Close takes everything down, the newest part first.
func (w *world) Close() error {
	var errs []error
	for i := len(w.close) - 1; i >= 0; i-- {
		errs = append(errs, w.close[i]())
	}
	w.close = nil
	return errors.Join(errs...)
}

func brokerRole(_ context.Context, settings []byte) error {
	cfg := broker.DefaultConfig()
	cfg.Listen, cfg.Partitions = "127.0.0.1:0", 1
	if err := json.Unmarshal(settings, &cfg.DataDir); err != nil {
		return err
	}
	b, err := broker.New(cfg)
	if err != nil {
		return err
	}
	if err := b.Start(); err != nil {
		return err
	}
	defer b.Close()
	fmt.Println(b.Addresses()[0])
	return bench.WaitForParent()
}

func (w *world) startEngine() error {
	cfg := engine.DefaultConfig()
	cfg.DataDir = filepath.Join(w.dir, "clickhouse")
	if _, err := engine.FindLibrary(cfg.LibraryPath, cfg.LibraryCache); err != nil {
		return err
	}
	w.engine = engine.New(cfg, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.engine.Run(ctx) }()
	w.close = append(w.close, func() error { cancel(); return <-done })
	wait, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	return w.engine.WaitReady(wait)
}

// schema returns the schema file of a format, empty if it has none.
func (w *world) schema(format string) string {
	if format != "avro" {
		return ""
	}
	return filepath.Join(w.dir, "event.avsc")
}

// topicOf names the topic that holds the events of a format.
func topicOf(format string) string { return "predictions-" + format }

// produce fills the topic of a format: the same events in each, in one
// partition, uncompressed, key = prediction id.
func (w *world) produce(ctx context.Context, format string) error {
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(w.address), Transport: transport}
	topics := []kafka.TopicConfig{{Topic: topicOf(format), NumPartitions: 1, ReplicationFactor: 1}}
	if _, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: topics}); err != nil {
		return fmt.Errorf("create topic of %s: %w", format, err)
	}
	writer := &kafka.Writer{
		Addr: client.Addr, Transport: transport, Topic: topicOf(format), RequiredAcks: kafka.RequireAll,
		BatchSize: 1000, BatchBytes: 8 << 20, BatchTimeout: time.Millisecond,
	}
	wire, err := wireOf(format)
	if err != nil {
		return err
	}
	events := bench.NewEvents(1, bench.Start(), eventRate)
	for done := 0; done < w.events; {
		n := min(10_000, w.events-done)
		batch, err := wire.encode(events, n)
		if err != nil {
			return fmt.Errorf("encode events as %s: %w", format, err)
		}
		if err := writer.WriteMessages(ctx, batch...); err != nil {
			return fmt.Errorf("produce events as %s: %w", format, err)
		}
		done += n
	}
	return writer.Close()
}

// database makes an empty database with the schema. Merges are stopped, so that
// their moment is no matter of luck; what they cost is measured apart.
func (w *world) database(ctx context.Context, name string) (db *storage.DB, drop func() error, err error) {
	db, err = openDB(w.engine.DSN(), name)
	if err != nil {
		return nil, nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	if err := db.Conn().Exec(ctx, "SYSTEM STOP MERGES"); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("stop merges: %w", err), db.Close())
	}
	return db, func() error {
		return errors.Join(db.Conn().Exec(context.Background(), "DROP DATABASE "+name), db.Close())
	}, nil
}

func openDB(dsn, name string) (*storage.DB, error) {
	cfg := storage.DefaultConfig()
	cfg.DSN, cfg.Database = dsn, name
	return storage.New(cfg)
}
