package state

import (
	"os"
	"strings"
)

// Space names where a process number means something: this boot of this machine
// and this PID namespace. Empty: not known.
func Space() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + ns
}
