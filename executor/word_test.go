package executor_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/graph"
)

// sre is a gate before the switch that wants one word.
func sre(a plan.Approval) *plan.Gate {
	a.Name = "sre"
	return &plan.Gate{Name: "go", Before: "switch", Timeout: time.Hour, Approvals: []plan.Approval{a}}
}

// atTake calls f once, just before the request is taken.
func (s *stage) atTake(verb state.Verb, f func(id string)) {
	s.inbox.beforeTake = func(r state.Request) {
		if r.Verb == verb {
			s.inbox.beforeTake = nil
			f(r.ID)
		}
	}
}

// Taken out: the look at what became of a word when it was spent. One that is
// withdrawn between the judgement and its effect does not open the gate, in this
// run or in the next, which finds it among the facts of the gate.
func TestWithdrawnAtTheLastMoment(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, sre(plan.Approval{}))
		id := s.inbox.put(s.approval("ann", ""))
		s.atTake(state.VerbApprove, func(id string) {
			if err := s.inbox.withdraw(id); err != nil {
				t.Error(err)
			}
		})
		for range 2 {
			if r := s.apply(); r.Err != nil || len(r.Parked) != 1 {
				t.Fatalf("%+v", r)
			}
		}
		if got := s.standings(id); !slices.Equal(got, []state.Standing{state.Accepted, state.Withdrawn}) {
			t.Errorf("%v", got)
		}
		s.inbox.put(s.approval("bob", ""))
		s.mustApply()
	})
}

// Taken out: the look at what became of an abort, and of a rejection.
func TestWithdrawnAbortAndRejection(t *testing.T) {
	for _, verb := range []state.Verb{state.VerbAbort, state.VerbReject} {
		t.Run(string(verb), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := gated(t, sre(plan.Approval{}))
				s.waits = true
				s.atTake(verb, func(id string) {
					if err := s.inbox.withdraw(id); err != nil {
						t.Error(err)
					}
				})
				s.onStart(graph.GateAddress("go"), func() {
					s.inbox.put(state.Request{Verb: verb, Address: graph.GateAddress("go"), Who: "eve", From: "desk"})
					time.AfterFunc(time.Minute, func() { s.inbox.put(s.approval("bob", "")) })
				})
				s.mustApply()
			})
		})
	}
}

// Taken out: the order of a rejection's records. Wherever kplan dies, what was
// approved before the rejection does not open the gate afterwards.
func TestRejectionSurvivesACrash(t *testing.T) {
	for n := 1; ; n++ {
		over := false
		inBubble(t, func(t *testing.T) {
			s := gated(t, sre(plan.Approval{}))
			s.inbox.put(s.approval("ann", ""))
			k := &killer{memory: s.journal, n: 1 << 30}
			s.journal.at = func(at int) { // dies behind the gate, with the word spent
				if last := s.journal.records[at-1]; last.Step != nil && last.Step.Address == graph.GateAddress("go") && last.Step.Status == state.Done {
					k.n = at
				}
			}
			s.applyIn(t.Context(), k, k.dead)
			s.journal.at = nil
			s.inbox.put(state.Request{Verb: state.VerbReject, Address: graph.GateAddress("go"), Who: "bob", From: "desk"})
			k.gone, k.n = false, len(s.journal.records)+n
			r := s.applyIn(t.Context(), k, k.dead)
			over = errors.As(r.Err, new(*executor.RejectedError))
			for range 2 {
				s.apply()
			}
			if at, begun := s.behind(); begun {
				t.Fatalf("cut off after %d records: a step behind the gate began at %s", n, at)
			}
		})
		if over || t.Failed() {
			return
		}
	}
}

// Taken out: the comparison of persons, whatever machine they sit at.
func TestOthersAreOtherPersons(t *testing.T) {
	for _, test := range []struct {
		starts, approves string
		other            bool
	}{
		{"runner (ann)", "ann", false},
		{"ann", "runner (ann)", false},
		{"runner (ann)", "root (ann)", false},
		{"runner (ann)", "runner (bob)", true},
		{"runner (ann)", "bob", true},
	} {
		inBubble(t, func(t *testing.T) {
			s := gated(t, sre(plan.Approval{Others: true}))
			s.who = test.starts
			s.inbox.put(s.approval(test.approves, ""))
			if r := s.apply(); (len(r.Parked) == 0) != test.other {
				t.Errorf("%q starts, %q approves: parked %v", test.starts, test.approves, r.Parked)
			}
		})
	}
}

