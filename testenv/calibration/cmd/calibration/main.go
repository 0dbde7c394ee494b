// Command calibration measures the false alarms of every drift measure on
// samples of one distribution, at nominal 5 % and 1 %. Without -full it is the
// short form that CI runs; its rates have so few nulls that the greatest of many
// may pass a bar by chance.
//
// It prints one JSON line a figure on standard output, and a row for each
// combination and a table on standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/testenv/calibration"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

func main() {
	full := flag.Bool("full", false, "run all 200 combinations with 10,000 nulls each")
	nulls := flag.Int("nulls", 0, "nulls a combination; 0 takes the form's own number")
	seed := flag.Uint64("seed", 1, "seed of the samples")
	sizes := flag.String("sizes", "", "sizes of the reference, by commas; empty takes the form's own")
	categories := flag.String("categories", "", "numbers of categories, by commas; empty takes the form's own")
	flag.Parse()
	c := calibration.Short()
	if *full {
		c = calibration.Full()
	}
	c.Seed = *seed
	if *nulls > 0 {
		c.Nulls = *nulls
	}
	err := errors.Join(override(&c.Sizes, *sizes), override(&c.Categories, *categories))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err == nil {
		err = run(ctx, c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "calibration:", err)
		os.Exit(1)
	}
}

// override replaces the numbers by those of a flag that is not empty.
func override(numbers *[]int, list string) error {
	if list == "" {
		return nil
	}
	*numbers = nil
	for _, s := range strings.Split(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 2 {
			return fmt.Errorf("%q: want whole numbers of at least 2, by commas", list)
		}
		*numbers = append(*numbers, n)
	}
	return nil
}

func run(ctx context.Context, c calibration.Config) error {
	started := time.Now()
	cells, err := calibration.Run(ctx, c, func(cell calibration.Cell) {
		fmt.Fprintf(os.Stderr, "%-34s %6.0f s ", cell, time.Since(started).Seconds())
		for _, d := range measure.Table() {
			if five, ok := cell.Five[d.ID]; ok {
				fmt.Fprintf(os.Stderr, " %s %.1f/%.2f", d.ID, 100*five, 100*cell.One[d.ID])
			}
		}
		fmt.Fprintln(os.Stderr)
	})
	if err != nil {
		return err
	}
	return figure.Print(os.Stdout, os.Stderr, calibration.Figures(cells)...)
}
