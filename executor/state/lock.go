package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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

// Lock is a held lock. It dies with its process.
type Lock struct {
	flock *flock.Flock
	// Left is the holder that the lock's file still named: it ended without
	// letting go.
	Left *Holder

	last int64 // the epoch that the file named
}

// Acquire takes the lock of a state directory, or returns *LockedError.
func Acquire(dir string, h Holder) (*Lock, error) {
	l, err := lockDir(context.Background(), dir, h)
	if err != nil {
		return nil, err
	}
	if err := l.name(h); err != nil {
		return nil, errors.Join(err, l.flock.Unlock())
	}
	return l, nil
}

// Somebody who only asks who holds the lock is in the way for an instant.
const (
	lockTries = 4
	lockPause = 20 * time.Millisecond
)

// lockDir takes the lock and does not yet say so in its file.
func lockDir(ctx context.Context, dir string, h Holder) (*Lock, error) {
	path := filepath.Join(dir, lockName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &WriteError{Path: path, Err: err}
	}
	var named Holder
	for range lockTries {
		l := &Lock{flock: flock.New(path, flock.SetPermissions(0o600))}
		ok, err := l.flock.TryLock()
		if err != nil {
			return nil, &WriteError{Path: path, Err: err}
		}
		var readErr error
		named, readErr = readHolder(path)
		if ok && l.inPlace() == "" {
			if readErr == nil {
				l.last = named.Epoch
			}
			if readErr == nil && named.PID != 0 {
				l.Left = &named
			}
			return l, nil
		}
		if ok { // removed between opening and locking
			if err := l.flock.Unlock(); err != nil {
				return nil, &WriteError{Path: path, Err: err}
			}
		}
		if err := pause(ctx, lockPause); err != nil {
			return nil, err
		}
	}
	return nil, &LockedError{Path: path, Holder: named, Age: max(0, h.Since.Sub(named.Since))}
}

// inPlace says why the file that is locked is not the one at the path, which
// the next kplan would lock; empty: it is.
func (l *Lock) inPlace() string {
	ours, err := l.flock.Stat()
	if err != nil {
		return err.Error()
	}
	there, err := os.Stat(l.flock.Path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "its file was removed"
	case err != nil:
		return err.Error()
	case !os.SameFile(ours, there):
		return "its file was replaced"
	}
	return ""
}

// name says in the file who holds the lock. A crash in the middle leaves a text
// that nobody understands, as if it had not been written.
func (l *Lock) name(h Holder) error {
	data, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encoding the lock: %w", err)
	}
	file, err := os.OpenFile(l.flock.Path(), os.O_WRONLY, 0)
	if err != nil {
		return &WriteError{Path: l.flock.Path(), Err: err}
	}
	if _, err = file.Write(data); err == nil {
		err = file.Truncate(int64(len(data)))
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return &WriteError{Path: l.flock.Path(), Err: err}
	}
	return nil
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

// letGo lets go and leaves the epoch in the file for the next holder.
func (l *Lock) letGo(epoch int64) error {
	var err error
	if l.inPlace() == "" {
		err = l.name(Holder{Epoch: epoch})
	}
	return errors.Join(err, l.flock.Unlock())
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
