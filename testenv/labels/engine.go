package labels

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/engine"
)

// Engine is an embedded ClickHouse with the schema.
type Engine struct {
	DB  *storage.DB
	DSN string
	// PID is the process that does its work.
	PID func() int
	// Dir is where its data is.
	Dir string
}

// WithEngine runs f on an engine in a folder that is removed behind it.
func WithEngine(ctx context.Context, f func(Engine) error) (err error) {
	dir, err := os.MkdirTemp("", "labels")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return WithEngineIn(ctx, dir, f)
}

// WithEngineIn runs f on an engine whose data is in a folder that stays.
func WithEngineIn(ctx context.Context, dir string, f func(Engine) error) (err error) {
	cfg := engine.DefaultConfig()
	cfg.DataDir = dir
	e := engine.New(cfg, slog.New(slog.DiscardHandler))
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- e.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	if err := e.WaitReady(ctx); err != nil {
		return err
	}
	db, err := storage.New(storageConfig(e.DSN()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	return f(Engine{DB: db, DSN: e.DSN(), PID: e.ChildPID, Dir: dir})
}
