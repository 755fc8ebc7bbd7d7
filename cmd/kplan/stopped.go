package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kplan/executor/state"
	"kplan/internal/migration"
	"kplan/plan/diff"
)

// blockedError says why apply must not begin: a plan that does not fit, or
// checks that fail.
type blockedError struct {
	err         error
	diagnostics []diff.Diagnostic
}

func (e *blockedError) Error() string { return e.err.Error() }
func (e *blockedError) Unwrap() error { return e.err }

// readPatience is for how long to look into the state when an apply has failed.
const readPatience = 30 * time.Second

// leftStopped adds to an error with which apply ended before its steps ran the
// services that stand stopped: an earlier apply has stopped them, and this one
// was to start them.
func (a *app) leftStopped(ctx context.Context, err error) error {
	var coded *codedError
	var moved *state.MovedAwayError                                                         // what is known here is old
	if err == nil || errors.As(err, &moved) || errors.As(err, &coded) && coded.err == nil { // the conclusion has named them
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readPatience)
	defer cancel()
	services, by, unknown := a.stoppedNow(ctx)
	if unknown != nil {
		if cause := errors.Unwrap(unknown); cause != nil && strings.Contains(err.Error(), cause.Error()) {
			unknown = errors.New("whether a service stands stopped is not known, for the same reason")
		}
		return errors.Join(err, unknown)
	}
	if len(services) == 0 {
		return err
	}
	var lost *state.LeaseLostError
	if by == nil && errors.As(err, &lost) {
		by = lost.By
	}
	return &stoppedError{services: services, by: by, err: err}
}

// stoppedNow reads from the state which services stand stopped, and which other
// kplan holds the lock and goes on with them. Where the files do not tell where
// the state is, it looks where it is unless they do.
func (a *app) stoppedNow(ctx context.Context) ([]string, *state.Holder, error) {
	loaded, err := a.tryLoad()
	if err != nil || loaded.Plan == nil {
		return a.stoppedHere(ctx)
	}
	p := loaded.Plan
	b, err := a.backend(ctx, p, p.State)
	if err != nil {
		return nil, nil, migration.UnreadState(err)
	}
	return migration.Stopped(ctx, b, itself)
}

// stoppedHere looks into every state in the default place. Where one of several
// has a service stopped that nobody goes on with, none is said to be.
func (a *app) stoppedHere(ctx context.Context) ([]string, *state.Holder, error) {
	dirs, err := filepath.Glob(filepath.Join(a.dir, ".kplan", "*"))
	if err != nil {
		return nil, nil, err
	}
	var all []string
	var by *state.Holder
	alone := false
	for _, dir := range dirs {
		services, holder, err := migration.Stopped(ctx, state.NewFile(dir, time.Now), itself)
		if err != nil {
			return nil, nil, err
		}
		if all = append(all, services...); len(services) > 0 {
			by, alone = holder, alone || holder == nil
		}
	}
	if alone {
		by = nil
	}
	return all, by, nil
}

// itself reports whether a holder of the lock is this process, or one that has it
// for a moment: neither goes on with what stands stopped.
func itself(h state.Holder) bool {
	_, host := whoami()
	return h.Brief || h.PID == os.Getpid() && h.Host == host
}
