package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/plan/graph"
)

// Taken out: the services in the decision. An apply that ends for whatever
// reason while a service runs nowhere would say "error, nothing in flight".
func TestStoppedServicesDecideTheExitCode(t *testing.T) {
	failed, stale := errors.New("no broker answers"), &codedError{code: exitStale, err: errors.New("stale")}
	lost, taken := &state.LeaseLostError{}, &state.LeaseLostError{By: &state.Holder{}}
	stopped := []string{"shop"}
	for name, c := range map[string]struct {
		got, want int
	}{
		"error before the steps":    {exitCode(&stoppedError{stopped, nil, failed}), exitStranded},
		"stale plan":                {exitCode(&stoppedError{stopped, nil, stale}), exitStranded},
		"interrupt":                 {exitCode(&stoppedError{stopped, nil, executor.ErrInterrupted}), exitInterrupted},
		"locked by another":         {exitCode(&stoppedError{stopped, nil, &state.LockedError{}}), exitLocked},
		"nothing stopped":           {exitCode(stale), exitStale},
		"failed run":                {codeOf(executor.Result{Err: failed, Stopped: stopped}), exitStranded},
		"restored":                  {codeOf(executor.Result{Err: failed, Restored: stopped}), exitRestored},
		"one restored, one not":     {codeOf(executor.Result{Err: failed, Restored: stopped, Stranded: []*executor.StrandedError{{}}}), exitStranded},
		"another applies":           {exitCode(&stoppedError{stopped, &state.Holder{}, failed}), exitError},
		"interrupted run":           {codeOf(executor.Result{Err: executor.ErrInterrupted, Stopped: stopped}), exitInterrupted},
		"parked":                    {codeOf(executor.Result{Parked: []executor.StepParked{{}}}), exitParked},
		"parked, stopped":           {codeOf(executor.Result{Parked: []executor.StepParked{{}}, Stopped: stopped}), exitStranded},
		"paused, stopped":           {codeOf(executor.Result{Paused: &state.Answer{}, Stopped: stopped}), exitStranded},
		"lease lost":                {codeOf(executor.Result{Err: lost}), exitLocked},
		"lease lost to nobody":      {codeOf(executor.Result{Err: lost, Stopped: stopped}), exitStranded},
		"lease lost to another":     {codeOf(executor.Result{Err: taken, Stopped: stopped}), exitLocked},
		"journal cannot be written": {codeOf(executor.Result{Err: &state.WriteError{}, Stranded: []*executor.StrandedError{{}}}), exitStranded},
	} {
		if c.got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, c.got, c.want)
		}
	}
}

// stoppedPlan is a plan whose state shows a service stopped: also one that the
// plan does not name.
func stoppedPlan(t *testing.T) *app {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("p.kplan.hcl", `cluster "old" { bootstrap = ["127.0.0.1:1"] }
cluster "new" { bootstrap = ["127.0.0.1:2"] }
migration "orders" {
  source = cluster.old
  target = cluster.new
  scheme "production_first" {}
  topics { include = ["orders.*"] }
}
`)
	b := state.NewFile(filepath.Join(dir, ".kplan", "orders"), time.Now)
	held, err := b.Acquire(t.Context(), state.Holder{Who: "me"})
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
	return &app{self: "kplan", dir: dir}
}

// Taken out: the look into the state when apply ends before its steps. The
// services would not be named; a plan that cannot be read is no excuse.
func TestEveryEndNamesWhatIsStopped(t *testing.T) {
	want := []string{"maybe", "shop"}
	for _, name := range []string{"unreachable", "bad plan"} {
		a := stoppedPlan(t)
		dir := a.dir
		a.json = true
		if name == "bad plan" {
			if err := os.WriteFile(filepath.Join(a.dir, "more.kplan.hcl"), []byte("nonsense {"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		root := newRoot(a)
		root.SetArgs([]string{"apply", "--yes", "--json", "-C", dir})
		root.SetErr(&bytes.Buffer{})
		err := root.ExecuteContext(context.Background())
		var stopped *stoppedError
		if !errors.As(err, &stopped) || !slices.Equal(stopped.services, want) || exitCode(err) != exitStranded {
			t.Errorf("%s: exit code %d, %v", name, exitCode(err), err)
			continue
		}
		if !strings.Contains(err.Error(), "Service shop is stopped now") {
			t.Errorf("%s: it says %v", name, err)
		}
		if doc := errorDocOf(err); doc.ExitCode != exitStranded || !slices.Equal(doc.Stopped, want) {
			t.Errorf("%s: the document says %+v", name, doc)
		}
	}
}

// Taken out: who holds the lock. Whoever may not apply now would be told to, while
// another one is starting the service.
func TestStoppedWhileAnotherApplies(t *testing.T) {
	a := stoppedPlan(t)
	other := state.Holder{Who: "an apply", Host: "elsewhere", PID: os.Getpid() + 1}
	held, err := state.NewFile(filepath.Join(a.dir, ".kplan", "orders"), time.Now).Acquire(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("a certificate has expired")
	told := a.leftStopped(t.Context(), failed)
	if text := told.Error(); !strings.Contains(text, "Service shop is stopped now; the kplan that holds the lock goes on with it: an apply on elsewhere") || strings.Contains(text, "next apply") {
		t.Errorf("it says %s", text)
	}
	if code := exitCode(told); code != exitError {
		t.Errorf("exit code %d", code)
	}
	if err := held.Release(); err != nil {
		t.Fatal(err)
	}
	if text := a.leftStopped(t.Context(), failed).Error(); !strings.Contains(text, "the next apply starts it") {
		t.Errorf("when nobody applies it says %s", text)
	}
	doc := applyDoc{Stopped: []string{"shop"}, Outcome: "failed"}
	doc.fill(executor.Result{Err: &state.LeaseLostError{By: &other}, Stopped: []string{"shop"}})
	var b bytes.Buffer
	if err := a.conclude(&b, doc); err != nil || strings.Contains(b.String(), "next apply starts") || strings.Contains(b.String(), "To go on") {
		t.Errorf("it concludes %s, %v", b.String(), err)
	}
}

// An end that leaves nothing stopped is told as it is.
func TestAnEndWithNothingStopped(t *testing.T) {
	a := &app{self: "kplan", dir: t.TempDir()}
	failed := errors.New("failed")
	if err := a.leftStopped(t.Context(), failed); err != failed || exitCode(err) != exitError {
		t.Errorf("it ends with %v", err)
	}
}
