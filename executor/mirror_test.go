package executor_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

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

// A mirror that takes what it will copy for copied ends no copy before the
// target's own log has it, whether a service uses the topic or not (R4, R5).
func TestEndsAreProvenByTheTarget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "c: t1 (gc)")
		s.archive("old1", 40)
		mirrored(s)
		s.hasty = true
		s.mustApply()
		s.finish(true)
		s.sameLogs(t)
	})
}

// A copy that nobody carries out is not waited for without end, as in CI.
func TestCopyWithoutWorkers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "c: t1 (gc)")
		mirrored(s)
		began := time.Now()
		s.lag = func() executor.CopyLag {
			return executor.CopyLag{Records: 7, Unattended: time.Since(began) + 9*time.Minute + 50*time.Second, Text: "start one with kplan mirror"}
		}
		s.nobody = true
		r := s.apply()
		var late *executor.TimeoutError
		if !errors.As(r.Err, &late) || !strings.Contains(late.Error(), "start one with kplan mirror") || time.Since(began) > time.Minute {
			t.Errorf("after %s: %v", time.Since(began), r.Err)
		}
		if len(r.Stranded) > 0 {
			t.Errorf("stranded: %v", r.Stranded)
		}
	})
}

// A gate does not open by a lag that is not known yet, however small what is known
// is.
func TestGateWaitsForTheUnknown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		most := int64(10)
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: 5 * time.Hour, MaxLag: &most})
		mirrored(s)
		known := time.Now().Add(20 * time.Second)
		s.lag = func() executor.CopyLag {
			if time.Now().Before(known) {
				return executor.CopyLag{Unknown: 2}
			}
			return executor.CopyLag{}
		}
		s.mustApply()
		if at, ok := s.behind(); !ok || at.Before(known) {
			t.Errorf("the gate opened at %s, and the lag was known from %s on", at, known)
		}
	})
}
