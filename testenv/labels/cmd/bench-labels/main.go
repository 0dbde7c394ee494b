// Command bench-labels measures how many labels are joined per CPU-second while
// 1, 10 and 100 million predictions are stored: a million a day, so that it is
// the history that grows, and labels for the predictions of the last day, or of
// more by -days, in random order. The engine makes the rows itself, in the tables
// and parts that batches of ingest merge to; every size has a database, and
// rounds of the sizes take turns. CPU time is that of the engine and of this
// process, while the join steps; what it takes to follow the predictions, merges
// included, is a figure of its own. 100 million take about 10 GB of disk below
// the folder for temporary files, or in -keep, where another run finds them:
// -predictions names other sizes.
//
// It prints one JSON line a figure on standard output and a table on standard
// error, where it also says what it does.
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
	sizes := flag.String("predictions", "1000000,10000000,100000000,1000000+20000000", "stored predictions, by comma, with + stored labels beside them")
	keep := flag.String("keep", "", "folder for what is stored, which stays; a temporary one otherwise")
	b := labels.Bench{Log: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }}
	flag.IntVar(&b.Labels, "labels", 100_000, "labels of a round")
	flag.IntVar(&b.Rounds, "rounds", 5, "rounds")
	flag.IntVar(&b.Days, "days", 1, "of the predictions of how many days the labels are, the last ones")
	flag.BoolVar(&b.Ordered, "ordered", false, "identifiers in the order of time, as of UUIDv7, instead of random ones")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *sizes, *keep, &b); err != nil {
		fmt.Fprintln(os.Stderr, "bench-labels:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, sizes, keep string, b *labels.Bench) error {
	for text := range strings.SplitSeq(sizes, ",") {
		predictions, beside, _ := strings.Cut(text, "+")
		var size labels.Size
		var err error
		if size.Predictions, err = strconv.Atoi(predictions); err == nil && beside != "" {
			size.Labels, err = strconv.Atoi(beside)
		}
		if err != nil {
			return fmt.Errorf("-predictions: %w", err)
		}
		b.Sizes = append(b.Sizes, size)
	}
	with := labels.WithEngine
	if keep != "" {
		with = func(ctx context.Context, f func(labels.Engine) error) error {
			return labels.WithEngineIn(ctx, keep, f)
		}
	}
	return with(ctx, func(e labels.Engine) error {
		rates, err := b.Run(ctx, e)
		if err != nil {
			return err
		}
		for i, r := range rates {
			at := "at " + b.Sizes[i].String()
			figures := []figure.Figure{
				figure.AtLeast("labels joined, median of the rounds, "+at, r.Median(), "labels/CPU-s", 0),
				figure.AtLeast("of the rate at the least, "+at, r.Median()/rates[0].Median(), "share", 0.8),
				figure.AtLeast("bytes on disk "+at, float64(r.Bytes), "bytes", 0),
			}
			if r.Indexed > 0 {
				figures = append(figures, figure.AtLeast("predictions put into days_by_id, and labels into labels_by_id, "+at, r.Indexed, "rows/CPU-s", 0))
			}
			if err := figure.Print(os.Stdout, os.Stderr, figures...); err != nil {
				return err
			}
		}
		return nil
	})
}
