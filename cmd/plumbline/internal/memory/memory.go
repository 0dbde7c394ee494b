// Package memory reads how much memory processes hold, as Linux counts it. It
// imports nothing of ours.
package memory

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// ErrUnsupported is returned where the system does not count as Linux does.
var ErrUnsupported = errors.New("memory: only Linux tells what a process holds")

// Peak returns the sum of the largest resident sizes that the processes had, in
// megabytes: an upper bound of what they held together. A pid of 0 counts
// nothing: that part runs elsewhere.
func Peak(pids ...int) (float64, error) { return sum("VmHWM", pids) }

// Resident returns what the processes hold now, in megabytes, as the sum of
// their resident sizes; shared pages count once a process. A pid of 0 counts
// nothing.
func Resident(pids ...int) (float64, error) { return sum("VmRSS", pids) }

func sum(field string, pids []int) (float64, error) {
	if runtime.GOOS != "linux" {
		return 0, ErrUnsupported
	}
	var total float64
	for _, pid := range pids {
		if pid == 0 {
			continue
		}
		kilobytes, err := status(pid, field)
		if err != nil {
			return 0, err
		}
		total += kilobytes / 1024
	}
	return total, nil
}

// status reads one field of /proc/PID/status, in kilobytes.
func status(pid int, field string) (float64, error) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), field+":"); ok {
			kilobytes, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			if err != nil {
				return 0, fmt.Errorf("read memory of process %d: %w", pid, err)
			}
			return kilobytes, nil
		}
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	return 0, fmt.Errorf("read memory of process %d: %s has no %s", pid, path, field)
}
