// Command bench-drift measures what a question about drift costs: 50 features
// over 24 hours against three references at once, on rollups that stand for 100
// million events and for ten times as many, beside the same question asked of
// raw rows in SQL. The engine is the embedded one, in a folder of its own.
//
// It prints one JSON line a figure on standard output and a table on standard
// error. The cost of making rollups is measured by BenchmarkProfile of package
// ingest, which make bench-drift runs first.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/engine"
)

type options struct {
	rounds, raw int
	profile     string
}

func main() {
	engine.RunChildIfRequested()
	var o options
	flag.IntVar(&o.rounds, "rounds", 60, "questions a figure; the 95th percentile is printed")
	flag.IntVar(&o.raw, "raw", 2_000_000, "raw rows of the naive recomputation; 0 leaves it out")
	flag.StringVar(&o.profile, "profile", "", "file for a CPU profile of the questions")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := withEngine(ctx, func(b bench) error { return b.measureAll(ctx, o) }); err != nil {
		fmt.Fprintln(os.Stderr, "bench-drift:", err)
		os.Exit(1)
	}
}

// withEngine runs f on an empty database.
func withEngine(ctx context.Context, f func(bench) error) (err error) {
	dir, err := os.MkdirTemp("", "bench-drift")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg := engine.DefaultConfig()
	cfg.DataDir = dir
	e := engine.New(cfg, slog.New(slog.DiscardHandler))
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- e.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	if err := e.WaitReady(ctx); err != nil {
		return err
	}
	where := storage.DefaultConfig()
	where.DSN = e.DSN()
	const decades = 20 * 365 * 24 * time.Hour
	where.Retention = storage.Retention{Raw: decades, Minutes: decades, Hours: decades}
	db, err := storage.New(where)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	return f(bench{db: db, engine: e.ChildPID()})
}
