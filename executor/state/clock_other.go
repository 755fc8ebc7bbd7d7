//go:build !linux

package state

import "time"

// suspendClock is the wall clock without its monotonic part, which stops while
// the machine is suspended on some systems.
type suspendClock struct{}

// Now is the time since 1970.
func (suspendClock) Now() time.Duration { return time.Duration(time.Now().Round(0).UnixNano()) }
