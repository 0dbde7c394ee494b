package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/address"
)

// TestStopOfTheWholeGroup hangs up the service, which it outlives, and stops it as systemd, timeout or a shell do: every
// process of it gets SIGTERM, the embedded ClickHouse too. It ends in order.
func TestStopOfTheWholeGroup(t *testing.T) {
	if _, err := engine.FindLibrary("", ""); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	web, err := address.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = web.Release() }) // the test is over
	dir := t.TempDir()
	config := "data_dir: data\nweb: {listen: \"" + web.Addr + "\"}\nkafka: {embedded: {listen: \"127.0.0.1:0\"}}\njoin: {interval: 10ms}\n"
	if err := os.WriteFile(filepath.Join(dir, "plumbline.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	says := func() string {
		lines, err := os.ReadFile(log.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(lines)
	}
	service := exec.Command("plumbline", "serve")
	service.Dir, service.Stderr = dir, log
	service.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Process.Kill() }) // it has ended, unless the test failed
	ended := make(chan error, 1)
	go func() { ended <- service.Wait() }()
	awaitReady(t, web.Addr, ended)
	if err := syscall.Kill(-service.Process.Pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	// It reads the rules again, and goes on.
	deadline := time.Now().Add(patience)
	for !strings.Contains(says(), "SIGHUP: the rule files were read again") {
		if time.Now().After(deadline) {
			t.Fatalf("hung up %s ago, the service says:\n%s", patience, says())
		}
		awaitReady(t, web.Addr, ended)
	}
	if err := syscall.Kill(-service.Process.Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err = <-ended:
	case <-time.After(patience):
		t.Fatalf("the service runs after %s", patience)
	}
	if err != nil {
		t.Errorf("the service ended with: %v", err)
	}
	if lines := says(); strings.Contains(lines, "level=ERROR") || strings.Contains(lines, "crashes=") || !strings.Contains(lines, "msg=stopped took=") {
		t.Errorf("the service says:\n%s", lines)
	}
}

// awaitReady returns when the service at an address is ready.
func awaitReady(t *testing.T, addr string, ended <-chan error) {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		if resp, err := http.Get("http://" + addr + "/-/ready"); err == nil {
			_ = resp.Body.Close() // read no further
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case err := <-ended:
			t.Fatalf("the service ended before it was ready: %v", err)
		case <-deadline:
			t.Fatalf("not ready after %s", patience)
		case <-tick.C:
		}
	}
}
