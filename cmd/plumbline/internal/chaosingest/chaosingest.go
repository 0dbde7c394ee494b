// Package chaosingest attacks ingest where it promises exactly once: three
// worker processes share the partitions of two topics, and are killed and
// stopped at the worst moments (before a statement is sent, while it is under
// way, after it is applied and before its answer), while ClickHouse refuses
// statements, answers others falsely with an error, and a producer goes on.
// Then it counts, a partition at a time: what was produced must be stored and
// rolled up, once, and what could not be stored must be a dead letter.
//
// Kafka and ClickHouse survive here; the package chaos kills ClickHouse too.
// It may import everything; only the command imports it.
package chaosingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/broker"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// Options configure a run.
type Options struct {
	// Kills is how many times the storm sends a worker SIGKILL or SIGSTOP.
	Kills int
	// DedupWindow is ClickHouse's deduplication window during the storm; nothing
	// may depend on it.
	DedupWindow int
	// StoppedBatches is how many batches the others complete while a worker is
	// stopped.
	StoppedBatches int
	// Seed makes what is random repeatable, as far as processes are; 0 takes one.
	Seed uint64
	// Scenarios are the runs to do; empty does all of Scenarios().
	Scenarios []string
	// Brokers are the addresses of a Kafka to use, with topics and a group of the
	// run's own; empty starts the embedded one. It must allow sessions of 1 s
	// (group.min.session.timeout.ms) and keep events of any age (retention).
	Brokers []string
	// Lines receives the figures as JSON, Text what a person reads.
	Lines, Text io.Writer
}

// scenario is one kind of attack, which ends when everything is drained.
type scenario struct {
	name string
	run  func(context.Context, *arena) ([]figure.Figure, error)
}

func scenarios() []scenario {
	return []scenario{{"storm", storm}, {"stopped", stopped}, {"changed", changed}, {"recreated", recreated}}
}

// Scenarios names the runs: storm kills and stops workers at random; stopped
// holds one back, window 5, until the others have gone far ahead; changed
// restarts the workers under another plan amid a batch; recreated deletes and
// creates the topics while workers run.
func Scenarios() (names []string) {
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return names
}

// ErrUnmet says that a figure fell short of its goal; Run has printed which.
var ErrUnmet = errors.New("chaos-ingest: figures fall short of their goals")

// arena is what all scenarios share.
type arena struct {
	Options
	dir     string
	brokers []string
	engine  *engine.Engine
	suffix  string
}

// Run does the scenarios and prints the figures. Its error wraps ErrUnmet if
// one of them fell short; the logs of the workers are then left behind.
func Run(ctx context.Context, opts Options) (err error) {
	if opts.Seed == 0 {
		opts.Seed = rand.Uint64()
	}
	a := &arena{Options: opts, suffix: fmt.Sprintf("%x", time.Now().UnixNano())}
	if a.dir, err = os.MkdirTemp("", "plumbline-chaos-ingest-"); err != nil {
		return fmt.Errorf("chaos-ingest: %w", err)
	}
	defer func() {
		if err == nil || ctx.Err() != nil {
			err = errors.Join(err, os.RemoveAll(a.dir))
			return
		}
		fmt.Fprintf(opts.Text, "chaos-ingest: seed %d; the workers' logs are in %s\n", opts.Seed, a.dir)
	}()
	if a.brokers = opts.Brokers; len(a.brokers) == 0 {
		b, err := a.startBroker()
		if err != nil {
			return err
		}
		defer b.Close()
	}
	ctx, cancel := context.WithCancel(ctx)
	ended, err := a.startEngine(ctx)
	defer func() {
		cancel()
		err = errors.Join(err, <-ended)
	}()
	if err != nil {
		return err
	}
	return a.runAll(ctx)
}

func (a *arena) runAll(ctx context.Context) error {
	unmet := 0
	for _, s := range scenarios() {
		if len(a.Scenarios) > 0 && !slices.Contains(a.Scenarios, s.name) {
			continue
		}
		began := time.Now()
		fmt.Fprintf(a.Text, "chaos-ingest %s: seed %d\n", s.name, a.Seed)
		figures, err := s.run(ctx, a)
		if err != nil {
			return fmt.Errorf("chaos-ingest %s: %w", s.name, err)
		}
		for i := range figures {
			figures[i].Name = "chaos-ingest " + s.name + ": " + figures[i].Name
			if !figures[i].Met {
				unmet++
			}
		}
		if err := figure.Print(a.Lines, a.Text, figures...); err != nil {
			return err
		}
		fmt.Fprintf(a.Text, "chaos-ingest %s: %.0f s\n", s.name, time.Since(began).Seconds())
	}
	if unmet > 0 {
		return fmt.Errorf("%w: %d of them, seed %d", ErrUnmet, unmet, a.Seed)
	}
	return nil
}

// startBroker starts the Kafka inside this process.
func (a *arena) startBroker() (*broker.Broker, error) {
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.Listen = filepath.Join(a.dir, "kafka"), "127.0.0.1:0"
	// A killed member keeps its partitions until its session ends.
	cfg.MinSession, cfg.MaxRebalance = session, session
	b, err := broker.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := b.Start(); err != nil {
		return nil, err
	}
	a.brokers = b.Addresses()
	return b, nil
}

// startEngine starts the ClickHouse and returns where its end is told.
func (a *arena) startEngine(ctx context.Context) (<-chan error, error) {
	cfg := engine.DefaultConfig()
	cfg.DataDir = filepath.Join(a.dir, "clickhouse")
	cfg.DiskLimit = 0.99
	a.engine = engine.New(cfg, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- a.engine.Run(ctx) }()
	return ended, a.engine.WaitReady(ctx)
}
