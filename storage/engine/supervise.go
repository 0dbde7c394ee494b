//go:build unix

package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// ErrCrashLoop is wrapped by [Engine.Err] and given to Config.OnCrashLoop
// when the engine crashed five times within five minutes.
var ErrCrashLoop = errors.New("the ClickHouse engine crashed 5 times within 5 minutes")

const (
	crashLimit  = 5
	crashWindow = 5 * time.Minute
)

// backoff is the wait before the restart after the nth crash within the
// window: 0.1 s, fourfold each time, at most 30 s.
func backoff(crashes int) time.Duration {
	d := 100 * time.Millisecond
	for range crashes - 1 {
		if d *= 4; d > 30*time.Second {
			return 30 * time.Second
		}
	}
	return d
}

// process is a started child.
type process struct {
	pid    int
	ready  <-chan childReady // one value, or closed without one
	exit   <-chan error      // one value: why it ended
	stop   func()            // asks it to end
	kill   func()
	forget func() // frees what watches the start
	lines  *tail  // the end of what it wrote
}

// starter starts a child, when the last one has ended.
type starter func() (*process, error)

// startError is a start that the child itself reported to be impossible.
type startError struct{ reason string }

func (e *startError) Error() string { return "engine: start: " + e.reason }

// supervise starts the child and restarts it when it ends, until ctx does.
func (e *Engine) supervise(ctx context.Context, start starter) error {
	var crashes []time.Time
	wasReady := false
	for {
		ready, err := e.live(ctx, start)
		wasReady = wasReady || ready
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the child was told to end, whatever it said last
		}
		if !wasReady && isStartError(err) {
			return err
		}
		crashes = append(recent(crashes, e.now()), e.now())
		state, why := StateRestarting, err
		if len(crashes) >= crashLimit {
			state, why = StateFailed, fmt.Errorf("%w; the last time: %w", ErrCrashLoop, err)
		}
		e.update(func() { e.state, e.err, e.pid = state, why, 0 })
		wait := e.backoff(len(crashes))
		e.log.Error("engine ended", "err", err, "crashes", len(crashes), "restart_in", wait)
		if state == StateFailed && e.cfg.OnCrashLoop != nil {
			e.cfg.OnCrashLoop(why)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

func isStartError(err error) bool {
	var s *startError
	return errors.As(err, &s)
}

// recent drops the crashes that are older than the window.
func recent(crashes []time.Time, now time.Time) []time.Time {
	for len(crashes) > 0 && now.Sub(crashes[0]) > crashWindow {
		crashes = crashes[1:]
	}
	return crashes
}

// live is the life of one child. It reports whether the child got ready, and
// why it ended.
func (e *Engine) live(ctx context.Context, start starter) (wasReady bool, err error) {
	p, err := start()
	if err != nil {
		return false, &startError{err.Error()}
	}
	defer p.forget()
	e.update(func() { e.pid = p.pid })
	ready, late := p.ready, time.NewTimer(e.cfg.StartTimeout)
	defer late.Stop()
	for {
		select {
		case info, ok := <-ready:
			ready = nil
			if ok && info.Error != "" {
				p.stop()
				<-p.exit // its report says more than its exit
				return false, &startError{info.Error + p.lines.suffix()}
			}
			if ok {
				late.Stop()
				e.becomeReady(info)
				wasReady = true
			}
		case <-late.C:
			p.kill()
			<-p.exit // it was killed
			return false, fmt.Errorf("engine: not ready after %v%s", e.cfg.StartTimeout, p.lines.suffix())
		case err := <-p.exit:
			return wasReady, fmt.Errorf("engine: process %d ended: %w%s", p.pid, err, p.lines.suffix())
		case <-ctx.Done():
			e.end(p)
			return wasReady, nil
		}
	}
}

func (e *Engine) becomeReady(info childReady) {
	e.update(func() {
		if e.state != StateStarting {
			e.restarts++
		}
		e.state, e.err, e.info = StateReady, nil, info
	})
	e.log.Info("engine ready", "clickhouse", info.ClickHouse, "library", info.Library, "addr", e.Addr(), "backup", info.Backup)
}

// end asks the child to end and makes it, if it takes too long.
func (e *Engine) end(p *process) {
	p.stop()
	select {
	case <-p.exit: // it was told to end, however it did
	case <-time.After(e.cfg.StopTimeout + 5*time.Second):
		p.kill()
		<-p.exit // it was killed
	}
}

// starter finds what can run: the library in a child of this binary, or else
// a clickhouse binary.
func (e *Engine) starter(dir string, l *net.TCPListener, lock *dirLock) (starter, error) {
	lib, err := FindLibrary(e.cfg.LibraryPath, e.cfg.LibraryCache)
	if err == nil {
		lib, err = filepath.Abs(lib)
	}
	if err != nil {
		binary, lookErr := exec.LookPath("clickhouse")
		if lookErr != nil {
			return nil, e.prepareInstall(err)
		}
		e.log.Warn("engine: no library, a clickhouse binary serves", "binary", binary, "err", err)
		return e.binaryStarter(dir, binary, l), nil
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("engine: find own binary: %w", err)
	}
	socket, err := l.File()
	if err != nil {
		return nil, fmt.Errorf("engine: pass listener to the child: %w", err)
	}
	return func() (*process, error) { return e.startChild(exe, dir, lib, socket, lock) }, nil
}

// prepareInstall makes the command in the error of a missing library work.
func (e *Engine) prepareInstall(missing error) error {
	cache := e.cfg.LibraryCache
	var noCache error // missing says it, too
	if cache == "" {
		cache, noCache = CacheDir()
	}
	if !LibrarySupported() || noCache != nil {
		return fmt.Errorf("engine: %w", missing)
	}
	return errors.Join(fmt.Errorf("engine: %w", missing), InstallFiles(cache))
}

// startChild starts this binary as the engine's child.
func (e *Engine) startChild(exe, dir, lib string, socket *os.File, lock *dirLock) (*process, error) {
	host, _, err := net.SplitHostPort(e.addr) // which we call it by ourselves
	if err != nil {
		return nil, fmt.Errorf("configure the child: %w", err)
	}
	cfg := childConfig{
		Library: lib, DataDir: dir, Database: e.cfg.Database, AllowedHosts: append([]string{host}, e.cfg.AllowedHosts...),
		Full: e.full, Read: e.read, Analyst: e.cfg.Analyst, MaxQueries: e.cfg.MaxQueries,
		KeepBackups: e.cfg.KeepBackups, StopTimeout: e.cfg.StopTimeout, Native: e.native(),
	}
	line, err := json.Marshal(cfg)
	if err != nil {
		return nil, fmt.Errorf("configure the child: %w", err)
	}
	readyR, readyW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make ready pipe: %w", err)
	}
	cmd := exec.Command(exe, ChildCommand) //nolint:noctx // it ends with its standard input, orderly, not with a context
	cmd.Dir = filepath.Join(dir, runName)
	cmd.Env = childEnviron()
	cmd.ExtraFiles = []*os.File{socket, readyW, lock.file}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, errors.Join(err, readyR.Close(), readyW.Close())
	}
	readable := append(systemPaths(), exe, filepath.Dir(lib))
	writable := []string{"/dev/null", filepath.Join(dir, dataName), filepath.Join(dir, runName), filepath.Join(dir, backupsName)}
	p, err := e.launch(cmd, func() error { return restrictThread(readable, writable) })
	err = errors.Join(err, readyW.Close())
	if err != nil {
		return nil, errors.Join(err, readyR.Close())
	}
	p.stop = func() { _ = stdin.Close() } // closed already if the child is gone
	ready := make(chan childReady, 1)
	p.ready = ready
	go func() {
		defer close(ready)
		defer readyR.Close()
		if _, err := stdin.Write(append(line, '\n')); err != nil {
			return // the child is gone; its exit tells why
		}
		var info childReady
		if json.NewDecoder(readyR).Decode(&info) == nil {
			ready <- info
		}
	}()
	return p, nil
}

