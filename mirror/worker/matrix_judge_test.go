package worker_test

import (
	"fmt"
	"strings"
)

// judge compares what was ever committed to a partition of the source, what is
// there now, what the target has, and where the map says that it is. It returns
// what is wrong.
func judge(ever, source, target map[int64]string, at map[int64]int64, compacted bool) (found []string) {
	wrong := func(format string, args ...any) {
		if len(found) < 10 {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	taken := map[int64]int64{}
	youngest := map[string]int64{}
	for from, to := range at {
		if other, twice := taken[to]; twice {
			wrong("source offsets %d and %d are both at target offset %d", from, other, to)
		}
		taken[to] = from
		if ever[from] == "" || ever[from] != target[to] {
			wrong("source offset %d had %q and has %q, and target offset %d %q", from, ever[from], source[from], to, target[to])
		}
		k := keyIn(ever[from])
		if last, known := youngest[k]; !known || from > last {
			youngest[k] = from
		}
	}
	for to, value := range target {
		if _, known := taken[to]; !known {
			wrong("target offset %d has %q, which the map does not know", to, value)
		}
	}
	for from, value := range source {
		if _, copied := at[from]; !copied {
			wrong("source offset %d has %q, which was not copied", from, value)
		}
	}
	for from, value := range ever {
		last, known := youngest[keyIn(value)]
		if _, copied := at[from]; !copied && !(compacted && known && last > from) {
			wrong("source offset %d had %q, which was not copied, nor anything younger of its key", from, value)
		}
	}
	return found
}

func keyIn(line string) string {
	key, _, _ := strings.Cut(line, "=")
	return key
}
