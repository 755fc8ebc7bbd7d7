package state_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kplan/executor/state"
)

// An entry whose answer was lost may arrive after what was written since: it
// does not count any more, nor does a compaction, which keeps the last entry of a
// key, bring it back.
func TestLogShelfLateEntry(t *testing.T) {
	log := &lateLog{}
	s := state.NewLogShelf(log, "the topic", state.TTL(time.Second))
	want := func(want map[string][]byte) {
		t.Helper()
		holds(t, s, "", want)
		holds(t, state.NewLogShelf(log, "the topic"), "", want)
		log.compact(0)
		holds(t, state.NewLogShelf(log, "the topic"), "", want)
	}
	shelve(t, s, map[string][]byte{"a": []byte("1")})
	log.late = true
	shelve(t, s, map[string][]byte{"a": []byte("2")})
	shelve(t, s, map[string][]byte{"a": []byte("3")})
	log.simLog.append(log.keys, log.values)
	want(map[string][]byte{"a": []byte("3")})
	shelve(t, s, map[string][]byte{"a": nil})
	log.simLog.append(log.keys, log.values)
	want(map[string][]byte{})
	shelve(t, s, map[string][]byte{"a": []byte("4")})
	for range 10 {
		shelve(t, s, map[string][]byte{"b": []byte("x")})
	}
	log.simLog.append(log.keys, log.values)
	want(map[string][]byte{"a": []byte("4"), "b": []byte("x")})
	log.compact(0)
	if n := len(log.living()); n > 5 { // each name's last two, and the late one
		t.Errorf("%d entries are left of two values: what does not count has to go", n)
	}
	log.simLog.append([]string{"a"}, [][]byte{[]byte("journal")})
	_, err := s.All(t.Context(), "")
	as[*state.DamagedError](t, err)
}

// A process that is cut off in the middle of a Put goes on trying for long. What
// another has kept meanwhile counts, and the first is told so.
func TestLogShelfOvertaken(t *testing.T) {
	inner := &lateLog{}
	slow := &cutLog{Log: inner}
	a, b := state.NewLogShelf(slow, "the topic", state.TTL(300*time.Millisecond)), state.NewLogShelf(inner, "the topic")
	shelve(t, b, map[string][]byte{"map/orders/0/000000": []byte("old")})
	ended := slow.during(t, a, map[string][]byte{"map/orders/0/000000": []byte("of a"), "acked/orders/0": []byte("of a")}, func() {
		shelve(t, b, map[string][]byte{"map/orders/0/000000": []byte("of b")})
	})
	if late := as[*state.SupersededError](t, ended); !slices.Equal(late.Names, []string{"map/orders/0/000000"}) {
		t.Errorf("not kept are %q", late.Names)
	}
	holds(t, state.NewLogShelf(inner, "the topic"), "", map[string][]byte{"map/orders/0/000000": []byte("of b"), "acked/orders/0": []byte("of a")})
	shelve(t, a, map[string][]byte{"map/orders/0/000000": []byte("of a, who has read it")})
	ended = slow.during(t, a, map[string][]byte{"size/orders": []byte("4")}, func() { shelve(t, b, map[string][]byte{"size/orders": []byte("4")}) })
	if ended != nil {
		t.Errorf("the same was kept by another: %v", ended)
	}
}

