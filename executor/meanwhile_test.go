package executor_test

import (
	"strings"
	"testing"
	"time"

	"kplan/executor"
	"kplan/plan"
	"kplan/plan/graph"
)

// Taken out: the word while a program runs. A start that takes minutes would
// look like a kplan that hangs.
func TestLongProgramsAreToldOf(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		time.Sleep(time.Second)
		s.locked(func() { s.worker("a").slow = 12 * time.Second })
		var told []time.Duration
		s.onEvent = func(e executor.Event) {
			p, ok := e.(executor.StepProgress)
			if ok && p.Step.Address == graph.ServiceAddress("a", "start") && strings.Contains(p.Text, "the program that starts a on the target runs") {
				told = append(told, p.Since)
			}
		}
		s.mustApply()
		if len(told) < 2 || told[0] > 6*time.Second {
			t.Errorf("it was told after %v", told)
		}
	})
}
