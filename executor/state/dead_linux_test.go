package state_test

import (
	"os/exec"
	"testing"
	"time"

	"kplan/executor/state"
)

// A holder that ran where we run, and has ended, is not waited for.
func TestAcquireKnowsTheDead(t *testing.T) {
	if state.Space() == "" {
		t.Fatal("Linux tells where a process number means something")
	}
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	log := newPlainLog()
	before := &deaf{Log: log.Log}
	h := elsewhere("dead")
	h.PID, h.Space = cmd.Process.Pid, state.Space()
	acquire(t, onLog(before), h)
	before.cut.Store(true)
	t.Cleanup(func() { before.cut.Store(false) })
	b := onLog(log, state.TTL(time.Hour), state.OnWait(func(h state.Holder, _ time.Duration) { t.Errorf("waits for %s", h) }))
	if holder, err := b.Holder(t.Context()); err != nil || holder != nil {
		t.Errorf("held by the dead %v, %v", holder, err)
	}
	if s := acquire(t, b, state.Holder{Who: "me"}); s.Left() == nil || s.Left().Who != "dead" {
		t.Errorf("left by %v", s.Left())
	}
}
