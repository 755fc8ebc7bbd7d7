package state_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
)

// Taken out: looking at the file in Check. Somebody who removes the directory,
// or puts a copy in its place, lets a second kplan in.
func TestLockFileGone(t *testing.T) {
	for what, do := range map[string]func(dir string) error{
		"removed":   func(dir string) error { return os.RemoveAll(dir) },
		"renamed":   func(dir string) error { return os.Rename(dir, dir+".old") },
		"lock file": func(dir string) error { return os.Remove(filepath.Join(dir, "lock")) },
		"replaced": func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".old"), os.CopyFS(dir, os.DirFS(dir+".old")))
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "orders")
			s := acquire(t, state.NewFile(dir, clock), elsewhere("a"))
			appendAll(t, s, story()[0])
			if err := errors.Join(s.Check(), do(dir)); err != nil {
				t.Fatal(err)
			}
			other := acquire(t, state.NewFile(dir, clock), elsewhere("b")) // who could act now
			_, err := s.Append(story()[1])
			if lost := as[*state.LeaseLostError](t, err); lost.By == nil || lost.By.Who != "b" {
				t.Errorf("the first one: %v", err)
			}
			<-s.Lost()
			if err := s.Release(); err != nil {
				t.Errorf("letting go of what is lost: %v", err)
			}
			if err := other.Check(); err != nil {
				t.Errorf("the second one, after that: %v", err)
			}
			if h, err := state.NewFile(dir, clock).Holder(t.Context()); err != nil || h == nil || h.Who != "b" {
				t.Errorf("held by %v, %v", h, err)
			}
		})
	}
}

// Another process is refused with the name of the first, which cannot be told to
// stop while it lives. The lock of one that was killed is free at once, and says
// whose it was.
func TestFileHolders(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "orders")
	cmd := other(t, dir)
	b := state.NewFile(dir, clock)
	h, err := b.Holder(t.Context())
	if err != nil || h == nil || h.PID != cmd.Process.Pid {
		t.Fatalf("held by %v, %v", h, err)
	}
	_, err = b.Acquire(t.Context(), state.Holder{Who: "me", PID: os.Getpid(), Since: clock().Add(5 * time.Second)})
	if locked := as[*state.LockedError](t, err); locked.Holder.Who != "other" || locked.Holder.PID != cmd.Process.Pid || locked.Age != 5*time.Second {
		t.Errorf("a second one: %v", err)
	}
	err = b.Unlock(t.Context(), h.ID, elsewhere("me"))
	if refused := as[*state.UnlockError](t, err); !refused.Alive || !strings.Contains(err.Error(), "End that process") {
		t.Errorf("unlocking: %v", err)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	if h, err := b.Holder(t.Context()); err != nil || h != nil {
		t.Errorf("held by the dead %v, %v", h, err)
	}
	if refused := as[*state.UnlockError](t, b.Unlock(t.Context(), h.ID, elsewhere("me"))); refused.Holder != nil {
		t.Errorf("unlocking the dead: %v", refused)
	}
	if s := acquire(t, b, elsewhere("me")); s.Left() == nil || s.Left().PID != cmd.Process.Pid {
		t.Errorf("left by %v", s.Left())
	}
}

// Nobody else may read the state, which names people and machines.
func TestFileModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "orders")
	b := state.NewFile(dir, clock)
	put(t, b, ask("one", 0))
	appendAll(t, acquire(t, b, elsewhere("a")), story()...)
	shelve(t, state.NewFileShelf(dir), map[string][]byte{"a": []byte("1")})
	want := map[string]string{
		".": "drwx------", "journal.jsonl": "-rw-------", "lock": "-rw-------", "inbox": "drwx------", "inbox/REQUEST": "-rw-------",
		"mirror": "drwx------", "mirror/shelf.jsonl": "-rw-------", "mirror/lock": "-rw-------",
	}
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, nameErr := filepath.Rel(dir, path)
		if filepath.Dir(name) == "inbox" {
			name = "inbox/REQUEST"
		}
		info, err := d.Info()
		if err = errors.Join(nameErr, err); err == nil {
			got[name] = info.Mode().String()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("modes (-want +got):\n%s", d)
	}
}

// What a kplan of format 1 has left in the inbox is seen, taken and cleared.
func TestLettersOfFormat1(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "orders")
	if err := os.MkdirAll(filepath.Join(dir, "inbox"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i, address := range []string{"a", "b"} {
		at := clock().Add(time.Duration(i))
		name := filepath.Join(dir, "inbox", fmt.Sprintf("%020d-done.json", at.UnixNano()))
		text := fmt.Sprintf(`{"verb":"done","address":%q,"who":"bob","from":"laptop","at":%q}`, address, at.Format(time.RFC3339Nano))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := state.NewFile(dir, clock)
	got, err := b.Requests(t.Context())
	if err != nil || len(got) != 2 || got[0].ID == got[1].ID || got[0].Address != "a" || got[1].Address != "b" {
		t.Fatalf("%+v, %v", got, err)
	}
	s := acquire(t, b, elsewhere("a"))
	if err := errors.Join(s.Take(t.Context(), got[0].ID), s.Clear(t.Context(), got[0].ID), b.Withdraw(t.Context(), got[1].ID)); err != nil {
		t.Error(err)
	}
	if got, err := b.Requests(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("left over: %+v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "inbox", "9.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Requests(t.Context()); err == nil || !strings.Contains(err.Error(), "remove it") {
		t.Errorf("a foreign file: %v", err)
	}
}
