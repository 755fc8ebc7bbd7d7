package executor_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// Taken out: the restore. The service would run nowhere (R13).
func TestFailedStartIsRestored(t *testing.T) {
	for _, scheme := range schemes() {
		t.Run(string(scheme), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := chain(t, scheme)
				s.locked(func() { s.worker("a").broken[cluster.Target] = true })
				r := s.apply()
				if d := cmp.Diff([]string{"a"}, r.Restored); d != "" || len(r.Stranded) > 0 {
					t.Errorf("restored (-want +got):\n%s\nstranded %v", d, r.Stranded)
				}
				if s.where("a") != "source" || s.journal.fold().TopicSide("t1") != cluster.Source {
					t.Errorf("a runs on %q, t1 is written on the %s", s.where("a"), s.journal.fold().TopicSide("t1"))
				}
				if got := s.journal.fold().Topics["t1"].Epoch; scheme == plan.ProductionFirst && got != 2 {
					t.Errorf("epoch %d after two flips", got)
				}
				s.locked(func() { s.worker("a").broken[cluster.Target] = false })
				s.mustApply()
				s.settled()
			})
		})
	}
}

// Taken out: the look at the target's log ends. The service would start on the
// source again, with its own records out of reach of their readers.
func TestStrandedWhenWrittenOnTheTarget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.locked(func() { s.worker("a").broken[cluster.Target], s.worker("a").late = true, true })
		s.onCall = func(op, arg string) {
			if op == "stop on target" && arg == "a" {
				time.Sleep(time.Second) // it writes meanwhile
			}
		}
		r := s.apply()
		if len(r.Stranded) != 1 || len(r.Restored) != 0 || s.where("a") != "" {
			t.Fatalf("stranded %v, restored %v, a runs on %q", r.Stranded, r.Restored, s.where("a"))
		}
		if text := r.Stranded[0].Error(); !strings.Contains(text, "t1[0] offsets 0 to") || !strings.Contains(text, "Two ways out") {
			t.Errorf("the message: %s", text)
		}
		s.onCall = nil
		s.locked(func() { s.worker("a").broken[cluster.Target] = false })
		s.mustApply() // the first way out
		s.settled()
	})
}

// Taken out: the stop on the target before the start on the source. The
// service would run on both sides.
func TestRestoreStopsOnTheTargetFirst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.locked(func() {
			a := s.worker("a")
			a.broken[cluster.Target], a.late, a.idle = true, true, true
			a.deaf[cluster.Target] = true
		})
		r := s.apply()
		if len(r.Stranded) != 1 || s.where("a") != "target" {
			t.Fatalf("stranded %v, a runs on %q", r.Stranded, s.where("a"))
		}
		if !strings.Contains(r.Stranded[0].Reason, "stopping it on the target again") {
			t.Errorf("the reason: %s", r.Stranded[0].Reason)
		}
		s.locked(func() { s.worker("a").broken[cluster.Target], s.worker("a").idle = false, false })
		s.mustApply()
		s.settled()
	})
}

// Taken out: the exception for services that people switch.
func TestManualServiceIsNotRestored(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		spec := s.migration().Service("a")
		spec.Switch = plan.Switch{Manual: &plan.ManualSwitch{Timeout: 10 * time.Minute,
			Stop: plan.Instruction{Source: "press hold"}, Start: plan.Instruction{Target: "release hold"}}}
		s.build()
		s.waits = true
		s.onEvent = func(e executor.Event) {
			p, ok := e.(executor.StepParked)
			if !ok || p.Instruction != "press hold" {
				return
			}
			s.locked(func() { s.exit(s.worker("a"), cluster.Source) })
			answer(t, s, p.Step.Address)
		}
		r := s.apply()
		as[*executor.TimeoutError](t, r.Err) // nobody has released it
		if len(r.Stranded) != 1 || !strings.Contains(r.Stranded[0].Reason, "a person has to start it") {
			t.Errorf("stranded %v", r.Stranded)
		}
	})
}

