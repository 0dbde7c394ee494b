//go:build linux && amd64

package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"
)

// runChild is the life of the child: it reads its configuration from standard
// input, opens the engine, serves on the listener its parent passed, and ends
// when standard input ends.
func runChild() error {
	// A terminal, systemd and timeout send them to the whole group. The parent ends
	// us in order, by the end of our standard input, and its death kills us.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM)
	ready := os.NewFile(fdReady, "ready")
	stdin := bufio.NewReader(os.Stdin)
	cfg, err := readChildConfig(stdin)
	if err != nil {
		return report(ready, childReady{Error: err.Error()}, err)
	}
	srv, info, err := boot(cfg)
	if err != nil {
		return report(ready, childReady{Error: err.Error()}, err)
	}
	listener, err := net.FileListener(os.NewFile(fdListener, "listener"))
	if err != nil {
		return report(ready, childReady{Error: err.Error()}, fmt.Errorf("engine child: use the parent's listener: %w", err))
	}
	if err := report(ready, info, nil); err != nil {
		return err
	}
	return serve(srv, listener, stdin, cfg.StopTimeout)
}

func readChildConfig(stdin *bufio.Reader) (cfg childConfig, err error) {
	line, err := stdin.ReadBytes('\n')
	if err != nil {
		return cfg, fmt.Errorf("engine child: read configuration: %w", err)
	}
	if err := json.Unmarshal(line, &cfg); err != nil {
		return cfg, fmt.Errorf("engine child: read configuration: %w", err)
	}
	return cfg, nil
}

// report tells the parent how the start went and passes err through.
func report(ready io.WriteCloser, info childReady, err error) error {
	werr := json.NewEncoder(ready).Encode(info)
	return errors.Join(err, werr, ready.Close())
}

// boot loads the library and opens the data directory.
func boot(cfg childConfig) (*server, childReady, error) {
	info := childReady{}
	raiseFileLimit()
	debug.SetGCPercent(50) // this process holds buffers, not data: keep it small
	before := readSignals()
	lib, err := loadLibrary(cfg.Library)
	if err != nil {
		return nil, info, err
	}
	lib.setSignalHandlers(0)
	info.Library = lib.version()
	if info.Backup, err = backupBeforeUpgrade(cfg.DataDir, info.Library, cfg.KeepBackups, time.Now()); err != nil {
		return nil, info, err
	}
	conf, err := cfg.Native.write(filepath.Join(cfg.DataDir, runName))
	if err != nil {
		return nil, info, err
	}
	p, err := newPool(lib, []string{"--path=" + filepath.Join(cfg.DataDir, dataName), "--config-file=" + conf}, cfg.Analyst, cfg.MaxQueries)
	if err != nil {
		return nil, info, err
	}
	repairSignals(before)
	srv := &server{pool: p, cfg: cfg, sessions: newSessions(time.Now)}
	if srv.version, err = p.ask("SELECT version()"); err != nil {
		return nil, info, err
	}
	if srv.timezone, err = p.ask("SELECT timezone()"); err != nil {
		return nil, info, err
	}
	if _, err = p.ask("CREATE DATABASE IF NOT EXISTS " + quoteName(cfg.Database)); err != nil {
		return nil, info, err
	}
	info.ClickHouse = srv.version
	return srv, info, recordVersion(cfg.DataDir, info.Library)
}

// serve answers until standard input ends, then lets running requests end.
func serve(h http.Handler, l net.Listener, stdin io.Reader, stopTimeout time.Duration) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 5 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	ended := make(chan struct{})
	go func() {
		// Only the end of the input counts, not what is on it.
		_, _ = io.Copy(io.Discard, stdin)
		close(ended)
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("engine child: serve: %w", err)
	case <-ended:
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		_ = srv.Close() // ends what did not end by itself
	}
	// The engine is not shut down: with MergeTree tables it cannot be, and
	// what is acknowledged is on disk.
	return nil
}

// raiseFileLimit lifts the soft limit of open files to the hard one: the
// engine opens a file per column and part.
func raiseFileLimit() {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err == nil && lim.Cur < lim.Max {
		lim.Cur = lim.Max
		// The old limit still works for small data, so a refusal is no error.
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim)
	}
}
