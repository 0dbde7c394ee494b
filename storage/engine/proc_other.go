//go:build unix && !linux

package engine

import "os/exec"

// killWithParent cannot be had here: only Linux tells a child of its parent's
// death. A clickhouse binary that outlives a killed parent must be stopped by
// hand.
func killWithParent(*exec.Cmd) {}
