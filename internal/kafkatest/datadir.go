package kafkatest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
)

const dataPrefix = "kplan-kafkatest-"

// dataDir is a cluster's folder, in memory where the machine has /dev/shm. A
// lock next to it says that its owner lives.
type dataDir struct {
	path string
	lock *flock.Flock
}

func newDataDir() (*dataDir, error) {
	root := os.TempDir()
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		root = "/dev/shm"
	}
	sweep(root)
	for range 5 {
		path, err := os.MkdirTemp(root, dataPrefix)
		if err != nil && root != os.TempDir() {
			path, err = os.MkdirTemp("", dataPrefix) // /dev/shm may be closed to us
		}
		if err != nil {
			return nil, fmt.Errorf("making a folder for the brokers' data: %w", err)
		}
		d := &dataDir{path: path, lock: flock.New(path + ".lock")}
		locked, err := d.lock.TryLock()
		if locked && d.standing() {
			return d, nil
		}
		// A sweep of another process came between the folder and its lock, or
		// between the making of the lock's file and its locking.
		if err := errors.Join(err, d.lock.Unlock(), os.RemoveAll(path)); err != nil {
			return nil, fmt.Errorf("locking the brokers' data folder: %w", err)
		}
	}
	return nil, errors.New("making a folder for the brokers' data: other processes removed it again and again")
}

// standing says whether the file that d has locked is still the one that other
// processes find by its name: a lock on a file that a sweep has removed since
// it was opened keeps nobody out.
func (d *dataDir) standing() bool {
	held, err := d.lock.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(d.path + ".lock")
	return err == nil && os.SameFile(held, named)
}

func (d *dataDir) remove() error {
	return errors.Join(os.RemoveAll(d.path), os.Remove(d.path+".lock"), d.lock.Unlock())
}

// sweep removes the folders of test processes that were killed. It does what it
// can: the folders of other users stay.
func sweep(root string) {
	locks, err := filepath.Glob(filepath.Join(root, dataPrefix+"*.lock"))
	if err != nil {
		return
	}
	for _, path := range locks {
		lock := flock.New(path)
		if locked, err := lock.TryLock(); err != nil || !locked {
			continue
		}
		_ = os.RemoveAll(strings.TrimSuffix(path, ".lock"))
		_ = os.Remove(path)
		_ = lock.Unlock()
	}
}
