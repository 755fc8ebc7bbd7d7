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

// fencedChain is the chain with principals and the fence, and a processor that
// other rules bind: kplan would add one of them as well.
func fencedChain(t *testing.T, scheme plan.SchemeKind) *stage {
	s := set(t, scheme, "a User:a: -> t1", "p User:p: t1 (gp) -> t2", "c: t2 (gc)", "d: t1 (gd)")
	fence(s)
	time.Sleep(time.Second)
	return s
}

func fenceAddress(topic string) string { return graph.TopicAddress(topic, "fence") }

// rules is what stands on the source beside the foreign rule.
func (s *stage) rules() []cluster.ACL {
	var all []cluster.ACL
	s.locked(func() { all = slices.Clone(s.source.rules.all) })
	return slices.DeleteFunc(all, func(a cluster.ACL) bool { return a == foreignRule() })
}

// stray lets somebody write on the source as a service, once its topic's
// boundary is drawn, and reports whether the cluster has taken it.
func (s *stage) stray(name, topic string) *bool {
	taken := new(bool)
	s.when(graph.TopicAddress(topic, "boundary"), func() {
		s.locked(func() {
			if s.mayWrite(s.worker(name), cluster.Source, topic) {
				*taken = true
				s.produce(cluster.Source, topic, 1)
			}
		})
	})
	return taken
}

// Taken out: the rules themselves (the negative control, in the same test). A
// stray instance of the stopped service writes behind the boundary: with the
// fence the cluster refuses it, without it the watch names it.
func TestFenceKeepsStraysOut(t *testing.T) {
	for _, scheme := range schemes() {
		for _, leaveOut := range []executor.Safeguard{"", executor.ShutOut} {
			t.Run(fmt.Sprintf("%s %s", scheme, leaveOut), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					s := fencedChain(t, scheme)
					s.leaveOut = leaveOut
					taken := s.stray("a", "t1")
					r := s.apply()
					if *taken != (leaveOut != "") {
						t.Errorf("the stray's record was taken: %v", *taken)
					}
					if leaveOut != "" {
						as[*executor.StrayWriterError](t, r.Err)
						return
					}
					if r.Err != nil {
						t.Fatal(r.Err)
					}
					s.settled()
					var topics []string
					for _, f := range r.Fences {
						topics = append(topics, f.Topic)
					}
					// Of t2's rules none is kplan's.
					if d := cmp.Diff([]string{"t1"}, topics); d != "" {
						t.Errorf("standing fences (-want +got):\n%s", d)
					}
				})
			})
		}
	}
}

// Taken out: the look at every broker. What one of them still lets in would come
// behind the boundary. One that cannot be asked counts as not following.
func TestFenceIsSeenOnEveryBroker(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := fencedChain(t, plan.ProductionFirst)
		var followed, drawn time.Time
		s.locked(func() {
			s.source.rules.old = map[int32][]cluster.ACL{1: {foreignRule()}}
			s.source.rules.down = map[int32]bool{2: true}
		})
		time.AfterFunc(time.Minute, func() { s.locked(func() { delete(s.source.rules.old, 1) }) })
		time.AfterFunc(2*time.Minute, func() { s.locked(func() { s.source.rules.down, followed = nil, time.Now() }) })
		s.when(fenceAddress("t1"), func() { drawn = time.Now() })
		s.mustApply()
		if followed.IsZero() || drawn.Before(followed) {
			t.Errorf("passed at %s, the last broker followed at %s", drawn, followed)
		}
		var told []string
		for _, e := range s.events {
			if p, ok := e.(executor.StepProgress); ok && p.Step.Kind == graph.Fence && !slices.Contains(told, p.Text) {
				told = append(told, p.Text)
			}
		}
		want := []string{
			"broker 1 does not follow yet: " + allowAll("t1").String(),
			"broker 2 cannot be asked for its rules: broker 2: connection refused",
		}
		if d := cmp.Diff(want, told); d != "" {
			t.Errorf("told (-want +got):\n%s", d)
		}
	})
}

// Taken out: the limit, or the lift's patience with a broker that cannot be
// asked. The service would stay stopped for as long as that broker is down.
func TestUnverifiedFenceFailsAndIsLifted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := fencedChain(t, plan.ProductionFirst)
		s.locked(func() { s.source.rules.down = map[int32]bool{2: true} })
		r := s.apply()
		late := as[*executor.TimeoutError](t, r.Err)
		if !strings.Contains(late.Left, "broker 2") || late.Limit != 5*time.Minute {
			t.Errorf("%v", late)
		}
		if d := cmp.Diff([]string{"a"}, r.Restored); d != "" || s.where("a") != "source" || len(s.rules()) > 0 || len(r.Fences) > 0 {
			t.Errorf("restored (-want +got):\n%s\na runs on %q, rules %v, stranded %v", d, s.where("a"), s.rules(), r.Stranded)
		}
		s.locked(func() { s.source.rules.down = nil })
		s.mustApply()
		s.settled()
	})
}

