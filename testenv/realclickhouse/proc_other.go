//go:build unix && !linux

package realclickhouse

import "syscall"

// ownGroup keeps the terminal's interrupt, which is for the tests, from the
// server.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
