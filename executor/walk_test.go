package executor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

func answer(t testing.TB, s *stage, address string) {
	t.Helper()
	s.inbox.done(address)
}

// Taken out: the record before the effect. Each effect has to find its step
// running, and its side flipped, in the journal (R1).
func TestIntentionIsRecordedBeforeTheEffect(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		want := map[string][]string{ // what an effect needs to find
			"create t1":         {`prepare.topic["t1"] running`, "owned t1"},
			"alter t1":          {`switch.topic["t1"].hold running`, "override t1"},
			"stop on source a":  {`switch.service.a.stop running`},
			"start on target a": {`switch.service.a.start running`, "side t1 target 1"},
			"commit gd":         {`switch.group["gd"].place running`, "side gd target 1"},
			"start on target p": {`switch.service.p.start running`, "side t2 target 1"},
		}
		found := map[string]bool{}
		s.onCall = func(op, arg string) {
			effect := op + " " + arg
			for _, line := range want[effect] {
				if !slices.Contains(s.journal.lines(), line) {
					t.Errorf("%s: the journal lacks %q", effect, line)
				}
			}
			found[effect] = true
		}
		s.mustApply()
		for effect := range want {
			if !found[effect] {
				t.Errorf("%s has not happened: the test says nothing", effect)
			}
		}
	})
}

// Taken out: the check whether a side is what it is wanted to be. Sides flip
// once, with epoch 1, also when a run is resumed.
func TestSidesFlipOnceInTheJournal(t *testing.T) {
	for _, scheme := range schemes() {
		inBubble(t, func(t *testing.T) {
			s := chain(t, scheme)
			s.mustApply()
			s.mustApply() // nothing to do
			var flips []string
			for _, l := range s.journal.lines() {
				if strings.HasPrefix(l, "side ") {
					flips = append(flips, l)
				}
			}
			slices.Sort(flips)
			want := []string{"side gc target 1", "side gd target 1", "side gp target 1", "side t1 target 1", "side t2 target 1"}
			if d := cmp.Diff(want, flips); d != "" {
				t.Errorf("%s (-want +got):\n%s", scheme, d)
			}
		})
	}
}

// Taken out: the handling of the first signal. Nothing new begins, the effect
// in flight is brought to its end, nothing is restored.
func TestInterrupt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		ctx, interrupt := context.WithCancelCause(context.Background())
		s.locked(func() { s.worker("a").linger = 3 * time.Second }) // the stop takes a while
		var at int
		s.onCall = func(op, arg string) {
			if op == "stop on source" && arg == "a" {
				time.Sleep(time.Second) // what has been begun beside it is in the journal by then
				interrupt(executor.ErrInterrupted)
				at = len(s.journal.lines())
			}
		}
		r := s.applyIn(ctx, s.journal, nil)
		if !errors.Is(r.Err, executor.ErrInterrupted) || len(r.Failed) > 0 || len(r.Restored) > 0 {
			t.Errorf("error %v, failed %v, restored %v", r.Err, r.Failed, r.Restored)
		}
		if d := cmp.Diff([]string{"a"}, r.Stopped); d != "" {
			t.Errorf("stopped services (-want +got):\n%s", d)
		}
		after := s.journal.lines()[at:]
		if i := slices.IndexFunc(after, func(l string) bool { return strings.HasSuffix(l, " running") }); i >= 0 {
			t.Errorf("begun after the signal: %s", after[i])
		}
		if !slices.Contains(after, "switch.service.a.stop done") {
			t.Errorf("the stop was not brought to its end: %v", after)
		}
		if s.where("a") != "" {
			t.Errorf("a runs on %q", s.where("a"))
		}
		s.onCall = nil
		s.mustApply()
		s.settled()
	})
}

// Taken out: the look at the context after a check. A check program that is
// ended by the interrupt would count as a failure and move services back.
func TestInterruptDuringCheckIsNoFailure(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		ctx, interrupt := context.WithCancelCause(context.Background())
		stopped := false
		dead := func(effect bool) error {
			if stopped && ctx.Err() != nil {
				return errors.New("service \"a\": check failed: signal: terminated")
			}
			return nil
		}
		s.onCall = func(op, arg string) {
			if op == "check" && arg == "a" && s.journal.fold().Steps[graph.ServiceAddress("a", "stop")].Status == state.Done {
				stopped = true
				interrupt(executor.ErrInterrupted)
			}
		}
		r := s.applyIn(ctx, s.journal, dead)
		if !errors.Is(r.Err, executor.ErrInterrupted) || len(r.Failed) > 0 || len(r.Restored) > 0 {
			t.Errorf("error %v, failed %v, restored %v", r.Err, r.Failed, r.Restored)
		}
	})
}

