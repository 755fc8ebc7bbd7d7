//go:build unix

package workload

import (
	"os"
	"os/exec"
	"syscall"
)

// detach makes the command outlive its parent and the parent's terminal.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
}

func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }
