package state_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kplan/executor/state"
)

// tapped is a log in which something happens after the n-th read, or instead of
// the n-th append where that returns an error.
type tapped struct {
	state.Log
	reads, appends atomic.Int32
	afterRead      func(n int32)
	insteadOf      func(n int32) error
}

func (l *tapped) Append(ctx context.Context, keys []string, values [][]byte) (int64, error) {
	if n := l.appends.Add(1); l.insteadOf != nil {
		if err := l.insteadOf(n); err != nil {
			return 0, err
		}
	}
	return l.Log.Append(ctx, keys, values)
}

func (l *tapped) Read(ctx context.Context, from int64, each func(int64, string, []byte) error) (int64, error) {
	next, err := l.Log.Read(ctx, from, each)
	if n := l.reads.Add(1); l.afterRead != nil {
		l.afterRead(n)
	}
	return next, err
}

// Two who have waited for the same holder do not take the lock from each other:
// a claim follows what its sender has seen. Taken out: that. A claim on top of
// whatever stands would end the lease of the one who was faster.
func TestClaimFollowsWhatWasSeen(t *testing.T) {
	log := newPlainLog()
	var first state.Session
	late := &tapped{Log: log, afterRead: func(n int32) {
		if n == 1 {
			first = acquire(t, onLog(log), elsewhere("first"))
		}
	}}
	_, err := onLog(late).Acquire(t.Context(), elsewhere("late"))
	if locked := as[*state.LockedError](t, err); locked.Holder.Who != "first" {
		t.Errorf("the late one: %v", err)
	}
	appendAll(t, first, story()[0])
	if err := first.Check(); err != nil {
		t.Errorf("the first one: %v", err)
	}
}

// Somebody who unlocks in between has not taken the lock: the claim is made
// again.
func TestClaimAfterAnUnlock(t *testing.T) {
	log := newPlainLog()
	s := acquire(t, onLog(log), elsewhere("a"))
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	late := &tapped{Log: log, insteadOf: func(n int32) error {
		if n > 1 {
			return nil
		}
		b := onLog(log)
		other := acquire(t, b, elsewhere("other"))
		return errors.Join(b.Unlock(t.Context(), "other", elsewhere("boss")), other.Release())
	}}
	if s := acquire(t, onLog(late), elsewhere("late")); s.Epoch() != 4 {
		t.Errorf("epoch %d after a, other and boss", s.Epoch())
	}
}

// One answer that is lost while the lock is taken is no reason to give up.
func TestAcquireAsksAgain(t *testing.T) {
	for lost := range int32(3) {
		flaky := &tapped{Log: newPlainLog(), insteadOf: func(n int32) error {
			if n == lost+1 {
				return errCut
			}
			return nil
		}}
		s := acquire(t, onLog(flaky), elsewhere("a"))
		appendAll(t, s, story()[0])
	}
}

// Whoever asks for a request while the log is gone is told when the lease is
// lost, not half a minute later.
func TestTakeEndsWithTheLease(t *testing.T) { synctest.Test(t, testTakeEndsWithTheLease) }

func testTakeEndsWithTheLease(t *testing.T) {
	for what, take := range map[string]func(context.Context, state.Session) error{
		"take":  func(ctx context.Context, s state.Session) error { return s.Take(ctx, "one") },
		"clear": func(ctx context.Context, s state.Session) error { return s.Clear(ctx, "one") },
	} {
		log := newPlainLog()
		b := onLog(log)
		put(t, b, ask("one", 0))
		s := acquire(t, b, elsewhere("a"))
		log.cut.Store(true)
		began := time.Now()
		err := take(t.Context(), s)
		as[*state.LeaseLostError](t, err)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s took %s: %v", what, took, err)
		}
		log.cut.Store(false)
	}
}

// An interrupt is an interrupt, also while the log does not answer; and who is
// told of brokers is not told of files.
func TestReadingAGoneLog(t *testing.T) {
	gone := newPlainLog()
	gone.cut.Store(true)
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	log := &tapped{Log: gone, afterRead: func(n int32) {
		if n == 3 {
			cancel(why)
		}
	}}
	_, err := onLog(log).Read(ctx)
	as[*state.ReadError](t, err)
	if !errors.Is(err, why) || !errors.Is(err, errCut) || !strings.Contains(err.Error(), "the brokers of the plan's state block answer") {
		t.Errorf("error %v", err)
	}
}
