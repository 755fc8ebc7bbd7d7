package kafkatest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// installHint is what a person types where this package may not.
const installHint = "sudo apt-get install -y default-jre-headless maven"

// needProgram makes sure that java or mvn is there: installed already, or
// installed now by the system's package manager where this process may.
func needProgram(ctx context.Context, log func(string, ...any), name string) error {
	if _, err := exec.LookPath(name); err == nil {
		return nil
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("the tests on real Kafka need %s, which is not in PATH; type: %s", name, installHint)
	}
	// One installation at a time: apt's own lock does not wait.
	lock := flock.New(filepath.Join(os.TempDir(), "kplan-kafkatest-install.lock"))
	if locked, err := lock.TryLockContext(ctx, 200*time.Millisecond); !locked {
		return fmt.Errorf("waiting for another process that installs %s: %w", name, err)
	}
	defer func() { _ = lock.Unlock() }() // it dies with the process anyway
	if _, err := exec.LookPath(name); err == nil {
		return nil
	}
	log("kafkatest: %s is missing; installing default-jre-headless and maven", name)
	for _, args := range [][]string{
		{"update"},
		{"install", "-y", "--no-install-recommends", "default-jre-headless", "maven"},
	} {
		cmd := exec.CommandContext(ctx, apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("installing %s: running %v: %w\n%s\ntype: %s", name, cmd.Args, err, out, installHint)
		}
	}
	if _, err := exec.LookPath(name); err != nil {
		return fmt.Errorf("the packages were installed, but %s is still not in PATH: %w", name, err)
	}
	return nil
}