// Taken out: the lift, or one of its two halves. The service would run on the
// source and write nothing; or the topic would stay open to everybody.
func TestRestoreLiftsTheFence(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := fencedChain(t, plan.ProductionFirst)
		s.locked(func() { s.worker("a").broken[cluster.Target] = true })
		var before, ends int64
		r := s.apply()
		if d := cmp.Diff([]string{"a"}, r.Restored); d != "" || len(s.rules()) > 0 || len(s.journal.fold().Fences) > 0 {
			t.Fatalf("restored (-want +got):\n%s\nrules %v, stranded %v", d, s.rules(), r.Stranded)
		}
		s.locked(func() { before = s.source.topics["t1"][0].ends().LogEnd })
		time.Sleep(5 * time.Second)
		s.locked(func() { ends = s.source.topics["t1"][0].ends().LogEnd })
		if ends == before {
			t.Error("the service writes nothing on the source")
		}
		lifted, started := -1, -1
		for i, line := range s.journal.lines() {
			switch {
			case strings.HasPrefix(line, "fence t1") && strings.HasSuffix(line, "lifted true"):
				lifted = i
			case line == "switch.service.a.restore done":
				started = i
			}
		}
		if lifted < 0 || lifted > started {
			t.Errorf("lifted at %d, restored at %d of %v", lifted, started, s.journal.lines())
		}
		s.locked(func() { s.worker("a").broken[cluster.Target] = false })
		s.mustApply()
		s.settled()
	})
}

// Taken out: the patience with a broker that forgets the fence late. The service
// would stay stopped, though only a minute was missing.
func TestLiftWaitsForALateBroker(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := fencedChain(t, plan.ProductionFirst)
		s.locked(func() { s.worker("a").broken[cluster.Target] = true })
		s.when(graph.TopicAddress("t1", "boundary"), func() {
			s.locked(func() { s.source.rules.old = map[int32][]cluster.ACL{1: slices.Clone(s.source.rules.all)} })
			time.AfterFunc(time.Minute, func() { s.locked(func() { s.source.rules.old = nil }) })
		})
		r := s.apply()
		if d := cmp.Diff([]string{"a"}, r.Restored); d != "" || len(s.rules()) > 0 || len(r.Fences) > 0 {
			t.Errorf("restored (-want +got):\n%s\nrules %v, stranded %v", d, s.rules(), r.Stranded)
		}
	})
}

// What is not known to be harmless is refused before anything is written, and
// what the cluster refuses is named; the service goes back.
func TestFenceIsRefused(t *testing.T) {
	refusing := errors.New("the quota of rules is used up")
	for name, c := range map[string]struct {
		upset func(s *stage)
		says  string
	}{
		"nobody says what no rule means": {func(s *stage) { s.migration().Source.Authorizer = nil }, "allow_everyone = true"},
		"the first rule decides":         {func(s *stage) { s.migration().Source.Authorizer = &plan.Authorizer{} }, "allow_everyone = true"},
		"no authorizer":                  {func(s *stage) { s.locked(func() { s.source.rules.on = false }) }, cluster.ErrNoAuthorizer.Error()},
		"a rule is refused": {func(s *stage) {
			s.locked(func() {
				s.source.rules.refuses = func(a cluster.ACL) error {
					if a.Permission == cluster.Deny {
						return refusing
					}
					return nil
				}
			})
		}, denyWrite("t1", "User:a").String()},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := fencedChain(t, plan.ProductionFirst)
				c.upset(s)
				r := s.apply()
				if r.Err == nil || !strings.Contains(r.Err.Error(), c.says) || !strings.Contains(r.Err.Error(), "t1") {
					t.Errorf("%v; want it to say %q", r.Err, c.says)
				}
				if len(s.rules()) > 0 || s.where("a") != "source" {
					t.Errorf("rules %v, a runs on %q, stranded %v", s.rules(), s.where("a"), r.Stranded)
				}
			})
		})
	}
}

// Taken out: the look for rules that cover the topic. A full ALLOW would open a
// topic that others had closed.
func TestNoAllowWhereRulesCoverTheTopic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := fencedChain(t, plan.ProductionFirst)
		s.migration().Source.Authorizer = nil
		prefixed := cluster.ACL{Resource: "topic", Name: "t", Pattern: cluster.Prefixed, Principal: cluster.Anybody, Host: "*", Operation: "all", Permission: cluster.Allow}
		s.locked(func() { s.source.rules.all = append(s.source.rules.all, prefixed) })
		s.mustApply()
		if d := cmp.Diff([]cluster.ACL{prefixed, denyWrite("t1", "User:a")}, s.rules()); d != "" {
			t.Errorf("rules (-want +got):\n%s", d)
		}
	})
}

