package state_test

import (
	"bufio"
	"context"
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
		if _, err := state.NewFile(dir, clock).Acquire(context.Background(), state.Holder{Who: "other", Host: "there", PID: os.Getpid(), Since: clock()}); err != nil {
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

// Requests come out whole and oldest first, while others leave, take and clear
// some; nothing is left over.
func TestInboxInACrowd(t *testing.T) {
	dir := t.TempDir()
	b := state.NewFile(dir, clock)
	s := acquire(t, b, elsewhere("a"))
	const n = 30
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for i := range n {
		writers.Go(func() {
			r := ask(fmt.Sprint(i), time.Duration(n-i)*time.Second)
			if err := b.Put(t.Context(), r); err != nil {
				t.Error(err)
			}
			if i >= n/2 {
				return
			}
			if err := errors.Join(s.Take(t.Context(), r.ID), s.Clear(t.Context(), r.ID), s.Clear(t.Context(), r.ID)); err != nil {
				t.Error(err)
			}
		})
	}
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					inbox(t, b) // whole, whoever writes and removes
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	var want []string
	for i := n - 1; i >= n/2; i-- {
		want = append(want, fmt.Sprint(i))
	}
	if d := cmp.Diff(want, inbox(t, b)); d != "" {
		t.Errorf("in the inbox (-want +got):\n%s", d)
	}
	for _, id := range want {
		if err := s.Clear(t.Context(), id); err != nil {
			t.Error(err)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "inbox")); err != nil || len(entries) != 0 {
		t.Errorf("left in the inbox: %v, %v", entries, err)
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
