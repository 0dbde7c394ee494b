// Package footprint measures what the service costs when it has nothing to do:
// the resident memory of `plumbline serve` with its embedded Kafka and
// ClickHouse, and the size of the binary.
//
// It may import everything; only the command imports it.
package footprint

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/memory"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// The bars of the issue, in megabytes.
const (
	idleBar   = 600
	binaryBar = 60
)

// settle is how long the service runs before it is measured: several rounds of
// every ticker.
const settle = 30 * time.Second

// Run starts the service in this process on an empty directory, lets it idle,
// and prints the figures.
func Run(ctx context.Context, lines, table io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "plumbline-footprint-")
	if err != nil {
		return fmt.Errorf("footprint: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg := app.DefaultConfig()
	cfg.DataDir = dir
	cfg.Web.Listen, cfg.Kafka.Embedded.Listen = "127.0.0.1:0", "127.0.0.1:0"
	service, err := app.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- service.Run(ctx) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-done)
	}()
	if err := service.WaitReady(ctx); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settle):
	}
	idle, err := memory.Resident(os.Getpid(), service.EnginePID())
	if err != nil {
		return err
	}
	size, stripped, err := binary()
	if err != nil {
		return err
	}
	if !stripped {
		fmt.Fprintln(table, "footprint: this binary has its symbols; make build strips them")
	}
	return figure.Print(lines, table,
		figure.AtMost("idle memory of serve with embedded Kafka and ClickHouse", idle, "MB", idleBar),
		figure.AtMost("size of the binary", size, "MB", binaryBar))
}

// binary returns the size of this executable in megabytes, and whether it is
// stripped of its symbol table.
func binary() (megabytes float64, stripped bool, err error) {
	path, err := os.Executable()
	if err != nil {
		return 0, false, fmt.Errorf("footprint: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, false, fmt.Errorf("footprint: %w", err)
	}
	file, err := elf.Open(path)
	if err != nil {
		return 0, false, fmt.Errorf("footprint: %s: %w", path, err)
	}
	defer file.Close()
	return float64(info.Size()) / (1 << 20), file.Section(".symtab") == nil, nil
}