// Taken out: the plan of a verify that was accepted by an apply of another plan.
func TestVerifyOfAnotherPlan(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		g := sre(plan.Approval{})
		g.Verified = time.Hour
		s := gated(t, g)
		s.inbox.put(state.Request{Verb: state.VerbVerified, Value: executor.VerifiedPass, PlanHash: s.plan.Hash(), Who: "ci", From: "runner"})
		if r := s.apply(); len(r.Parked) != 1 || !r.Parked[0].Conditions[0].Met {
			t.Fatalf("%+v", r)
		}
		s.migration().Scheme.DrainTimeout *= 2
		s.inbox.put(s.approval("ann", ""))
		if r := s.apply(); len(r.Parked) != 1 || r.Parked[0].Conditions[0].Met {
			t.Fatalf("the verify of the old plan counts: %+v", r)
		}
	})
}

// Taken out: the end of words that a gate did not need, and of those that came
// too late. They would answer the next question.
func TestWordsThatAreLeftOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, sre(plan.Approval{}))
		s.inbox.put(s.approval("ann", ""))
		spare := s.inbox.put(s.approval("bob", ""))
		var late string
		s.onEvent = func(e executor.Event) {
			if done, ok := e.(executor.StepDone); ok && done.Step.Kind == graph.Gate {
				late = s.inbox.put(state.Request{Verb: state.VerbReject, Address: graph.GateAddress("go"), Who: "eve", From: "desk"})
			}
		}
		s.mustApply()
		if got := s.standings(spare); !slices.Equal(got, []state.Standing{state.Accepted, state.Void}) {
			t.Errorf("the spare word: %v", got)
		}
		if a := s.journal.fold().Answers[late]; a.Standing != state.Refused || !strings.Contains(a.Why, "kplan abort") {
			t.Errorf("the late rejection: %+v", a)
		}
	})
}

// Taken out: the second look at a gate after a pause. It opens while the run is
// paused, and its window has closed when somebody resumes.
func TestGateIsJudgedAgainAfterAPause(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: 100 * time.Hour, Window: window(t, "Sat 00:10-00:20; Sat 01:00-02:00 UTC")})
		s.onStart(graph.GateAddress("go"), func() {
			s.inbox.put(state.Request{Verb: state.VerbPause, Who: "ann", From: "desk"})
			time.AfterFunc(30*time.Minute, func() { s.inbox.put(state.Request{Verb: state.VerbResume, Who: "ann", From: "desk"}) })
		})
		s.mustApply()
		if at, _ := s.behind(); at.Before(time.Date(2000, 1, 1, 1, 0, 0, 0, time.UTC)) {
			t.Errorf("behind the gate at %s", at)
		}
		s.settled()
	})
}

// Taken out: the way past a gate that comes into the plan when a service stands
// stopped behind it.
func TestNewGateDoesNotLockAStoppedServiceOut(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		k := &killer{memory: s.journal, n: 1 << 30}
		s.journal.at = func(n int) {
			if last := s.journal.records[n-1]; last.Step != nil && strings.HasSuffix(last.Step.Address, ".stop") && last.Step.Status == state.Done {
				k.n = n
			}
		}
		s.applyIn(t.Context(), k, k.dead)
		s.journal.at = nil
		if at := s.where("a"); at != "" {
			t.Fatalf("a runs on %q: nothing stands stopped", at)
		}
		s.migration().Gates = []*plan.Gate{sre(plan.Approval{})}
		s.build()
		s.mustApply()
		s.settled()
	})
}

// Taken out: the kind of the step. A gate is not done because somebody says so.
func TestGateIsNotDone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, sre(plan.Approval{}))
		s.apply()
		s.inbox.put(state.Request{Verb: state.VerbDone, Address: graph.GateAddress("go"), Who: "ann"})
		s.apply()
		answers := s.journal.fold().Answers
		if len(answers) != 1 {
			t.Errorf("%d answers: the test proves nothing", len(answers))
		}
		for _, a := range answers {
			if a.Standing != state.Refused || !strings.Contains(a.Why, "is a gate") {
				t.Errorf("%+v", a)
			}
		}
	})
}
