package workload

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// ownerFile is locked by whoever the services of a work directory are for.
const ownerFile = "owner"

// Own makes the services of a work directory end by themselves when this process is
// gone, however it ends, or release was called: they are processes of their own,
// and nothing else would end those of a test that was killed. Without it they go on.
func Own(dir string) (release func() error, err error) {
	lock := flock.New(filepath.Join(dir, ownerFile))
	switch mine, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("owning the services: %w", err)
	case !mine:
		return nil, fmt.Errorf("owning the services: those of %s are another process's", dir)
	}
	return lock.Unlock, nil
}

// orphaned reports whether whoever the services are for is gone.
func orphaned(dir string) (bool, error) {
	path := filepath.Join(dir, ownerFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	lock := flock.New(path)
	free, err := lock.TryRLock()
	if err != nil || !free {
		return false, err
	}
	return true, lock.Unlock()
}

// endWith ends the run when its work is nobody's any more: its pid file is gone,
// since the test that made the work directory is over, or the directory's owner is.
func endWith(ctx context.Context, cancel context.CancelFunc, dir, pidFile string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, err := os.Stat(pidFile)
		gone, _ := orphaned(dir) // what cannot be looked at now is looked at again
		if gone || errors.Is(err, os.ErrNotExist) {
			cancel()
			return
		}
	}
}
