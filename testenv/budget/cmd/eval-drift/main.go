// Command eval-drift measures the false tickets of the drift alarm on simulated
// quiet months (-part=budget) and what the drift measures and the alarm find
// (-part=power). Without -full it is the short form that CI runs: its bounds
// rest on few months and may miss the bar by chance.
//
// It prints one JSON line a figure on standard output, and a table on standard
// error. With -pictures it writes a picture of each part to that directory.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/plumbline-slo/plumbline/testenv/budget"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

func main() {
	full := flag.Bool("full", false, "1,002 months a scenario")
	harder := flag.Bool("harder", false, "also simulate lives beyond the goal")
	quarters := flag.Int("quarters", 0, "model-quarters a scenario; 0 takes the form's own number")
	seed := flag.Uint64("seed", 1, "seed of the simulation")
	flag.Parse()
	c := budget.Short()
	if *full {
		c = budget.Full()
	}
	if *quarters > 0 {
		c.Quarters = *quarters
	}
	c.Seed = *seed
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := tickets(ctx, c, *harder); err != nil {
		fmt.Fprintln(os.Stderr, "eval-drift:", err)
		os.Exit(1)
	}
}

// tickets prints the false tickets of every scenario.
func tickets(ctx context.Context, c budget.Config, harder bool) error {
	goals := budget.Scenarios()
	scenarios := goals
	if harder {
		scenarios = append(scenarios, budget.Harder()...)
	}
	for i, s := range scenarios {
		started := time.Now()
		t, err := budget.Run(ctx, c, s)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%s: %d months of %d streams in %.0f s\n", s.Name, 3*c.Quarters, c.Streams(), time.Since(started).Seconds())
		if err := figure.Print(os.Stdout, os.Stderr, t.Figures(i < len(goals))...); err != nil {
			return err
		}
	}
	return nil
}
