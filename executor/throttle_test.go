package executor_test

import (
	"slices"
	"testing"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/plan"
)

// The mirror has the plan's rate until somebody sets another one, while it runs.
func TestThrottle(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "c: t1 (gc)")
		mirrored(s)
		s.migration().Mirror.BytesPerSecond = 5000
		s.onEvent = func(e executor.Event) {
			if done, ok := e.(executor.StepDone); ok && done.Step.Address == "mirror.start" {
				s.inbox.put(state.Request{Verb: state.VerbSet, Address: "mirror.start.bytes_per_second", Value: "40MiB", Who: "me"})
			}
		}
		s.mustApply()
		if want := []int64{5000, 40 << 20}; !slices.Equal(s.rates, want) {
			t.Errorf("the mirror was given the rates %v, want %v", s.rates, want)
		}
		for value, ok := range map[string]bool{"0": true, "1KiB": true, "100B": false, "fast": false} {
			if err := executor.CheckSetting(s.graph, "mirror.start.bytes_per_second", value); (err == nil) != ok {
				t.Errorf("%s: %v", value, err)
			}
		}
	})
}
