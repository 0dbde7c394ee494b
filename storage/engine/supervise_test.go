package engine_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/plumbline-slo/plumbline/storage/engine"
)

// retry inserts until the engine acknowledges, as ingest does.
func retry(t *testing.T, c clickhouse.Conn, first int) {
	t.Helper()
	stream := arrowStream(t, wideRows(t, first, 500))
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": fmt.Sprint("t/", first)}))
	eventually(t, "insert", func() bool {
		return c.InsertFormat(ctx, "ArrowStream", "INSERT INTO wide", bytes.NewReader(stream)) == nil
	})
}

func TestKilledChildComesBackWithEveryAcknowledgedBatch(t *testing.T) {
	e := start(t, nil)
	c := open(t, e.DSN(), nil)
	exec(t, c, wideTable)
	const kills, batches = 3, 30
	acked := make(chan int)
	go func() {
		defer close(acked)
		for i := range batches {
			retry(t, c, i*500)
			acked <- i
		}
	}()
	for i := range acked {
		if i%(batches/kills) == 5 {
			pid := e.ChildPID()
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			eventually(t, "a new child", func() bool { p := e.ChildPID(); return p != 0 && p != pid })
		}
	}
	if err := e.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	var rows, distinct uint64
	if err := c.QueryRow(t.Context(), "SELECT count(), uniqExact(id) FROM wide").Scan(&rows, &distinct); err != nil {
		t.Fatal(err)
	}
	if rows != batches*500 || distinct != rows {
		t.Errorf("%d rows, %d distinct, want %d of both", rows, distinct, batches*500)
	}
	if e.Restarts() != kills {
		t.Errorf("%d restarts, want %d", e.Restarts(), kills)
	}
}

func TestCrashLoop(t *testing.T) {
	reasons := make(chan error, 10)
	cfg := engine.DefaultConfig()
	cfg.DataDir = t.TempDir()
	cfg.OnCrashLoop = func(err error) { reasons <- err }
	needLibrary(t, cfg)
	e := engine.New(cfg, testLog(t))
	e.SetBackoff(100 * time.Millisecond)
	runEngine(t, e)
	for n := 1; n <= 5; n++ {
		if e.State() != engine.StateReady || len(reasons) != 0 {
			t.Fatalf("before crash %d: %v, %d alerts", n, e.State(), len(reasons))
		}
		pid := e.ChildPID()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "crash is seen", func() bool { return e.ChildPID() != pid })
		if n < 5 {
			eventually(t, "ready again", e.Ready)
		}
	}
	if err := <-reasons; !errors.Is(err, engine.ErrCrashLoop) {
		t.Errorf("reason: %v", err)
	}
	eventually(t, "ready after the loop", e.Ready)
	if e.Err() != nil {
		t.Errorf("ready with error %v", e.Err())
	}
}

func TestDiskWatch(t *testing.T) {
	cfg := engine.DefaultConfig()
	cfg.DataDir = t.TempDir()
	cfg.DiskInterval = time.Millisecond
	needLibrary(t, cfg)
	e := engine.New(cfg, testLog(t))
	var used atomic.Value
	used.Store(0.5)
	e.SetDiskUse(func(string) (float64, error) {
		if u := used.Load().(float64); u >= 0 {
			return u, nil
		}
		return 0, errors.New("no disk")
	})
	if e.Disk() != engine.DiskUnknown {
		t.Errorf("before Run: %v", e.Disk())
	}
	runEngine(t, e)
	for _, step := range []struct {
		used float64
		want engine.DiskState
	}{{0.5, engine.DiskOK}, {0.9, engine.DiskFull}, {0.5, engine.DiskOK}, {-1, engine.DiskUnknown}} {
		used.Store(step.used)
		eventually(t, "disk "+step.want.String(), func() bool {
			share, known := e.DiskUsed()
			return e.Disk() == step.want && known == (step.used >= 0) && share == max(0, step.used)
		})
	}
}

