package state

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WriteError says that the state cannot be written. Nothing that is not in the
// journal may be done, so the engine stops.
type WriteError struct {
	Path string // a file or a topic
	What string // what was to be written; empty: the journal
	Err  error
	Do   string // for a topic; empty: what helps with files
}

func (e *WriteError) Error() string {
	in, do, what := "in ", e.Do, e.What
	if do == "" {
		in, do = "", "make the directory writable and make room, then apply again"
	}
	if what == "" {
		what = "the journal"
	}
	return fmt.Sprintf("writing %s %s%s: %v. kplan does nothing that it cannot record: %s", what, in, e.Path, e.Err, do)
}

func (e *WriteError) Unwrap() error { return e.Err }

// DamagedError says that a journal cannot be understood.
type DamagedError struct {
	Path string
	Line int // zero: it has no lines
	Why  string
	Do   string
}

func (e *DamagedError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s. %s", e.Path, e.Why, e.Do)
	}
	return fmt.Sprintf("%s line %d: %s. %s", e.Path, e.Line, e.Why, e.Do)
}

// damaged says why a record cannot be read.
func damaged(path string, line int, err error) *DamagedError {
	if newer := (*newerError)(nil); errors.As(err, &newer) {
		return &DamagedError{Path: path, Line: line, Why: newer.Error(), Do: "It was written by a newer kplan: use that one"}
	}
	return &DamagedError{Path: path, Line: line, Why: "the record is damaged: " + err.Error(),
		Do: "Restore the state from a copy. Without one, move it away and compare both clusters by hand before the next apply"}
}

// ReadError says that there is a state and that it cannot be read.
type ReadError struct {
	Path string // a file or a topic
	Err  error
	Do   string // for a topic; empty: what helps with files
}

func (e *ReadError) Error() string {
	why := e.Err
	var path *fs.PathError
	if errors.As(e.Err, &path) {
		why = path.Err // it names the file as well
	}
	if e.Do != "" {
		return fmt.Sprintf("reading the state in %s: %v. %s", e.Path, why, e.Do)
	}
	return fmt.Sprintf("reading the state %s: %v. Check the path in the plan's state block, and that you may read it", e.Path, why)
}

func (e *ReadError) Unwrap() error { return e.Err }

// LockedError says that another kplan is at work.
type LockedError struct {
	Path   string
	Holder Holder
	Age    time.Duration // for how long it has been held
	Lease  time.Duration // after which the lock of a dead process is free; zero: at once
}

func (e *LockedError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("the state is locked by another kplan, which has not said yet who it is. Wait for it to end (%s)", e.Path)
	}
	free := "at once"
	if e.Lease > 0 {
		free = "after " + e.Lease.String()
	}
	return fmt.Sprintf("the state is locked by %s, %s ago. Wait for it to end, or interrupt it there: the lock of a dead process is free %s (%s)", e.Holder, e.Age.Round(time.Second), free, e.Path)
}

// UnlockError says why a lock was not taken away.
type UnlockError struct {
	Where  string
	ID     string  // that was asked for
	Holder *Holder // who holds the lock; nil: nobody
	Alive  bool    // the holder is known to live and cannot be told
}

func (e *UnlockError) Error() string {
	switch {
	case e.Holder == nil:
		return fmt.Sprintf("nobody holds the lock of the state in %s: there is nothing to unlock, apply goes on as it is", e.Where)
	case e.Alive:
		return fmt.Sprintf("the lock of the state in %s is held by %s, which lives: a lock on a file cannot be taken away from it. End that process; the lock is free at once", e.Where, e.Holder)
	}
	return fmt.Sprintf("the lock of the state in %s has the id %s, not %s: it is held by %s. kplan lock shows it; unlock what you have looked at", e.Where, e.Holder.ID, e.ID, e.Holder)
}

// MovedAwayError says that the state goes on in another place.
type MovedAwayError struct {
	Where string
	To    string
}

func (e *MovedAwayError) Error() string {
	return fmt.Sprintf("the state in %s was moved to %s, and nothing may be done from here. Say so in the plan's state block (check out the plan's current version), or move the state back", e.Where, e.To)
}

// SupersededError says that some values were not kept, since another process has
// kept one under the same name meanwhile, or is its owner now. The values of other
// names, which were kept with the same call, are kept.
type SupersededError struct{ Names []string }

func (e *SupersededError) Error() string {
	names := make([]string, 0, mostSuperseded+1)
	for i, name := range e.Names {
		if i == mostSuperseded {
			names = append(names, fmt.Sprintf("%d more", len(e.Names)-i))
			break
		}
		names = append(names, strconv.Quote(name))
	}
	return fmt.Sprintf("another process has written or taken over %s of the mirror's state meanwhile, and that counts: this one does not go on with it. It reads what is there and tries again if it still has to", strings.Join(names, ", "))
}

// mostSuperseded is how many names a message has.
const mostSuperseded = 3

// Superseded are the names that were not kept.
func (e *SupersededError) Superseded() []string { return e.Names }

// superseded is the error of names; none: there is none.
func superseded(names []string) error {
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return &SupersededError{Names: names}
}
