package state_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
)

func move(t *testing.T, from, to state.Backend) int {
	t.Helper()
	n, err := state.Move(t.Context(), from, to, elsewhere("mover"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func records(t *testing.T, b recorder) []state.Record {
	t.Helper()
	got, err := b.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func same(t *testing.T, a, b recorder) {
	t.Helper()
	if d := cmp.Diff(records(t, a), records(t, b)); d != "" {
		t.Errorf("the journals differ:\n%s", d)
	}
}

// work does one apply's worth.
func work(t *testing.T, b state.Backend, n int) int64 {
	t.Helper()
	s := acquire(t, b, elsewhere("worker"))
	for range n {
		appendAll(t, s, state.Record{Owned: &state.Owned{Topic: "t"}})
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	return s.Epoch()
}

// The state goes to Kafka, back, and there again, with its inbox, and epochs
// grow all the way. Where it is not, nothing may be done.
func TestMoveThereAndBack(t *testing.T) {
	t.Parallel()
	there := places()
	delete(there, "file")
	moveThereAndBack(t, there)
}

func TestMoveThereAndBackOnRealBrokers(t *testing.T) {
	t.Parallel()
	moveThereAndBack(t, realPlaces())
}

func moveThereAndBack(t *testing.T, places map[string]func(t *testing.T) opener) {
	for name, make := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file, topic := inDirectory(t)(), make(t)()
			last := work(t, file, 3)
			put(t, file, ask("waits", 0))
			put(t, file, ask("taken", 1))
			s := acquire(t, file, elsewhere("a"))
			if err := errors.Join(s.Take(t.Context(), "taken"), s.Release()); err != nil {
				t.Fatal(err)
			}
			here, there := recorder(file), recorder(topic)
			for i := range 3 {
				want := 4
				if i > 0 {
					want = 3 // two of work's and where it goes
				}
				if n := move(t, here, there); n != want {
					t.Errorf("move %d copied %d records", i, n)
				}
				same(t, here, there)
				if got := inbox(t, here); len(got) != 0 {
					t.Errorf("left in the old inbox: %v", got)
				}
				if d := cmp.Diff([]string{"waits", "taken*"}, inbox(t, there)); d != "" {
					t.Errorf("in the new inbox (-want +got):\n%s", d)
				}
				refusedAt(t, here)
				if move(t, here, there) != 0 {
					t.Error("moving again moved something")
				}
				epoch := work(t, there, 2)
				if epoch <= last {
					t.Errorf("epoch %d after %d", epoch, last)
				}
				last = epoch
				if n := move(t, here, there); n != 0 {
					t.Errorf("once it has gone on, a late move copied %d records", n)
				}
				here, there = there, here
			}
		})
	}
}

func refusedAt(t *testing.T, old state.Backend) {
	t.Helper()
	_, err := old.Acquire(t.Context(), elsewhere("late"))
	if gone := as[*state.MovedAwayError](t, err); gone.To == "" || !strings.Contains(err.Error(), gone.To) {
		t.Errorf("acquiring the old place: %v", err)
	}
	as[*state.MovedAwayError](t, old.Put(t.Context(), ask("late", 0)))
	if st := readState(t, old); st.Moved == nil || st.Serial == 0 {
		t.Errorf("reading the old place: %+v", st)
	}
	if h, err := old.Holder(t.Context()); err != nil || h != nil {
		t.Errorf("held after the move: %v, %v", h, err)
	}
}

// A move that ends anywhere is finished by the next one.
func TestMoveIsFinished(t *testing.T) {
	open := onEmbedded(t)
	dir := filepath.Join(t.TempDir(), "orders")
	file := state.NewFile(dir, clock)
	work(t, file, 3)
	move(t, file, open())
	topic := open()
	work(t, topic, 2)
	move(t, topic, file)
	whole := mustRead(t, journal(dir))
	lines := bytes.SplitAfter(whole, []byte("\n"))
	for cut := 4; cut < len(lines)-1; cut++ { // the file as it was after each record of the copying
		if err := os.WriteFile(journal(dir), bytes.Join(lines[:cut], nil), 0o600); err != nil {
			t.Fatal(err)
		}
		if n := move(t, topic, file); n != len(lines)-1-cut {
			t.Errorf("%d lines were there, %d were copied", cut, n)
		}
		if d := cmp.Diff(string(whole), string(mustRead(t, journal(dir)))); d != "" {
			t.Fatalf("%d lines were there (-want +got):\n%s", cut, d)
		}
	}
	// Ended after the old place has said where it goes, and before anything else.
	s := acquire(t, file, elsewhere("a"))
	appendAll(t, s, state.Record{Moved: &state.Moved{To: "kafka " + "elsewhere/topic"}})
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	if _, err := state.Move(t.Context(), file, open(), elsewhere("a")); as[*state.MovedAwayError](t, err).To != "kafka elsewhere/topic" {
		t.Errorf("to another place than the one it went to: %v", err)
	}
}

// A move that ends between what it does to one request in the new place and what
// it does in the old one is finished by the next: the request is there once.
func TestMoveOfTheInboxIsFinished(t *testing.T) {
	topic, dir := onEmbedded(t)(), filepath.Join(t.TempDir(), "orders")
	file, letters := state.NewFile(dir, clock), filepath.Join(dir, "inbox")
	put(t, file, ask("waits", 0))
	put(t, file, ask("taken", 1))
	s := acquire(t, file, elsewhere("a"))
	appendAll(t, s, story()[0])
	if err := errors.Join(s.Take(t.Context(), "taken"), s.Release()); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(t.TempDir(), "inbox")
	if err := os.CopyFS(kept, os.DirFS(letters)); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(kept)
	if err != nil {
		t.Fatal(err)
	}
	finish := func(what string, from, to state.Backend, taken string) {
		t.Helper()
		for _, f := range files { // both places have them
			name := filepath.Join(letters, strings.Replace(f.Name(), ".taken", taken, 1))
			if err := os.WriteFile(name, mustRead(t, filepath.Join(kept, f.Name())), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		move(t, from, to)
		if d := cmp.Diff([]string{"waits", "taken*"}, inbox(t, to)); d != "" {
			t.Errorf("%s: in the new inbox (-want +got):\n%s", what, d)
		}
		if got := inbox(t, from); len(got) != 0 {
			t.Errorf("%s: left in the old inbox: %v", what, got)
		}
	}
	move(t, file, topic)
	finish("before it went out of the file", file, topic, ".taken")
	finish("before it went out of the topic", topic, file, ".taken")
	move(t, file, topic)
	finish("before it was taken in the file", topic, file, ".json")
}

// Two states that are not one are left alone.
func TestMoveRefuses(t *testing.T) {
	a, b := inDirectory(t)(), inDirectory(t)()
	_, err := state.Move(t.Context(), a, b, elsewhere("m"))
	as[*state.MoveError](t, err)
	topic := onEmbedded(t)()
	work(t, topic, 2)
	_, err = state.Move(t.Context(), a, topic, elsewhere("m"))
	if refused := as[*state.MoveError](t, err); !strings.Contains(refused.Why, "2 records") {
		t.Errorf("onto a state of its own: %v", err)
	}
	s := acquire(t, a, elsewhere("a"))
	appendAll(t, s, state.Record{Owned: &state.Owned{Topic: "other"}})
	_, err = state.Move(t.Context(), a, topic, elsewhere("m"))
	if locked := as[*state.LockedError](t, err); locked.Holder.Who != "a" {
		t.Errorf("while apply runs: %v", err)
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	_, err = state.Move(t.Context(), a, topic, elsewhere("m"))
	if refused := as[*state.MoveError](t, err); !strings.Contains(refused.Why, "record 1 differs") {
		t.Errorf("onto another story: %v", err)
	}
	if got := records(t, a); len(got) != 1 || got[0].Moved != nil {
		t.Errorf("a move that was refused has written: %+v", got)
	}
}
