package state_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kplan/executor/state"
	"kplan/internal/embedded"
)

// deaf is a log that can be cut off.
type deaf struct {
	state.Log
	cut atomic.Bool
}

func (d *deaf) Append(ctx context.Context, keys []string, values [][]byte) (int64, error) {
	if d.cut.Load() {
		return 0, errCut
	}
	return d.Log.Append(ctx, keys, values)
}

func (d *deaf) Read(ctx context.Context, from int64, each func(int64, string, []byte) error) (int64, error) {
	if d.cut.Load() {
		return from, errCut
	}
	return d.Log.Read(ctx, from, each)
}

// plainLog is a log that always answers at once.
type plainLog struct{ l *simLog }

func newPlainLog() *deaf { return &deaf{Log: plainLog{&simLog{}}} }

func (p plainLog) Append(_ context.Context, keys []string, values [][]byte) (int64, error) {
	return p.l.append(keys, values), nil
}

func (p plainLog) Read(ctx context.Context, from int64, each func(int64, string, []byte) error) (int64, error) {
	entries, next := p.l.from(from, 0)
	for _, e := range entries {
		if err := each(e.offset, e.key, e.value); err != nil {
			return from, err
		}
	}
	return next, nil
}

// onLog opens a backend whose lease runs by the time of its bubble, where it is
// in one.
func onLog(l state.Log, opts ...state.Option) *state.Kafka {
	own := []state.Option{state.TTL(time.Second), state.Clock(&simClock{began: time.Now()})}
	return state.NewKafka(l, "the topic", "kafka C/T", clock, append(own, opts...)...)
}

// The lease of a holder that has gone is waited out, and the person is told for
// whom; a living one is not waited for.
func TestAcquireWaitsOutALease(t *testing.T) { synctest.Test(t, testAcquireWaitsOutALease) }

func testAcquireWaitsOutALease(t *testing.T) {
	log := newPlainLog()
	gone := &deaf{Log: log.Log}
	s := acquire(t, onLog(gone), elsewhere("gone"))
	var waited []string
	told := make(chan struct{})
	b := onLog(log, state.OnWait(func(h state.Holder, left time.Duration) {
		waited = append(waited, h.Who)
		if left <= 0 || left > time.Second {
			t.Errorf("waits for %s", left)
		}
		if len(waited) == 2 {
			close(told)
		}
	}))
	_, err := b.Acquire(t.Context(), elsewhere("b"))
	if locked := as[*state.LockedError](t, err); locked.Lease != time.Second || !strings.Contains(err.Error(), "free after 1s") {
		t.Errorf("while it lives: %v", err)
	}
	gone.cut.Store(true)
	began := time.Now()
	next := acquire(t, b, elsewhere("b"))
	<-told
	if slices.ContainsFunc(waited, func(who string) bool { return who != "gone" }) {
		t.Errorf("waits for %q", waited)
	}
	if took := time.Since(began); took < 700*time.Millisecond {
		t.Errorf("waited only %s", took)
	}
	if next.Left() == nil || next.Left().Who != "gone" {
		t.Errorf("left by %v", next.Left())
	}
	<-s.Lost()
	gone.cut.Store(false)
	_, err = s.Append(state.Record{Owned: &state.Owned{Topic: "late"}})
	as[*state.LeaseLostError](t, err)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("enough"))
	defer cancel()
	if _, err := onLog(log).Acquire(ctx, elsewhere("c")); err == nil || err.Error() != "enough" {
		t.Errorf("a wait that is interrupted: %v", err)
	}
}

// Whoever loses the lock by hand finds out, and the next one acts only when the
// lease would have run out.
func TestUnlock(t *testing.T) { synctest.Test(t, testUnlock) }

func testUnlock(t *testing.T) {
	log := newPlainLog()
	a, b := onLog(log), onLog(log)
	s := acquire(t, a, elsewhere("a"))
	began := time.Now()
	if err := b.Unlock(t.Context(), "a", elsewhere("boss")); err != nil {
		t.Fatal(err)
	}
	if h, err := b.Holder(t.Context()); err != nil || h != nil {
		t.Errorf("held by %v, %v", h, err)
	}
	next := acquire(t, b, elsewhere("b"))
	if took := time.Since(began); took < 700*time.Millisecond {
		t.Errorf("the next one acts after %s", took)
	}
	<-s.Lost()
	err := s.Check()
	if lost := as[*state.LeaseLostError](t, err); lost.Epoch != s.Epoch() || !strings.Contains(err.Error(), "boss on there by hand") && lost.By == nil {
		t.Errorf("it is told: %v", err)
	}
	if err := next.Check(); err != nil {
		t.Error(err)
	}
	if err := b.Unlock(t.Context(), "a", elsewhere("boss")); as[*state.UnlockError](t, err).Holder.ID != "b" {
		t.Errorf("unlocking what is not held any more: %v", err)
	}
}

