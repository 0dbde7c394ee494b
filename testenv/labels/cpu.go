package labels

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// clockTick is the unit of CPU time in Linux's /proc, in seconds.
const clockTick = 0.01

// cpu is the CPU time of processes in seconds.
func cpu(pids ...int) (float64, error) {
	sum := 0.0
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
		}
		// The name of the process stands in brackets and may have spaces.
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		for _, f := range fields[11:13] { // utime and stime
			ticks, err := strconv.ParseFloat(f, 64)
			if err != nil {
				return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
			}
			sum += ticks * clockTick
		}
	}
	return sum, nil
}
