package executor_test

import (
	"context"
	"errors"
	"fmt"
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

// Where the copy does not know the place of a position exactly any more the group
// begins before it and not behind it, and apply says what is read again. What
// proves the end of a copy is the last place that it may be (R4).
// Taken out: the note; the later place at the end of a copy; the earlier one for
// the group.
func TestPlacesThatAreRounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "c: t1 (gc)")
		mirrored(s)
		s.rounded = 1
		type at struct{ placed, copied int64 }
		places := map[cluster.TopicPartition]at{}
		s.when(graph.GroupAddress("gc", "place"), func() {
			s.locked(func() {
				for tp, c := range s.target.group("gc").commits {
					copied := int64(0)
					for _, e := range s.target.part(tp).log {
						if e.pid == mirrorID {
							copied++
						}
					}
					places[tp] = at{c.Offset, copied}
				}
			})
		})
		s.mustApply()
		s.end()
		s.sameLogs(t)
		if len(places) != 2 {
			t.Fatalf("placed: %v", places)
		}
		sum := int64(0)
		for tp, p := range places {
			if p.copied < 1 || p.placed != p.copied-1 {
				t.Errorf("%s: placed at %d, and %d were copied", tp, p.placed, p.copied)
			}
			sum += p.copied - p.placed
		}
		var said []string
		for _, e := range s.events {
			if n, ok := e.(executor.Noted); ok && strings.Contains(n.Text, "group gc stands on 2 partitions before what the copy knows") {
				said = append(said, n.Text)
			}
		}
		if len(said) == 0 || !strings.Contains(said[0], fmt.Sprintf("up to %d records", sum)) || !strings.Contains(said[0], "t1[0]: it stands at offset") {
			t.Errorf("it says %q", said)
		}
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

// Taken out: the look before each wave's stop. With run = "apply" nothing is
// copied between two applies, and a later wave would stand stopped for as long
// as the copy takes to catch up (R27).
func TestCaughtUpBeforeEveryWave(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		mirrored(s)
		ctx, interrupt := context.WithCancelCause(context.Background())
		defer interrupt(nil)
		s.onStart(graph.ServiceAddress("a", "start"), func() { interrupt(executor.ErrInterrupted) })
		if r := s.applyIn(ctx, s.journal, nil); !errors.Is(r.Err, executor.ErrInterrupted) {
			t.Fatal(r.Err)
		}
		s.onEvent = nil
		backlog := 0
		s.locked(func() { // hours later
			for n := range 4000 {
				s.world.append(cluster.Source, "t2", entry{key: keys + n%keys, seq: n + 1, pid: 9})
			}
			for _, p := range s.source.topics["t2"] {
				backlog += len(p.log) - 2 // what mirrored has put there is no record
			}
		})
		copied := -1
		s.hook(func(op, arg string) {
			if op == "stop on source" && arg == "p" {
				s.locked(func() {
					copied = 0
					for _, p := range s.target.topics["t2"] {
						copied += len(p.log)
					}
				})
			}
		})
		s.mustApply()
		if copied < backlog {
			t.Errorf("p was stopped with %d of %d records copied", copied, backlog)
		}
		s.settled()
	})
}

// Taken out: the look through the look. A gate before a service would count as
// passed for good while the copy still catches up and nothing is stopped.
func TestGateBeforeALook(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, &plan.Gate{Name: "go", Before: "a", Timeout: time.Hour, Approvals: []plan.Approval{{Name: "sre", Expires: time.Minute}}})
		mirrored(s)
		s.inbox.put(s.approval("ann", ""))
		ctx, interrupt := context.WithCancelCause(context.Background())
		defer interrupt(nil)
		s.onEvent = func(e executor.Event) {
			if b, ok := e.(executor.StepStarted); ok && b.Step.Address == graph.ServiceAddress("a", "caught_up") {
				interrupt(executor.ErrInterrupted)
			}
		}
		if r := s.applyIn(ctx, s.journal, nil); !errors.Is(r.Err, executor.ErrInterrupted) || len(r.Stopped) > 0 {
			t.Fatalf("it ended with %v, stopped %v", r.Err, r.Stopped)
		}
		s.onEvent = nil
		time.Sleep(2 * time.Minute)
		if r := s.apply(); len(r.Parked) != 1 || r.Parked[0].Step.Address != graph.GateAddress("go") || s.where("a") != "source" {
			t.Errorf("the word has expired and nothing was stopped: %+v, a runs on %q", r, s.where("a"))
		}
	})
}

// Taken out: the last look at topics that no service uses, once their copy has ended.
// What an unclean election on the target has lost would be lost for good.
func TestACopyThatIsLostAtItsEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "c: t1 (gc)")
		s.archive("old1", 40)
		mirrored(s)
		drained := false
		s.when(graph.RestDrain, func() { drained = true })
		s.onCall = func(op, _ string) {
			if op == "copy no more" && drained {
				s.locked(func() {
					p := s.target.topics["old1"][1]
					p.log = p.log[:len(p.log)-1]
				})
			}
		}
		err := as[*executor.LostCopyError](t, s.apply().Err)
		if err.Partition != (cluster.TopicPartition{Topic: "old1", Partition: 1}) || err.LogEnd != err.Copied-1 || !strings.Contains(err.Error(), "records are lost there") {
			t.Errorf("it says %+v: %v", err, err)
		}
	})
}
