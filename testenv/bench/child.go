package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// roleVariable tells a child of a benchmark command which role it plays.
const roleVariable = "PLUMBLINE_BENCH_ROLE"

// settingsVariable carries the role's settings as JSON.
const settingsVariable = "PLUMBLINE_BENCH_SETTINGS"

// Role is what a child does with its settings. It prints lines for its parent
// and returns when stdin ends.
type Role func(ctx context.Context, settings []byte) error

// RunRoleIfRequested plays the role that the parent asked this process for and
// exits; in a process that is no such child it does nothing. A command calls it
// first.
func RunRoleIfRequested(roles map[string]Role) {
	name := os.Getenv(roleVariable)
	if name == "" {
		return
	}
	role, ok := roles[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "bench: no role is named %q\n", name)
		os.Exit(2)
	}
	if err := role(context.Background(), []byte(os.Getenv(settingsVariable))); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %s: %s\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// WaitForParent blocks until the parent closes stdin or is gone.
func WaitForParent() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// Child is a process that plays one role, so that its CPU time and memory are
// its own.
type Child struct {
	cmd   *exec.Cmd
	in    io.Closer
	lines *bufio.Reader
}

// Spawn starts this program again in a role. env is added to the environment.
func Spawn(ctx context.Context, role string, settings any, env ...string) (*Child, error) {
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(append(os.Environ(), env...), roleVariable+"="+role, settingsVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	return &Child{cmd: cmd, in: in, lines: bufio.NewReader(out)}, nil
}

// PID returns the process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Line waits for the next line that the child prints.
func (c *Child) Line() (string, error) {
	line, err := c.lines.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s said nothing more: %w", c.cmd.Env[len(c.cmd.Env)-2], err)
	}
	return strings.TrimSpace(line), nil
}

// Close ends the child and waits for it.
func (c *Child) Close() error { return errors.Join(c.in.Close(), c.cmd.Wait()) }
