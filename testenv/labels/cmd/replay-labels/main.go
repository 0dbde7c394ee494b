// Command replay-labels replays weeks of late, repeated, corrected, withdrawn and
// misdirected labels while three processes that join them are killed with kill -9,
// and compares what they made of it with a batch oracle: cell by cell, and as known
// at every hour. It also evaluates burn rates as known at every hour, and replays the
// pages of both clocks, labels and estimates before them: delay alone may page
// nobody. The engine is the embedded one, in a folder of its own.
//
// It prints one JSON line a figure on standard output and a table on standard
// error, and fails if anything differs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/figure"
	"github.com/plumbline-slo/plumbline/testenv/labels"
)

func main() {
	engine.RunChildIfRequested()
	labels.RunWorkerIfRequested()
	var o labels.Options
	flag.Uint64Var(&o.Seed, "seed", 1, "seed of the history and of the kills")
	flag.IntVar(&o.Predictions, "predictions", 20_000, "predictions of the history")
	flag.IntVar(&o.Days, "days", 36, "days over which they are made; labels come up to 14 days later")
	flag.DurationVar(&o.Step, "step", 6*time.Hour, "how much of the replay's time is stored at once")
	flag.IntVar(&o.Kills, "kills", 100, "kills")
	flag.DurationVar(&o.Burns, "burns", time.Hour, "after how much of the replay's time burn rates are evaluated as known then; 0 replays no pages either")
	flag.Float64Var(&o.Proven, "proven", 24, "hourly nowcasts of the healthy model that a page may rest on, at least: few predictions or days prove none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "replay-labels:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o labels.Options) error {
	var figures []figure.Figure
	err := labels.WithEngine(ctx, func(e labels.Engine) (err error) {
		figures, err = labels.Replay(ctx, e.DB, e.DSN, o)
		return err
	})
	if err != nil {
		return err
	}
	if err := figure.Print(os.Stdout, os.Stderr, figures...); err != nil {
		return err
	}
	for _, f := range figures {
		if !f.Met {
			return errors.New("something is not as the oracle has it")
		}
	}
	return nil
}
