package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const lockName = "lock"

// Holder says who holds the lock.
type Holder struct {
	ID    string    `json:"id,omitempty"` // what unlock takes
	Who   string    `json:"who"`
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Space string    `json:"space,omitempty"` // where PID means something: boot id and PID namespace
	Since time.Time `json:"since"`
	Beat  time.Time `json:"beat,omitzero"` // the last heartbeat, where there are any
	Epoch int64     `json:"epoch,omitempty"`
}

func (h Holder) String() string {
	return fmt.Sprintf("%s on %s (process %d) since %s", h.Who, h.Host, h.PID, h.Since.Format(time.RFC3339))
}

// LockedError says that another kplan is at work.
type LockedError struct {
	Path   string
	Holder Holder
	Age    time.Duration
}

func (e *LockedError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("the state is locked by another kplan, which has not said yet who it is. Wait for it to end (%s)", e.Path)
	}
	return fmt.Sprintf("the state is locked by %s, %s ago. Wait for it to end, or interrupt it there: the lock of a dead process is free at once (%s)", e.Holder, e.Age.Round(time.Second), e.Path)
}

// Lock is a held lock. It dies with its process.
type Lock struct {
	flock *flock.Flock
	// Left is the holder that the lock's file still named: it ended without
	// letting go.
	Left *Holder
}

// Acquire takes the lock of a state directory, or returns *LockedError.
func Acquire(dir string, h Holder) (*Lock, error) {
	path := filepath.Join(dir, lockName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &WriteError{Path: path, Err: err}
	}
	l := &Lock{flock: flock.New(path, flock.SetPermissions(0o600))}
	ok, err := l.flock.TryLock()
	if err != nil {
		return nil, &WriteError{Path: path, Err: err}
	}
	named, readErr := readHolder(path)
	if !ok {
		return nil, &LockedError{Path: path, Holder: named, Age: h.Since.Sub(named.Since)}
	}
	if readErr == nil && named.PID != 0 {
		l.Left = &named
	}
	data, err := json.Marshal(h)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		return nil, errors.Join(&WriteError{Path: path, Err: err}, l.flock.Unlock())
	}
	return l, nil
}

func readHolder(path string) (Holder, error) {
	var h Holder
	data, err := os.ReadFile(path)
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal(data, &h)
}

// Release empties the file and lets go.
func (l *Lock) Release() error {
	return errors.Join(os.Truncate(l.flock.Path(), 0), l.flock.Unlock())
}
