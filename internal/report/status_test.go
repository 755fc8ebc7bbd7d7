package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/internal/migration"
)

// Workers that are dead are one line, and their old backlog is nobody's.
func TestWorkersThatAreShown(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var all []migration.StatusWorker
	for n := range 60 {
		all = append(all, migration.StatusWorker{ID: fmt.Sprint("dead", n), Lag: 1_000_000, Silent: true, At: at.Add(time.Duration(n) * time.Minute)})
	}
	all = append(all, migration.StatusWorker{ID: "alive", Host: "h", PID: 7, Partitions: 3, Lag: 5, Unknown: 1, Rate: 2e6, Stopped: []string{"t[1]: x"}, At: at, Maps: 3_400_000, MapsWhole: "why"})
	var b strings.Builder
	writeWorkers(&b, all)
	want := "mirror worker alive on h (process 7): 3 partitions, 5 records to copy and more in 1 partitions of which it is not known yet, 2.0 MB/s, at 2026-01-02T03:04:05Z\n" +
		"  offset maps take 3.4 MB: why\n" +
		"  STOPPED t[1]: x\n" +
		"60 mirror workers ended without a word, the last heard is dead59 on  (process 0) at 2026-01-02T04:03:05Z: apply and other workers forget them by themselves\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}
