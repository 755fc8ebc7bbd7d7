package executor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
	"kplan/plan/graph"
)

func patterns(t *testing.T, texts ...string) []plan.Pattern {
	t.Helper()
	var all []plan.Pattern
	for _, text := range texts {
		p, err := plan.NewPattern(text, hcl.Range{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func readRule(principal, topic string) cluster.ACL {
	return cluster.ACL{Resource: "topic", Name: topic, Pattern: cluster.Literal, Principal: principal, Host: "*", Operation: "read", Permission: cluster.Allow}
}

// guarded is a stage whose source has rules, quotas and users for User:o-d, who
// becomes User:n-d.
func guarded(t *testing.T) *stage {
	t.Helper()
	s := set(t, plan.ProductionFirst, "a: -> t1", "d: t1 (gd)")
	m := s.migration()
	m.Topics.Include = patterns(t, "t1")
	m.ACLs = &plan.ACLs{Include: patterns(t, "User:o-*"), Becomes: map[string]string{"User:o-d": "User:n-d"}}
	m.Quotas = &plan.Quotas{Include: patterns(t, "User:o-*", "<default>"), Existing: "report"}
	m.Users = []plan.User{{Name: "n-d", Mechanism: "SCRAM-SHA-512", Password: plan.NewSecret("canary")}}
	s.locked(func() {
		s.source.rules.on, s.target.rules.on = true, true
		s.source.rules.all = []cluster.ACL{readRule("User:o-d", "t1"), readRule("User:o-d", "other"), readRule("User:else", "t1")}
		s.target.rules.all = []cluster.ACL{readRule("User:n-d", "own")}
		s.source.clients.quotas = []cluster.Quota{
			{Entity: cluster.QuotaEntity{User: "o-d"}, Values: map[string]float64{"producer_byte_rate": 10, "request_percentage": 2.5}},
			{Entity: cluster.QuotaEntity{ClientID: cluster.DefaultEntity}, Values: map[string]float64{"consumer_byte_rate": 7}},
		}
		s.target.clients.quotas = []cluster.Quota{{Entity: cluster.QuotaEntity{User: "n-d"}, Values: map[string]float64{"consumer_byte_rate": 1}}}
		s.source.clients.users = []cluster.ScramUser{{Name: "o-d", Mechanism: "SCRAM-SHA-512", Iterations: 8192}}
	})
	s.build()
	return s
}

// Rules, quotas and users are made under their names on the target; what is
// there of others stays, and the password is in no record.
func TestAccessIsCreated(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := guarded(t)
		s.mustApply()
		s.finish(true)
		if d := cmp.Diff([]cluster.ACL{readRule("User:n-d", "own"), readRule("User:n-d", "t1")}, s.target.rules.all); d != "" {
			t.Errorf("rules (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]cluster.Quota{
			{Entity: cluster.QuotaEntity{User: "n-d"}, Values: map[string]float64{"consumer_byte_rate": 1, "producer_byte_rate": 10, "request_percentage": 2.5}},
			{Entity: cluster.QuotaEntity{ClientID: cluster.DefaultEntity}, Values: map[string]float64{"consumer_byte_rate": 7}},
		}, s.target.clients.quotas); d != "" {
			t.Errorf("quotas (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]cluster.ScramUser{{Name: "n-d", Mechanism: "SCRAM-SHA-512", Iterations: 8192}}, s.target.clients.users); d != "" {
			t.Errorf("users (-want +got):\n%s", d)
		}
		if s.target.clients.passwords["n-d"] != "canary" {
			t.Error("the user has another password")
		}
		st := s.journal.fold()
		if d := cmp.Diff(map[cluster.ACL]bool{readRule("User:n-d", "t1"): true}, st.ACLs); d != "" {
			t.Errorf("rules in the journal (-want +got):\n%s", d)
		}
		if d := cmp.Diff(map[cluster.QuotaEntity]bool{{ClientID: cluster.DefaultEntity}: true}, st.Quotas); d != "" {
			t.Errorf("quotas in the journal (-want +got):\n%s", d)
		}
		if d := cmp.Diff(map[string]bool{"n-d": true}, st.Users); d != "" {
			t.Errorf("users in the journal (-want +got):\n%s", d)
		}
		text, err := json.Marshal(s.journal.records)
		if err != nil || strings.Contains(string(text)+fmt.Sprintf("%+v", s.events), "canary") {
			t.Errorf("the password is in the journal or the events (%v)", err)
		}
	})
}

// Taken out: the record before the effect. A crash behind it repeats nothing,
// and never sets a second password.
func TestAccessAfterACrash(t *testing.T) {
	for _, op := range []string{"rule", "quota", "user"} {
		t.Run(op, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := guarded(t)
				crashed := errors.New("crashed")
				over := false
				calls := 0
				s.locked(func() {
					s.failing = func(called, _ string) error {
						if called != "target "+op {
							return nil
						}
						if calls++; over {
							return nil
						}
						over = true
						return crashed
					}
				})
				if r := s.apply(); !errors.Is(r.Err, crashed) {
					t.Fatalf("apply: %v", r.Err)
				}
				granted := func(r state.Record) bool { return r.Granted != nil }
				if !slices.ContainsFunc(s.journal.records, granted) {
					t.Error("nothing was recorded before the effect")
				}
				s.mustApply()
				if calls != 2 {
					t.Errorf("asked %d times, want twice", calls)
				}
				s.mustApply()
				if calls != 2 {
					t.Errorf("asked %d times, want twice: it is there", calls)
				}
			})
		})
	}
}

