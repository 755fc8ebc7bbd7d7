package switches_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/switches"
	"kplan/internal/cluster"
	"kplan/plan"
)

const step = `switch.service.billing.stop`

// program makes a switch whose three programs are one shell script.
func program(t *testing.T, script string) *switches.Exec {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "ops"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ops", "billing"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &switches.Exec{
		Service: "billing", Migration: "orders", Dir: dir, LogDir: filepath.Join(dir, "logs"),
		Spec: plan.ExecSwitch{
			Stop: []string{"ops/billing", "stop"}, Start: []string{"./ops/billing", "start", "two words"}, Check: []string{"ops/billing", "check"},
			Timeout: 30 * time.Second,
		},
		Cluster:   map[cluster.Side]string{cluster.Source: "old", cluster.Target: "new"},
		Bootstrap: map[cluster.Side][]string{cluster.Source: {"a:1", "b:2"}, cluster.Target: {"c:3"}},
		Environ:   []string{"PATH=" + os.Getenv("PATH"), "KPLAN_SIDE=inherited", "SECRET=kept"},
	}
}

func failure(t *testing.T, err error) *switches.ProgramError {
	t.Helper()
	var failed *switches.ProgramError
	if !errors.As(err, &failed) {
		t.Fatalf("the error is %v", err)
	}
	return failed
}

// The contract of exec: directory, arguments, environment, null on stdin.
func TestEnvironment(t *testing.T) {
	x := program(t, `{ pwd; echo "[$*][$2]"; env | grep -e ^KPLAN_ -e ^SECRET | sort; if read line; then echo "stdin: $line"; fi; } > "$KPLAN_ACTION.out"`)
	ctx := context.Background()
	if err := x.Stop(ctx, cluster.Source, step); err != nil {
		t.Fatal(err)
	}
	if err := x.Start(ctx, cluster.Target, "switch.service.billing.start"); err != nil {
		t.Fatal(err)
	}
	if sides, err := x.Check(ctx, step); err != nil || len(sides) != 0 {
		t.Fatal(sides, err)
	}
	dir, err := filepath.EvalSymlinks(x.Dir)
	if err != nil {
		t.Fatal(err)
	}
	common := "KPLAN_MIGRATION=orders\nKPLAN_SERVICE=billing\n"
	for action, want := range map[string]string{
		"stop":  "[stop][]\nKPLAN_ACTION=stop\nKPLAN_BOOTSTRAP=a:1,b:2\nKPLAN_CLUSTER=old\n" + common + "KPLAN_SIDE=source\nKPLAN_STEP=" + step + "\nSECRET=kept\n",
		"start": "[start two words][two words]\nKPLAN_ACTION=start\nKPLAN_BOOTSTRAP=c:3\nKPLAN_CLUSTER=new\n" + common + "KPLAN_SIDE=target\nKPLAN_STEP=switch.service.billing.start\nSECRET=kept\n",
		"check": "[check][]\nKPLAN_ACTION=check\n" + common + "KPLAN_STEP=" + step + "\nSECRET=kept\n",
	} {
		got, err := os.ReadFile(filepath.Join(x.Dir, action+".out"))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(dir+"\n"+want, string(got)); d != "" {
			t.Errorf("%s (-want +got):\n%s", action, d)
		}
	}
}

// A program without a slash is looked up in PATH, a relative one in the plan's
// directory, also when that is relative itself.
func TestArgv(t *testing.T) {
	x := program(t, "echo target")
	t.Chdir(filepath.Dir(x.Dir))
	x.Dir = filepath.Base(x.Dir)
	x.LogDir = filepath.Join(t.TempDir(), "logs")
	for name, argv := range map[string][]string{
		"relative": {"ops/billing"}, "absolute": {mustAbs(t, filepath.Join(x.Dir, "ops", "billing"))}, "path": {"echo", "target"},
	} {
		x.Spec.Check = argv
		sides, err := x.Check(context.Background(), step)
		if err != nil || !slices.Equal(sides, []cluster.Side{cluster.Target}) {
			t.Errorf("%s: %v, %v", name, sides, err)
		}
	}
	x.Spec.Check = []string{"ops/missing"}
	_, err := x.Check(context.Background(), step)
	if f := failure(t, err); !strings.Contains(f.Why, "cannot be started") {
		t.Errorf("a missing program: %v", err)
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// What a check prints, word by word; what it prints on stderr is for people.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		script string
		want   []cluster.Side
		fails  string
	}{
		{"echo source", []cluster.Side{cluster.Source}, ""},
		{"echo source; echo target", []cluster.Side{cluster.Source, cluster.Target}, ""},
		{"printf 'target\\nsource'", []cluster.Side{cluster.Target, cluster.Source}, ""},
		{"echo looking around >&2", nil, ""},
		{"true", nil, ""},
		{"echo running", nil, `prints "running"`},
		{"echo Source", nil, `prints "Source"`},
		{"echo source; echo it is fine", nil, `prints "it"`},
		{"echo source; exit 3", nil, "exit status 3"},
		{"echo the host does not answer >&2; exit 1", nil, "the host does not answer"},
		{"kill -9 $$", nil, "killed"},
	} {
		x := program(t, c.script)
		got, err := x.Check(context.Background(), step)
		if c.fails != "" {
			if f := failure(t, err); !strings.Contains(f.Error(), c.fails) || f.Timeout {
				t.Errorf("%s: error %v", c.script, err)
			}
			continue
		}
		if d := cmp.Diff(c.want, got); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", c.script, err, d)
		}
	}
}

