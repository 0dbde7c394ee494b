package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv/bench"
)

// peer is a pipeline of Bento and the table that it fills.
type peer struct {
	name, pipeline, table string
	once                  bool
}

func peers() []peer {
	return []peer{{"bento-sql", bentoSQL, flatTable, false}, {"bento-http", bentoHTTP, "predictions", true}}
}

// peer runs a pipeline of Bento and returns what it used, less what it needs to
// start and read its configuration.
func (w *world) peer(program string, p peer) contender {
	return contender{name: p.name + " json", once: p.once, run: func(ctx context.Context, round int) (cost, error) {
		name := fmt.Sprintf("bench_%s_%d", p.name[len("bento-"):], round)
		settings, err := newBentoSettings(w.job("json", name, name))
		if err != nil {
			return cost{}, err
		}
		text, err := settings.fill(p.pipeline)
		if err != nil {
			return cost{}, err
		}
		file := filepath.Join(w.dir, name+".yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return cost{}, err
		}
		lint := bento(ctx, program, "lint", file)
		if err := lint.Run(); err != nil {
			return cost{}, fmt.Errorf("bento lint: %w", err)
		}
		begin := lint.ProcessState.UserTime() + lint.ProcessState.SystemTime()
		c, err := w.measure(ctx, name, p.table, func(db *storage.DB) (cost, error) { return w.runBento(ctx, db, program, file, p.table) })
		c.client -= begin
		return c, err
	}}
}

func bento(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return cmd
}

// bentoPatience bounds one run.
const bentoPatience = 3 * time.Minute

func (w *world) runBento(ctx context.Context, db *storage.DB, program, file, table string) (c cost, err error) {
	ctx, cancel := context.WithTimeout(ctx, bentoPatience)
	defer cancel()
	cmd := bento(ctx, program, "-c", file)
	if err := cmd.Start(); err != nil {
		return c, err
	}
	defer func() {
		stop := cmd.Process.Signal(syscall.SIGTERM)
		if end := cmd.Wait(); ctx.Err() != nil {
			stop = errors.Join(stop, end)
		}
		err = errors.Join(err, stop)
	}()
	for rows := uint64(0); rows < uint64(w.events); {
		select {
		case <-ctx.Done():
			return c, fmt.Errorf("bento stored %d of %d events: %w", rows, w.events, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
		if err := db.Conn().QueryRow(ctx, "SELECT count() FROM "+table).Scan(&rows); err != nil {
			return c, fmt.Errorf("count what bento stored: %w", err)
		}
	}
	if c.client, err = bench.CPU(cmd.Process.Pid); err != nil {
		return c, err
	}
	c.peak, err = bench.PeakMemory(cmd.Process.Pid)
	return c, err
}
