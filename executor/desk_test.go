package executor_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/plan"
	"kplan/plan/graph"
)

// standings returns how far a request has come, in order.
func (s *stage) standings(id string) []state.Standing {
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	var out []state.Standing
	for _, r := range s.journal.records {
		if r.Answer != nil && r.Answer.ID == id {
			out = append(out, r.Answer.Standing)
		}
	}
	return out
}

// onStart calls f when the step begins for the first time.
func (s *stage) onStart(address string, f func()) {
	s.onEvent = func(e executor.Event) {
		if started, ok := e.(executor.StepStarted); ok && started.Step.Address == address && started.Attempt == 1 {
			f()
		}
	}
}

// Taken out: the walk's look at the pause. At every step of both schemes: while
// paused nothing new begins, however long; after the resume everything passes.
func TestPauseAtEveryStep(t *testing.T) {
	held := 0 // how often something was left to begin
	defer func() {
		if all := len(addresses(t, plan.ProductionFirst)); held < all {
			t.Errorf("only %d pauses held anything, of some %d steps of two schemes: the test says little", held, 2*all)
		}
	}()
	for _, scheme := range []plan.SchemeKind{plan.ProductionFirst, plan.ProductionLater} {
		for _, address := range addresses(t, scheme) {
			t.Run(string(scheme)+"/"+address, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					s := chain(t, scheme)
					var paused, resumed string
					s.onStart(address, func() { paused = s.inbox.put(state.Request{Verb: state.VerbPause, Who: "ann", From: "desk"}) })
					var resumedAt time.Time
					over := make(chan struct{})
					go func() {
						select {
						case <-over: // nothing was left to begin
						case <-time.After(90 * time.Second):
							resumedAt = time.Now()
							resumed = s.inbox.put(state.Request{Verb: state.VerbResume, Who: "ann", From: "desk"})
						}
					}()
					s.mustApply()
					close(over)
					synctest.Wait()
					if resumed == "" {
						return
					}
					held++
					if got := s.standings(paused); !slices.Equal(got, []state.Standing{state.Accepted, state.Effective}) {
						t.Errorf("the pause: %v", got)
					}
					if got := s.standings(resumed); !slices.Equal(got, []state.Standing{state.Accepted, state.Effective}) {
						t.Errorf("the resume: %v", got)
					}
					s.nothingBegan(t, resumedAt)
					s.settled()
				})
			})
		}
	}
}

// nothingBegan looks for a step that began between the pause and the resume.
func (s *stage) nothingBegan(t *testing.T, resumed time.Time) {
	t.Helper()
	var paused time.Time
	for _, r := range s.journal.records {
		switch {
		case r.Answer != nil && r.Answer.Verb == state.VerbPause && r.Answer.Standing == state.Effective:
			paused = r.At
		case r.Step != nil && r.Step.Status == state.Running && !paused.IsZero() && r.At.Before(resumed) && r.At.After(paused.Add(time.Second)):
			if s.began(r.Step.Address, r.Seq) {
				t.Errorf("%s began %s after the pause", r.Step.Address, r.At.Sub(paused))
			}
		}
	}
}

// began reports whether the record is the first of its step.
func (s *stage) began(address string, seq int64) bool {
	for _, r := range s.journal.records {
		if r.Step != nil && r.Step.Address == address {
			return r.Seq == seq
		}
	}
	return false
}

// addresses returns the steps of the chain.
func addresses(t *testing.T, scheme plan.SchemeKind) (all []string) {
	inBubble(t, func(t *testing.T) { all = chain(t, scheme).graph.Addresses() })
	return all
}

