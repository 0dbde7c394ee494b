//go:build unix

package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// State is where an engine is in its life.
type State uint8

// The states of an [Engine]. StateFailed means that it crashed five times in
// five minutes; it is still restarted, every 30 seconds.
const (
	StateStopped State = iota
	StateStarting
	StateReady
	StateRestarting
	StateFailed
)

// String returns the state in lower case.
func (s State) String() string {
	switch s {
	case StateStarting:
		return "starting"
	case StateReady:
		return "ready"
	case StateRestarting:
		return "restarting"
	case StateFailed:
		return "failed"
	}
	return "stopped"
}

// Files with the passwords, below the data directory.
const (
	passwordName     = "password"
	readPasswordName = "password.readonly"
)

// Engine supervises a ClickHouse engine in a child process. Its methods may
// be called from any goroutine.
type Engine struct {
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	backoff func(crashes int) time.Duration
	diskUse func(path string) (float64, error)

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at every change of state
	state    State
	err      error // why it is not ready
	ended    bool  // Run has returned
	addr     string
	full     credentials
	read     credentials
	pid      int
	info     childReady
	restarts int
	disk     DiskState
	used     float64 // of the disk; negative while unknown
}

// New returns an engine that does nothing until [Engine.Run].
func New(cfg Config, log *slog.Logger) *Engine {
	e := &Engine{cfg: cfg, log: log, now: time.Now, backoff: backoff, diskUse: cfg.DiskUse, changed: make(chan struct{}), used: -1}
	if e.diskUse == nil {
		e.diskUse = diskUsed
	}
	return e
}

// Run owns the data directory and keeps the engine running until ctx ends. It
// returns nil then, and an error if the engine never got ready: the
// configuration is wrong, there is no library, or another process holds the
// directory (a [*HeldError]).
func (e *Engine) Run(ctx context.Context) (err error) {
	defer func() {
		e.update(func() { e.state, e.err, e.ended, e.pid = StateStopped, err, true, 0 })
	}()
	if err := e.cfg.Validate(); err != nil {
		return err
	}
	if os.Getenv(childEnv) != "" {
		return errors.New("engine: started inside the engine's own child: this binary's main, or its TestMain, does not call engine.RunChildIfRequested first")
	}
	dir, err := filepath.Abs(e.cfg.DataDir)
	for _, name := range []string{dataName, runName, backupsName} {
		err = errors.Join(err, os.MkdirAll(filepath.Join(dir, name), 0o700))
	}
	if err != nil {
		return fmt.Errorf("engine: make data directory: %w", err)
	}
	lock, err := lockDir(dir, 5*time.Second)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.unlock()) }()
	l, err := e.listen(dir, lock)
	if err != nil {
		return err
	}
	defer l.Close() // ends nothing that matters: the child is gone
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() { e.watchDisk(ctx, dir) })
	start, err := e.starter(dir, l, lock)
	if err != nil {
		return err
	}
	return e.supervise(ctx, start)
}

// listen makes the passwords and the socket, and tells others of them.
func (e *Engine) listen(dir string, lock *dirLock) (*net.TCPListener, error) {
	full, err := password(filepath.Join(dir, passwordName))
	if err != nil {
		return nil, err
	}
	read, err := password(filepath.Join(dir, readPasswordName))
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", e.cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("engine: listen on %s: %w", e.cfg.Listen, err)
	}
	addr := *l.Addr().(*net.TCPAddr) // a copy: the listener keeps its own
	if addr.IP.IsUnspecified() {     // every interface is no address to call
		addr.IP = net.IPv4(127, 0, 0, 1)
	}
	e.update(func() {
		e.state, e.addr = StateStarting, addr.String()
		e.full, e.read = credentials{e.cfg.User, full}, credentials{e.cfg.ReadUser, read}
	})
	owner := Owner{PID: os.Getpid(), Version: programVersion(), Addr: addr.String(), User: e.cfg.User, ReadUser: e.cfg.ReadUser, Database: e.cfg.Database, Since: e.now()}
	if err := lock.write(owner); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l.(*net.TCPListener), nil
}

func programVersion() string {
	if bi, ok := debug.ReadBuildInfo(); ok && bi.Main.Version != "" {
		return bi.Main.Version
	}
	return "unknown"
}

