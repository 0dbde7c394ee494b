package engine

import (
	"os/exec"
	"syscall"
)

// killWithParent has the kernel end cmd when this process dies, however that
// happens.
func killWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
