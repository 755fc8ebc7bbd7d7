//go:build bench

package mirrorbench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpu is what processes have used so far, user and system, to the nanosecond
// (/proc/PID/stat counts in steps of 10 ms). The clock's number is made as
// clock_getcpuclockid does.
func cpu(t *testing.T, pids ...int) time.Duration {
	t.Helper()
	var total time.Duration
	for _, pid := range pids {
		var ts unix.Timespec
		if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil {
			t.Fatalf("reading the CPU time of process %d: %v", pid, err)
		}
		total += time.Duration(ts.Nano())
	}
	return total
}

// peak is the largest resident size of a process so far, in bytes.
func peak(t *testing.T, pid int) int64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatalf("process %d does not tell its peak", pid)
	return 0
}
