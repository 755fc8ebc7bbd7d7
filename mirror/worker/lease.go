package worker

import (
	"fmt"
	"sync/atomic"
	"time"
)

// LeaseError says that a worker must not write now.
type LeaseError struct {
	Why string
}

func (e *LeaseError) Error() string { return "this worker has no lease: " + e.Why }

// lease is until when this worker may write. Both times are of the clock, from
// just before something was sent that others count from.
type lease struct {
	clock  Clock
	length time.Duration // less a fifth: clocks run at different rates
	member atomic.Int64  // the last heartbeat that the group has answered
	entry  atomic.Int64  // the last entry, from before the directions were read
}

// never is the time of what has not happened.
const never = int64(-1 << 62)

func newLease(clock Clock, session time.Duration) *lease {
	l := &lease{clock: clock, length: session - session/5}
	l.member.Store(never)
	l.entry.Store(never)
	return l
}

// extend counts a lease from a time on. An earlier one changes nothing.
func extend(at *atomic.Int64, sent time.Duration) {
	for {
		was := at.Load()
		if was >= int64(sent) || at.CompareAndSwap(was, int64(sent)) {
			return
		}
	}
}

// check is quick: it is asked before each write.
func (l *lease) check() error {
	now, length := int64(l.clock.Now()), int64(l.length)
	switch member, entry := l.member.Load(), l.entry.Load(); {
	case now >= member+length:
		return &LeaseError{Why: "no heartbeat has reached the group " + since(now, member)}
	case now >= entry+length:
		return &LeaseError{Why: "the directions could not be read and answered " + since(now, entry)}
	}
	return nil
}

func since(now, then int64) string {
	if then == never {
		return "yet"
	}
	return fmt.Sprintf("for %s", time.Duration(now-then).Round(100*time.Millisecond))
}
