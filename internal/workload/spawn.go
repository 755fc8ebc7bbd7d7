package workload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"kplan/internal/cluster"
)

// spawn starts the service process and waits until it is ready.
func (c Control) spawn(ctx context.Context, service string, side cluster.Side) error {
	executable := c.Executable
	if executable == "" {
		var err error
		if executable, err = os.Executable(); err != nil {
			return fmt.Errorf("finding this program: %w", err)
		}
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return fmt.Errorf("finding the work directory: %w", err)
	}
	c.Dir = dir
	logFile, err := os.OpenFile(c.logFile(service, side), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the service's log: %w", err)
	}
	info, err := logFile.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("reading the service's log: %w", err), logFile.Close())
	}
	cmd := exec.Command(executable, c.argv(service, side)...)
	cmd.Dir = dir
	// A file, not a pipe: a pipe would tie the service to whoever started it.
	// Stdin stays nil, which is the null device.
	cmd.Stdout, cmd.Stderr = logFile, logFile
	detach(cmd)
	err = cmd.Start()
	if closed := logFile.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("starting its process: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // also reaps it when it ends long after
	ready, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	go func() { done <- c.awaitReady(ready, service, side, cmd.Process.Pid) }()
	select {
	case err := <-done:
		if err == nil {
			return nil
		}
		err = errors.Join(err, end(cmd.Process, ended))
		return fmt.Errorf("%w; its log:\n%s", err, logTail(c.logFile(service, side), info.Size()))
	case err := <-ended:
		cancel(errDied)
		waited := <-done // the death is the reason, unless it was a clean one
		return c.endedEarly(ctx, cmp.Or(err, waited), service, side, info.Size())
	}
}

// endedEarly tells the race with another Start, which is success, from a
// service that cannot run.
func (c Control) endedEarly(ctx context.Context, exit error, service string, side cluster.Side, logFrom int64) error {
	runs, err := c.runs(service, side)
	if err != nil {
		return err
	}
	if runs {
		return c.awaitReady(ctx, service, side, 0)
	}
	if exit == nil {
		exit = errors.New("exit status 0")
	}
	return fmt.Errorf("its process ended before it was ready (%w); its log:\n%s", exit, logTail(c.logFile(service, side), logFrom))
}

// end stops a process that did not get ready: kindly, then by force.
func end(p *os.Process, ended <-chan error) error {
	if err := terminate(p); err == nil {
		select {
		case err := <-ended:
			return killed(err)
		case <-time.After(5 * time.Second):
		}
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing process %d: %w", p.Pid, err)
	}
	return killed(<-ended)
}

// killed takes the end of a killed process as what was wanted.
func killed(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// awaitReady waits until the process with this id says that it is ready; zero
// means whichever process runs the service.
func (c Control) awaitReady(ctx context.Context, service string, side cluster.Side, pid int) error {
	for {
		text, err := os.ReadFile(readyFile(c.Dir, service, side))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("looking whether it is ready: %w", err)
		}
		if err == nil {
			want := pid
			if want == 0 {
				// A killed predecessor may have left its readiness behind.
				if want, _, err = readPid(pidFile(c.Dir, service, side)); err != nil {
					return err
				}
			}
			if said, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && said == want {
				return nil
			}
		}
		if pid == 0 {
			runs, err := c.runs(service, side)
			if err != nil {
				return err
			}
			if !runs {
				return fmt.Errorf("%w before it was ready", errDied)
			}
		}
		if err := wait(ctx, poll); err != nil {
			return fmt.Errorf("it did not get ready: %w", err)
		}
	}
}

// logTail returns the end of a log, at most 4 KiB of what came after from.
func logTail(path string, from int64) string {
	file, err := os.Open(path)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	from = max(from, info.Size()-4<<10)
	data, err := io.ReadAll(io.NewSectionReader(file, from, info.Size()-from))
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "(empty)"
	}
	return text
}
