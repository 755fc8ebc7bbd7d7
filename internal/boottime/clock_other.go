//go:build !linux

package boottime

import "time"

// Clock is the wall clock without its monotonic part, which stops while
// the machine is suspended on some systems.
type Clock struct{}

// Now is the time since 1970.
func (Clock) Now() time.Duration { return time.Duration(time.Now().Round(0).UnixNano()) }