// A refused rule or quota fails its own step, by name. Taken out: taking it back
// in the journal, so that kplan would alter it once somebody else has made it.
func TestAccessRefused(t *testing.T) {
	for address, refuse := range map[string]func(*stage){
		graph.ACLsAddress("User:o-d"): func(s *stage) {
			s.target.rules.refuses = func(cluster.ACL) error { return errors.New("not here") }
		},
		graph.QuotaAddress(cluster.QuotaEntity{ClientID: cluster.DefaultEntity}): func(s *stage) {
			s.target.clients.refuses = map[cluster.QuotaEntity]error{{ClientID: cluster.DefaultEntity}: errors.New("not here")}
		},
	} {
		inBubble(t, func(t *testing.T) {
			s := guarded(t)
			s.locked(func() { refuse(s) })
			if r := s.apply(); r.Err == nil || !strings.Contains(r.Err.Error(), "not here") {
				t.Errorf("%s: %v", address, r.Err)
			}
			st := s.journal.fold()
			rule, quota := st.ACLs[readRule("User:n-d", "t1")], st.Quotas[cluster.QuotaEntity{ClientID: cluster.DefaultEntity}]
			if refused := address == graph.ACLsAddress("User:o-d"); rule && refused || quota && !refused { // the other may have been granted beside it
				t.Errorf("%s: the journal takes what was refused for kplan's own: %v %v", address, st.ACLs, st.Quotas)
			}
			for at, step := range st.Steps {
				if (step.Status == state.Failed) != (at == address) {
					t.Errorf("%s is %q", at, step.Status)
				}
			}
		})
	}
}

// What a cluster does not tell cannot be compared, and a waiver says that people
// do it. Taken out: looking at the waivers, so that such a plan never gets through.
func TestAccessWaived(t *testing.T) {
	for _, waived := range []bool{true, false} {
		inBubble(t, func(t *testing.T) {
			s := guarded(t)
			s.locked(func() {
				s.failing = func(called, _ string) error {
					if called == "target rules" || called == "target quotas" || called == "target users" {
						return fmt.Errorf("looking: %w", cluster.ErrNotAllowed)
					}
					return nil
				}
			})
			if !waived {
				if r := s.apply(); !errors.Is(r.Err, cluster.ErrNotAllowed) {
					t.Errorf("without a waiver: %v", r.Err)
				}
				return
			}
			for _, name := range []string{diff.CheckACLs, diff.CheckQuotas, diff.CheckUsers} {
				s.migration().Waivers = append(s.migration().Waivers, plan.Waiver{Check: name, Reason: "by hand"})
			}
			s.mustApply()
			if len(s.target.rules.all) != 1 || len(s.target.clients.quotas) != 1 || len(s.target.clients.users) != 0 {
				t.Errorf("changed: %v %v %v", s.target.rules.all, s.target.clients.quotas, s.target.clients.users)
			}
		})
	}
}

// A target without an authorizer takes no rules: the step passes and says so,
// for the check that fails was waived.
func TestRulesWithoutAuthorizer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := guarded(t)
		s.locked(func() { s.target.rules.on = false })
		s.mustApply()
		if len(s.target.rules.all) != 1 {
			t.Errorf("rules: %v", s.target.rules.all)
		}
	})
}

// Taken out: leaving the fence's own rules out. What kplan denies on the source
// must not be denied on the target.
func TestFenceIsNotCopied(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := guarded(t)
		s.migration().ACLs.Include = patterns(t, "User:*")
		deny := denyWrite("t1", "User:o-d")
		if _, err := s.journal.Append(state.Record{Fence: &state.Fence{Topic: "t1", Deny: []cluster.ACL{deny}}}); err != nil {
			t.Fatal(err)
		}
		s.locked(func() { s.source.rules.all = append(s.source.rules.all, deny) })
		s.build()
		s.mustApply()
		for _, a := range s.target.rules.all {
			if a.Permission == cluster.Deny {
				t.Errorf("on the target: %s", a)
			}
		}
	})
}

// The lock is asked before quotas and users too.
func TestAccessAsksTheLock(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := guarded(t)
		l := &lease{memory: s.journal, gone: make(chan struct{})}
		l.lose()
		s.fence = l
		effects := 0
		s.hook(func(op, _ string) {
			if op == "rule" || op == "quota" || op == "user" {
				effects++
			}
		})
		var lost *state.LeaseLostError
		if r := s.applyIn(context.Background(), s.journal, nil); !errors.As(r.Err, &lost) || effects > 0 {
			t.Errorf("%d effects without the lock, %v", effects, r.Err)
		}
	})
}
