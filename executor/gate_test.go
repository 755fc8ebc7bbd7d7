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

// gated is the chain with a gate.
func gated(t *testing.T, gates ...*plan.Gate) *stage {
	t.Helper()
	s := chain(t, plan.ProductionFirst)
	s.migration().Gates = gates
	s.build()
	return s
}

func window(t *testing.T, text string) *plan.Window {
	t.Helper()
	w, err := plan.ParseWindow(text)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// approval is a word for the gate "go" and this plan.
func (s *stage) approval(who, as string) state.Request {
	return state.Request{Verb: state.VerbApprove, Address: graph.GateAddress("go"), As: as, Who: who, From: "desk", PlanHash: s.plan.Hash()}
}

// behind returns the first journal record of a step behind the gate.
func (s *stage) behind() (at time.Time, ok bool) {
	for _, r := range s.journal.records {
		if r.Step != nil && strings.HasPrefix(r.Step.Address, "switch.") {
			return r.At, true
		}
	}
	return time.Time{}, false
}

func texts(p executor.StepParked) string {
	var out []string
	for _, c := range p.Conditions {
		out = append(out, c.Name+": "+c.Text)
	}
	return strings.Join(out, "\n")
}

// Taken out: the wait for a person. Nothing behind the gate begins before the
// word is given; where nobody watches the run parks and says what to type.
func TestGateParksUntilApproved(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: time.Hour, Approvals: []plan.Approval{{Name: "sre"}, {Name: "dba"}}})
		r := s.apply()
		if r.Err != nil || len(r.Parked) != 1 {
			t.Fatalf("%+v", r)
		}
		if p := r.Parked[0]; p.Command != "kplan approve gate.go --as sre" || !strings.Contains(texts(p), `approval "dba": not given`) {
			t.Errorf("parked: %q\n%s", p.Command, texts(p))
		}
		s.inbox.put(s.approval("ann", "sre"))
		if r = s.apply(); len(r.Parked) != 1 || r.Parked[0].Command != "kplan approve gate.go --as dba" {
			t.Fatalf("with one of two: %+v", r)
		}
		if _, begun := s.behind(); begun {
			t.Fatal("a step behind the gate has begun")
		}
		s.inbox.put(s.approval("bob", "dba"))
		s.mustApply()
	})
}

// Taken out: the expiry. A word that was good when it was accepted no longer is
// when the other conditions come to hold.
func TestApprovalExpiresWhileItWaits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: 1000 * time.Hour, Soak: 8 * time.Minute, Approvals: []plan.Approval{{Name: "sre", Expires: 4 * time.Minute}}})
		s.waits = true
		var first string
		s.onStart(graph.GateAddress("go"), func() {
			first = s.inbox.put(s.approval("ann", ""))
			go func() {
				time.Sleep(12 * time.Minute)
				s.inbox.put(s.approval("bob", ""))
			}()
		})
		s.mustApply()
		if got := s.standings(first); !slices.Equal(got, []state.Standing{state.Accepted, state.Void}) {
			t.Errorf("the first word: %v", got)
		}
	})
}

// Taken out: the rejection. It fails the run, and what was approved before does
// not count the next time.
func TestRejected(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: time.Hour, Approvals: []plan.Approval{{Name: "sre"}, {Name: "dba"}}})
		s.inbox.put(s.approval("ann", "sre"))
		s.inbox.put(state.Request{Verb: state.VerbReject, Address: graph.GateAddress("go"), Who: "bob", From: "desk", Reason: "not today"})
		r := s.apply()
		var rejected *executor.RejectedError
		if !errors.As(r.Err, &rejected) || !strings.Contains(r.Err.Error(), "not today") || len(r.Restored)+len(r.Stranded) > 0 {
			t.Fatalf("%+v", r)
		}
		if r = s.apply(); len(r.Parked) != 1 || !strings.Contains(texts(r.Parked[0]), `approval "sre": not given`) {
			t.Fatalf("the next apply: %+v", r)
		}
	})
}

// Taken out: the two-person rule for who came first. Somebody else who goes on
// does not turn the requester into an approver.
func TestRequesterStaysTheRequester(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: time.Hour, Approvals: []plan.Approval{{Name: "sre", Others: true}}})
		s.who = "ann"
		s.apply()
		s.who = "ci"
		id := s.inbox.put(s.approval("ann", ""))
		if r := s.apply(); len(r.Parked) != 1 {
			t.Fatalf("%+v", r)
		}
		if a := s.journal.fold().Answers[id]; a.Standing != state.Refused || !strings.Contains(a.Why, "ann has started") {
			t.Errorf("%+v", a)
		}
		s.inbox.put(s.approval("bob", ""))
		s.mustApply()
	})
}

// Taken out: the hold. The lag has to have been small for so long, without a
// break.
func TestLagIsHeld(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		most := int64(200)
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: 5 * time.Hour, MaxLag: &most, Hold: 5 * time.Minute})
		began := time.Now()
		silent := func(is bool) func() { return func() { s.locked(func() { s.worker("d").silent = is }) } }
		time.AfterFunc(3*time.Minute, silent(true)) // the break: more than 200 records in a minute
		time.AfterFunc(4*time.Minute, silent(false))
		s.mustApply()
		at, ok := s.behind()
		if waited := at.Sub(began); !ok || waited < 9*time.Minute || waited > 12*time.Minute {
			t.Errorf("behind the gate after %s", waited)
		}
	})
}

