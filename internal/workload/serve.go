package workload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"kplan/internal/cluster"
)

// ErrAlreadyRuns is returned by Serve where another process runs the same
// service on the same side.
var ErrAlreadyRuns = errors.New("the service already runs on this side")

// instanceRun is what a role needs to run.
type instanceRun struct {
	dir    string
	svc    Service
	conn   Connection
	log    *slog.Logger
	ledger *ledger
	ready  func() error
}

// Serve runs one service on one side until ctx ends (the caller ends it on
// SIGTERM), then stops cleanly: see the package's invariants. It is the body of
// the process that Control.Start starts. It also ends when the work directory
// disappears, its owner is gone (Own), or the lifetime of services.json is over.
//
// It returns ErrAlreadyRuns where the side is taken, and an error where
// something that was promised could not be kept, such as a record under way that
// was never acknowledged.
func Serve(ctx context.Context, log *slog.Logger, dir, service string, side cluster.Side) (err error) {
	all, err := ReadServices(dir)
	if err != nil {
		return err
	}
	svc, err := all.Find(service)
	if err != nil {
		return err
	}
	lock, err := takeInstance(ctx, dir, service, side)
	if err != nil {
		return err
	}
	log = log.With("service", service, "side", side.String(), "pid", os.Getpid())
	var once sync.Once
	leave := func(end error) (failed error) {
		once.Do(func() { failed = leaveInstance(lock, dir, service, side, end) })
		return failed
	}
	defer func() {
		if err != nil {
			log.Error("ended", "error", err)
		} else {
			log.Info("stopped")
		}
		err = errors.Join(err, leave(err))
	}()
	lifetime := all.Lifetime
	if lifetime == 0 {
		lifetime = time.Hour
	}
	ctx, cancel := context.WithTimeout(ctx, lifetime)
	defer cancel()
	go endWith(ctx, cancel, dir, pidFile(dir, service, side))
	conn, err := readConnection(dir, side)
	if err != nil {
		return err
	}
	if login, own := svc.Logins[side.String()]; own {
		conn.SASL = &login
	}
	led, err := openLedger(dir, service, side)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, led.close()) }()
	run := instanceRun{dir: dir, svc: svc, conn: conn, log: log, ledger: led, ready: func() error {
		log.Info("ready")
		return writeAtomic(readyFile(dir, service, side), []byte(strconv.Itoa(os.Getpid())))
	}}
	if svc.Role == Producer && svc.Linger > 0 {
		var done context.CancelFunc
		ctx, done = linger(ctx, log, svc.Linger, leave)
		defer done()
	}
	if svc.Role == Producer {
		return runProducer(ctx, run)
	}
	return runReader(ctx, run)
}

// linger returns a context that ends later than ctx by d. When ctx ends, leave
// says that the service is gone.
func linger(ctx context.Context, log *slog.Logger, d time.Duration, leave func(end error) error) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-ctx.Done():
		case <-longer.Done():
			return
		}
		if err := leave(nil); err != nil {
			log.Error("saying goodbye early", "error", err)
		}
		select {
		case <-time.After(d):
		case <-longer.Done():
		}
		cancel()
	}()
	return longer, cancel
}

// takeInstance takes the lock that says that the service runs, and tells who
// holds it.
func takeInstance(ctx context.Context, dir, service string, side cluster.Side) (*flock.Flock, error) {
	path := pidFile(dir, service, side)
	lock := flock.New(path)
	// Whoever looks whether the service runs holds the lock for a moment, so
	// one refusal means nothing yet.
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	locked, err := lock.TryLockContext(wait, 5*time.Millisecond)
	if !locked {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, ErrAlreadyRuns
		}
		return nil, fmt.Errorf("locking %s: %w", filepath.Base(path), err)
	}
	pid := os.Getpid()
	err = errors.Join(
		removeIfThere(readyFile(dir, service, side)),
		removeIfThere(exitFile(dir, service, side)),
		os.WriteFile(path, []byte(fmt.Sprintf("%d %s\n", pid, startTime(pid))), 0o644),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("registering the service: %w", err), lock.Unlock())
	}
	return lock, nil
}

// leaveInstance tells how the run ended, then lets the lock go.
func leaveInstance(lock *flock.Flock, dir, service string, side cluster.Side, end error) error {
	text := "ok"
	if end != nil {
		text = end.Error()
	}
	var errs []error
	if _, err := os.Stat(dir); err == nil {
		errs = append(errs,
			writeAtomic(exitFile(dir, service, side), []byte(text)),
			removeIfThere(readyFile(dir, service, side)),
			// No number may outlive its process.
			os.Truncate(pidFile(dir, service, side), 0))
	}
	return errors.Join(append(errs, lock.Unlock())...)
}

func pidFile(dir, service string, side cluster.Side) string {
	return filepath.Join(dir, runDir, instance(service, side)+".pid")
}

func readyFile(dir, service string, side cluster.Side) string {
	return filepath.Join(dir, runDir, instance(service, side)+".ready")
}

func exitFile(dir, service string, side cluster.Side) string {
	return filepath.Join(dir, runDir, instance(service, side)+".exit")
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