func TestSecondOwnerIsRefused(t *testing.T) {
	e := start(t, nil)
	second := engine.New(e.cfg, testLog(t))
	err := second.Run(t.Context())
	var held *engine.HeldError
	if !errors.As(err, &held) || held.Owner.PID != os.Getpid() || held.Owner.Addr != e.Addr() {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("the error does not tell who: %v", err)
	}
	if err := second.WaitReady(t.Context()); !errors.As(err, &held) {
		t.Errorf("WaitReady: %v", err)
	}
	// An editor ends the file with a newline, which is no part of the password.
	for name, password := range map[string]string{"password": e.Password(), "password.readonly": strings.Split(strings.Split(e.ReadDSN(), "@")[0], ":")[2]} {
		if err := os.WriteFile(filepath.Join(e.cfg.DataDir, name), []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dsn, err := engine.Discover(e.cfg.DataDir)
	if err != nil || dsn != e.DSN() {
		t.Errorf("Discover: %s, %v", dsn, err)
	}
	dsn, err = engine.DiscoverReader(e.cfg.DataDir)
	if err != nil || dsn != e.ReadDSN() {
		t.Errorf("DiscoverReader: %s, %v", dsn, err)
	}
	e.stop()
	for _, dir := range []string{e.cfg.DataDir, t.TempDir()} {
		if dsn, err := engine.Discover(dir); err == nil {
			t.Errorf("Discover found %s where no engine runs", dsn)
		}
	}
}

func TestPasswordAndDataSurvive(t *testing.T) {
	e := start(t, nil)
	password := e.Password()
	if len(password) != 32 {
		t.Errorf("password of %d characters", len(password))
	}
	c := open(t, e.DSN(), nil)
	exec(t, c, "CREATE TABLE t (a Int32) ENGINE MergeTree ORDER BY a")
	exec(t, c, "INSERT INTO t VALUES (1)")
	e = e.reopen(t)
	if e.Password() != password {
		t.Error("another password")
	}
	var n uint64
	if err := open(t, e.DSN(), nil).QueryRow(t.Context(), "SELECT count() FROM t").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
}

func TestUpgradeTakesABackup(t *testing.T) {
	e := start(t, nil)
	c := open(t, e.DSN(), nil)
	exec(t, c, "CREATE TABLE t (a Int32) ENGINE MergeTree ORDER BY a")
	exec(t, c, "INSERT INTO t VALUES (1)")
	dir := e.cfg.DataDir
	for _, old := range []string{"24.1.0", "25.1.0", "26.1.0"} {
		e.stop()
		if err := os.WriteFile(filepath.Join(dir, "run", "engine.version"), []byte(old+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		e = e.reopen(t)
	}
	e = e.reopen(t) // the same version: none
	e.stop()
	backups, err := os.ReadDir(filepath.Join(dir, "backups"))
	if err != nil || len(backups) != 2 {
		t.Fatalf("%v, %v", backups, err)
	}
	if !strings.HasSuffix(backups[1].Name(), "-26.1.0") {
		t.Errorf("newest backup is %s", backups[1].Name())
	}
	// A backup is a data directory.
	restored := e.cfg
	restored.DataDir = t.TempDir()
	if err := os.Rename(filepath.Join(dir, "backups", backups[1].Name()), filepath.Join(restored.DataDir, "data")); err != nil {
		t.Fatal(err)
	}
	r := run(t, restored)
	var n uint64
	if err := open(t, r.DSN(), nil).QueryRow(t.Context(), "SELECT count() FROM t").Scan(&n); err != nil || n != 1 {
		t.Errorf("restored: %d rows, %v", n, err)
	}
}

// parentEnv makes this test binary an owner of an engine that reports its
// child and then waits to be killed.
const parentEnv = "ENGINE_TEST_PARENT_DIR"

func runParent(dir string) {
	cfg := engine.DefaultConfig()
	cfg.DataDir = dir
	e := engine.New(cfg, slog.New(slog.DiscardHandler))
	go func() {
		if err := e.Run(context.Background()); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}()
	if err := e.WaitReady(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"pid": e.ChildPID(), "addr": e.Addr()})
	select {}
}

// TestChildLeavesSignalsToItsParent sends the child what systemd, a terminal or
// timeout send to the whole group: it answers until its parent ends it.
func TestChildLeavesSignalsToItsParent(t *testing.T) {
	e := start(t, nil)
	pid := e.ChildPID()
	child, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, e.DSN(), nil)
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		if err := child.Signal(sig); err != nil {
			t.Fatal(err)
		}
		exec(t, c, "SELECT 1")
	}
	e.stop()
	if n := e.Restarts(); n != 0 || processRuns(pid) {
		t.Errorf("%d restarts, the child runs: %v", n, processRuns(pid))
	}
}

func TestParentsDeathEndsTheChild(t *testing.T) {
	cfg := engine.DefaultConfig()
	needLibrary(t, cfg)
	cfg.DataDir = t.TempDir()
	cmd := osexec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), parentEnv+"="+cfg.DataDir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var child struct {
		PID  int
		Addr string
	}
	if err = errors.Join(err, json.Unmarshal(line, &child)); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	eventually(t, "child ends", func() bool { return !processRuns(child.PID) })
	eventually(t, "the address is free", func() bool {
		c, err := net.DialTimeout("tcp", child.Addr, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	run(t, cfg) // and the lock is free
}

// processRuns says whether pid exists and is more than a zombie.
func processRuns(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

func TestStopEndsTheChild(t *testing.T) {
	e := start(t, nil)
	pid := e.ChildPID()
	e.stop()
	if processRuns(pid) {
		t.Error("child runs after Run returned")
	}
	if e.State() != engine.StateStopped || e.ChildPID() != 0 {
		t.Errorf("state %v, child %d", e.State(), e.ChildPID())
	}
}

func TestChildSurvivesATerminalsInterrupt(t *testing.T) {
	e := start(t, nil)
	if err := syscall.Kill(e.ChildPID(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := open(t, e.DSN(), nil).Ping(t.Context()); err != nil || e.Restarts() != 0 {
		t.Errorf("%d restarts, %v", e.Restarts(), err)
	}
}

// TestCrashTellsWhere holds that the Go runtime has its signals back after
// the library took them: it prints where it was and exits with status 2.
func TestCrashTellsWhere(t *testing.T) {
	cfg := engine.DefaultConfig()
	cfg.DataDir = t.TempDir()
	needLibrary(t, cfg)
	e := engine.New(cfg, slog.New(slog.DiscardHandler))
	e.SetBackoff(time.Hour)
	runEngine(t, e)
	if err := open(t, e.DSN(), nil).Ping(t.Context()); err != nil { // a second connection must not take them again
		t.Fatal(err)
	}
	if err := syscall.Kill(e.ChildPID(), syscall.SIGSEGV); err != nil {
		t.Fatal(err)
	}
	eventually(t, "crash is seen", func() bool { return e.Err() != nil })
	if !strings.Contains(e.Err().Error(), "exit status 2") || !strings.Contains(e.Err().Error(), "rip ") {
		t.Errorf("got %v", e.Err())
	}
}

func TestMissingLibraryTellsTheCommand(t *testing.T) {
	cfg := engine.DefaultConfig()
	cfg.DataDir = t.TempDir()
	cfg.LibraryCache = t.TempDir()
	t.Setenv(engine.LibraryEnv, "")
	t.Setenv("PATH", t.TempDir())
	err := engine.New(cfg, testLog(t)).Run(t.Context())
	if !errors.Is(err, engine.ErrNoLibrary) || !strings.Contains(err.Error(), "npm ci --no-audit --no-fund --prefix "+cfg.LibraryCache) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(cfg.LibraryCache, "package-lock.json")); err != nil {
		t.Errorf("the command would not work: %v", err)
	}
	cfg.LibraryPath = filepath.Join(cfg.LibraryCache, "none.so")
	if err := engine.New(cfg, testLog(t)).Run(t.Context()); !errors.Is(err, engine.ErrNoLibrary) || !strings.Contains(err.Error(), "none.so") {
		t.Errorf("named library: got %v", err)
	}
}

// TestWithoutAHomeNoLibraryOfOthersIsLoaded has a library below the temporary
// directory, where any local user could put one.
func TestWithoutAHomeNoLibraryOfOthersIsLoaded(t *testing.T) {
	cfg := engine.DefaultConfig()
	cfg.DataDir = t.TempDir()
	tmp := t.TempDir()
	planted := filepath.Join(tmp, "plumbline", "engine", "node_modules", "@chdb", "lib-linux-x64-gnu")
	if err := os.MkdirAll(planted, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(planted, "libchdb.so"), []byte("not a library"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv(engine.LibraryEnv, "")
	t.Setenv("PATH", t.TempDir())
	err := engine.New(cfg, testLog(t)).Run(t.Context())
	if !errors.Is(err, engine.ErrNoLibrary) {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"/usr/local/lib/libchdb.so", filepath.Dir(os.Args[0]), "set " + engine.LibraryEnv, "XDG_CACHE_HOME", "HOME", "clickhouse.dsn"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
	if strings.Contains(err.Error(), planted) {
		t.Errorf("the temporary directory was searched: %v", err)
	}
	if _, err := os.Stat(filepath.Join(tmp, "plumbline", "engine", "package.json")); err == nil {
		t.Error("package files were written to the temporary directory")
	}
}

func TestWrongLibraryIsAnErrorAtOnce(t *testing.T) {
	cfg := engine.DefaultConfig()
	needLibrary(t, cfg)
	cfg.DataDir = t.TempDir()
	cfg.LibraryPath = filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(cfg.LibraryPath, []byte("not a library"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := engine.New(cfg, testLog(t)).Run(t.Context()); err == nil || !strings.Contains(err.Error(), cfg.LibraryPath) {
		t.Errorf("got %v", err)
	}
}

func TestInstallFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "er")
	if err := engine.InstallFiles(dir); err != nil {
		t.Fatal(err)
	}
	lock, err := os.ReadFile(filepath.Join(dir, "package-lock.json"))
	if err != nil || !bytes.Contains(lock, []byte(`"integrity": "sha512-`)) || bytes.Contains(lock, []byte("resolved")) {
		t.Errorf("lock: %v\n%s", err, lock)
	}
	if _, err := os.Stat(filepath.Join(dir, "package.json")); err != nil {
		t.Error(err)
	}
}

// binaryEnv makes this test binary behave as `clickhouse server`.
const binaryEnv = "ENGINE_TEST_CLICKHOUSE"

// fakeServer answers as much of the HTTP interface as a start needs, at the
// address and with the users of the generated configuration.
func fakeServer(args []string) {
	i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--config-file=") })
	conf, err := os.ReadFile(strings.TrimPrefix(args[i], "--config-file="))
	if err != nil {
		panic(err)
	}
	value := func(tag string) string {
		_, s, _ := strings.Cut(string(conf), "<"+tag+">")
		s, _, _ = strings.Cut(s, "<")
		return s
	}
	addr := net.JoinHostPort(value("listen_host"), value("http_port"))
	panic(http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "24.8.1.1")
	})))
}

func TestClickHouseBinaryServesWithoutLibrary(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\n" + binaryEnv + "=1 exec '" + os.Args[0] + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "clickhouse"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv(engine.LibraryEnv, "")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	cfg := engine.DefaultConfig()
	cfg.DataDir = t.TempDir()
	cfg.LibraryCache = t.TempDir()
	e := run(t, cfg)
	if e.Version() != "24.8.1.1" {
		t.Errorf("version %s", e.Version())
	}
	users, err := os.ReadFile(filepath.Join(cfg.DataDir, "run", "users.xml"))
	if err != nil || bytes.Contains(users, []byte(e.Password())) || !bytes.Contains(users, []byte("<analyst>")) {
		t.Errorf("users.xml: %v\n%s", err, users)
	}
	pid := e.ChildPID()
	e.stop()
	if processRuns(pid) {
		t.Error("the server runs after Run returned")
	}
}
