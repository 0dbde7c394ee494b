// Command outage-ingest takes ClickHouse and then Kafka away from a running
// `plumbline serve`, for minutes each, while events are produced, and counts
// what became of them: every one stored or a dead letter, none twice. It prints
// one JSON line a figure on standard output and a table on standard error.
//
// ClickHouse goes away behind a proxy that cuts every connection and takes none;
// Kafka, the embedded broker in this process, is closed and opened again on its
// data. Nothing is produced while Kafka is gone.
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
)

type options struct {
	program string
	outage  time.Duration
	rate    int
}

func main() {
	engine.RunChildIfRequested()
	var o options
	flag.StringVar(&o.program, "plumbline", "bin/plumbline", "the program whose serve is run")
	flag.DurationVar(&o.outage, "outage", 10*time.Minute, "how long each of the two is gone")
	flag.IntVar(&o.rate, "rate", 500, "predictions produced a second")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	figures, err := run(ctx, o)
	if err == nil {
		err = figure.Print(os.Stdout, os.Stderr, figures...)
	}
	for _, f := range figures {
		if !f.Met {
			err = errors.Join(err, fmt.Errorf("%s is %g %s, want %s", f.Name, f.Value, f.Unit, f.Goal))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "outage-ingest:", err)
		os.Exit(1)
	}
}
