//go:build unix

package speech

import (
	"os/exec"
	"syscall"
)

// asGroup has a program and all that it starts ended together.
func asGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
