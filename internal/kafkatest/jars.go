package kafkatest

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// poms pin the artifacts of each version. A change of a pom is another cache
// folder.
//
//go:embed pom-*.xml
var poms embed.FS

// fetchedJars returns the folder with the jars of a version, fetched if they are
// not in the user's cache directory yet. Test packages that run at the same time
// wait for one another.
func fetchedJars(ctx context.Context, log func(string, ...any), v Version) (string, error) {
	pom, err := poms.ReadFile("pom-" + string(v) + ".xml")
	if err != nil {
		return "", fmt.Errorf("reading the pom of Kafka %s: %w", v, err)
	}
	root, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the user's cache directory (set HOME or XDG_CACHE_HOME): %w", err)
	}
	dir := filepath.Join(root, "kplan", fmt.Sprintf("kafka-%s-%s", v, digest(pom)))
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder for Kafka's jars: %w", err)
	}
	lock := flock.New(dir + ".lock")
	if locked, err := lock.TryLockContext(ctx, 100*time.Millisecond); !locked {
		return "", fmt.Errorf("waiting for another process that fetches Kafka %s: %w", v, err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, unlock(lock)
	}
	began := time.Now()
	err = fetch(ctx, log, dir, pom)
	if err := errors.Join(err, unlock(lock)); err != nil {
		return "", fmt.Errorf("fetching the jars of Kafka %s: %w", v, err)
	}
	log("kafkatest: fetched the jars of Apache Kafka %s in %s", v, time.Since(began).Round(100*time.Millisecond))
	return dir, nil
}

// digest is a short name for some content.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}

// fetch lets Maven fill a folder and gives it its name when it is complete.
func fetch(ctx context.Context, log func(string, ...any), dir string, pom []byte) error {
	if err := needProgram(ctx, log, "mvn"); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "fetching-")
	if err != nil {
		return err
	}
	// After the rename this removes the pom alone.
	defer func() { _ = os.RemoveAll(tmp) }() // what stays is a folder that nobody reads
	pomFile, jars := filepath.Join(tmp, "pom.xml"), filepath.Join(tmp, "jars")
	if err := os.WriteFile(pomFile, pom, 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", pomFile, "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+jars)
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running %v: %w\n%s", cmd.Args, err, out)
	}
	return os.Rename(jars, dir)
}

func unlock(lock *flock.Flock) error {
	if err := lock.Unlock(); err != nil {
		return fmt.Errorf("letting go of the lock on the jars: %w", err)
	}
	return nil
}
