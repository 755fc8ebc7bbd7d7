package workload

import (
	"fmt"
	"os"
	"strings"
)

// startTime tells processes apart that had the same id one after the other:
// field 22 of /proc/PID/stat, in clock ticks since boot. Where there is no /proc
// it is "-", and the lock alone has to do.
func startTime(pid int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "-"
	}
	// The second field is the program's name in brackets and may hold blanks
	// and brackets; the third field begins after the last one.
	text := string(data)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return "-"
	}
	return fields[19]
}
