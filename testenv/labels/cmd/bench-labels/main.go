// Command bench-labels measures how many labels are joined per CPU-second while
// 1, 10 and 100 million predictions are stored: a million a day, so that it is the
// history that grows, and labels for the predictions of the last day, in random
// order. The engine makes the rows itself, in the tables and parts that batches of
// ingest merge to. CPU time is that of the engine and of this process, while the
// join steps; what it takes to follow the predictions, merges included, is a figure
// of its own. 100 million take about 10 GB of disk below the folder for temporary
// files: -predictions names other sizes.
//
// It prints one JSON line a figure on standard output and a table on standard
// error.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/figure"
	"github.com/plumbline-slo/plumbline/testenv/labels"
)

func main() {
	engine.RunChildIfRequested()
	sizes := flag.String("predictions", "1000000,10000000,100000000", "stored predictions, by comma")
	batch := flag.Int("labels", 200_000, "labels of a measurement")
	ordered := flag.Bool("ordered", false, "identifiers in the order of time, as of UUIDv7, instead of random ones")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *sizes, labels.Bench{Labels: *batch, Ordered: *ordered}); err != nil {
		fmt.Fprintln(os.Stderr, "bench-labels:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, sizes string, b labels.Bench) error {
	var first float64
	for _, text := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("-predictions: %w", err)
		}
		b.Predictions = n
		var rates labels.Rates
		err = labels.WithEngine(ctx, func(e labels.Engine) (err error) {
			rates, err = b.Run(ctx, e)
			return err
		})
		if err != nil {
			return err
		}
		if first == 0 {
			first = rates.Labels
		}
		at := fmt.Sprintf("at %d M stored predictions", n/1_000_000)
		err = figure.Print(os.Stdout, os.Stderr,
			figure.AtLeast("labels joined "+at, rates.Labels, "labels/CPU-s", 0),
			figure.AtLeast("of the rate at the least, "+at, rates.Labels/first, "share", 0.8),
			figure.AtLeast("predictions put into days_of_ids "+at, rates.Predictions, "predictions/CPU-s", 0),
			figure.AtLeast("bytes on disk "+at, float64(rates.Bytes), "bytes", 0))
		if err != nil {
			return err
		}
	}
	return nil
}
