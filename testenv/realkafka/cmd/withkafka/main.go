// Command withkafka runs a command while an Apache Kafka runs, whose address the
// command finds in PLUMBLINE_TEST_KAFKA:
//
//	withkafka go test ./ingest
//
// Without a command it prints the address and runs until it is interrupted. It
// ends with the command's exit code. Without Java or Maven it says that the
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
	"time"

	"github.com/plumbline-slo/plumbline/testenv/during"
	"github.com/plumbline-slo/plumbline/testenv/realkafka"
)

// variable is the one testenv reads.
const variable = "PLUMBLINE_TEST_KAFKA"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, err := realkafka.DefaultConfig()
	if err != nil {
		fmt.Fprintln(stderr, "withkafka:", err)
		return 2
	}
	flags := flag.NewFlagSet("withkafka", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&cfg.Version, "version", cfg.Version, "version of Apache Kafka, 3.9 or newer")
	flags.StringVar(&cfg.CacheDir, "cache", cfg.CacheDir, "folder for the downloaded jars")
	flags.IntVar(&cfg.HeapMiB, "heap", cfg.HeapMiB, "heap of the broker in MiB")
	flags.StringVar(&cfg.Java, "java", cfg.Java, "the java command")
	flags.StringVar(&cfg.Maven, "mvn", cfg.Maven, "the Maven command")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	began := time.Now()
	broker, err := realkafka.Start(ctx, cfg)
	if errors.Is(err, realkafka.ErrUnavailable) {
		fmt.Fprintf(stderr, "withkafka: SKIPPED %s: %v\n", strings.Join(flags.Args(), " "), err)
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "withkafka:", err)
		return 1
	}
	fmt.Fprintf(stderr, "withkafka: Apache Kafka %s on %s after %.1f s\n", cfg.Version, broker.Addr(), time.Since(began).Seconds())
	code := 0
	if flags.NArg() == 0 {
		fmt.Fprintln(stdout, broker.Addr())
		select {
		case <-ctx.Done():
		case <-broker.Exited():
			fmt.Fprintln(stderr, "withkafka: the broker ended")
			code = 1
		}
	} else {
		code = command(ctx, flags.Args(), broker, stdout, stderr)
	}
	if err := broker.Close(); err != nil {
		fmt.Fprintln(stderr, "withkafka:", err)
		return max(code, 1)
	}
	return code
}

// command runs args and returns its exit code; it is not 0 if the broker ended
// first.
func command(ctx context.Context, args []string, broker *realkafka.Kafka, stdout, stderr io.Writer) int {
	code := during.Run(ctx, args, variable+"="+broker.Addr(), stdout, stderr)
	lost := false
	select {
	case <-broker.Exited():
		lost = true
	default:
	}
	if code != 0 || lost {
		if text, readErr := broker.Log(); readErr == nil {
			fmt.Fprintf(stderr, "withkafka: what the broker logged:\n%s", text)
		}
	}
	if lost {
		fmt.Fprintln(stderr, "withkafka: the broker ended before the command")
		return 1
	}
	return code
}
