package engine_test

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/plumbline-slo/plumbline/storage/engine"
)

func TestMain(m *testing.M) {
	engine.RunChildIfRequested()
	if dir := os.Getenv(parentEnv); dir != "" {
		runParent(dir)
	}
	if os.Getenv(binaryEnv) != "" {
		fakeServer(os.Args)
	}
	os.Exit(m.Run())
}

// instance is an engine that runs for a test.
type instance struct {
	*engine.Engine
	cfg  engine.Config
	stop func() // may be called early
}

// start runs an engine for the test and waits until it is ready. Without the
// library it skips, or fails under CI, where the library is installed.
func start(t *testing.T, change func(*engine.Config)) *instance {
	t.Helper()
	cfg := engine.DefaultConfig()
	cfg.DataDir = t.TempDir()
	if change != nil {
		change(&cfg)
	}
	needLibrary(t, cfg)
	return run(t, cfg)
}

// reopen stops the engine and runs another one on its data.
func (i *instance) reopen(t *testing.T) *instance {
	t.Helper()
	i.stop()
	return run(t, i.cfg)
}

func needLibrary(t testing.TB, cfg engine.Config) {
	t.Helper()
	if _, err := engine.FindLibrary(cfg.LibraryPath, cfg.LibraryCache); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// run runs an engine, ends it with the test, and waits until it is ready.
func run(t testing.TB, cfg engine.Config) *instance {
	t.Helper()
	e := engine.New(cfg, testLog(t))
	return &instance{Engine: e, cfg: cfg, stop: runEngine(t, e)}
}

// runEngine is run for an engine that is made already.
func runEngine(t testing.TB, e *engine.Engine) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	waitCtx, cancelWait := context.WithTimeout(ctx, 5*time.Minute)
	defer cancelWait()
	if err := e.WaitReady(waitCtx); err != nil {
		t.Fatal(err)
	}
	return stop
}

func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(p))
	return len(p), nil
}

// open connects clickhouse-go to the engine.
func open(t testing.TB, dsn string, change func(*clickhouse.Options)) clickhouse.Conn {
	t.Helper()
	opt, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(opt)
	}
	c, err := clickhouse.Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func exec(t testing.TB, c clickhouse.Conn, sql string) {
	t.Helper()
	if err := c.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}
