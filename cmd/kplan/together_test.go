package main

import (
	"regexp"
	"slices"
	"sync"
	"testing"
)

// TestAppliesAtOnce starts three applies at the same moment, with each place of
// the state: exactly one acts, the others end with 6 and say who does, and for
// how long.
func TestAppliesAtOnce(t *testing.T) {
	said := regexp.MustCompile(`the state is locked by \S.* on \S+ \(process \d+\) since \S+, \d+s ago|the state is locked by another kplan, which has not said yet who it is`)
	for _, c := range []crash{{example: "production-first"}, {example: "production-first", topic: true}} {
		t.Run(c.name(), func(t *testing.T) {
			t.Parallel()
			source, target := fakePair(t)
			s := newScenario(t, scenarioOptions{example: c.example, name: "together", source: source, target: target, rate: 60, topic: c.topic})
			s.start()
			s.flow(60)
			results := make([]outcome, 3)
			var wg sync.WaitGroup
			for i := range results {
				wg.Go(func() { results[i] = s.kplan(nil, "apply", "--yes") })
			}
			wg.Wait()
			var codes []int
			for _, r := range results {
				codes = append(codes, r.code)
				if r.code == exitLocked && !said.MatchString(r.output) {
					t.Errorf("it does not say who holds the lock:\n%s", r.output)
				}
			}
			slices.Sort(codes)
			if !slices.Equal(codes, []int{exitDone, exitLocked, exitLocked}) {
				t.Fatalf("exit codes %v", codes)
			}
			s.flow(30)
			if r := s.prove(); !r.Clean() {
				t.Error(r.Sentences())
			}
		})
	}
}
