package report_test

import (
	"errors"
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

// Taken out: the filter. What programs, brokers and clients call themselves would
// reach the terminal raw.
func TestProgressDoesNotSteerTheTerminal(t *testing.T) {
	evil := "\x1b[2J\x1b]0;x\x07\u202eabc\r"
	var out strings.Builder
	p := report.NewProgress(&out, false, time.Now)
	step := &graph.Step{Address: "switch.service.a.stop"}
	for _, e := range []executor.Event{
		executor.Noted{Text: evil}, executor.StepDone{Step: step, Text: evil}, executor.StepFailed{Step: step, Err: errors.New(evil)},
		executor.StepProgress{Step: step, Text: evil, Since: time.Minute}, executor.StepParked{Step: step, Instruction: evil},
	} {
		p.Event(e)
	}
	for name, text := range map[string]string{"progress": out.String(), "the end": report.Printable(evil + "\n" + evil)} {
		if !strings.Contains(text, "abc") || strings.ContainsAny(text, "\x1b\x07\r\u202e") {
			t.Errorf("%s: %q", name, text)
		}
	}
}
