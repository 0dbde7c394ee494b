package realkafka

import "syscall"

// ownGroup keeps the terminal's interrupt, which is for the tests, from the
// broker, and lets the kernel end the broker if the tests are killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
