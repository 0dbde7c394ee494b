package realkafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// copyJars is the goal of Maven that copies dependencies, with its version.
const copyJars = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

// jars returns the folder of the jars of cfg.Version. It fetches them the first
// time; the folder appears only when all of them are there.
func jars(ctx context.Context, cfg Config, maven string) (string, error) {
	dir := filepath.Join(cfg.CacheDir, cfg.Version)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if maven == "" {
		return "", fmt.Errorf("%w: mvn is missing, and Apache Kafka %s is not in %s; install your distribution's package maven", ErrUnavailable, cfg.Version, cfg.CacheDir)
	}
	if err := os.MkdirAll(cfg.CacheDir, 0o755); err != nil {
		return "", fmt.Errorf("cache of Apache Kafka: %w", err)
	}
	work, err := os.MkdirTemp(cfg.CacheDir, "fetching-")
	if err != nil {
		return "", fmt.Errorf("cache of Apache Kafka: %w", err)
	}
	fetched := filepath.Join(work, "jars")
	err = fetch(ctx, cfg.Version, maven, work, fetched)
	if err == nil {
		err = os.Rename(fetched, dir)
	}
	if err != nil {
		// Another process that was faster leaves the same files.
		if _, missing := os.Stat(dir); missing == nil {
			err = nil
		}
	}
	return dir, errors.Join(err, os.RemoveAll(work))
}

func fetch(ctx context.Context, version, maven, work, to string) error {
	project := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(project, pom, 0o600); err != nil {
		return fmt.Errorf("fetch Apache Kafka: %w", err)
	}
	cmd := exec.CommandContext(ctx, maven, "--batch-mode", "--quiet", "--strict-checksums", "--file", project,
		"-Dkafka.version="+version, "-DincludeScope=runtime", "-DoutputDirectory="+to, copyJars)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("fetch Apache Kafka %s with mvn: %w\n%s", version, errors.Join(err, ctx.Err()), tail(out.Bytes()))
	}
	return nil
}

var pomVersion = regexp.MustCompile(`<kafka\.version>([^<]+)</kafka\.version>`)

// pinned returns the version that pom.xml names.
func pinned() string {
	if m := pomVersion.FindSubmatch(pom); m != nil {
		return string(m[1])
	}
	return ""
}
