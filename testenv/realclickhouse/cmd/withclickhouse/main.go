// Command withclickhouse runs a command while ClickHouse servers run, whose
// addresses the command finds in PLUMBLINE_TEST_CLICKHOUSE, by comma: of more than
// one server, the shards of a cluster.
//
//	withclickhouse -servers=2 go test ./ingest
//
// Without a command it prints the addresses and runs until it is interrupted. It
// ends with the command's exit code. Without the engine's library it says that the
// command was skipped and why, and ends well.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/during"
	"github.com/plumbline-slo/plumbline/testenv/realclickhouse"
)

// variable is the one testenv reads.
const variable = "PLUMBLINE_TEST_CLICKHOUSE"

func main() {
	realclickhouse.RunServerIfRequested()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg := realclickhouse.DefaultConfig()
	flags := flag.NewFlagSet("withclickhouse", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&cfg.Servers, "servers", cfg.Servers, "how many servers, each a shard of a cluster")
	flags.BoolVar(&cfg.Spread, "spread", cfg.Spread, "let tests write into the Distributed tables")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	servers, err := realclickhouse.Start(ctx, cfg)
	if errors.Is(err, engine.ErrNoLibrary) {
		fmt.Fprintf(stderr, "withclickhouse: SKIPPED %s: %v\n", strings.Join(flags.Args(), " "), err)
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "withclickhouse:", err)
		return 1
	}
	addresses := strings.Join(servers.DSNs(), ",")
	code := 0
	if flags.NArg() == 0 {
		fmt.Fprintln(stdout, addresses)
		<-ctx.Done()
	} else {
		code = during.Run(ctx, flags.Args(), variable+"="+addresses, stdout, stderr)
	}
	if err := servers.Close(); err != nil {
		fmt.Fprintln(stderr, "withclickhouse:", err)
		return max(code, 1)
	}
	return code
}
