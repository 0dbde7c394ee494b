// Command bench-ingest measures what an event costs on its way from Kafka into
// ClickHouse, in CPU time: by Plumbline's ingest with its rollups and
// exactly-once commits, by the path that a Go developer would write in an
// afternoon, by Bento, and inside the engine alone. Every contender reads the
// same events from the same broker into the same engine, in a process of its
// own with GOMAXPROCS=1; the rounds are interleaved and the medians printed.
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
	"strings"
	"syscall"

	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/bench"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

type options struct {
	events, rounds int
	formats        []string
	bento          string
	clientTest     string
	only           string
	profile        string
}

func main() {
	engine.RunChildIfRequested()
	bench.RunRoleIfRequested(map[string]bench.Role{"broker": brokerRole, "ours": oursRole, "naive": naiveRole})
	var o options
	flag.IntVar(&o.events, "events", 1_000_000, "events a contender reads, in each round: so many that what starting costs, some 0.2 CPU-s, is little of it")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; the median of each figure is printed")
	formats := flag.String("formats", "json", "formats of the events, by commas")
	flag.StringVar(&o.bento, "bento", "", "the program built from testenv/peers/bento; empty leaves that peer out")
	flag.StringVar(&o.clientTest, "client", "", "the test binary of package ingest, whose BenchmarkClient measures the client's side alone; empty leaves that out")
	flag.StringVar(&o.only, "only", "", "run only the contenders whose name holds this, and judge nothing")
	flag.StringVar(&o.profile, "profile", "", "a directory for CPU profiles of our own contender")
	flag.Parse()
	o.formats = strings.Split(*formats, ",")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	figures, err := run(ctx, o)
	if err == nil {
		err = figure.Print(os.Stdout, os.Stderr, figures...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-ingest:", err)
		os.Exit(1)
	}
}
