package report_test

import (
	"strings"
	"testing"
	"time"

	"kplan/executor"
	"kplan/internal/report"
	"kplan/plan/graph"
)

// Taken out: the line as soon as a step has waited for five seconds. In a log
// there would be nothing for ten, and up to twenty for a step that begins to wait
// just behind a line.
func TestProgressNamesWhatWaitsForLong(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var out strings.Builder
	p := report.NewProgress(&out, false, func() time.Time { return now })
	waits := func(address string, since time.Duration) {
		p.Event(executor.StepProgress{Step: &graph.Step{Address: address}, Text: "something", Since: since})
	}
	at := map[string]time.Duration{}
	for elapsed := time.Duration(0); elapsed < 30*time.Second; elapsed += 200 * time.Millisecond {
		waits("first", elapsed)
		if begins := 11 * time.Second; elapsed >= begins {
			waits("second", elapsed-begins)
		}
		for _, name := range []string{"first", "second"} {
			if _, known := at[name]; !known && strings.Contains(out.String(), name) {
				at[name] = elapsed
			}
		}
		now = now.Add(200 * time.Millisecond)
	}
	if at["first"] > 5500*time.Millisecond || at["second"] > 16500*time.Millisecond {
		t.Errorf("they were named at %v:\n%s", at, out.String())
	}
	if n := strings.Count(out.String(), "\n"); n > 5 {
		t.Errorf("%d lines in 30 seconds:\n%s", n, out.String())
	}
}
