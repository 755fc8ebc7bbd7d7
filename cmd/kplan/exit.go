package main

import (
	"errors"

	"kplan/executor"
	"kplan/executor/state"
)

// The exit codes, as the help prints them.
const (
	exitDone         = 0
	exitError        = 1
	exitDifferences  = 2
	exitInconclusive = 3
	exitParked       = 4
	exitStale        = 5
	exitLocked       = 6
	exitRestored     = 7
	exitStranded     = 8
	exitInterrupted  = 130
)

const exitHelp = `Exit codes:
  0    done, or nothing to do
  1    error, nothing in flight
  2    differences (diff --detailed-exitcode; any Fail of verify)
  3    inconclusive (an Error or Unknown of verify)
  4    parked: a person has to act, or a gate has to open
  5    clusters, plan or state changed between the diff and the apply
  6    another kplan holds the lock, or took it over
  7    failed, services restored to the source
  8    failed with a service stopped: page someone
  130  interrupted, resumable`

// codedError carries a code that no error type stands for.
type codedError struct {
	code int
	err  error // nil: everything has been said
}

func (e *codedError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *codedError) Unwrap() error { return e.err }

// exitCode is the one place where outcomes become exit codes.
func exitCode(err error) int {
	var coded *codedError
	var locked *state.LockedError
	var lost *state.LeaseLostError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &locked), errors.As(err, &lost):
		return exitLocked
	case errors.Is(err, executor.ErrInterrupted):
		return exitInterrupted
	default:
		return exitError
	}
}

// codeOf maps the result of a run.
func codeOf(r executor.Result) int {
	var lost *state.LeaseLostError
	switch {
	case errors.As(r.Err, &lost):
		return exitLocked
	case len(r.Stranded) > 0:
		return exitStranded
	case len(r.Restored) > 0:
		return exitRestored
	case errors.Is(r.Err, executor.ErrInterrupted):
		return exitInterrupted
	case r.Err != nil:
		return exitError
	case len(r.Parked) > 0, r.Paused != nil:
		return exitParked
	default:
		return exitDone
	}
}
