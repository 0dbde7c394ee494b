// Command incidents plays scripted incidents against two alerting replicas and
// two evaluators while it stops, kills and starts them, and counts what people
// were told: `incidents replay` and `incidents chaos`. It prints one JSON line a
// figure on standard output and a table on standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/plumbline-slo/plumbline/testenv/figure"
	"github.com/plumbline-slo/plumbline/testenv/incidents"
)

func main() {
	incidents.RunChildIfRequested()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "incidents:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	var o incidents.Options
	switch {
	case len(args) > 0 && args[0] == "replay":
		o = incidents.DefaultReplay()
	case len(args) > 0 && args[0] == "chaos":
		o = incidents.DefaultChaos()
	default:
		return errors.New("say replay or chaos")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.IntVar(&o.Incidents, "incidents", o.Incidents, "scripted incidents")
	flags.IntVar(&o.Kills, "kills", o.Kills, "processes killed with kill -9 (chaos)")
	flags.DurationVar(&o.Length, "length", o.Length, "how long an incident burns")
	flags.DurationVar(&o.Every, "every", o.Every, "how often one begins")
	flags.DurationVar(&o.Pause, "pause", o.Pause, "time between two disturbances, on average")
	flags.Uint64Var(&o.Seed, "seed", 0, "repeat the choices of a run; 0 is random")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	o.Text = os.Stderr
	figures, err := incidents.Run(ctx, o)
	if err != nil {
		return err
	}
	if err := figure.Print(os.Stdout, os.Stderr, figures...); err != nil {
		return err
	}
	var errs []error
	for _, f := range figures {
		if !f.Met {
			errs = append(errs, fmt.Errorf("%s is %g %s, want %s", f.Name, f.Value, f.Unit, f.Goal))
		}
	}
	return errors.Join(errs...)
}