func (e *Engine) native() nativeConfig {
	return nativeConfig{
		MaxMemory: e.cfg.MaxMemory, MarkCache: e.cfg.MarkCache, MaxThreads: e.cfg.MaxThreads, BackgroundPool: e.cfg.BackgroundThreads,
	}
}

// childEnviron is what the child needs of the environment; secrets of the
// parent are not among it.
func childEnviron() []string {
	env := []string{childEnv + "=1", "TZ=UTC"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "GORACE"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// launch starts cmd from a thread that lives as long as the child: the kernel
// sends the parent-death signal when the thread that started it ends. restrict
// confines that thread, and so the child, before; the Go runtime starts no
// other thread from a locked one.
func (e *Engine) launch(cmd *exec.Cmd, restrict func() error) (*process, error) {
	killWithParent(cmd)
	lines := &tail{log: func(line string) { e.log.Warn("engine says", "line", line) }}
	cmd.Stdout, cmd.Stderr = lines, lines
	started, exit := make(chan error, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		err := restrict()
		if errors.Is(err, errNoSandbox) {
			e.log.Warn("engine runs without a sandbox", "reason", err)
			err = nil
		}
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err != nil {
			return
		}
		if err = cmd.Wait(); err == nil {
			err = errors.New("exit status 0")
		}
		exit <- err
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return &process{pid: cmd.Process.Pid, exit: exit, kill: func() { _ = cmd.Process.Kill() }, forget: func() {}, lines: lines}, nil
}

// tail passes lines on and keeps the last few.
type tail struct {
	mu   sync.Mutex
	part []byte
	last []string
	log  func(string)
}

var _ io.Writer = (*tail)(nil)

// Write takes output of the child.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.part = append(t.part, p...)
	for {
		n, line, err := bufio.ScanLines(t.part, false)
		if n == 0 || err != nil {
			break
		}
		if s := strings.TrimSpace(string(line)); s != "" {
			t.log(s)
			t.last = append(t.last, s)
			t.last = t.last[max(0, len(t.last)-10):]
		}
		t.part = t.part[n:]
	}
	if len(t.part) > 1<<16 {
		t.part = t.part[:0] // not a log; do not collect it
	}
	return len(p), nil
}

func (t *tail) suffix() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.last) == 0 {
		return ""
	}
	return ": " + strings.Join(t.last, " | ")
}