// Taken out: the look at the services of the same wave. One of two writers of a
// topic would go back to the source while the other one runs on the target; one
// of two members of a group likewise, and no later apply could place the
// group's offsets.
func TestHalfAWaveDoesNotGoBack(t *testing.T) {
	for name, services := range map[string][]string{
		"topic": {"a: -> t1", "b: -> t1", "d: t1 (gd)"},
		"group": {"w: -> t1 t2", "a: t1 (g)", "b: t2 (g)"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := set(t, plan.ProductionFirst, services...)
				time.Sleep(time.Second)
				s.locked(func() {
					s.worker("b").broken[cluster.Target] = true
					s.worker("b").slow = 5 * time.Second                // a is up by then
					s.worker("a").idle, s.worker("b").idle = true, true // nothing gets written on the target
				})
				r := s.apply()
				if len(r.Stranded) != 1 || r.Stranded[0].Service != "b" || !strings.Contains(r.Stranded[0].Reason, `"a"`) {
					t.Fatalf("stranded %v, restored %v", r.Stranded, r.Restored)
				}
				if s.where("a") != "target" || s.where("b") != "" {
					t.Errorf("a runs on %q, b on %q", s.where("a"), s.where("b"))
				}
				s.locked(func() {
					s.worker("b").broken[cluster.Target] = false
					s.worker("a").idle, s.worker("b").idle = false, false
				})
				s.mustApply()
				s.settled()
			})
		})
	}
}

// Taken out: the distinction between a failure and a journal that cannot be
// written. Nothing may be done that is not recorded: no effect, no restore.
func TestJournalFailureStopsEverything(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		var after []string
		s.when(graph.ServiceAddress("a", "stop"), func() {
			s.journal.mu.Lock()
			s.journal.fail = errors.New("no space left on device")
			s.journal.mu.Unlock()
			s.hook(func(op, arg string) {
				switch op {
				case "ends", "look", "commits", "group", "topics", "check":
				default:
					after = append(after, op+" "+arg)
				}
			})
		})
		r := s.apply()
		if !strings.Contains(r.Err.Error(), "no space left on device") {
			t.Errorf("the error: %v", r.Err)
		}
		if len(after) > 0 {
			t.Errorf("done without a record: %v", after)
		}
		if len(r.Stranded) != 1 || r.Stranded[0].Service != "a" || len(r.Restored) > 0 || r.Stranded[0].Reason != "its restore cannot be recorded" {
			t.Errorf("stranded %v, restored %v", r.Stranded, r.Restored)
		}
	})
}

// Taken out: the record that takes ownership back. A topic that somebody else
// made in the moment before kplan did is not kplan's to alter.
func TestTopicOfOthersIsNotOwned(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		s.locked(func() {
			s.failing = func(op, _ string) error {
				if op == "target create" {
					return fmt.Errorf("creating: %w", cluster.ErrTopicExists)
				}
				return nil
			}
		})
		if r := s.apply(); r.Err == nil || !errors.Is(r.Err, cluster.ErrTopicExists) {
			t.Errorf("the run ended with %v", r.Err)
		}
		if owned := s.journal.fold().Owned; len(owned) > 0 {
			t.Errorf("kplan thinks that it owns %v", owned)
		}
	})
}

// Taken out: the second look at a topic that this state owns already. A kplan
// that died may have asked for it, and the brokers carry it out late.
func TestLateCreationOfADeadKplanIsOurs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		if _, err := s.journal.Append(state.Record{Owned: &state.Owned{Topic: "t1"}}); err != nil {
			t.Fatal(err)
		}
		late := 3
		s.locked(func() {
			s.failing = func(op, _ string) error {
				if op != "target create" || late == 0 {
					return nil
				}
				if late--; late == 0 {
					s.target.create("t1", 2)
				}
				return fmt.Errorf("creating: %w", cluster.ErrTopicExists)
			}
		})
		s.mustApply()
		if !s.journal.fold().Owned["t1"] {
			t.Error("kplan has given its own topic away")
		}
	})
}
