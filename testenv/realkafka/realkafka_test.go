package realkafka_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/testenv/realkafka"
)

// machine returns a configuration whose java and mvn are the given scripts; an
// empty one is missing.
func machine(t *testing.T, java, maven string) realkafka.Config {
	t.Helper()
	cfg, err := realkafka.DefaultConfig()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	cfg.CacheDir = filepath.Join(dir, "cache")
	cfg.Java, cfg.Maven = script(t, dir, "java", java), script(t, dir, "mvn", maven)
	return cfg
}

func script(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if text == "" {
		return file
	}
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

// fetches is an mvn that makes the folder it is told to fill.
const fetches = `for a; do case "$a" in -DoutputDirectory=*) mkdir "${a#*=}";; esac; done`

func TestMissingProgramsAreAReasonToSkip(t *testing.T) {
	for want, cfg := range map[string]realkafka.Config{
		"java is missing": machine(t, "", fetches),
		"mvn is missing":  machine(t, "exit 0", ""),
	} {
		k, err := realkafka.Start(t.Context(), cfg)
		if err == nil {
			_ = k.Close()
			t.Fatalf("%s, and Kafka started", want)
		}
		if !errors.Is(err, realkafka.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want ErrUnavailable with %q", err, want)
		}
	}
}

// A broker that ends, a format or a download that is refused: the error holds
// what the program said, is no reason to skip, and nothing stays behind.
func TestFailuresTellWhatWasSaid(t *testing.T) {
	for name, c := range map[string]struct{ java, maven, want string }{
		"broker": {`case "$*" in *StorageTool*) ;; *) echo no space left; exit 1;; esac`, fetches, "no space left"},
		"format": {`echo bad cluster; exit 1`, fetches, "bad cluster"},
		"maven":  {`exit 0`, `echo checksum differs; exit 1`, "checksum differs"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := machine(t, c.java, c.maven)
			k, err := realkafka.Start(t.Context(), cfg)
			if err == nil {
				_ = k.Close()
				t.Fatal("Kafka started")
			}
			if errors.Is(err, realkafka.ErrUnavailable) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want what the program said: %q", err, c.want)
			}
			left, err := filepath.Glob(filepath.Join(os.TempDir(), "plumbline-kafka-*"))
			if err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
			if name != "maven" {
				return
			}
			if left, err := os.ReadDir(cfg.CacheDir); err != nil || len(left) != 0 {
				t.Errorf("left in the cache: %v, %v", left, err)
			}
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	for want, change := range map[string]func(*realkafka.Config){
		"version":       func(c *realkafka.Config) { c.Version = "../4" },
		"cache_dir":     func(c *realkafka.Config) { c.CacheDir = "" },
		"heap_mib":      func(c *realkafka.Config) { c.HeapMiB = 1 },
		"start_timeout": func(c *realkafka.Config) { c.StartTimeout = 0 },
		"java":          func(c *realkafka.Config) { c.Java = "" },
	} {
		cfg, err := realkafka.DefaultConfig()
		if err != nil {
			t.Fatal(err)
		}
		if err := cfg.Validate(); err != nil {
			t.Fatalf("the default: %v", err)
		}
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error that names %s", err, want)
		}
	}
}
