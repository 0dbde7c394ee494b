package ingest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

// childVariable carries a childConfig to a child process that runs an
// Ingester, so that a test can kill it.
const childVariable = "PLUMBLINE_TEST_INGEST_CHILD"

type childConfig struct {
	DSN, Database string
	Window        int
	Ingest        ingest.Config
}

func runChild() int {
	var c childConfig
	if err := json.Unmarshal([]byte(os.Getenv(childVariable)), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	cfg := storage.DefaultConfig()
	cfg.DSN, cfg.Database, cfg.DedupWindow = c.DSN, c.Database, c.Window
	db, err := storage.New(cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	i, err := ingest.New(c.Ingest, ingest.Dependencies{DB: db, Logger: logger()})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := i.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func startChild(t *testing.T, c childConfig) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// atLeast polls until a query returns n or more.
func atLeast(t *testing.T, env *testenv.Env, query string, n uint64) {
	t.Helper()
	deadline := time.After(5 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for count(t, env, query) < n {
		select {
		case <-deadline:
			t.Fatalf("%s stays below %d", query, n)
		case <-tick.C:
		}
	}
}

// TestKilledProcess kills real processes with SIGKILL in the middle of their
// batches, with a deduplication window too small to help.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	child, env, cfg := withChildren(t, 5)
	want := produce(t, env, cfg, options(30, 3000))
	for kill := range uint64(2) {
		cmd := startChild(t, child)
		atLeast(t, env, storedRows, 200+600*kill)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
	}
	startChild(t, child)
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	check(t, env, want, everything(time.Now()))
}

// TestStoppedProcess stops a process for longer than its session while another
// takes over. When it goes on, it may send one statement that it was about to
// send: ClickHouse refuses it, for the session it is in was closed.
func TestStoppedProcess(t *testing.T) {
	t.Parallel()
	child, env, cfg := withChildren(t, 5)
	want := produce(t, env, cfg, options(31, 4000))
	zombie := startChild(t, child)
	atLeast(t, env, storedRows, 500)
	if err := zombie.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	startChild(t, child)
	atLeast(t, env, storedRows, count(t, env, storedRows)+600)
	if err := zombie.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	until(t, env, committedEvents, uint64(want.Predictions+want.Dead+want.Labels))
	check(t, env, want, everything(time.Now()))
}

const storedRows = "SELECT count() FROM predictions"

func withChildren(t *testing.T, window int) (childConfig, *testenv.Env, ingest.Config) {
	t.Helper()
	if testing.Short() {
		t.Skip("waits for sessions to expire")
	}
	env := testenv.Start(t, testenv.Setup{Kafka: true, Storage: func(c *storage.Config) { c.DedupWindow = window }})
	cfg := testConfig(env)
	cfg.FlushRows = 40
	if env.Broker != nil { // a real Kafka takes no sessions as short
		cfg.SessionTimeout = 2 * time.Second
	}
	if err := ingest.EnsureTopics(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	return childConfig{env.DSN, env.DB.Database(), window, cfg}, env, cfg
}
