package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// archiveLimit is how long a broker may take to write its classes down.
const archiveLimit = 2 * time.Minute

// classArchive returns the path of an archive with a broker's classes (JEP 350),
// beside the jars: a broker starts from it with half of the computing. It is made
// once, by a broker that is started for that alone; where Java makes none, brokers
// start without.
func classArchive(ctx context.Context, log func(string, ...any), v Version, jars string) (string, error) {
	java, err := javaIdentity()
	if err != nil {
		return "", err
	}
	path := fmt.Sprintf("%s-classes-%s.jsa", jars, digest([]byte(java)))
	lock := flock.New(path + ".lock")
	if locked, err := lock.TryLockContext(ctx, 100*time.Millisecond); !locked {
		return "", fmt.Errorf("waiting for another process that archives the classes of Kafka %s: %w", v, err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := archive(ctx, log, v, path); err != nil {
			log("kafkatest: brokers start without an archive of classes: %v", err)
			path = ""
		}
	case err != nil:
		return "", errors.Join(fmt.Errorf("looking for the archive of classes: %w", err), unlock(lock))
	case info.Size() == 0: // this Java makes none
		path = ""
	}
	return path, unlock(lock)
}

// javaIdentity tells one installed Java from another: an archive fits one alone.
func javaIdentity() (string, error) {
	path, err := exec.LookPath("java")
	if err != nil {
		return "", err
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", fmt.Errorf("finding Java: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("finding Java: %w", err)
	}
	return fmt.Sprint(path, info.Size(), info.ModTime().UnixNano()), nil
}

// archive starts a broker and stops it: Java writes the archive as it ends.
func archive(ctx context.Context, log func(string, ...any), v Version, path string) error {
	tmp := path + ".new"
	c, err := start(ctx, log, Options{
		Version: v, Listeners: []Listener{SASLTLS}, Users: stockUsers(), Authorizer: true,
		teach: "-XX:ArchiveClassesAtExit=" + tmp,
	})
	if err != nil {
		return err
	}
	err = c.nodes[0].proc.stop(archiveLimit)
	if err := errors.Join(err, c.close()); err != nil {
		return err
	}
	err = os.Rename(tmp, path)
	if errors.Is(err, fs.ErrNotExist) { // not tried again at every start
		err = errors.Join(errors.New("this Java has made none"), os.WriteFile(path, nil, 0o644))
	}
	return err
}
