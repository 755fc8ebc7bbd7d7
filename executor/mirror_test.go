package executor_test

import (
	"slices"
	"testing"

	"kplan/executor"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// archive adds a topic that no service uses, with records.
func (s *stage) archive(name string, records int) {
	s.locked(func() {
		s.source.create(name, 2)
		for n := range records {
			s.world.append(cluster.Source, name, entry{key: n, seq: n + 1, pid: 3})
		}
	})
	s.rest = append(s.rest, name)
}

// Topics that no service uses are copied whole; one that joins the selection
// after everything was done is copied by the next apply, and the others are not
// opened again.
func TestRestIsCopied(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "c: t1 (gc)")
		s.archive("old1", 40)
		mirrored(s)
		s.mustApply()
		s.archive("old2", 30)
		mirrored(s)
		began := len(s.journal.lines())
		s.mustApply()
		for _, line := range s.journal.lines()[began:] {
			if line == "override old1" || line == "override t1" {
				t.Errorf("a topic whose copy had ended was opened again: %s", line)
			}
		}
		s.finish(true)
		s.sameLogs(t)
		if st := s.journal.fold(); len(st.Overrides) != 0 {
			t.Errorf("overrides are left: %v", st.Overrides)
		}
		for _, topic := range []string{"old1", "old2"} {
			if got := s.target.configs[topic]["cleanup.policy"].Value; got != "compact" {
				t.Errorf("cleanup.policy of %s is left at %q", topic, got)
			}
		}
		if !slices.Contains(s.journal.lines()[began:], "override old2") {
			t.Error("the new topic had no override: the test proves nothing")
		}
	})
}

// A transaction that wrote nothing may leave a marker behind the boundary, and a
// group commit behind that (R4): the group goes on at the end of the copy.
// Taken out: that place, so that every apply fails.
func TestMarkerBehindTheCopy(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "c: t1 (gc)")
		mirrored(s)
		s.onEvent = func(e executor.Event) {
			done, ok := e.(executor.StepDone)
			if !ok || done.Step.Address != graph.MirrorAddress("t1", "stop") {
				return
			}
			s.locked(func() {
				for i, p := range s.source.topics["t1"] {
					p.log = append(p.log, entry{marker: true})
					tp := cluster.TopicPartition{Topic: "t1", Partition: int32(i)}
					s.source.group("gc").commits[tp] = cluster.Commit{Offset: int64(len(p.log))}
				}
			})
		}
		s.mustApply()
		s.settled()
	})
}
