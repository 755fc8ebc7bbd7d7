package migration

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"kplan/executor/state"
	"kplan/plan/graph"
)

// another is an apply of somebody else.
func another() state.Holder {
	return state.Holder{Who: "an apply", Host: "elsewhere", PID: os.Getpid() + 1}
}

func nobody(state.Holder) bool { return false }

// stoppedState has services that stand stopped, one that may be, and one that runs on
// the target.
func stoppedState(t *testing.T, dir string) {
	t.Helper()
	held, err := state.NewFile(dir, time.Now).Acquire(t.Context(), state.Holder{Who: "me"})
	if err != nil {
		t.Fatal(err)
	}
	for address, status := range map[string]state.Status{
		graph.ServiceAddress("shop", "stop"): state.Done, graph.ServiceAddress("there", "stop"): state.Done,
		graph.ServiceAddress("there", "start"): state.Done, graph.ServiceAddress("maybe", "stop"): state.Running,
	} {
		if _, err := held.Append(state.Record{Run: "r", Step: &state.Step{Address: address, Attempt: 1, Status: status, Facts: []byte("{}")}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestStopped(t *testing.T) {
	dir := t.TempDir()
	stoppedState(t, dir)
	want := []string{"maybe", "shop"}
	services, by, err := Stopped(t.Context(), state.NewFile(dir, time.Now), nobody)
	if err != nil || by != nil || !slices.Equal(services, want) {
		t.Errorf("stopped are %v, %v goes on with them, %v", services, by, err)
	}
	held, err := state.NewFile(dir, time.Now).Acquire(t.Context(), another())
	if err != nil {
		t.Fatal(err)
	}
	services, by, err = Stopped(t.Context(), state.NewFile(dir, time.Now), nobody)
	if err != nil || by == nil || by.Who != "an apply" || !slices.Equal(services, want) {
		t.Errorf("while another applies, stopped are %v, %v goes on with them, %v", services, by, err)
	}
	_, by, err = Stopped(t.Context(), state.NewFile(dir, time.Now), func(h state.Holder) bool { return h.Who == "an apply" })
	if err != nil || by != nil {
		t.Errorf("the process that asks is said to go on with them: %v, %v", by, err)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
}

// endsAt is a state whose holder lets go while it is read.
type endsAt struct {
	state.Backend
	held state.Session
}

func (e *endsAt) Read(ctx context.Context) (state.State, error) {
	st, err := e.Backend.Read(ctx)
	if e.held != nil {
		err = errors.Join(err, e.held.Release())
		e.held = nil
	}
	return st, err
}

// Taken out: the second question who has the lock. An apply that ends while the
// state is read would be said to go on with what it leaves stopped.
func TestStoppedByAnApplyThatEndsMeanwhile(t *testing.T) {
	dir := t.TempDir()
	stoppedState(t, dir)
	held, err := state.NewFile(dir, time.Now).Acquire(t.Context(), another())
	if err != nil {
		t.Fatal(err)
	}
	services, by, err := Stopped(t.Context(), &endsAt{state.NewFile(dir, time.Now), held}, nobody)
	if err != nil || by != nil || !slices.Contains(services, "shop") {
		t.Errorf("stopped are %v, %v goes on with them, %v", services, by, err)
	}
}
