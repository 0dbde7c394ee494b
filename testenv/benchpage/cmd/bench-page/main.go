// Command bench-page measures from a fault in the stream to its page: how long
// after the earliest moment that the rule allows a page is at a fake PagerDuty,
// for 100 models that begin to fail one after the other while 5,000 events a
// second come in. The service is `plumbline serve`, in a process of its own, with
// the embedded broker and engine and no setting that a user would not write. It
// prints one JSON line a figure on standard output and a table on standard error.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/plumbline-slo/plumbline/testenv/benchpage"
)

func main() {
	o := benchpage.DefaultOptions()
	flag.StringVar(&o.Program, "plumbline", o.Program, "the program whose serve is run")
	flag.IntVar(&o.Rate, "rate", o.Rate, "events a second, for all models together")
	flag.IntVar(&o.Faults, "faults", o.Faults, "models that fail")
	flag.IntVar(&o.Healthy, "healthy", o.Healthy, "models that do not")
	flag.DurationVar(&o.Over, "over", o.Over, "time over which the faults begin")
	flag.DurationVar(&o.Patience, "patience", o.Patience, "how long pages are waited for after the last was due")
	flag.Uint64Var(&o.Seed, "seed", o.Seed, "of chance")
	flag.BoolVar(&o.Keep, "keep", o.Keep, "leave the service's folder there, with its log")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := benchpage.Run(ctx, o, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench-page:", err)
		os.Exit(1)
	}
}