// Taken out: the safe end of what is under way. At every step of both schemes:
// an abort from elsewhere, and an interrupt, end the run at once or after the
// effect under way, nothing new begins, and the next apply carries on to the
// same end.
func TestAbortAndInterruptAtEveryStep(t *testing.T) {
	ended := 0 // how often a run was ended before its time
	defer func() {
		if all := len(addresses(t, plan.ProductionFirst)); ended < all {
			t.Errorf("only %d runs were ended early, of some %d: the test says little", ended, 4*all)
		}
	}()
	for _, scheme := range []plan.SchemeKind{plan.ProductionFirst, plan.ProductionLater} {
		for _, address := range addresses(t, scheme) {
			for _, how := range []string{"abort", "interrupt"} {
				t.Run(string(scheme)+"/"+address+"/"+how, func(t *testing.T) {
					inBubble(t, func(t *testing.T) {
						s := chain(t, scheme)
						ctx, interrupt := context.WithCancelCause(t.Context())
						var at time.Time
						s.onStart(address, func() {
							at = time.Now()
							if how == "interrupt" {
								interrupt(executor.ErrInterrupted)
								return
							}
							s.inbox.put(state.Request{Verb: state.VerbAbort, Who: "ann", From: "desk", Reason: "dinner"})
						})
						r := s.applyIn(ctx, s.journal, nil)
						var aborted *executor.AbortedError
						// A step that passes in no time leaves nothing to abort.
						if r.Err != nil && (!errors.Is(r.Err, executor.ErrInterrupted) || errors.As(r.Err, &aborted) != (how == "abort")) {
							t.Fatalf("%v", r.Err)
						}
						if r.Err != nil {
							ended++
						}
						if took := time.Since(at); took > 5*time.Second {
							t.Errorf("the run ended %s after the %s", took, how)
						}
						s.onEvent = nil
						s.mustApply()
						s.settled()
					})
				})
			}
		}
	}
}

// Taken out: the check whether the run that an abort was meant for still goes
// on. One that came too late must not end the next.
func TestLateAbortIsVoid(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		id := s.inbox.put(state.Request{Verb: state.VerbAbort, Who: "ann", From: "desk"})
		s.mustApply()
		if got := s.standings(id); !slices.Equal(got, []state.Standing{state.Accepted, state.Void}) {
			t.Errorf("%v", got)
		}
	})
}

// Taken out: the pause that outlives its run. Where nobody watches, an apply
// that finds it begins nothing and says who asked for it.
func TestPausedApplyBeginsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.inbox.put(state.Request{Verb: state.VerbPause, Who: "ann", From: "desk"})
		r := s.apply()
		if r.Err != nil || r.Paused == nil || r.Paused.Who != "ann" || r.Done != 0 {
			t.Fatalf("%+v", r)
		}
		for _, rec := range s.journal.records {
			if rec.Step != nil {
				t.Fatalf("%s began", rec.Step.Address)
			}
		}
		s.inbox.put(state.Request{Verb: state.VerbResume, Who: "ann", From: "desk"})
		s.mustApply()
	})
}

// Taken out: Take before the effect. A request that is withdrawn in time has no
// effect, and the journal says so; one that had its effect cannot be withdrawn.
func TestWithdrawn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: time.Hour, Approvals: []plan.Approval{{Name: "sre"}}})
		s.waits = true
		var first, second string
		put := make(chan struct{})
		s.onStart(graph.GateAddress("go"), func() {
			go func() {
				defer close(put)
				first = s.inbox.put(s.approval("ann", ""))
				if err := s.inbox.withdraw(first); err != nil {
					t.Error(err)
				}
				time.Sleep(10 * time.Minute)
				second = s.inbox.put(s.approval("bob", ""))
			}()
		})
		s.mustApply()
		<-put // the gate may open before its id is known here
		if got := s.standings(first); len(got) > 0 && got[len(got)-1] != state.Withdrawn {
			t.Errorf("withdrawn: %v", got)
		}
		if got := s.standings(second); !slices.Equal(got, []state.Standing{state.Accepted, state.Effective}) {
			t.Errorf("not withdrawn: %v", got)
		}
		if err := s.inbox.withdraw(second); err == nil {
			t.Error("withdrawn after its effect")
		}
	})
}

