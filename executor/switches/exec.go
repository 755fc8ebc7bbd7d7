package switches

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"kplan/internal/cluster"
	"kplan/plan"
)

// killGrace is how long a program has between TERM and KILL.
const killGrace = 5 * time.Second

// Exec runs the programs of a service's switch "exec". It is safe for
// concurrent use by different services.
type Exec struct {
	Service   string
	Migration string
	Dir       string // the plan's directory: working directory of the programs
	LogDir    string // outputs go to files here
	Spec      plan.ExecSwitch
	Cluster   map[cluster.Side]string   // the clusters' names
	Bootstrap map[cluster.Side][]string // of the service's listener
	Environ   []string                  // kplan's own environment
}

// ProgramError says that a switch's program did not do its work.
type ProgramError struct {
	Service string
	Action  string // stop, start, check
	Argv    []string
	Why     string
	Log     string // file with the whole output
	Tail    string // the end of it
	Timeout bool
}

func (e *ProgramError) Error() string {
	msg := fmt.Sprintf("service %q: %s (%s) %s", e.Service, e.Action, strings.Join(e.Argv, " "), e.Why)
	if e.Tail != "" {
		msg += "; its last words: " + e.Tail
	}
	return msg + fmt.Sprintf(". The whole output is in %s", e.Log)
}

// Stop runs the stop program for a side. It must be idempotent.
func (x *Exec) Stop(ctx context.Context, side cluster.Side, step string) error {
	_, err := x.run(ctx, "stop", side, step, x.Spec.Stop)
	return err
}

// Start runs the start program for a side. It must be idempotent.
func (x *Exec) Start(ctx context.Context, side cluster.Side, step string) error {
	_, err := x.run(ctx, "start", side, step, x.Spec.Start)
	return err
}

// Check asks on which sides the service runs now. Words other than source and
// target are an error, and so is an exit other than 0: then nobody knows.
func (x *Exec) Check(ctx context.Context, step string) ([]cluster.Side, error) {
	out, err := x.run(ctx, "check", cluster.NoSide, step, x.Spec.Check)
	if err != nil {
		return nil, err
	}
	var sides []cluster.Side
	for _, word := range strings.Fields(string(out)) {
		side, err := cluster.ParseSide(word)
		if err != nil {
			return nil, &ProgramError{Service: x.Service, Action: "check", Argv: x.Spec.Check, Log: x.logPath("check", step),
				Why: fmt.Sprintf("prints %q: it must print the sides on which the service runs, source or target, one a line, and nothing else on standard output", clip(word))}
		}
		sides = append(sides, side)
	}
	return sides, nil
}

func (x *Exec) logPath(action, step string) string {
	return filepath.Join(x.LogDir, fileName(step)+"."+action+".log")
}

// run starts the program with its output going to files, not to pipes: a child
// that it leaves behind keeps the files open and hangs nobody.
func (x *Exec) run(ctx context.Context, action string, side cluster.Side, step string, argv []string) (stdout []byte, err error) {
	if err := os.MkdirAll(x.LogDir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory for the output of %s: %w", argv[0], err)
	}
	logPath := x.logPath(action, step)
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the file for the output of %s: %w", argv[0], err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	out := log
	if action == "check" {
		if out, err = os.CreateTemp(x.LogDir, "check-*"); err != nil {
			return nil, fmt.Errorf("opening a file for the output of %s: %w", argv[0], err)
		}
		defer func() { err = errors.Join(err, out.Close(), os.Remove(out.Name())) }()
	}
	before, err := log.Seek(0, 2)
	if err != nil {
		return nil, fmt.Errorf("opening the file for the output of %s: %w", argv[0], err)
	}
	cmd := exec.Command(x.program(argv[0]), argv[1:]...)
	cmd.Dir = x.Dir
	cmd.Env = append(slices.DeleteFunc(slices.Clone(x.Environ), contractual), x.environ(action, side, step)...)
	cmd.Stdout, cmd.Stderr = out, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its own group: an interrupt on the terminal is kplan's, not its
	failed := &ProgramError{Service: x.Service, Action: action, Argv: argv, Log: logPath}
	if err := cmd.Start(); err != nil {
		failed.Why = "cannot be started: " + err.Error()
		return nil, failed
	}
	waitErr, timedOut := x.wait(ctx, cmd)
	switch {
	case timedOut:
		failed.Timeout = true
		failed.Why = fmt.Sprintf("did not end within its timeout of %s and was killed", x.Spec.Timeout)
	case waitErr != nil:
		failed.Why = "failed: " + waitErr.Error()
	default:
		if action != "check" {
			return nil, nil
		}
		return os.ReadFile(out.Name())
	}
	failed.Tail = tail(logPath, before)
	return nil, failed
}

// wait waits for the program, and ends its process group at the timeout or
// when ctx ends: TERM, then KILL.
func (x *Exec) wait(ctx context.Context, cmd *exec.Cmd) (err error, timedOut bool) { // the error is the program's, not wait's
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	timeout := time.NewTimer(x.Spec.Timeout)
	defer timeout.Stop()
	select {
	case err := <-done:
		return err, false
	case <-timeout.C:
		timedOut = true
	case <-ctx.Done():
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // it may have just ended
	kill := time.NewTimer(killGrace)
	defer kill.Stop()
	select {
	case err = <-done:
	case <-kill.C:
		err = nil
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // and whatever is left of the group
	if err == nil && !timedOut {
		err = context.Cause(ctx)
	}
	return err, timedOut
}

func (x *Exec) program(name string) string {
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		if abs, err := filepath.Abs(filepath.Join(x.Dir, name)); err == nil {
			return abs
		}
	}
	return name
}

// contractual reports whether a variable is one of the contract's: what kplan
// inherited under such a name (a switch's program may call kplan) is not for
// the program.
func contractual(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	switch name {
	case "KPLAN_ACTION", "KPLAN_SIDE", "KPLAN_CLUSTER", "KPLAN_BOOTSTRAP", "KPLAN_MIGRATION", "KPLAN_SERVICE", "KPLAN_STEP":
		return true
	}
	return false
}

func (x *Exec) environ(action string, side cluster.Side, step string) []string {
	env := []string{
		"KPLAN_ACTION=" + action,
		"KPLAN_MIGRATION=" + x.Migration,
		"KPLAN_SERVICE=" + x.Service,
		"KPLAN_STEP=" + step,
	}
	if side != cluster.NoSide {
		env = append(env,
			"KPLAN_SIDE="+side.String(),
			"KPLAN_CLUSTER="+x.Cluster[side],
			"KPLAN_BOOTSTRAP="+strings.Join(x.Bootstrap[side], ","))
	}
	return env
}
