package mirror_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kplan/executor/state"
	"kplan/mirror"
)

// A worker that died long ago has been heard out before anybody waits for it; one
// whose process is known to be dead is waited for only as long as its requests may
// be under way; the wall clock of its machine says nothing.
func TestBarrierHearsTheDeadOutBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := newShelf()
		enter := func(id string, serial int64, pid int) {
			e := mirror.Entry{ID: id, Epoch: 0, Serial: serial, PID: pid, Silence: 75 * time.Second, Wait: time.Minute, WrittenAt: time.Now().Add(time.Hour)}
			if err := mirror.Enter(t.Context(), s, e); err != nil {
				t.Fatal(err)
			}
		}
		var dead atomic.Bool
		watch := mirror.NewWatch(func() time.Duration { return time.Since(began) }, func(e mirror.Entry) bool { return e.PID == 7 && dead.Load() })
		takes := func(want time.Duration) {
			t.Helper()
			at := time.Now()
			if err := mirror.Barrier(t.Context(), s, 1, watch, nil); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(at); took < want || took > want+time.Second {
				t.Errorf("the barrier took %s, want %s", took, want)
			}
		}
		look := func() {
			t.Helper()
			if _, err := watch.Look(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		enter("far", 3, 1)
		look()
		time.Sleep(70 * time.Second) // while nobody waits
		takes(5 * time.Second)
		takes(0)
		enter("near", 3, 7)
		look()
		dead.Store(true)
		look()
		takes(time.Minute)
		enter("far", 4, 1) // it wakes up
		takes(75 * time.Second)
	})
}

// Who lives is known as soon as somebody gives a sign of life, else when all have
// been silent for long enough.
func TestLiving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := newShelf()
		now := func() time.Duration { return time.Since(began) }
		enter := func(id string, serial int64) {
			if err := mirror.Enter(t.Context(), s, mirror.Entry{ID: id, Serial: serial, Silence: 75 * time.Second}); err != nil {
				t.Error(err)
			}
		}
		living := func(want time.Duration, ids ...string) {
			t.Helper()
			at := time.Now()
			told := 0
			signs, err := mirror.NewWatch(now, nil).Living(t.Context(), s, func(open []mirror.Sign) { told += len(open) })
			var got []string
			for _, s := range signs {
				got = append(got, s.ID)
			}
			if took := time.Since(at); err != nil || !slices.Equal(got, ids) || took < want || took > want+time.Second {
				t.Errorf("%v live, after %s, %v; want %v after %s", got, took, err, ids, want)
			}
			if told != 0 != (want > 0) {
				t.Errorf("%d were said to be waited for", told)
			}
		}
		living(0)
		enter("a", 1)
		enter("b", 1)
		living(75 * time.Second)
		go func() { time.Sleep(3 * time.Second); enter("b", 2) }()
		living(3*time.Second, "b")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := mirror.NewWatch(now, nil).Living(ctx, s, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it says %v", err)
		}
	})
}

// What is taken away is the entry of a worker of which nothing can arrive, and
// never one that it has written since.
func TestBury(t *testing.T) {
	dir := t.TempDir()
	own, s := state.NewFileShelf(dir), state.NewFileShelf(dir)
	enter := func(serial int64) error {
		return mirror.Enter(t.Context(), own, mirror.Entry{ID: "a", Serial: serial, Silence: time.Second})
	}
	if err := errors.Join(mirror.ClaimEntry(t.Context(), own, "a"), enter(1)); err != nil {
		t.Fatal(err)
	}
	var now time.Duration
	watch := mirror.NewWatch(func() time.Duration { return now }, nil)
	bury := func(want int) {
		t.Helper()
		signs, err := watch.Look(t.Context(), s)
		if err == nil {
			err = mirror.Bury(t.Context(), s, signs)
		}
		if left, readErr := mirror.Entries(t.Context(), s); err != nil || readErr != nil || len(left) != want {
			t.Errorf("%d entries are left, want %d: %v, %v", len(left), want, err, readErr)
		}
	}
	bury(1)
	now = 2 * time.Second
	signs, err := watch.Look(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(enter(2), mirror.Bury(t.Context(), s, signs)); err != nil { // it has woken up in between
		t.Error(err)
	}
	if left, err := mirror.Entries(t.Context(), s); err != nil || left["a"].Serial != 2 {
		t.Errorf("the entry of a worker that lives: %v, %v", left, err)
	}
	superseded := func() {
		t.Helper()
		if late := (*state.SupersededError)(nil); !errors.As(enter(9), &late) {
			t.Error("it does not hear that somebody has looked whether it is dead")
		}
	}
	now = 4 * time.Second
	if signs, err = watch.Look(t.Context(), s); err == nil { // seen anew, as it is
		now = 6 * time.Second
		signs, err = watch.Look(t.Context(), s)
	}
	if err != nil {
		t.Fatal(err)
	}
	awake := &counted{Shelf: s, before: func() error { return enter(3) }} // it wakes up at the last moment
	if err := mirror.Bury(t.Context(), awake, signs); err != nil || awake.claims != 1 || awake.puts != 0 {
		t.Errorf("it has claimed %d times and written %d times, %v", awake.claims, awake.puts, err)
	}
	superseded()
	if err := errors.Join(mirror.ClaimEntry(t.Context(), own, "a"), enter(4)); err != nil {
		t.Error(err)
	}
	bury(1)
	now = 20 * time.Second
	bury(0)
	superseded() // it has to claim it anew, and to read the directions before it has a lease
}

// counted is a shelf that counts what is written.
type counted struct {
	state.Shelf
	before       func() error // called before a claim; nil: nothing is
	claims, puts int
}

func (c *counted) Claim(ctx context.Context, scopes []string, lease func() error) error {
	c.claims++
	if c.before != nil {
		if err := c.before(); err != nil {
			return err
		}
	}
	return c.Shelf.Claim(ctx, scopes, lease)
}

func (c *counted) Put(ctx context.Context, values map[string][]byte) error {
	c.puts++
	return c.Shelf.Put(ctx, values)
}

// The dead are taken away together, and by one of those who look after them: what
// is gone already is not written about.
func TestBuryWritesOnce(t *testing.T) {
	s := &counted{Shelf: state.NewFileShelf(t.TempDir())}
	for _, id := range []string{"a", "b", "c"} {
		if err := mirror.Enter(t.Context(), s, mirror.Entry{ID: id, Serial: 1}); err != nil {
			t.Fatal(err)
		}
	}
	signs, err := mirror.NewWatch(func() time.Duration { return time.Hour }, nil).Look(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	s.puts = 0
	for range 3 { // as several do that have looked at the same moment
		if err := mirror.Bury(t.Context(), s, signs); err != nil {
			t.Error(err)
		}
	}
	if left, err := mirror.Entries(t.Context(), s); err != nil || len(left) > 0 || s.claims != 1 || s.puts != 1 {
		t.Errorf("%d are left, claimed %d times, written %d times, %v", len(left), s.claims, s.puts, err)
	}
}
