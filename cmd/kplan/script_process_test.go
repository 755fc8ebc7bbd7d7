package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

// scriptProcess is a kplan that runs beside the script.
type scriptProcess struct {
	cmd      *exec.Cmd
	terminal *os.File // nil: it has none
	stdout   scriptBuffer
	stderr   scriptBuffer // a terminal's text is all in stdout
	done     chan struct{}
	err      error // of Wait; set when done is closed
}

// scriptBuffer can be read while it is written.
type scriptBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *scriptBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *scriptBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (p *scriptProcess) end() {
	select {
	case <-p.done:
	default:
		_ = p.cmd.Process.Kill() // it may have just ended
		<-p.done
	}
}

// scriptStart starts kplan beside the script; with -tty on a terminal:
//
//	start [-tty] NAME ARG...
func scriptStart(ts *testscript.TestScript, args []string) {
	tty := len(args) > 0 && args[0] == "-tty"
	if tty {
		args = args[1:]
	}
	if len(args) < 2 {
		ts.Fatalf("usage: start [-tty] NAME ARG...")
	}
	w := scriptWorldOf(ts)
	if old := w.processes[args[0]]; old != nil {
		old.end()
	}
	p := &scriptProcess{cmd: exec.Command(built().kplan, args[1:]...), done: make(chan struct{})}
	p.cmd.Dir = ts.MkAbs(".")
	p.cmd.Env = scriptEnviron(ts)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	copied := make(chan struct{})
	if tty {
		p.cmd.Stdout, p.cmd.Stderr = nil, nil
		var err error
		p.terminal, err = pty.StartWithSize(p.cmd, &pty.Winsize{Rows: 50, Cols: 300})
		ts.Check(err)
		go func() {
			defer close(copied)
			_, _ = p.terminal.WriteTo(&p.stdout) // ends with EIO when the process does
		}()
	} else {
		close(copied)
		ts.Check(p.cmd.Start())
	}
	go func() {
		p.err = p.cmd.Wait()
		<-copied
		close(p.done)
	}()
	w.processes[args[0]] = p
}

// scriptEnviron is the script's environment for processes that testscript does
// not start.
func scriptEnviron(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range append(strings.Fields(ts.Getenv("FORWARD")), "PATH", "HOME", "TMPDIR", "EXAMPLE_KPLAN", "EXAMPLE_WORKLOAD",
		"NO_COLOR", "KPLAN_VAR_ops", "KPLAN_VAR_old", "KPLAN_VAR_new", "KPLAN_VAR_start", "KPLAN_VAR_stop", "KPLAN_VAR_check", "KPLAN_VAR_timeout", "KPLAN_VAR_drain", "WORK") {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return append(env, "TERM=dumb")
}

func scriptProcessOf(ts *testscript.TestScript, name string) *scriptProcess {
	p := scriptWorldOf(ts).processes[name]
	if p == nil {
		ts.Fatalf("nothing called %s was started", name)
	}
	return p
}

// scriptSignal sends a signal: signal NAME INT|TERM|KILL
func scriptSignal(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: signal NAME INT|TERM|KILL")
	}
	number, ok := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[1]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[1])
	}
	ts.Check(scriptProcessOf(ts, args[0]).cmd.Process.Signal(number))
}

// scriptType types a line at the terminal: type NAME TEXT
func scriptType(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: type NAME TEXT")
	}
	_, err := scriptProcessOf(ts, args[0]).terminal.WriteString(args[1] + "\n")
	ts.Check(err)
}

// scriptEnds waits for the end with an exit code and writes NAME.out and
// NAME.err: ends NAME CODE
func scriptEnds(ts *testscript.TestScript, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: ends NAME CODE")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	p := scriptProcessOf(ts, args[0])
	select {
	case <-p.done:
	case <-time.After(scriptPatience):
		ts.Fatalf("%s has not ended after %s; it said:\n%s%s", args[0], scriptPatience, &p.stdout, &p.stderr)
	}
	if p.terminal != nil {
		_ = p.terminal.Close() // the process at the other end is gone
	}
	out := strings.ReplaceAll(p.stdout.String(), "\r\n", "\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".out"), []byte(out), 0o644))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".err"), []byte(p.stderr.String()), 0o644))
	got := 0
	var exit *exec.ExitError
	if errors.As(p.err, &exit) {
		got = exit.ExitCode()
	} else if p.err != nil {
		ts.Fatalf("running kplan: %v", p.err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d; it said:\n%s%s", args[0], got, want, out, &p.stderr)
	}
	scriptHygiene(ts, out, p.stderr.String())
}
