package checks_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

func rule(principal, operation, permission string) cluster.ACL {
	return cluster.ACL{Resource: "topic", Name: "t", Pattern: cluster.Literal, Principal: principal, Host: "*", Operation: operation, Permission: permission}
}

// fencing is a topic that its service writes by a rule, on brokers that set
// allow.everyone.if.no.acl.found and do not show to what: everything passes.
func fencing(change func(*checks.Fencing)) func() []checks.Result {
	return func() []checks.Result {
		f := checks.Fencing{
			Migration: &plan.Migration{
				Source:   &plan.Cluster{Name: "old", Listener: plan.Listener{SASL: &plan.SASL{Username: "kplan"}}},
				Services: []*plan.Service{{Produces: refs("t"), Principals: refs("User:a")}, {Consumes: refs("t"), Principals: refs("User:c")}},
			},
			Topics: map[string][]string{"t": {"User:a"}},
			Rules: []cluster.ACL{
				rule("User:a", "write", cluster.Allow), rule("User:c", "all", cluster.Allow), rule("User:kplan", "all", cluster.Allow),
				rule("User:reader", "read", cluster.Allow), rule("User:gone", "write", cluster.Allow), rule("User:gone", "all", cluster.Deny),
			},
		}
		for id := range int32(2) {
			f.Nodes = append(f.Nodes, cluster.Node{ID: id, Configs: map[string]cluster.Config{"allow.everyone.if.no.acl.found": {Sensitive: true}}})
		}
		change(&f)
		return checks.Fence(f)
	}
}

// Each of these is a table of what the fence would do on such a cluster: an
// outage, nothing, or what it is for (R8).
func TestFenceOnKindsOfClusters(t *testing.T) {
	states := func(on bool) func(*checks.Fencing) {
		return func(f *checks.Fencing) {
			f.Rules, f.Migration.Source.Authorizer = nil, &plan.Authorizer{AllowEveryone: on}
		}
	}
	unset := func(f *checks.Fencing) { f.Nodes[1].Configs = map[string]cluster.Config{} }
	both := func(all ...func(*checks.Fencing)) func(*checks.Fencing) {
		return func(f *checks.Fencing) {
			for _, change := range all {
				change(f)
			}
		}
	}
	prefixed := cluster.ACL{Resource: "topic", Pattern: cluster.Prefixed, Principal: cluster.Anybody, Host: "*", Operation: "all", Permission: cluster.Allow}
	remote := rule("User:remote", "write", cluster.Allow)
	remote.Host = "10.0.0.1"
	for name, c := range map[string]struct {
		change func(*checks.Fencing)
		want   []string
	}{
		"well":                      {func(*checks.Fencing) {}, nil},
		"nothing is left to fence":  {func(f *checks.Fencing) { f.Topics, f.RulesErr = nil, cluster.ErrNoAuthorizer }, nil},
		"no authorizer":             {func(f *checks.Fencing) { f.RulesErr = cluster.ErrNoAuthorizer }, []string{"fence.possible fail"}},
		"rules cannot be read":      {func(f *checks.Fencing) { f.RulesErr = cluster.ErrNotAllowed }, []string{"fence.possible error"}},
		"no rule, nobody says":      {func(f *checks.Fencing) { f.Rules = nil }, []string{"fence.possible fail"}},
		"no rule, all are let in":   {states(true), []string{"fence.writers unknown"}},
		"no rule, nobody is let in": {states(false), []string{"fence.possible fail"}},
		"said, and not set":         {both(states(true), unset), []string{"fence.possible fail"}},
		"not said, and not set":     {both(func(f *checks.Fencing) { f.Rules = nil }, unset), []string{"fence.possible fail"}},
		"only the fence's own": {both(states(true), func(f *checks.Fencing) {
			f.Rules = []cluster.ACL{rule("User:a", "write", cluster.Deny)}
			f.Own = f.Rules
		}), []string{"fence.writers unknown"}},
		"not its principal": {func(f *checks.Fencing) { f.Topics["t"] = []string{"User:b"} }, []string{"fence.effect fail"}},
		"denied already":    {func(f *checks.Fencing) { f.Rules = append(f.Rules, rule("User:a", "write", cluster.Deny)) }, []string{"fence.effect fail"}},
		"denied by its own fence": {func(f *checks.Fencing) {
			f.Own = []cluster.ACL{rule("User:a", "write", cluster.Deny)}
			f.Rules = append(f.Rules, f.Own...)
		}, nil},
		"everybody by a prefix": {func(f *checks.Fencing) { f.Rules = []cluster.ACL{prefixed} }, []string{"fence.writers unknown"}},
		"from one host":         {func(f *checks.Fencing) { f.Rules = append(f.Rules, remote) }, []string{"fence.writers unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range checks.Failing(fencing(c.change)()) {
				got = append(got, fmt.Sprintf("%s %s", r.Name, r.Verdict))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// A fence that the state has and the brokers have not is no fence.
func TestStanding(t *testing.T) {
	deny := []cluster.ACL{rule("User:a", "write", cluster.Deny)}
	for name, c := range map[string]struct {
		rules []cluster.ACL
		err   error
		want  diff.Verdict
	}{
		"there":  {rules: append([]cluster.ACL{rule("User:a", "write", cluster.Allow)}, deny...), want: diff.Pass},
		"gone":   {rules: []cluster.ACL{rule("User:a", "write", cluster.Allow)}, want: diff.Fail},
		"untold": {rules: deny, err: cluster.ErrNotAllowed, want: diff.Error},
	} {
		t.Run(name, func(t *testing.T) {
			if got := checks.Standing("t", deny, c.rules, c.err); got.Verdict != c.want || got.Verdict != diff.Pass && got.Advice == "" {
				t.Errorf("%+v, want %s", got, c.want)
			}
		})
	}
}
