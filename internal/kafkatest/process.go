package kafkatest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// process is one running JVM.
type process struct {
	name   string
	cmd    *exec.Cmd
	log    string
	exited chan struct{} // closed when it has ended and was reaped
	err    error         // how it ended; read after exited
}

// jvm describes a JVM: small, quick to start rather than quick to run.
type jvm struct {
	classPath string
	logConfig string // JVM flag that names the logging configuration
	heapMB    int
	system    map[string]string // -D
	more      []string          // over the flags of here
}

func (j jvm) args(mainClass string, args ...string) []string {
	base := []string{
		fmt.Sprintf("-Xmx%dm", j.heapMB), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-Djava.awt.headless=true", j.logConfig,
	}
	for _, name := range slices.Sorted(maps.Keys(j.system)) {
		base = append(base, "-D"+name+"="+j.system[name])
	}
	base = append(base, j.more...)
	return append(append(base, "-cp", j.classPath, mainClass), args...)
}

// run starts a JVM that writes what it says to dir/name.log.
func (s *spawner) run(dir, name string, args []string) (*process, error) {
	path := filepath.Join(dir, name+".log")
	out, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	p := &process{name: name, log: path, cmd: exec.Command("java", args...), exited: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = out, out
	err = s.start(p.cmd)
	if closed := out.Close(); err == nil && closed != nil {
		err = closed
	}
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// running tells whether the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// signal sends a signal; one that comes too late is no error.
func (p *process) signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sending %s to %s: %w", sig, p.name, err)
	}
	return nil
}

// kill ends the process by force and reaps it.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.exited
	return nil
}

// stop asks the process to end and, after the limit, makes it.
func (p *process) stop(limit time.Duration) error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(limit):
		return errors.Join(fmt.Errorf("%s did not stop within %s and was killed", p.name, limit), p.kill())
	}
}

// tail returns the last lines of the process's log.
func (p *process) tail() string { return logTail(p.log) }

func logTail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}