// Taken out: the reports about what was left. Dependents of a failed step are
// skipped and named with the step that they wait for; others in flight end.
func TestDependentsAreSkipped(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.locked(func() { s.worker("a").deaf[cluster.Source] = true })
		r := s.apply()
		if len(r.Failed) != 1 || r.Failed[0].Step.Address != graph.ServiceAddress("a", "stop") {
			t.Fatalf("failed: %v", r.Failed)
		}
		skipped := map[string]string{}
		for _, e := range s.events {
			if k, ok := e.(executor.StepSkipped); ok {
				skipped[k.Step.Address] = k.Because
			}
		}
		if because := skipped[graph.TopicAddress("t1", "boundary")]; because != graph.ServiceAddress("a", "stop") {
			t.Errorf("the boundary was skipped because of %q", because)
		}
		if len(skipped)+r.Done+len(r.Failed) < r.Total-1 {
			t.Errorf("%d skipped, %d done of %d", len(skipped), r.Done, r.Total)
		}
		if began := s.journal.fold().Steps[graph.TopicAddress("t1", "boundary")].Status; began != "" {
			t.Errorf("the boundary is %q", began)
		}
	})
}

// Events tell the same story as the journal: started before done, every step
// once, and nothing after Run has returned.
func TestEvents(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.mustApply()
		n := len(s.events)
		open, done := map[string]bool{}, map[string]int{}
		for _, e := range s.events {
			switch e := e.(type) {
			case executor.StepStarted:
				if e.Attempt != 1 {
					t.Errorf("%s: attempt %d", e.Step.Address, e.Attempt)
				}
				open[e.Step.Address] = true
			case executor.StepProgress:
				if !open[e.Step.Address] || done[e.Step.Address] > 0 {
					t.Errorf("progress of %s out of its time", e.Step.Address)
				}
			case executor.StepDone:
				if !open[e.Step.Address] || e.Text == "" {
					t.Errorf("%s is done (%q) without having begun", e.Step.Address, e.Text)
				}
				done[e.Step.Address]++
			case executor.StepFailed, executor.StepSkipped, executor.StepParked:
				t.Errorf("%#v", e)
			}
		}
		for _, step := range s.graph.Steps {
			if done[step.Address] != 1 {
				t.Errorf("%s was done %d times", step.Address, done[step.Address])
			}
		}
		time.Sleep(time.Minute)
		if len(s.events) != n {
			t.Errorf("%d events after Run", len(s.events)-n)
		}
	})
}

// Taken out: the repetition of facts of the moment, or the trust in what is
// done. After a kill in the stop of a reader, quiet and drained are measured
// again; what was created, held, stopped and started before is not done again.
func TestMomentsAreMeasuredAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
		time.Sleep(time.Second)
		k := &killer{memory: s.journal, n: 1 << 30}
		s.onCall = func(op, arg string) {
			if op == "stop on source" && arg == "d" {
				k.mu.Lock()
				k.gone = true
				k.mu.Unlock()
			}
		}
		s.applyIn(context.Background(), k, k.dead)
		at := len(s.journal.lines())
		s.onCall = nil
		s.mustApply()
		var begun []string
		for _, l := range s.journal.lines()[at:] {
			if name, ok := strings.CutSuffix(l, " running"); ok && !slices.Contains(begun, name) {
				begun = append(begun, name)
			}
		}
		slices.Sort(begun)
		want := []string{
			`switch.group["gd"].drain`, `switch.group["gd"].place`, `switch.group["gd"].vacate`, `switch.group["gd"].works`,
			`switch.service.d.start`, `switch.service.d.stop`, `switch.topic["t1"].boundary`, `switch.topic["t1"].release`,
		}
		if d := cmp.Diff(want, begun); d != "" {
			t.Errorf("begun after the kill (-want +got):\n%s", d)
		}
		s.settled()
	})
}

// Taken out: the bound of the override to topics that kplan may alter, or the
// values from before (R16).
func TestHoldAndRelease(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := chain(t, plan.ProductionFirst)
		s.locked(func() {
			s.source.configs["t1"]["retention.ms"] = cluster.Config{Value: "3600000", Source: cluster.SourceTopic}
			s.target.create("t2", 2) // somebody else's
			s.target.configs["t2"]["retention.ms"] = cluster.Config{Value: "7200000", Source: cluster.SourceTopic}
		})
		held := ""
		s.onCall = func(op, arg string) {
			if op == "start on target" && held == "" {
				s.locked(func() { held = s.target.configs["t1"]["retention.ms"].Value })
			}
		}
		s.mustApply()
		if held != "-1" {
			t.Errorf("retention.ms was %q when the first service started on the target", held)
		}
		got := map[string]string{}
		for _, topic := range []string{"t1", "t2"} {
			got[topic] = fmt.Sprint(s.target.configs[topic]["retention.ms"])
		}
		want := map[string]string{"t1": "{3600000 1 false false}", "t2": "{7200000 1 false false}"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("retention afterwards (-want +got):\n%s", d)
		}
		for _, a := range s.altered {
			if strings.HasPrefix(a, "t2 ") {
				t.Errorf("a topic of somebody else was altered: %s", a)
			}
		}
	})
}