// Taken out: the last look at the rules before the boundary. Tools that own a
// cluster's rules take away what they do not know.
func TestFenceThatIsTakenAway(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := fencedChain(t, plan.ProductionFirst)
		s.when(fenceAddress("t1"), func() { s.locked(func() { s.source.rules.all = []cluster.ACL{foreignRule(), allowAll("t1")} }) })
		gone := as[*executor.FenceGoneError](t, s.apply().Err)
		if d := cmp.Diff(denyWrite("t1", "User:a"), gone.Rule); d != "" {
			t.Errorf("the rule (-want +got):\n%s", d)
		}
		s.mustApply()
		s.settled()
	})
}

// Taken out: the fence among the facts that expire. A run that was ended between
// the fence and the boundary would draw the boundary without a look.
func TestFenceExpires(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := fencedChain(t, plan.ProductionFirst)
		ctx, interrupt := context.WithCancelCause(t.Context())
		s.when(fenceAddress("t1"), func() { interrupt(executor.ErrInterrupted) })
		if r := s.applyIn(ctx, s.journal, nil); !errors.Is(r.Err, executor.ErrInterrupted) || len(r.Fences) != 1 {
			t.Fatalf("%v, fences %v", r.Err, r.Fences)
		}
		s.locked(func() { s.source.rules.all = []cluster.ACL{foreignRule()} })
		taken := s.stray("a", "t1")
		s.mustApply()
		if *taken {
			t.Error("the stray's record was taken")
		}
		s.settled()
	})
}

// Taken out: the short quiet of a fenced topic, or the long one of a topic that
// nobody of the plan writes (R6).
func TestQuietWithAFence(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := set(t, plan.ProductionFirst, "a User:a: -> t1", "d: t1 t3 (gd)")
		fence(s)
		s.migration().Scheme.QuietStated, s.migration().Scheme.QuietFor = false, 10*time.Second
		s.mustApply()
		texts := map[string]string{}
		for _, e := range s.events {
			if d, ok := e.(executor.StepDone); ok && d.Step.Kind == graph.Boundary {
				texts[d.Step.Topic] = d.Text
			}
		}
		want := map[string]string{"t1": "t1 ends on the source, quiet for 10s", "t3": "t3 ends on the source, quiet for 5m30s"}
		if d := cmp.Diff(want, texts); d != "" {
			t.Errorf("boundaries (-want +got):\n%s", d)
		}
	})
}

// Taken out: the commands in the message. A person who starts a service on the
// source by hand would find its writes refused.
func TestStrandedServiceNamesItsFence(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := fencedChain(t, plan.ProductionFirst)
		s.migration().Source.TLS = &plan.TLS{}
		s.locked(func() { s.worker("a").broken[cluster.Target], s.worker("a").late = true, true })
		s.onCall = func(op, arg string) {
			if op == "stop on target" && arg == "a" {
				time.Sleep(time.Second) // it writes meanwhile
			}
		}
		r := s.apply()
		if len(r.Stranded) != 1 {
			t.Fatalf("stranded %v", r.Stranded)
		}
		const common = "kafka-acls --bootstrap-server a.old:9092 --command-config admin.properties --remove --force "
		want := []string{
			common + "--deny-principal User:a --deny-host '*' --operation Write --topic t1",
			common + "--allow-principal 'User:*' --allow-host '*' --operation All --topic t1",
		}
		if d := cmp.Diff(want, r.Stranded[0].Lift); d != "" || !strings.Contains(r.Stranded[0].Error(), want[0]) {
			t.Errorf("commands (-want +got):\n%s\n%v", d, r.Stranded[0])
		}
		// The second way out: a person has started it on the source.
		s.onCall = nil
		s.locked(func() { s.worker("a").broken[cluster.Target] = false; s.enter(s.worker("a"), cluster.Source) })
		s.inbox.put(state.Request{Verb: state.VerbDone, Address: "switch.service.a.restore", Who: "me"})
		var writes bool
		s.onEvent = func(e executor.Event) {
			if n, ok := e.(executor.Noted); ok && strings.Contains(n.Text, "the fence of t1 on the source is lifted") {
				writes = true
			}
		}
		if r := s.apply(); r.Err != nil || !writes {
			t.Errorf("%v; lifted first: %v", r.Err, writes)
		}
	})
}

// Taken out: the commands where nothing can be recorded. Whoever starts the
// service by hand has to lift its fence first.
func TestUnrecordedRestoreNamesItsFence(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := fencedChain(t, plan.ProductionFirst)
		s.when(fenceAddress("t1"), func() {
			s.journal.mu.Lock()
			defer s.journal.mu.Unlock()
			s.journal.fail = errors.New("no space left on device")
		})
		r := s.apply()
		if len(r.Stranded) != 1 || len(r.Stranded[0].Lift) != 2 || !strings.Contains(r.Stranded[0].Error(), "--deny-principal User:a") {
			t.Errorf("stranded %v, %v", r.Stranded, r.Err)
		}
	})
}