// An owner looks at its lease before it tries once more.
func TestLogShelfRetryAsksForTheLease(t *testing.T) {
	inner := &lateLog{}
	slow := &cutLog{Log: inner}
	a := state.NewLogShelf(slow, "the topic", state.TTL(300*time.Millisecond))
	lost := errors.New("the lease has run out")
	var lease atomic.Pointer[error]
	if err := a.Claim(t.Context(), []string{"map/orders/0/"}, func() error {
		if err := lease.Load(); err != nil {
			return *err
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := slow.during(t, a, map[string][]byte{"map/orders/0/000000": []byte("1")}, func() { lease.Store(&lost) }); !errors.Is(err, lost) {
		t.Errorf("it ended with %v", err)
	}
	holds(t, state.NewLogShelf(inner, "the topic"), "", map[string][]byte{})
}

// What an earlier owner has sent counts no more once another one has claimed the
// name: also where the new one has written nothing there, also after compactions
// and later claims, which do away with the claim that kept it out.
func TestLogShelfClaim(t *testing.T) {
	log := &lateLog{}
	open := func() *state.LogShelf { return state.NewLogShelf(log, "the topic", state.TTL(time.Second)) }
	claim := func(s *state.LogShelf) {
		t.Helper()
		if err := s.Claim(t.Context(), []string{"map/orders/0/", "direction"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	a := open()
	claim(a)
	shelve(t, a, map[string][]byte{"map/orders/0/000000": []byte("of a"), "direction": []byte("of a"), "map/orders/1/000000": []byte("another")})
	want := map[string][]byte{"map/orders/0/000000": []byte("of a"), "direction": []byte("of a"), "map/orders/1/000000": []byte("another")}
	log.late = true
	shelve(t, a, map[string][]byte{"map/orders/0/000000": []byte("late"), "map/orders/0/000001": []byte("late"), "direction": []byte("late")})
	late, values := log.keys, log.values
	log.drop(late) // as if the second try were lost as well
	b := open()
	claim(b)
	log.simLog.append(late, values)
	for range 3 {
		holds(t, b, "", want)
		holds(t, open(), "", want)
		log.compact(0)
		holds(t, open(), "", want)
		claim(open())
	}
	as[*state.SupersededError](t, b.Put(t.Context(), map[string][]byte{"direction": []byte("of b, which has lost it")}))
	shelve(t, open(), map[string][]byte{"direction": []byte("of somebody who claims nothing")})
	shelve(t, a, map[string][]byte{"map/orders/1/000000": []byte("unclaimed")})
}

// A claim takes away what does not count of its own names, and of no other that only
// begins alike: a claim that is taken away there may have kept something out.
func TestLogShelfClaimLeavesOthersAlone(t *testing.T) {
	log := &lateLog{}
	s := state.NewLogShelf(log, "the topic", state.TTL(time.Second))
	for range 2 {
		for _, scope := range []string{"acked/orders/10", "map/orders/10/"} {
			if err := s.Claim(t.Context(), []string{scope}, nil); err != nil {
				t.Fatal(err)
			}
		}
		shelve(t, s, map[string][]byte{"map/orders/10/000000": []byte("x"), "acked/orders/10": []byte("x")})
	}
	log.compact(0)
	before := log.living()
	if err := s.Claim(t.Context(), []string{"acked/orders/1", "map/orders/1/"}, nil); err != nil {
		t.Fatal(err)
	}
	log.compact(0)
	if after := log.living(); len(after) != len(before)+2 {
		t.Errorf("left are %q, of %q", after, before)
	}
	if err := s.Claim(t.Context(), []string{"map/orders/"}, nil); err != nil {
		t.Fatal(err)
	}
	log.compact(0)
	if after := log.living(); len(after) >= len(before)+3 {
		t.Errorf("nothing is taken away under a scope: %q", after)
	}
}

// cutLog takes nothing while it is cut.
type cutLog struct {
	state.Log
	mu        sync.Mutex // guards what follows
	cut, seen bool
}

func (c *cutLog) Append(ctx context.Context, keys []string, values [][]byte) (int64, error) {
	c.mu.Lock()
	cut := c.cut
	c.seen = c.seen || cut
	c.mu.Unlock()
	if cut {
		return 0, errors.New("cut off")
	}
	return c.Log.Append(ctx, keys, values)
}

// during does something while a Put cannot go on, and returns what became of it.
func (c *cutLog) during(t *testing.T, s state.Shelf, values map[string][]byte, do func()) error {
	t.Helper()
	c.mu.Lock()
	c.cut, c.seen = true, false
	c.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- s.Put(t.Context(), values) }()
	for tried := false; !tried; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		tried = c.seen
		c.mu.Unlock()
	}
	do()
	c.mu.Lock()
	c.cut = false
	c.mu.Unlock()
	return <-ended
}

// lateLog keeps one append back.
type lateLog struct {
	simLog
	late   bool
	keys   []string
	values [][]byte
}

func (l *lateLog) Append(_ context.Context, keys []string, values [][]byte) (int64, error) {
	if l.late {
		l.late, l.keys, l.values = false, keys, values
		return 0, errors.New("no answer")
	}
	return l.simLog.append(keys, values), nil
}

func (l *lateLog) Read(ctx context.Context, from int64, each func(int64, string, []byte) error) (int64, error) {
	entries, _ := l.from(from, 0)
	return simReader(entries).Read(ctx, from, each)
}