// Taken out: the limit on the lag.
func TestLagTooGreatParksInTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		none := int64(-1)
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: 5 * time.Minute, MaxLag: &none})
		began := time.Now()
		r := s.apply()
		if len(r.Parked) != 1 || time.Since(began) < 5*time.Minute || r.Parked[0].Command != "kplan apply" {
			t.Errorf("after %s: %+v", time.Since(began), r)
		}
		if _, begun := s.behind(); begun {
			t.Error("a step behind the gate has begun")
		}
	})
}

// Taken out: the window. The bubble begins on Saturday, 1 January 2000, UTC.
func TestWindowIsWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: 100 * time.Hour, Window: window(t, "Sat 00:05-01:00 UTC")})
		s.mustApply()
		at, _ := s.behind()
		if want := time.Date(2000, 1, 1, 0, 5, 0, 0, time.UTC); at.Before(want) || at.After(want.Add(time.Minute)) {
			t.Errorf("behind the gate at %s", at)
		}
	})
}

// Taken out: the freshness of a verify, its verdict and its plan.
func TestVerifiedGate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: time.Hour, Verified: time.Hour})
		verified := func(age time.Duration, verdict, hash string) {
			s.inbox.put(state.Request{Verb: state.VerbVerified, Value: verdict, PlanHash: hash, At: time.Now().Add(-age), Who: "ci", From: "runner"})
		}
		verified(2*time.Hour, executor.VerifiedPass, s.plan.Hash())
		verified(0, executor.VerifiedPass, "another")
		if r := s.apply(); len(r.Parked) != 1 || r.Parked[0].Command != "kplan verify --record" {
			t.Fatalf("old, and of another plan: %+v", r)
		}
		verified(2*time.Minute, executor.VerifiedPass, s.plan.Hash())
		verified(time.Minute, "exit code 2", s.plan.Hash())
		if r := s.apply(); len(r.Parked) != 1 {
			t.Fatalf("the last one failed: %+v", r)
		}
		verified(0, executor.VerifiedPass, s.plan.Hash())
		s.mustApply()
	})
}

// Taken out: the rule that a gate, once behind, does not close. It would keep
// kplan from starting what stands stopped. Before anything behind it has begun
// it is judged anew.
func TestGateBehindStaysOpen(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: time.Hour, Approvals: []plan.Approval{{Name: "sre", Expires: 10 * time.Minute}}})
		gate := graph.GateAddress("go")
		s.inbox.put(s.approval("ann", ""))
		k := &killer{memory: s.journal, n: 1 << 30}
		s.journal.at = func(n int) { // dies right after the gate
			if last := s.journal.records[n-1]; last.Step != nil && last.Step.Address == gate && last.Step.Status == state.Done {
				k.n = n
			}
		}
		s.applyIn(t.Context(), k, k.dead)
		s.journal.at = nil
		time.Sleep(15 * time.Minute)
		if r := s.apply(); len(r.Parked) != 1 {
			t.Fatalf("nothing had begun behind it, and the word has expired: %+v", r)
		}
		s.inbox.put(s.approval("ann", ""))
		k.gone, k.n = false, 1<<30
		s.journal.at = func(n int) {
			if last := s.journal.records[n-1]; last.Step != nil && strings.HasSuffix(last.Step.Address, ".stop") && last.Step.Status == state.Running {
				k.n = n + 1
			}
		}
		s.applyIn(t.Context(), k, k.dead)
		s.journal.at = nil
		if _, begun := s.behind(); !begun {
			t.Fatal("it was not cut off behind the gate")
		}
		time.Sleep(15 * time.Minute)
		s.mustApply() // without another word
	})
}

// Taken out: the journal's memory of a word. An apply that dies right behind
// the gate does not make people say it again.
func TestWordSurvivesACrash(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: time.Hour, Approvals: []plan.Approval{{Name: "sre", Expires: time.Hour}}})
		s.inbox.put(s.approval("ann", ""))
		k := &killer{memory: s.journal, n: 1 << 30}
		s.journal.at = func(n int) {
			if last := s.journal.records[n-1]; last.Answer != nil && last.Answer.Standing == state.Effective {
				k.n = n // before the gate is done
			}
		}
		s.applyIn(t.Context(), k, k.dead)
		s.journal.at = nil
		if _, begun := s.behind(); begun {
			t.Fatal("it was not cut off")
		}
		s.mustApply()
	})
}

// Taken out: the look ahead. Where nobody watches, a window that opens after the
// limit is not waited for.
func TestWindowTooFarAwayParksAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: 5 * time.Hour, Window: window(t, "Sun 08:00-11:00 UTC")})
		began := time.Now()
		r := s.apply()
		if len(r.Parked) != 1 || time.Since(began) > time.Minute || !strings.Contains(texts(r.Parked[0]), "closed until Sun 2000-01-02 08:00 UTC, in 32h") {
			t.Errorf("after %s: %+v", time.Since(began), r)
		}
	})
}
