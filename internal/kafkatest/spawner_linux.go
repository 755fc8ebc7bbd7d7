package kafkatest

import (
	"os/exec"
	"runtime"
	"syscall"
)

// spawner starts processes that die with this one, however it ends: a panic, a
// test timeout, SIGKILL.
//
// The kernel's parent death signal does that, but it is tied to the thread that
// forked, not to the process: a goroutine that forks from one of Go's threads
// has its child killed as soon as the runtime retires that thread. So one
// goroutine locks itself to a thread, never lets go, and does all the forking.
// The thread ends when the spawner is closed (the runtime ends a thread whose
// goroutine returns while locked to it), which kills what is left, or with the
// process.
type spawner struct {
	requests chan func()
}

func newSpawner() *spawner {
	s := &spawner{requests: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for fork := range s.requests {
			fork()
		}
	}()
	return s
}

// start starts cmd.
func (s *spawner) start(cmd *exec.Cmd) error {
	// A group of its own keeps a Ctrl-C at the terminal from stopping brokers
	// in the middle of a test's cleanup.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	done := make(chan error, 1)
	s.requests <- func() { done <- cmd.Start() }
	return <-done
}

func (s *spawner) close() { close(s.requests) }
