// Command calibration measures the false alarms of every drift measure on
// samples of one distribution, at nominal 5 % and 1 %, and how often the 95 %
// intervals hold a distance that is known.
//
// Without -full it is the short form that CI runs: so few nulls that a figure is
// brought nearer to its bar by four standard errors, and it fails where one is
// not met nevertheless. The full form takes the better part of an hour; with
// -state it goes on where it was stopped, with -doc it writes its tables as a
// page.
//
// It prints one JSON line a figure on standard output, and a row for each
// combination and a table on standard error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/testenv/calibration"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// shortErrors is how many standard errors the short form allows for chance: of
// its thousands of rates one misses a bar by that much in a run out of ten
// thousand.
const shortErrors = 4

type command struct {
	config     calibration.Config
	full, done bool
	state, doc string
	commit     string
}

func main() {
	var c command
	flag.BoolVar(&c.full, "full", false, "run all 250 combinations with 10,000 nulls each")
	nulls := flag.Int("nulls", 0, "nulls a combination; 0 takes the form's own number")
	pairs := flag.Int("pairs", 0, "pairs of samples for each true distance; 0 takes the form's own number")
	seed := flag.Uint64("seed", 1, "seed of the samples")
	sizes := flag.String("sizes", "", "sizes of the reference, by commas; empty takes the form's own")
	categories := flag.String("categories", "", "numbers of categories, by commas; empty takes the form's own; 0 none")
	flag.StringVar(&c.state, "state", "", "file of combinations that are done, one JSON line each; they are not run again")
	flag.BoolVar(&c.done, "done", false, "run no combination, report on those in the state")
	flag.StringVar(&c.doc, "doc", "", "file to write the tables to, in Markdown")
	flag.StringVar(&c.commit, "commit", "unknown", "commit that the page names")
	flag.Parse()
	c.config = calibration.Short()
	if c.full {
		c.config = calibration.Full()
	}
	c.config.Seed = *seed
	if *nulls > 0 {
		c.config.Nulls = *nulls
	}
	if *pairs > 0 {
		c.config.Pairs = *pairs
	}
	err := errors.Join(override(&c.config.Sizes, *sizes), override(&c.config.Categories, *categories))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err == nil {
		err = c.run(ctx)
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
	if list == "0" {
		return nil
	}
	for _, s := range strings.Split(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 2 {
			return fmt.Errorf("%q: want whole numbers of at least 2, by commas", list)
		}
		*numbers = append(*numbers, n)
	}
	return nil
}

func (c command) run(ctx context.Context) error {
	started := time.Now()
	cells, err := c.cells(ctx)
	if err != nil {
		return err
	}
	truths := c.config.Truths()
	if err := calibration.Cover(ctx, c.config.Seed, truths); err != nil {
		return err
	}
	allowed := float64(shortErrors)
	if c.full {
		allowed = 0
	}
	figures := append(calibration.Figures(cells, allowed), calibration.CoverFigures(truths, allowed)...)
	if err := figure.Print(os.Stdout, os.Stderr, figures...); err != nil {
		return err
	}
	if c.doc != "" {
		page := calibration.Page(c.config, c.commit, cells, truths, figures)
		if err := os.WriteFile(c.doc, []byte(page), 0o644); err != nil {
			return fmt.Errorf("write the page: %w", err)
		}
	}
	fmt.Fprintf(os.Stderr, "done in %.0f s\n", time.Since(started).Seconds())
	for _, f := range figures {
		if !f.Met {
			return fmt.Errorf("%s is %.3g %s, goal %s", f.Name, f.Value, f.Unit, f.Goal)
		}
	}
	return nil
}

// cells runs the combinations that the state file does not hold.
func (c command) cells(ctx context.Context) ([]calibration.Cell, error) {
	done, err := readState(c.state)
	if err != nil {
		return nil, err
	}
	state := io.Discard
	if c.state != "" {
		f, err := os.OpenFile(c.state, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, fmt.Errorf("open the state: %w", err)
		}
		defer f.Close()
		state = f
	}
	all := c.config.Cells()
	if c.done {
		all = slices.DeleteFunc(all, func(cell calibration.Cell) bool { return done[cell.String()].Nulls != cell.Nulls })
	}
	var left []calibration.Cell
	for _, cell := range all {
		if d, ok := done[cell.String()]; !ok || d.Nulls != cell.Nulls {
			left = append(left, cell)
		}
	}
	started, lines := time.Now(), json.NewEncoder(state)
	var failed error
	err = calibration.Run(ctx, c.config.Seed, left, func(cell calibration.Cell) {
		done[cell.String()] = cell
		failed = errors.Join(failed, lines.Encode(cell))
		progress(cell, time.Since(started), len(left))
	})
	for i, cell := range all {
		all[i] = done[cell.String()]
	}
	return all, errors.Join(err, failed)
}

func readState(path string) (map[string]calibration.Cell, error) {
	done := map[string]calibration.Cell{}
	if path == "" {
		return done, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return done, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the state: %w", err)
	}
	defer f.Close()
	for lines := json.NewDecoder(f); ; {
		var cell calibration.Cell
		switch err := lines.Decode(&cell); {
		case errors.Is(err, io.EOF):
			return done, nil
		case err != nil:
			return nil, fmt.Errorf("read the state: %w", err)
		}
		done[cell.String()] = cell
	}
}

func progress(cell calibration.Cell, spent time.Duration, of int) {
	fmt.Fprintf(os.Stderr, "%-34s %6.0f s of %d ", cell, spent.Seconds(), of)
	for _, d := range measure.Table() {
		if five, ok := cell.Five[d.ID]; ok {
			fmt.Fprintf(os.Stderr, " %s %.1f/%.2f", d.ID, 100*five, 100*cell.One[d.ID])
		}
	}
	fmt.Fprintln(os.Stderr)
}
