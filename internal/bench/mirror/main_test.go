//go:build bench

// Package mirrorbench measures the mirror beside MirrorMaker 2 and a plain TCP
// proxy, on the same brokers, in turns. `make bench-mirror` runs it;
// docs/benchmarks.md holds what came out.
//
// All of it is behind the build tag "bench": nothing here belongs to kplan.
package mirrorbench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"kplan/internal/kafkatest"
)

// brokers are the two that all cases share.
var brokers kafkatest.Pool

var results report

// childEnv makes the test binary one of the measured programs.
const childEnv = "KPLAN_BENCH_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		if err := child(text); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	dir, err := os.MkdirTemp("", "kplan-bench-mirror-")
	if err == nil {
		err = os.Setenv(dirEnv, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	code := brokers.Main(m)
	_ = os.RemoveAll(dir) // what stays is a folder that nobody reads
	if err := results.write(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// task is what a child is to do.
type task struct {
	Proxy string `json:",omitempty"` // be a TCP proxy to this address
	Copy  *copying
}

func child(text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return fmt.Errorf("reading the task: %w", err)
	}
	if t.Proxy != "" {
		return proxy(t.Proxy)
	}
	return t.Copy.run()
}

// spawn starts this binary with a task. It ends with the test, or with this
// process, however that ends: the calling goroutine keeps its thread.
func spawn(t *testing.T, what task) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	return cmd
}

// program is one that runs.
type program struct {
	*exec.Cmd
	ended chan struct{}
}

// begin starts a program; it ends with the test at the latest.
func begin(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the death signal is tied to the thread
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{cmd, make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is not asked: that it did is
		close(p.ended)
	}()
	t.Cleanup(p.end)
	return p
}

// end ends it by force.
func (p *program) end() {
	_ = p.Process.Kill() // it may have ended
	<-p.ended
}

// alive fails the test when the program has ended.
func (p *program) alive(t *testing.T) {
	t.Helper()
	select {
	case <-p.ended:
		t.Fatalf("%s has ended: %s", p.Path, p.ProcessState)
	default:
	}
}

// setting is a number from the environment.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// chosen reports whether BENCH_CASES, words parted by commas, asks for a case;
// empty asks for all.
func chosen(name string) bool {
	all := os.Getenv("BENCH_CASES")
	if all == "" {
		return true
	}
	for word := range strings.SplitSeq(all, ",") {
		if strings.TrimSpace(word) == name {
			return true
		}
	}
	return false
}