// Whatever a program prints is in a file that the error names, with its last
// words in the message; a second attempt adds to it.
func TestOutput(t *testing.T) {
	x := program(t, `echo first line; echo "attempt says no" >&2; exit 9`)
	x.LogDir = filepath.Join(x.Dir, "state", "logs")
	const quoted = `switch.group["a/b"].place`
	for range 2 {
		f := failure(t, x.Stop(context.Background(), cluster.Source, quoted))
		if f.Action != "stop" || f.Tail != "first line | attempt says no" {
			t.Errorf("the error: %+v", f)
		}
		data, err := os.ReadFile(f.Log)
		if err != nil || !strings.HasPrefix(f.Log, x.LogDir) {
			t.Fatalf("the file %s: %v", f.Log, err)
		}
		if n := strings.Count(string(data), "attempt says no"); n < 1 {
			t.Errorf("the file holds %q", data)
		}
	}
	f := failure(t, program(t, `i=0; while [ $i -lt 500 ]; do echo "line $i"; i=$((i+1)); done; exit 1`).Stop(context.Background(), cluster.Source, step))
	if len(f.Tail) > 1000 || !strings.HasSuffix(f.Tail, "line 499") {
		t.Errorf("the last words of a long output: %q", f.Tail)
	}
}

// A program that does not end is ended with its children, and the error says
// that it was the timeout.
func TestTimeoutEndsTheWholeGroup(t *testing.T) {
	x := program(t, `sleep 300 & echo $! > child; echo $$ > self; wait`)
	x.Spec.Timeout = 2 * time.Second
	f := failure(t, x.Stop(context.Background(), cluster.Source, step))
	if !f.Timeout || !strings.Contains(f.Why, "2s") {
		t.Errorf("the error: %+v", f)
	}
	gone(t, x.Dir, "self", "child")
}

// A program that ignores TERM gets KILL.
func TestKillAfterTerm(t *testing.T) {
	x := program(t, `trap "echo asked > asked" TERM; echo $$ > self; while :; do sleep 0.1; done`)
	x.Spec.Timeout = 2 * time.Second
	began := time.Now()
	f := failure(t, x.Stop(context.Background(), cluster.Source, step))
	if !f.Timeout {
		t.Errorf("the error: %+v", f)
	}
	if _, err := os.Stat(filepath.Join(x.Dir, "asked")); err != nil {
		t.Errorf("it was not asked to end first: %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	gone(t, x.Dir, "self")
}

// The end of the context ends a program as well, and is no timeout.
func TestCancelEndsTheProgram(t *testing.T) {
	x := program(t, `echo $$ > new; mv new self; sleep 300`)
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		for {
			if _, err := os.Stat(filepath.Join(x.Dir, "self")); err == nil {
				cancel(errors.New("interrupted"))
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err := x.Check(ctx, step)
	if f := failure(t, err); f.Timeout {
		t.Errorf("the error: %+v", f)
	}
	gone(t, x.Dir, "self")
}

// A service that a start program leaves behind keeps its output open; that
// hangs nobody and ends nothing.
func TestDaemonMayKeepTheOutput(t *testing.T) {
	x := program(t, `( trap "" HUP; echo up; exec sleep 300 ) & echo $! > child`)
	began := time.Now()
	if err := x.Start(context.Background(), cluster.Target, step); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	pid := pidIn(t, x.Dir, "child")
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the service was ended: %v", err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
}

func pidIn(t *testing.T, dir, name string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// gone waits until processes have ended.
func gone(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		pid := pidIn(t, dir, name)
		deadline := time.Now().Add(10 * time.Second)
		for alive(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d (%s) still runs", pid, name)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// alive does not count processes that nobody has waited for yet.
func alive(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !os.IsNotExist(err)
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(rest, "Z")
}