// password reads the password in path, or makes one of 128 random bits that
// only the owner can read. An empty file is one that a full disk or a crash kept from
// being written: nobody has that password.
func password(path string) (string, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(b) == 0 {
		b = []byte(randomHex(16))
		err = replaceFile(path, string(b))
	}
	if err != nil {
		return "", fmt.Errorf("engine: password file: %w", err)
	}
	p := strings.TrimSpace(string(b))
	if len(p) < 8 {
		return "", fmt.Errorf("engine: password file %s: shorter than 8 characters", path)
	}
	return p, nil
}

func dsn(addr string, c credentials, database string) string {
	u := url.URL{Scheme: "http", User: url.UserPassword(c.Name, c.Password), Host: addr, Path: "/" + database}
	return u.String()
}

// DSN is the address of the engine for clickhouse-go's ParseDSN:
// http://user:password@host:port/database. It is empty before [Engine.Run]
// listens and does not change over restarts.
func (e *Engine) DSN() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.addr == "" {
		return ""
	}
	return dsn(e.addr, e.full, e.cfg.Database)
}

// ReadDSN is [Engine.DSN] for the read-only user.
func (e *Engine) ReadDSN() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.addr == "" {
		return ""
	}
	return dsn(e.addr, e.read, e.cfg.Database)
}

// Addr is host:port of the HTTP interface, or empty before it listens.
func (e *Engine) Addr() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.addr
}

// Password returns the full user's password, or empty before [Engine.Run].
func (e *Engine) Password() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.full.Password
}

// State returns where the engine is in its life.
func (e *Engine) State() State {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

// Ready reports whether the engine answers.
func (e *Engine) Ready() bool { return e.State() == StateReady }

// Err returns why the engine is not ready, or nil. In [StateFailed] it wraps
// [ErrCrashLoop].
func (e *Engine) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// Disk returns whether the data directory's disk has room.
func (e *Engine) Disk() DiskState {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.disk
}

// DiskUsed returns the used share of the data directory's disk, and false while it is
// not known.
func (e *Engine) DiskUsed() (share float64, known bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return max(0, e.used), e.used >= 0
}

// ChildPID returns the process that holds the engine, or 0 while there is
// none.
func (e *Engine) ChildPID() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pid
}

// Restarts counts the times the engine came back after a crash.
func (e *Engine) Restarts() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.restarts
}

// Version returns ClickHouse's version, for example 26.7.2.1, or empty before
// the engine was ready.
func (e *Engine) Version() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.info.ClickHouse
}

// WaitReady returns nil once the engine answers, or the reason once [Engine.Run]
// has returned, or ctx's error with the reason known so far.
func (e *Engine) WaitReady(ctx context.Context) error {
	return e.wait(ctx, "ready", func() bool { return e.state == StateReady })
}

// WaitAddress returns nil once the address, and so the DSN, is known, which is
// before the engine answers; otherwise what [Engine.WaitReady] returns.
func (e *Engine) WaitAddress(ctx context.Context) error {
	return e.wait(ctx, "listening", func() bool { return e.addr != "" })
}

func (e *Engine) wait(ctx context.Context, until string, reached func() bool) error {
	for {
		e.mu.Lock()
		state, err, ended, changed := e.state, e.err, e.ended, e.changed
		done := reached()
		e.mu.Unlock()
		switch {
		case done && !ended:
			return nil
		case ended && err == nil:
			return errors.New("engine: stopped")
		case ended:
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("engine: wait until %s (%s): %w", until, state, ctx.Err()), err)
		}
	}
}

// update changes the engine's state and wakes those who wait for it.
func (e *Engine) update(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
	close(e.changed)
	e.changed = make(chan struct{})
}

// watchDisk looks at the disk until ctx ends. A look that fails leaves the
// state unknown rather than ok.
func (e *Engine) watchDisk(ctx context.Context, dir string) {
	t := time.NewTicker(e.cfg.DiskInterval)
	defer t.Stop()
	for {
		used, err := e.diskUse(dir)
		next := DiskUnknown
		if err == nil {
			next = e.Disk().next(used, e.cfg.DiskLimit)
		}
		e.measured(used, err)
		if old := e.Disk(); old != next {
			e.update(func() { e.disk = next })
			if next != DiskOK || old == DiskFull {
				e.log.Warn("engine disk", "state", next.String(), "used", used, "limit", e.cfg.DiskLimit, "dir", dir, "err", err)
			}
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// measured remembers the used share of the disk, unless it could not be looked at.
func (e *Engine) measured(used float64, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.used = used; err != nil {
		e.used = -1
	}
}
