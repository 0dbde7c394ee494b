// Command plumbline is the service and its tools in one binary: main parses
// flags and signals, and hands over to the package that does the work.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kingpin/v2"

	"github.com/plumbline-slo/plumbline/storage/engine"
)

// errUsage marks mistakes of the user's input: exit status 2, like a wrong flag.
var errUsage = errors.New("usage")

func main() {
	// The embedded ClickHouse is this binary once more, as a child.
	engine.RunChildIfRequested()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with its surroundings as parameters. It returns the exit status:
// 0, 1 for a failure, 2 for a mistake in flags or files.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ended := false
	cli := kingpin.New("plumbline", "Observability and SLOs for model endpoints.").
		Version(versionText()).
		UsageWriter(stdout).ErrorWriter(stderr)
	cli.Terminate(func(int) {
		ended = true
		cli.UsageWriter(io.Discard) // what was asked for is said, and kingpin goes on
	})
	cli.HelpFlag.Short('h')
	commands := register(cli, stdout, stderr)
	selected, err := cli.Parse(args)
	switch {
	case ended: // --help or --version printed what was asked for
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "plumbline: %v (try plumbline --help)\n", err)
		return 2
	}
	if err := commands[selected](ctx); err != nil {
		fmt.Fprintf(stderr, "plumbline: %v\n", err)
		if errors.Is(err, errUsage) {
			return 2
		}
		return 1
	}
	return 0
}

// usageError is an error of the user's input that prints as itself.
type usageError struct{ error }

func (e usageError) Unwrap() []error { return []error{e.error, errUsage} }
