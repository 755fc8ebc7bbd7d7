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

// dirLock is a held lock on a directory. It dies with its process.
type dirLock struct {
	flock *flock.Flock
	left  *Holder // whom the lock's file still named: it ended without letting go
	last  int64   // the epoch that the file named
}

// Somebody who only asks who holds the lock is in the way for an instant.
const (
	lockTries = 4
	lockPause = 20 * time.Millisecond
)

// lockDir takes the lock, or returns *LockedError. It does not yet say so in the
// lock's file.
func lockDir(ctx context.Context, dir string, h Holder) (*dirLock, error) {
	path := filepath.Join(dir, lockName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &WriteError{Path: path, Err: err}
	}
	var named Holder
	for range lockTries {
		l := &dirLock{flock: flock.New(path, flock.SetPermissions(0o600))}
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
				l.left = &named
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
func (l *dirLock) inPlace() string {
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
func (l *dirLock) name(h Holder) error {
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

// letGo lets go and leaves the epoch in the file for the next holder.
func (l *dirLock) letGo(epoch int64) error {
	var err error
	if l.inPlace() == "" {
		err = l.name(Holder{Epoch: epoch})
	}
	return errors.Join(err, l.flock.Unlock())
}
