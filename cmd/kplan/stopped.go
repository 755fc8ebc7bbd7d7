package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kplan/executor"
	"kplan/executor/state"
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
		return nil, nil, unreadState(err)
	}
	return stoppedIn(ctx, b)
}

// stoppedIn looks into one state, and closes it. Who holds the lock is asked before
// the state and after it: an apply that ends in between has changed what was read, or
// goes on with it no more.
func stoppedIn(ctx context.Context, b state.Backend) (services []string, by *state.Holder, err error) {
	defer func() {
		if closed := b.Close(); err == nil && closed != nil {
			services, by, err = nil, nil, unreadState(closed)
		}
	}()
	before, notTold := b.Holder(ctx)
	for {
		st, err := b.Read(ctx)
		if err = cmp.Or(err, notTold); err != nil { // the state's own reason first: apply has said it already
			return nil, nil, unreadState(err)
		}
		after, err := b.Holder(ctx)
		if err != nil {
			return nil, nil, unreadState(err)
		}
		if !sameHolder(before, after) {
			before = after
			continue
		}
		if _, host := whoami(); after != nil && (after.Brief || after.PID == os.Getpid() && after.Host == host) { // it does not apply
			after = nil
		}
		return executor.Stopped(st), after, nil
	}
}

func sameHolder(a, b *state.Holder) bool {
	return a == nil && b == nil || a != nil && b != nil && a.ID == b.ID
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
		services, holder, err := stoppedIn(ctx, state.NewFile(dir, time.Now))
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

func unreadState(err error) error {
	return fmt.Errorf("whether a service stands stopped is not known, since the state cannot be read: %w", err)
}
