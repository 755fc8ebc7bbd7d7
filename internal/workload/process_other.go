//go:build !unix

package workload

import (
	"errors"
	"os"
	"os/exec"
)

func detach(*exec.Cmd) {}

func terminate(*os.Process) error {
	return errors.New("stopping a service cleanly needs SIGTERM, which this operating system does not have")
}
