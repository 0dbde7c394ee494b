package labels

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/join"
	"github.com/plumbline-slo/plumbline/storage"
)

// The environment of a process that joins: where, and in which database.
const (
	envDSN      = "PLUMBLINE_REPLAY_DSN"
	envDatabase = "PLUMBLINE_REPLAY_DATABASE"
)

// RunWorkerIfRequested makes this process one that joins, and ends it, if its
// environment says so. A binary that replays calls it first thing in main.
func RunWorkerIfRequested() {
	if os.Getenv(envDSN) == "" {
		return
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "join worker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// work joins until standard input ends: with the parent.
func work() error {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	cfg := storageConfig(os.Getenv(envDSN))
	cfg.Database = os.Getenv(envDatabase)
	db, err := storage.New(cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	settings := join.DefaultConfig()
	// Small steps, so that a kill meets many of them.
	settings.Interval, settings.MaxBatchOffsets = 100*time.Millisecond, 400
	settings.MemberTimeout = 3 * time.Second
	j, err := join.New(settings, join.Dependencies{DB: db})
	if err != nil {
		return err
	}
	return j.Run(ctx)
}

func storageConfig(dsn string) storage.Config {
	cfg := storage.DefaultConfig()
	cfg.DSN = dsn
	const decades = 20 * 365 * 24 * time.Hour
	cfg.Retention = storage.Retention{Raw: decades, Minutes: decades, Hours: decades}
	return cfg
}

// worker is a running process that joins.
type worker struct {
	command *exec.Cmd
	stdin   io.Closer
}

// startWorker starts one, which ends with the context at the latest.
func startWorker(ctx context.Context, db *storage.DB, dsn string) (*worker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	w := &worker{command: exec.CommandContext(ctx, self)}
	w.command.Env = append(os.Environ(), envDSN+"="+dsn, envDatabase+"="+db.Database())
	w.command.Stderr = os.Stderr
	if w.stdin, err = w.command.StdinPipe(); err != nil {
		return nil, err
	}
	if err := w.command.Start(); err != nil {
		return nil, fmt.Errorf("start a process that joins: %w", err)
	}
	return w, nil
}

// kill is kill -9. That the process did not end well is what was asked for.
func (w *worker) kill() error {
	if err := w.command.Process.Kill(); err != nil {
		return fmt.Errorf("kill a process that joins: %w", err)
	}
	_ = w.command.Wait()
	return nil
}
