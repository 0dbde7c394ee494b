package app_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
)

// A second service on the same directory is refused before it opens anything there: an
// embedded Kafka that is opened twice loses what the first one commits from then on.
func TestTwoServicesOnOneDirectory(t *testing.T) {
	w := newWorld(t)
	first := w.serve(t)
	log := filepath.Join(w.dir, "data", "kafka", "groups.log")
	before, err := os.Stat(log)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*app.Config){
		"all embedded":       func(*app.Config) {},
		"a Kafka of its own": func(c *app.Config) { c.Kafka.Brokers = first.Brokers() },
		"another data_dir, but one": func(c *app.Config) {
			c.DataDir, c.Alerting.DataDir = t.TempDir(), filepath.Join(w.dir, "data", "alerting")
		},
	} {
		cfg, err := app.Load(filepath.Join(w.dir, "plumbline.yml"))
		if err != nil {
			t.Fatal(err)
		}
		change(&cfg)
		second, err := app.New(cfg, logger())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := withPatience(t)
		err = second.Run(ctx)
		cancel()
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("is in use by process %d: stop that service, or give this one a data_dir of its own", os.Getpid())) {
			t.Errorf("%s: %v", name, err)
		}
	}
	after, err := os.Stat(log)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("the second service has put another groups.log in the place of the first one's")
	}
	// What is left behind by a service that has ended is nobody's.
	first.stop()
	w.serve(t)
}

func TestToldToStopWhileStarting(t *testing.T) {
	w := newWorld(t)
	cfg, err := app.Load(filepath.Join(w.dir, "plumbline.yml"))
	if err != nil {
		t.Fatal(err)
	}
	built, err := app.New(cfg, logger())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := built.Run(ctx); err != nil {
		t.Errorf("a start that was told to stop ended with: %v", err)
	}
}
