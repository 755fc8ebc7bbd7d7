package workload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"kplan/internal/cluster"
)

// Control starts, stops and finds the service processes of a work directory.
// Several processes may control one directory at the same time.
type Control struct {
	Dir string
	// Argv comes between the executable and the arguments DIR SERVICE SIDE
	// of a service process, such as ["workload", "run"]. That command calls
	// Serve.
	Argv []string
	// Executable is the program to run; empty means this one.
	Executable string
	// ReadyTimeout bounds Start, StopTimeout bounds Stop. Zero means a minute.
	ReadyTimeout time.Duration
	StopTimeout  time.Duration
}

// poll is how often files and locks of other processes are looked at.
const poll = 10 * time.Millisecond

// Check returns the sides on which the service runs now, source first. It
// knows by the lock that the service process holds.
func (c Control) Check(service string) ([]cluster.Side, error) {
	if _, err := c.find(service); err != nil {
		return nil, err
	}
	var sides []cluster.Side
	for _, side := range []cluster.Side{cluster.Source, cluster.Target} {
		runs, err := c.runs(service, side)
		if err != nil {
			return nil, fmt.Errorf("checking service %q: %w", service, err)
		}
		if runs {
			sides = append(sides, side)
		}
	}
	return sides, nil
}

// Start starts the service on one side as a process of its own and returns when
// it is ready: a producer after its first acknowledgement, a reader when it has
// its partitions. Where the service runs there already, it waits for that. A
// service that does not get ready in time is ended, and the error shows the end
// of its log.
func (c Control) Start(ctx context.Context, service string, side cluster.Side) error {
	if _, err := c.find(service); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, orMinute(c.ReadyTimeout))
	defer cancel()
	runs, err := c.runs(service, side)
	if err == nil && runs {
		err = c.awaitReady(ctx, service, side, 0)
	} else if err == nil {
		err = c.spawn(ctx, service, side)
	}
	if err != nil {
		return fmt.Errorf("starting service %q on side %s: %w", service, side, err)
	}
	return nil
}

// Stop ends the service on one side cleanly and returns when its process has
// let everything go. Where it does not run there, nothing happens. A service
// that could not keep its promises on the way out is an error.
func (c Control) Stop(ctx context.Context, service string, side cluster.Side) error {
	if _, err := c.find(service); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, orMinute(c.StopTimeout))
	defer cancel()
	if err := c.signal(ctx, service, side, terminate); err != nil {
		return fmt.Errorf("stopping service %q on side %s: %w", service, side, err)
	}
	return nil
}

// KillAll ends all services of the directory at once and by force, for cleaning
// up. Their ledgers are not complete afterwards.
func (c Control) KillAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, orMinute(c.StopTimeout))
	defer cancel()
	files, err := filepath.Glob(filepath.Join(c.Dir, runDir, "*.pid"))
	if err != nil {
		return fmt.Errorf("looking for service processes: %w", err)
	}
	var errs []error
	for _, f := range files {
		name, sideName, ok := cutLast(strings.TrimSuffix(filepath.Base(f), ".pid"), "@")
		side, err := cluster.ParseSide(sideName)
		if !ok || err != nil {
			continue // not a file of ours
		}
		if err := c.signal(ctx, name, side, (*os.Process).Kill); err != nil && !errors.Is(err, errDied) {
			errs = append(errs, fmt.Errorf("killing service %q on side %s: %w", name, side, err))
		}
	}
	return errors.Join(errs...)
}

func (c Control) find(service string) (Service, error) {
	all, err := ReadServices(c.Dir)
	if err != nil {
		return Service{}, err
	}
	return all.Find(service)
}

// runs asks the lock. It takes it shared, so that two who look do not take each
// other for the service.
func (c Control) runs(service string, side cluster.Side) (bool, error) {
	path := pidFile(c.Dir, service, side)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	lock := flock.New(path)
	free, err := lock.TryRLock()
	if err != nil {
		return false, fmt.Errorf("looking at the service's lock: %w", err)
	}
	if !free {
		return true, nil
	}
	if err := lock.Unlock(); err != nil {
		return false, fmt.Errorf("letting go of the service's lock: %w", err)
	}
	return false, nil
}

// errDied means that a service ended without saying how.
var errDied = errors.New("the service process died without a clean end")

// signal sends a signal to the process that holds the lock and waits until the
// lock is free.
func (c Control) signal(ctx context.Context, service string, side cluster.Side, send func(*os.Process) error) error {
	signalled := false
	for {
		runs, err := c.runs(service, side)
		if err != nil {
			return err
		}
		if !runs {
			if !signalled {
				return nil
			}
			return c.howItEnded(service, side)
		}
		if !signalled {
			if signalled, err = c.signalOnce(service, side, send); err != nil {
				return err
			}
		}
		if err := wait(ctx, poll); err != nil {
			return fmt.Errorf("it still runs: %w; its log ends with:\n%s", err, logTail(c.logFile(service, side), 0))
		}
	}
}

// signalOnce signals if the pid file names a process that is certainly the
// service; a service that is just starting may not have written it yet.
func (c Control) signalOnce(service string, side cluster.Side, send func(*os.Process) error) (bool, error) {
	pid, started, err := readPid(pidFile(c.Dir, service, side))
	if err != nil || pid == 0 {
		return false, err
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return false, nil // gone meanwhile
	}
	defer func() { _ = process.Release() }() // frees a handle; nothing can be done about a failure
	// The handle is bound to the process now, so the comparison holds for the
	// signal, too.
	if startTime(pid) != started {
		return false, nil
	}
	if err := send(process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, fmt.Errorf("signalling process %d: %w", pid, err)
	}
	return true, nil
}

func (c Control) howItEnded(service string, side cluster.Side) error {
	text, err := os.ReadFile(exitFile(c.Dir, service, side))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w; its log ends with:\n%s", errDied, logTail(c.logFile(service, side), 0))
	case err != nil:
		return err
	case string(text) != "ok":
		return fmt.Errorf("it stopped with an error: %s", text)
	}
	return nil
}

func readPid(path string) (pid int, started string, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return 0, "", nil
		}
		return 0, "", fmt.Errorf("reading the service's process id: %w", err)
	}
	if n, err := fmt.Sscanf(string(data), "%d %s", &pid, &started); n != 2 || err != nil {
		return 0, "", nil // not written yet
	}
	return pid, started, nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func orMinute(d time.Duration) time.Duration {
	if d == 0 {
		return time.Minute
	}
	return d
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func (c Control) logFile(service string, side cluster.Side) string {
	return filepath.Join(c.Dir, logDir, instance(service, side)+".log")
}

// argv is the command line of a service process.
func (c Control) argv(service string, side cluster.Side) []string {
	return append(slices.Clone(c.Argv), c.Dir, service, side.String())
}
