// Package during runs a command while something that was started for it runs: a
// Kafka, a ClickHouse. Only commands of testenv import it.
package during

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// patience is how long a command that was told to end may take to.
const patience = time.Minute

// Run runs a command with one more variable of the environment ("NAME=value") and
// returns its exit code, which is 1 where it did not start or was killed, as stderr
// then says. When ctx is done the command is told to end.
func Run(ctx context.Context, args []string, variable string, stdout, stderr io.Writer) int {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), variable)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, stdout, stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exit.ExitCode()
	}
	fmt.Fprintf(stderr, "run %s: %v\n", args[0], err)
	return 1
}
