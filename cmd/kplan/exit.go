package main

import (
	"errors"
	"fmt"
	"strings"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/migration"
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
  8    a service stands stopped at the end of apply, whatever ended it but an interrupt: page someone
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

// stoppedError says which services stand stopped when an apply has ended before
// its first step, with what it ended.
type stoppedError struct {
	services []string
	by       *state.Holder // of the lock, who goes on with them; nil: nobody is known to
	err      error
}

func (e *stoppedError) Error() string {
	var lines []string
	if text := e.err.Error(); text != "" {
		lines = append(lines, text)
	}
	for _, s := range e.services {
		lines = append(lines, stoppedText(s, e.by))
	}
	return strings.Join(lines, "\n")
}

func (e *stoppedError) Unwrap() error { return e.err }

// stoppedText says that a service runs nowhere, and how it gets to run. by is who
// holds the lock; nil: nobody is known to.
func stoppedText(service string, by *state.Holder) string {
	if by != nil {
		return fmt.Sprintf("Service %s is stopped now; the kplan that holds the lock goes on with it: %s.", service, by)
	}
	return fmt.Sprintf("Service %s is stopped now; the next apply starts it.", service)
}

// exitCode is how a command ends that failed with err.
func exitCode(err error) int {
	var stopped *stoppedError
	if errors.As(err, &stopped) {
		if stopped.by != nil {
			return plainCode(err)
		}
		return leaving(len(stopped.services), plainCode(err), err)
	}
	return plainCode(err)
}

// codeOf is how an apply ends whose steps have run.
func codeOf(r executor.Result) int {
	code := plainCode(r.Err)
	switch {
	case code == exitLocked:
	case len(r.Restored) > 0:
		code = exitRestored
	case code == exitDone && (len(r.Parked) > 0 || r.Paused != nil):
		code = exitParked
	}
	return leaving(len(r.Stranded)+len(r.Stopped), code, r.Err)
}

// leaving is the one place where services that stand stopped decide how a
// command ends: with 8, whatever else it was. Only whoever interrupts knows, and
// another kplan that has the lock goes on with them.
func leaving(stopped, code int, err error) int {
	var locked *state.LockedError
	var lost *state.LeaseLostError
	others := errors.As(err, &locked) || errors.As(err, &lost) && lost.By != nil
	if stopped == 0 || code == exitInterrupted || others {
		return code
	}
	return exitStranded
}

// plainCode is the exit code of an error, whatever it leaves behind.
func plainCode(err error) int {
	var coded *codedError
	var locked *state.LockedError
	var lost *state.LeaseLostError
	var stale *migration.StaleError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &stale):
		return exitStale
	case errors.As(err, &locked), errors.As(err, &lost):
		return exitLocked
	case errors.Is(err, executor.ErrInterrupted):
		return exitInterrupted
	default:
		return exitError
	}
}
