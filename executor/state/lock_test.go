package state_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
)

const lockDir = "KPLAN_TEST_LOCK_DIR"

// TestMain lets the test binary be the other kplan: it takes the lock, says so,
// and holds it until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(lockDir); dir != "" {
		if _, err := state.Acquire(dir, state.Holder{Who: "other", Host: "there", PID: os.Getpid(), Since: clock()}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("locked")
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until killed or the test is gone
		os.Exit(0)
	}
	os.Exit(brokers.Main(m))
}

func other(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), lockDir+"="+dir)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "locked" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return cmd
}

// A second kplan is refused with the name of the first; when that one is
// killed, the lock is free at once and says whose it was.
func TestLockBetweenProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "orders")
	cmd := other(t, dir)
	me := state.Holder{Who: "me", Host: "here", PID: os.Getpid(), Since: clock().Add(5 * time.Second)}
	_, err := state.Acquire(dir, me)
	var locked *state.LockedError
	if !errors.As(err, &locked) || locked.Holder.Who != "other" || locked.Holder.PID != cmd.Process.Pid || locked.Age != 5*time.Second {
		t.Fatalf("error %v", err)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	lock, err := state.Acquire(dir, me)
	if err != nil {
		t.Fatal(err)
	}
	if lock.Left == nil || lock.Left.Who != "other" {
		t.Errorf("left by %v", lock.Left)
	}
	if _, err := state.Acquire(dir, me); !errors.As(err, &locked) || locked.Holder.Who != "me" {
		t.Errorf("a second lock in this process: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	lock, err = state.Acquire(dir, me)
	if err != nil || lock.Left != nil {
		t.Errorf("after a release: left by %v, %v", lock.Left, err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
}

// Answers come out whole and oldest first, while others write; what was taken
// up is gone, and a letter that two steps look at harms nobody.
func TestInbox(t *testing.T) {
	dir := t.TempDir()
	if got, err := state.Letters(dir); err != nil || len(got) != 0 {
		t.Fatalf("an inbox that is not there: %v, %v", got, err)
	}
	const n = 50
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := state.Put(dir, state.Answer{Request: state.Request{Verb: "done", Address: fmt.Sprint(i), Who: strings.Repeat("x", 4000), At: clock().Add(time.Duration(n-i) * time.Second)}}); err != nil {
				t.Error(err)
			}
		})
	}
	for range 4 {
		wg.Go(func() {
			for range 50 {
				got, err := state.Letters(dir)
				if err != nil {
					t.Errorf("while others write and remove: %v", err)
				}
				for _, l := range got {
					if len(l.Who) != 4000 {
						t.Errorf("half a letter: %d", len(l.Who))
					}
				}
			}
		})
	}
	wg.Wait()
	got, err := state.Letters(dir)
	if err != nil || len(got) != n {
		t.Fatalf("%d letters, %v", len(got), err)
	}
	var order, want []string
	for i, l := range got {
		order, want = append(order, l.Address), append(want, fmt.Sprint(n-1-i))
	}
	if d := cmp.Diff(want, order); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
	for range 2 {
		wg.Go(func() {
			if _, err := state.Letters(dir); err != nil {
				t.Error(err)
			}
		})
		for _, l := range got {
			if err := l.Remove(); err != nil {
				t.Error(err)
			}
		}
	}
	wg.Wait()
	entries, err := os.ReadDir(filepath.Join(dir, "inbox"))
	if err != nil || len(entries) != 0 {
		t.Errorf("left in the inbox: %v, %v", entries, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "inbox", "9.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := state.Letters(dir); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a foreign file: %v", err)
	}
}

// limited runs f while this process may not write files beyond size bytes.
func limited(t *testing.T, size uint64, f func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}
