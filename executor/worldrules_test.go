package executor_test

import (
	"context"
	"fmt"
	"slices"

	"kplan/executor/state"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// rulebook is the access rules of one cluster and who knows them. Without an
// authorizer there are none. What no rule is about, everybody may.
type rulebook struct {
	on      bool
	all     []cluster.ACL
	old     map[int32][]cluster.ACL // brokers that have not followed yet
	down    map[int32]bool          // brokers that do not answer
	refuses func(cluster.ACL) error
	turned  int // writes that were refused
}

// brokersOfWorld is how many brokers each cluster has.
const brokersOfWorld = 3

// fence gives the plan its fence, on a cluster with an authorizer on which no
// topic has a rule and one foreign rule is in the way.
func fence(s *stage) {
	s.migration().Scheme.Fence = "acl"
	s.migration().Source.Authorizer = &plan.Authorizer{AllowEveryone: true}
	s.locked(func() {
		s.source.rules.on = true
		s.source.rules.all = []cluster.ACL{foreignRule()}
	})
	s.build()
}

// foreignRule is one that kplan would write as well, and must not take away.
func foreignRule() cluster.ACL { return denyWrite("t2", "User:p") }

func denyWrite(topic, principal string) cluster.ACL {
	return cluster.ACL{Resource: "topic", Name: topic, Pattern: cluster.Literal, Principal: principal, Host: "*", Operation: "write", Permission: cluster.Deny}
}

func allowAll(topic string) cluster.ACL {
	return cluster.ACL{Resource: "topic", Name: topic, Pattern: cluster.Literal, Principal: cluster.Anybody, Host: "*", Operation: "all", Permission: cluster.Allow}
}

// mayWrite asks the cluster's rules for the service. A service without
// principals is a super user.
func (w *world) mayWrite(s *worker, side cluster.Side, topic string) bool {
	book := &w.on(side).rules
	for _, p := range s.spec.Principals {
		if cluster.Rule(book.all, p.Name, "write", "topic", topic) == cluster.Refused {
			book.turned++
			return false
		}
	}
	return true
}

func (v *view) ACLs(ctx context.Context) ([]cluster.ACL, error) {
	done, err := v.call(ctx, "rules", "", false)
	if err != nil {
		return nil, err
	}
	defer done()
	if book := &v.logs().rules; book.on {
		return slices.Clone(book.all), nil
	}
	return nil, cluster.ErrNoAuthorizer
}

func (v *view) ACLsOn(ctx context.Context, broker int32) ([]cluster.ACL, error) {
	done, err := v.call(ctx, "rules on", fmt.Sprint(broker), false)
	if err != nil {
		return nil, err
	}
	defer done()
	book := &v.logs().rules
	if book.down[broker] {
		return nil, fmt.Errorf("broker %d: connection refused", broker)
	}
	if old, behind := book.old[broker]; behind {
		return slices.Clone(old), nil
	}
	return slices.Clone(book.all), nil
}

func (v *view) BrokerIDs(ctx context.Context) ([]int32, error) {
	done, err := v.call(ctx, "brokers", "", false)
	if err != nil {
		return nil, err
	}
	defer done()
	var ids []int32
	for id := range brokersOfWorld {
		ids = append(ids, int32(id))
	}
	return ids, nil
}

func (v *view) CreateACLs(ctx context.Context, rules []cluster.ACL) (map[cluster.ACL]error, error) {
	done, err := v.call(ctx, "rule", fmt.Sprint(rules), true)
	if err != nil {
		return nil, err
	}
	defer done()
	book := &v.logs().rules
	refused := map[cluster.ACL]error{}
	for _, a := range rules {
		if book.refuses != nil && book.refuses(a) != nil {
			refused[a] = book.refuses(a)
		} else if !slices.Contains(book.all, a) {
			book.all = append(book.all, a)
		}
	}
	return refused, book.shown()
}

// shown is what the client says of brokers that do not follow in time.
func (b *rulebook) shown() error {
	if len(b.old) == 0 {
		return nil
	}
	return fmt.Errorf("changing rules: %w", cluster.ErrNotShown)
}

func (v *view) DeleteACLs(ctx context.Context, rules []cluster.ACL) (map[cluster.ACL]error, error) {
	done, err := v.call(ctx, "unrule", fmt.Sprint(rules), true)
	if err != nil {
		return nil, err
	}
	defer done()
	book := &v.logs().rules
	book.all = slices.DeleteFunc(book.all, func(a cluster.ACL) bool { return slices.Contains(rules, a) })
	return nil, book.shown()
}

// fencesStand proves that at the end every fenced topic denies its writers, that
// the journal knows exactly the rules that kplan added, and that foreign rules
// are where they were.
func (s *stage) fencesStand(st state.State) {
	s.t.Helper()
	if s.migration().Scheme.Fence != "acl" {
		return
	}
	expected, known := []cluster.ACL{foreignRule()}, []cluster.ACL{foreignRule()}
	for _, step := range s.graph.Steps {
		if step.Kind != graph.Fence {
			continue
		}
		for _, p := range step.Principals {
			if a := denyWrite(step.Topic, p); a != foreignRule() {
				expected = append(expected, a)
			}
		}
		if step.Topic != foreignRule().Name {
			expected = append(expected, allowAll(step.Topic))
		}
	}
	for _, f := range st.Fences {
		known = append(append(known, f.Deny...), f.Allow...)
	}
	var standing []cluster.ACL
	s.locked(func() { standing = slices.Clone(s.source.rules.all) })
	for _, list := range [][]cluster.ACL{expected, known, standing} {
		slices.SortFunc(list, cluster.ACL.Compare)
	}
	if !slices.Equal(expected, standing) || !slices.Equal(expected, known) {
		s.t.Errorf("rules on the source:\n%v\nin the journal:\n%v\nwant:\n%v", standing, known, expected)
	}
}
