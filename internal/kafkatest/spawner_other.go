//go:build !linux

package kafkatest

import "os/exec"

// spawner starts processes. Only Linux offers to end them with this process
// whatever happens; elsewhere the cleanup of a test does, if it gets to run.
type spawner struct{}

func newSpawner() *spawner { return &spawner{} }

func (*spawner) start(cmd *exec.Cmd) error { return cmd.Start() }

func (*spawner) close() {}