// A holder that lets go after it was unlocked need not be waited for.
func TestUnlockedHolderLetsGo(t *testing.T) {
	log := newPlainLog()
	a, b := onLog(log, state.TTL(time.Hour)), onLog(log, state.TTL(time.Hour))
	s := acquire(t, a, elsewhere("a"))
	if err := b.Unlock(t.Context(), "a", elsewhere("boss")); err != nil {
		t.Fatal(err)
	}
	_, err := s.Append(state.Record{Owned: &state.Owned{Topic: "late"}})
	as[*state.LeaseLostError](t, err)
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	if next := acquire(t, b, elsewhere("b")); next.State().Serial != 0 {
		t.Errorf("a record written after the unlock counts: %+v", next.State())
	}
}

// A log that is gone stops the holder: an append fails when the lease runs out,
// and Lost is closed for those who only wait.
func TestLogGone(t *testing.T) { synctest.Test(t, testLogGone) }

func testLogGone(t *testing.T) {
	log := newPlainLog()
	b := onLog(log)
	s := acquire(t, b, elsewhere("a"))
	appendAll(t, s, story()[0])
	log.cut.Store(true)
	began := time.Now()
	_, err := s.Append(story()[1])
	if failed := as[*state.WriteError](t, err); !errors.Is(err, errCut) || !strings.Contains(failed.Do, "brokers") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("found out after %s", took)
	}
	<-s.Lost()
	as[*state.LeaseLostError](t, s.Check())
	log.cut.Store(false)
}

// Who asks while the log is gone is told so, and not kept for longer than he has
// time.
func TestLogGoneForReaders(t *testing.T) { synctest.Test(t, testLogGoneForReaders) }

func testLogGoneForReaders(t *testing.T) {
	log := newPlainLog()
	b := onLog(log)
	log.cut.Store(true)
	for what, do := range map[string]func(context.Context) error{
		"read":    func(ctx context.Context) error { return second(b.Read(ctx)) },
		"put":     func(ctx context.Context) error { return b.Put(ctx, ask("x", 0)) },
		"acquire": func(ctx context.Context) error { return second(b.Acquire(ctx, elsewhere("a"))) },
	} {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := do(ctx)
		cancel()
		if read := (*state.ReadError)(nil); !errors.As(err, &read) || !errors.Is(err, errCut) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", what, err)
		}
		if took := time.Since(began); took > 100*time.Millisecond { // of the bubble
			t.Errorf("%s takes %s", what, took)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// A topic that holds something else is refused.
func TestForeignEntries(t *testing.T) {
	for what, c := range map[string]struct{ value, says string }{
		"garbage":      {"hello", "damaged"},
		"json":         {"{}", "not an entry that kplan wrote"},
		"a newer":      {`{"log":2,"kind":7}`, "newer kplan"},
		"new kind":     {`{"log":1,"kind":"party"}`, "does not know"},
		"a gap":        {`{"log":1,"kind":"record","record":{"v":2,"seq":7}}`, "record number 7 stands where 1 is expected"},
		"newer record": {`{"log":1,"kind":"record","record":{"v":3,"seq":1}}`, "newer kplan"},
	} {
		log := newPlainLog()
		if _, err := log.Append(t.Context(), []string{"k"}, [][]byte{[]byte(c.value)}); err != nil {
			t.Fatal(err)
		}
		_, err := onLog(log).Read(t.Context())
		as[*state.DamagedError](t, err)
		if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "offset 0") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// The brokers vanish under a holder.
func TestBrokersGone(t *testing.T) {
	t.Parallel()
	c, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	b := inTopic(t, c.Bootstrap(), "_kplan.orders", 2*time.Second, nil)()
	s, err := b.Acquire(t.Context(), elsewhere("a"))
	if err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, story()[0])
	c.Close()
	_, err = s.Append(story()[1])
	as[*state.WriteError](t, err)
	<-s.Lost()
	if err := s.Release(); err != nil {
		t.Errorf("letting go of what is lost: %v", err)
	}
}