// Taken out: the judgement of requests. What cannot be is refused with a reason.
func TestRefusedRequests(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: time.Minute, Approvals: []plan.Approval{{Name: "sre", From: []string{"ann", "bob"}, Others: true, Expires: time.Hour}}})
		s.who = "bob"
		gate := graph.GateAddress("go")
		other := s.approval("ann", "")
		other.PlanHash = "0123456789abcdef"
		stale := s.approval("ann", "")
		stale.At = time.Now().Add(-2 * time.Hour)
		why := map[string]string{}
		for reason, r := range map[string]state.Request{
			"given for another plan":       other,
			"expires after 1h":             stale,
			"for ann, bob to give":         s.approval("eve", ""),
			"must come from somebody else": s.approval("root (bob)", ""),
			`has no approval "cto"`:        s.approval("ann", "cto"),
			"the plan has no gate.nope":    {Verb: state.VerbApprove, Address: "gate.nope"},
			"the plan has no step x":       {Verb: state.VerbDone, Address: "x"},
			"nothing is paused":            {Verb: state.VerbResume},
			"has no attribute \"speed\"":   {Verb: state.VerbSet, Address: gate + ".speed", Value: "1"},
			"is not a duration":            {Verb: state.VerbSet, Address: gate + ".timeout", Value: "soon"},
			"does not know the verb":       {Verb: "dance"},
		} {
			why[s.inbox.put(r)] = reason
		}
		if r := s.apply(); r.Err != nil || len(r.Parked) != 1 {
			t.Fatalf("%+v", r)
		}
		for id, reason := range why {
			a := s.journal.fold().Answers[id]
			if a.Standing != state.Refused || !strings.Contains(a.Why, reason) {
				t.Errorf("%s: %s %q, want it to say %q", a.Verb, a.Standing, a.Why, reason)
			}
		}
		if left, err := s.inbox.Requests(t.Context()); err != nil || len(left) != 0 {
			t.Errorf("in the inbox: %v, %v", left, err)
		}
	})
}

// Taken out: the journal's memory of an answer. Cut off between the answer and
// the end of its step, kplan does not ask again.
func TestAnswerSurvivesACrash(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		for _, w := range s.services {
			if w.spec.Name == "warehouse" || len(w.spec.Consumes) == 0 {
				w.spec.Switch = plan.Switch{Manual: &plan.ManualSwitch{Timeout: time.Hour}}
				break
			}
		}
		s.build()
		r := s.apply()
		if len(r.Parked) == 0 {
			t.Fatalf("nothing parked: %+v", r)
		}
		address := r.Parked[0].Step.Address
		s.inbox.done(address)
		k := &killer{memory: s.journal, n: 1 << 30}
		s.journal.at = func(n int) {
			if last := s.journal.records[n-1]; last.Answer != nil && last.Answer.Standing == state.Effective {
				k.n = n
			}
		}
		s.applyIn(t.Context(), k, k.dead)
		s.journal.at = nil
		if st := s.journal.fold(); st.Steps[address].Status == state.Done {
			t.Fatal("it was not cut off")
		}
		s.apply()
		if st := s.journal.fold(); st.Steps[address].Status != state.Done {
			t.Errorf("%s is %s: asked again", address, st.Steps[address].Status)
		}
	})
}

// Taken out: what was set reaches the step that waits.
func TestSettingReachesAWaitingStep(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		none := int64(-1)
		s := gated(t, &plan.Gate{Name: "go", Before: "switch", Timeout: 100 * time.Hour, MaxLag: &none})
		began := time.Now()
		s.onStart(graph.GateAddress("go"), func() {
			s.inbox.put(state.Request{Verb: state.VerbSet, Address: graph.GateAddress("go") + ".timeout", Value: "10m"})
		})
		r := s.apply()
		if len(r.Parked) != 1 || time.Since(began) > 15*time.Minute {
			t.Errorf("%+v after %s", r, time.Since(began))
		}
	})
}

// Taken out: the end without a restore when the inbox cannot be read. Nobody
// knows then what people have asked for; services that are stopped stay so.
func TestUnreadableInboxDoesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		ctx, interrupt := context.WithCancelCause(t.Context())
		s.onStart(graph.TopicAddress("t1", "boundary"), func() { interrupt(executor.ErrInterrupted) })
		if r := s.applyIn(ctx, s.journal, nil); len(r.Stopped) == 0 {
			t.Fatalf("nothing is stopped: %+v", r)
		}
		s.onEvent = nil
		s.inbox.fail = errors.New("no such directory")
		n := len(s.journal.records)
		if r := s.apply(); r.Err == nil || len(r.Restored) > 0 || len(r.Stopped) == 0 || len(s.journal.records) != n {
			t.Errorf("%+v, %d records", r, len(s.journal.records)-n)
		}
		s.inbox.fail = nil
		s.mustApply()
		s.settled()
	})
}
