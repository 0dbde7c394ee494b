package engine

import (
	"os/exec"
	"syscall"
)

// killWithParent has the kernel end cmd when this process dies, however that
// happens.
func killWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}
