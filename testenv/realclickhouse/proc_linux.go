package realclickhouse

import "syscall"

// ownGroup keeps the terminal's interrupt, which is for the tests, from the
// server, and lets the kernel end the server if the tests are killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
