//go:build unix && !linux

package realkafka

import "syscall"

// ownGroup keeps the terminal's interrupt, which is for the tests, from the
// broker.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
