//go:build unix

package engine

import (
	"fmt"
	"syscall"
)

// DiskState says whether the data directory's disk has room.
type DiskState uint8

// The states of the disk. DiskFull means: write no more raw rows, so that
// rollups still fit.
const (
	DiskUnknown DiskState = iota
	DiskOK
	DiskFull
)

// String returns the state in lower case.
func (d DiskState) String() string {
	switch d {
	case DiskOK:
		return "ok"
	case DiskFull:
		return "full"
	}
	return "unknown"
}

// diskHysteresis is how far, as a share of the disk, use must fall below the
// limit before a full disk is called ok again.
const diskHysteresis = 0.03

// next judges the used share of the disk.
func (d DiskState) next(used, limit float64) DiskState {
	if used > limit || d == DiskFull && used > limit-diskHysteresis {
		return DiskFull
	}
	return DiskOK
}

// diskUsed returns the used share of path's disk, in [0, 1], as df counts it:
// what is reserved for root is not free.
func diskUsed(path string) (float64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("engine: look at the disk of %s: %w", path, err)
	}
	used := float64(st.Blocks - st.Bfree)
	total := used + float64(st.Bavail)
	if total == 0 {
		return 0, nil
	}
	return used / total, nil
}
