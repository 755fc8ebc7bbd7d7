package boottime

import (
	"time"

	"golang.org/x/sys/unix"
)

// Clock is CLOCK_BOOTTIME: monotonic, and it goes on while the machine
// is suspended (R18). time.Now's monotonic part stops then.
type Clock struct{}

// Now is the time since the machine was started.
func (Clock) Now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Duration(time.Now().Round(0).UnixNano()) // not before Linux 2.6.39
	}
	return time.Duration(ts.Nano())
}
