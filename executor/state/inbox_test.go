package state_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
)

func ask(id string, after time.Duration) state.Request {
	return state.Request{ID: id, Verb: state.VerbApprove, Address: "gate.cutover", Who: strings.Repeat("x", 2000), From: "laptop", At: clock().Add(after)}
}

func put(t *testing.T, b state.Backend, r state.Request) {
	t.Helper()
	if err := b.Put(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// inbox lists the ids, with a star for what is taken.
func inbox(t *testing.T, b state.Backend) []string {
	t.Helper()
	requests, err := b.Requests(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{}
	for _, r := range requests {
		if len(r.Who) != 2000 || r.Address != "gate.cutover" {
			t.Errorf("half a request: %+v", r)
		}
		if r.Taken {
			r.ID += "*"
		}
		ids = append(ids, r.ID)
	}
	return ids
}

func testInbox(t *testing.T, open opener) {
	person, engine := open(), open()
	put(t, person, ask("one", time.Second))
	put(t, person, ask("two", 2*time.Second))
	s := acquire(t, engine, elsewhere("a"))
	put(t, person, ask("three", 3*time.Second))
	put(t, person, ask("one", 4*time.Second)) // the same again
	if d := cmp.Diff([]string{"one", "two", "three"}, inbox(t, engine)); d != "" {
		t.Errorf("in the inbox (-want +got):\n%s", d)
	}
	for range 2 {
		if err := s.Take(t.Context(), "two"); err != nil {
			t.Fatal(err)
		}
	}
	if err := person.Withdraw(t.Context(), "two"); !errors.Is(err, state.ErrTaken) {
		t.Errorf("withdrawing what is taken: %v", err)
	}
	if err := person.Withdraw(t.Context(), "one"); err != nil {
		t.Errorf("withdrawing: %v", err)
	}
	if err := person.Withdraw(t.Context(), "one"); !errors.Is(err, state.ErrNoRequest) {
		t.Errorf("withdrawing again: %v", err)
	}
	if err := s.Take(t.Context(), "one"); !errors.Is(err, state.ErrNoRequest) {
		t.Errorf("taking what is withdrawn: %v", err)
	}
	for what, err := range map[string]error{"withdrawing": person.Withdraw(t.Context(), "none"), "taking": s.Take(t.Context(), "none")} {
		if !errors.Is(err, state.ErrNoRequest) {
			t.Errorf("%s what was never there: %v", what, err)
		}
	}
	if d := cmp.Diff([]string{"two*", "three"}, inbox(t, person)); d != "" {
		t.Errorf("then (-want +got):\n%s", d)
	}
	for range 2 {
		if err := s.Clear(t.Context(), "two"); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"three"}, inbox(t, open())); d != "" {
		t.Errorf("at last (-want +got):\n%s", d)
	}
	if err := person.Withdraw(t.Context(), "two"); !errors.Is(err, state.ErrNoRequest) {
		t.Errorf("withdrawing what is cleared: %v", err)
	}
	for _, id := range []string{"", "../x", "a/b", "a\nb"} {
		if err := person.Put(t.Context(), ask(id, 0)); err == nil {
			t.Errorf("id %q was taken", id)
		}
	}
}

// Withdrawing races with taking: exactly one of them wins, and everybody sees
// which.
func testWithdrawOrTake(t *testing.T, open opener) {
	person, engine := open(), open()
	s := acquire(t, engine, elsewhere("a"))
	const n = 12
	for i := range n {
		put(t, person, ask(fmt.Sprint(i), time.Duration(i)))
	}
	for i := range n {
		var wg sync.WaitGroup
		var withdrawn, taken error
		wg.Go(func() { withdrawn = person.Withdraw(t.Context(), fmt.Sprint(i)) })
		wg.Go(func() { taken = s.Take(t.Context(), fmt.Sprint(i)) })
		wg.Wait()
		won := taken == nil && errors.Is(withdrawn, state.ErrTaken)
		if !won && !(withdrawn == nil && errors.Is(taken, state.ErrNoRequest)) {
			t.Errorf("%d: withdrawing: %v; taking: %v", i, withdrawn, taken)
		}
		for _, b := range []state.Backend{person, engine, open()} {
			requests, err := b.Requests(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := false
			for _, r := range requests {
				got = got || r.ID == fmt.Sprint(i) && r.Taken
			}
			if got != won {
				t.Errorf("%d: taken %v, somebody sees %v", i, won, got)
			}
		}
	}
}

// What one session has taken, and did not come to clear, the next one finds.
func testTakenOutlivesItsSession(t *testing.T, open opener) {
	b := open()
	put(t, b, ask("one", 0))
	s := acquire(t, b, elsewhere("a"))
	if err := s.Take(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	other := open()
	again := acquire(t, other, elsewhere("b"))
	if d := cmp.Diff([]string{"one*"}, inbox(t, other)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if err := errors.Join(again.Take(t.Context(), "one"), again.Clear(t.Context(), "one")); err != nil {
		t.Error(err)
	}
	if got := inbox(t, b); len(got) != 0 {
		t.Errorf("left over: %v", got)
	}
}
