package executor_test

import (
	"slices"
	"strings"
	"testing"

	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/graph"
)

// A run that is to carry out a part of the graph does that and no more, in any
// sequence of parts, and what is left is carried out by the next run as by one.
func TestPartsOfAGraph(t *testing.T) {
	for _, scheme := range []plan.SchemeKind{plan.ProductionFirst, plan.ProductionLater} {
		inBubble(t, func(t *testing.T) {
			s := chain(t, scheme)
			parts := []graph.Part{s.graph.Until(graph.Prepare)}
			for wave := range s.graph.Waves {
				parts = append(parts, s.graph.Moving(wave+1))
			}
			for i, part := range parts {
				for _, step := range s.graph.Steps {
					if part.Has(step.Address) && slices.ContainsFunc(step.Needs, func(n string) bool { return !part.Has(n) }) {
						t.Errorf("part %d has %s without what it needs", i, step.Address)
					}
				}
				s.part = part
				result := s.apply()
				if result.Err != nil || len(result.Stopped) > 0 || len(result.Parked) > 0 || result.Done < len(part) {
					t.Fatalf("part %d: %+v", i, result)
				}
				for _, line := range s.journal.lines() {
					if address, _, _ := strings.Cut(line, " running"); s.graph.Step(address) != nil && !part.Has(address) && !done(parts[:i], address) {
						t.Errorf("part %d has begun %s", i, address)
					}
				}
			}
			if i := slices.Index(s.journal.lines(), "switch.service.a.stop running"); i < 0 {
				t.Error("no service was moved: this says nothing")
			}
			s.part = nil
			s.mustApply()
			s.finish(scheme == plan.ProductionFirst)
			for _, step := range s.graph.Steps {
				if got := s.journal.fold().Steps[step.Address]; got.Status != state.Done {
					t.Errorf("%s is %s", step.Address, got.Status)
				}
			}
		})
	}
}

func done(parts []graph.Part, address string) bool {
	return slices.ContainsFunc(parts, func(p graph.Part) bool { return p.Has(address) })
}
