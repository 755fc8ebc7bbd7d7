package executor_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/plan"
)

// lease is a fence that is lost after n records.
type lease struct {
	*memory
	n int

	mu     sync.Mutex
	gone   chan struct{}
	isGone bool
	asked  int       // effects that may follow: the lock was held when they asked
	at     time.Time // when the last one asked
	after  []string  // effects after the loss
}

func (l *lease) lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isGone {
		l.isGone = true
		close(l.gone)
	}
}

// Check is asked before effects; what asked at an earlier moment of the bubble's
// time has had its effect.
func (l *lease) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); !now.Equal(l.at) {
		l.asked, l.at = 0, now
	}
	if !l.isGone {
		l.asked++
	}
	return l.held()
}

func (l *lease) held() error {
	if l.isGone {
		return &state.LeaseLostError{Where: "memory", Epoch: 1, Why: "the test took it"}
	}
	return nil
}

func (l *lease) Lost() <-chan struct{} { return l.gone }

func (l *lease) Append(records ...state.Record) ([]state.Record, error) {
	l.mu.Lock()
	err := l.held()
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	written, err := l.memory.Append(records...)
	if len(l.records) >= l.n {
		l.lose()
	}
	return written, err
}

// effect notes what is done without having asked while the lock was held: what
// had asked before the loss may end.
func (l *lease) effect(effect bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !effect:
	case l.asked > 0 && time.Now().Equal(l.at):
		l.asked--
	case l.isGone:
		l.after = append(l.after, "an effect")
	}
	return nil
}

// Taken out: the check before each effect. Whenever the lock is lost, nothing
// more is done, not even a restore; whoever takes the lock next goes on to the
// right end.
func TestNothingIsDoneWithoutTheLock(t *testing.T) {
	for _, scheme := range []plan.SchemeKind{plan.ProductionFirst, plan.ProductionLater} {
		t.Run(string(scheme), func(t *testing.T) {
			total := 1 << 30
			for n := 1; n < total; n++ {
				synctest.Test(t, func(t *testing.T) {
					if n == 1 {
						s := chain(t, scheme)
						s.mustApply()
						total = len(s.journal.records)
						s.end()
					}
					loseAfter(t, scheme, n)
				})
				if t.Failed() {
					t.Fatalf("lost after record %d of %d", n, total)
				}
			}
		})
	}
}

func loseAfter(t *testing.T, scheme plan.SchemeKind, n int) {
	s := chain(t, scheme)
	l := &lease{memory: s.journal, n: n, gone: make(chan struct{})}
	s.fence = l
	r := s.applyIn(t.Context(), l, l.effect)
	var lost *state.LeaseLostError
	if !errors.As(r.Err, &lost) || len(r.Stranded)+len(r.Restored) > 0 {
		t.Fatalf("%+v", r)
	}
	if len(l.after) > 0 {
		t.Fatalf("%d effects without the lock", len(l.after))
	}
	s.fence = nil
	time.Sleep(3 * time.Second)
	s.mustApply()
	s.settled()
}

// Taken out: the stop before the next effect. When the journal cannot be
// written, whichever record it is, nothing more is done, and it says so.
func TestNothingIsDoneWithoutTheJournal(t *testing.T) {
	var total int
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.mustApply()
		total = len(s.journal.records)
	})
	for n := 1; n < total; n++ {
		inBubble(t, func(t *testing.T) {
			s := chain(t, plan.ProductionFirst)
			failed := false
			s.journal.at = func(written int) {
				if written == n {
					s.journal.fail, failed = fmt.Errorf("no space left"), true
				}
			}
			effects := 0
			r := s.applyIn(t.Context(), s.journal, func(effect bool) error {
				s.journal.mu.Lock()
				defer s.journal.mu.Unlock()
				if effect && failed {
					effects++
				}
				return nil
			})
			var write *state.WriteError
			if !errors.As(r.Err, &write) {
				t.Fatalf("the journal fails after record %d: %+v", n, r)
			}
			// The effect of the record before may still follow it: it was announced.
			if effects > maxAnnounced {
				t.Errorf("the journal fails after record %d: %d effects after it", n, effects)
			}
			s.journal.at, s.journal.fail = nil, nil
			s.mustApply()
			s.settled()
		})
	}
}

// maxAnnounced is how many steps of the chain can be between their record and
// their effect at once: both services of its ends.
const maxAnnounced = 2

var _ executor.Fence = (*lease)(nil)
