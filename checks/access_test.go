package checks_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

const everyoneKey = "allow.everyone.if.no.acl.found"

// guarded is a ground with an authorizer on both sides, where kplan logs in as
// User:kplan and the rules of User:o-a move.
func guarded(t testing.TB, change func(*checks.Ground)) checks.Ground {
	t.Helper()
	g := ground()
	p, err := plan.NewPattern("User:o-*", hcl.Range{})
	if err != nil {
		t.Fatal(err)
	}
	topics, err := plan.NewPattern("*", hcl.Range{})
	if err != nil {
		t.Fatal(err)
	}
	g.Migration.Topics.Include = []plan.Pattern{topics}
	g.Migration.ACLs = &plan.ACLs{Include: []plan.Pattern{p}}
	g.Migration.Target.Bootstrap = []string{"b:9092"}
	g.Migration.Target.SASL = &plan.SASL{Username: "kplan"}
	g.Migration.Services = []*plan.Service{{Name: "s", Groups: refs("g")}}
	g.Source.Access.ACLs = []cluster.ACL{about("allow User:o-a read topic t"), about("allow User:x read topic t")}
	g.TargetNodes[0].Configs[everyoneKey] = cluster.Config{Sensitive: true}
	if change != nil {
		change(&g)
	}
	return g
}

func about(text string) cluster.ACL {
	w := append(strings.Fields(text), cluster.Literal)
	return cluster.ACL{Permission: w[0], Principal: w[1], Operation: w[2], Resource: w[3], Name: w[4], Pattern: w[5], Host: "*"}
}

func judgeRules(g checks.Ground) []checks.Result {
	return checks.Rules(g, diff.ACLs(g.Migration, g.Source.Access, g.Target.Access))
}

func TestRules(t *testing.T) {
	target := func(texts ...string) func(*checks.Ground) {
		return func(g *checks.Ground) {
			for _, text := range texts {
				g.Target.Access.ACLs = append(g.Target.Access.ACLs, about(text))
			}
		}
	}
	source := func(texts ...string) func(*checks.Ground) {
		return func(g *checks.Ground) {
			for _, text := range texts {
				g.Source.Access.ACLs = append(g.Source.Access.ACLs, about(text))
			}
		}
	}
	state := func(everyone bool) func(*checks.Ground) {
		return func(g *checks.Ground) { g.Migration.Target.Authorizer = &plan.Authorizer{AllowEveryone: everyone} }
	}
	const kplan = "allow User:kplan all topic *"
	for _, c := range []struct {
		name   string
		change []func(*checks.Ground)
		want   []string // name, verdict, and words of what was seen
	}{
		{"the first on a topic, kplan without a rule", nil, []string{"acls.first unknown which acls.include does not cover: User:x", "acls.own fail describe_configs, read on topic t from User:kplan"}},
		{"kplan has rules", []func(*checks.Ground){target(kplan)}, []string{"acls.first pass", "acls.own pass"}},
		{"nobody else on the source", []func(*checks.Ground){func(g *checks.Ground) { g.Source.Access.ACLs = g.Source.Access.ACLs[:1] }, target("allow User:kplan all topic t prefixed")}, []string{"acls.first pass", "acls.own pass"}},
		{"another topic has rules", []func(*checks.Ground){target("allow User:kplan all topic other")}, []string{"acls.first unknown topic t yet", "acls.own fail"}},
		{"stated off", []func(*checks.Ground){state(false)}, []string{"acls.first pass", "acls.own pass"}},
		{"stated on", []func(*checks.Ground){state(true)}, []string{"acls.first unknown", "acls.own fail"}},
		{"not set on any broker", []func(*checks.Ground){func(g *checks.Ground) { delete(g.TargetNodes[0].Configs, everyoneKey) }}, []string{"acls.first pass", "acls.own pass"}},
		{"a broker does not tell", []func(*checks.Ground){func(g *checks.Ground) {
			delete(g.TargetNodes[0].Configs, everyoneKey)
			g.TargetNodes[1].Configs = nil
		}}, []string{"acls.first unknown", "acls.own fail"}},
		{"the first on the cluster", []func(*checks.Ground){target(kplan), source("allow User:o-a idempotent_write cluster kafka-cluster", "allow User:y idempotent_write cluster kafka-cluster")},
			[]string{"acls.first unknown cluster kafka-cluster yet", "acls.own fail on cluster kafka-cluster"}},
		{"the first on the cluster, stated on", []func(*checks.Ground){state(true), target(kplan), source("allow User:o-a idempotent_write cluster kafka-cluster")},
			[]string{"acls.first fail cluster kafka-cluster yet", "acls.own fail on cluster kafka-cluster"}},
		{"the first prefix", []func(*checks.Ground){target("allow User:kplan all topic t"), source("allow User:o-a read topic or prefixed", "allow User:y read topic orders")},
			[]string{"acls.first unknown topic or… yet, and the first one shuts out everybody else where allow.everyone.if.no.acl.found is true (brokers do not tell); rules on the source let in others there, which acls.include does not cover: User:y", "acls.own pass"}},
		{"a group", []func(*checks.Ground){target(kplan), source("allow User:o-a read group g")}, []string{"acls.first unknown group g", "acls.own fail read on group g"}},
		{"a rule against everybody", []func(*checks.Ground){target(kplan), func(g *checks.Ground) {
			all, err := plan.NewPattern("*", hcl.Range{})
			if err != nil {
				t.Fatal(err)
			}
			g.Migration.ACLs.Include = []plan.Pattern{all}
		}, source("deny User:* read topic t")}, []string{"acls.first pass", "acls.own fail read on topic t from User:kplan"}},
		{"the same against a super user", []func(*checks.Ground){state(false), func(g *checks.Ground) { g.Target.Access.Own = map[string]bool{"alter": true} }, source("deny User:o-a read topic t")}, []string{"acls.first pass", "acls.own pass super user"}},
		{"the same by a rule for one host", []func(*checks.Ground){state(false), func(g *checks.Ground) {
			g.Target.Access.Own = map[string]bool{"alter": true}
			for _, text := range []string{"allow User:kplan all cluster kafka-cluster", "allow User:kplan all topic *"} {
				a := about(text)
				a.Host = "10.0.0.5"
				g.Target.Access.ACLs = append(g.Target.Access.ACLs, a)
			}
			g.Migration.ACLs.Becomes = map[string]string{"User:o-a": "User:kplan"}
		}, source("deny User:o-a read topic t")}, []string{"acls.first pass", "acls.own fail read on topic t"}},
		{"a certificate", []func(*checks.Ground){state(false), func(g *checks.Ground) {
			g.Target.Access.Own = map[string]bool{"alter": true}
			g.Migration.Target.SASL, g.Migration.Target.TLS = nil, &plan.TLS{CertFile: "k.pem"}
		}, source("deny User:o-a read topic t")}, []string{"acls.first pass", "acls.own unknown read on topic t"}},
		{"a certificate, nothing denied", []func(*checks.Ground){state(false), func(g *checks.Ground) {
			g.Migration.Target.SASL, g.Migration.Target.TLS = nil, &plan.TLS{CertFile: "k.pem"}
		}}, []string{"acls.first pass", "acls.own pass"}},
		{"quotas could not be set", []func(*checks.Ground){target(kplan, "allow User:kplan all cluster kafka-cluster"), func(g *checks.Ground) {
			g.Migration.Quotas = &plan.Quotas{}
			g.Migration.ACLs.Becomes = map[string]string{"User:o-a": "User:kplan"}
		}, source("deny User:o-a alter_configs cluster kafka-cluster")}, []string{"acls.first pass", "acls.own fail alter_configs on cluster"}},
		{"becomes kplan", []func(*checks.Ground){target(kplan), func(g *checks.Ground) {
			g.Migration.ACLs.Becomes = map[string]string{"User:o-a": "User:kplan"}
		}, source("deny User:o-a read topic t")}, []string{"acls.first pass", "acls.own fail"}},
		{"all is there", []func(*checks.Ground){target("allow User:o-a read topic t")}, []string{"acls.first pass", "acls.own pass"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := guarded(t, nil)
			for _, change := range c.change {
				change(&g)
			}
			got := judgeRules(g)
			if len(got) != len(c.want) {
				t.Fatalf("%d results: %+v", len(got), got)
			}
			for i, want := range c.want {
				w := strings.SplitN(want, " ", 3)
				if got[i].Name != w[0] || string(got[i].Verdict) != w[1] || len(w) > 2 && !strings.Contains(got[i].Saw, w[2]) {
					t.Errorf("%s %s: %s\nwant %s", got[i].Name, got[i].Verdict, got[i].Saw, want)
				}
			}
		})
	}
	for name, g := range map[string]checks.Ground{
		"no block": guarded(t, func(g *checks.Ground) { g.Migration.ACLs = nil }),
		"unread":   guarded(t, func(g *checks.Ground) { g.Target.Access.ACLsErr = cluster.ErrNoAuthorizer }),
	} {
		if got := judgeRules(g); got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// verify judges every principal, client and user that the plan includes.
func TestAccessVerdicts(t *testing.T) {
	g := guarded(t, nil)
	m := g.Migration
	m.Quotas = &plan.Quotas{Include: m.ACLs.Include, Existing: "report"}
	m.Users = []plan.User{{Name: "o-a", Mechanism: "SCRAM-SHA-256"}}
	entity := cluster.QuotaEntity{User: "o-a"}
	g.Source.Access.Quotas = []cluster.Quota{{Entity: entity, Values: map[string]float64{"producer_byte_rate": 5, "request_percentage": 1}}}
	see := func() string {
		a := diff.CompareAccess(m, g.Source.Access, g.Target.Access, nil)
		known := a.Checks(m, g.Source.Access, g.Target.Access)
		var b strings.Builder
		for _, r := range append(known, checks.Access(a, a.Rows(m, g.Source.Access, nil), known)...) {
			b.WriteString(string(r.Verdict) + " " + r.Object.Name + ": " + r.Saw + "\n")
		}
		return b.String()
	}
	want := `fail User:o-a: rules missing on the target: 1, such as allow User:o-a read on topic "t" from *
fail user=o-a: missing on the target
fail o-a: missing on the target
`
	if got := see(); got != want {
		t.Errorf("at first:\n%s", got)
	}
	g.Target.Access.ACLs = []cluster.ACL{about("allow User:o-a read topic t")}
	g.Target.Access.Users = []cluster.ScramUser{{Name: "o-a", Mechanism: "SCRAM-SHA-256", Iterations: 4096}}
	g.Target.Access.Quotas = []cluster.Quota{{Entity: entity, Values: map[string]float64{"producer_byte_rate": 5}}}
	want = "pass User:o-a: rules: 1, all there\nfail user=o-a: request_percentage is not set, wanted 1\npass o-a: there\n"
	if got := see(); got != want {
		t.Errorf("then:\n%s", got)
	}
	g.Target.Access.Quotas[0].Values = map[string]float64{"producer_byte_rate": 6, "request_percentage": 1}
	want = "fail user=o-a: producer_byte_rate 5 wanted, producer_byte_rate 6 on the target\npass User:o-a: rules: 1, all there\npass o-a: there\n"
	if got := see(); got != want {
		t.Errorf("in the end:\n%s", got)
	}
}

// access compares rules, a quota and a user with a target that has none of them
// alike.
func access(t *testing.T, change func(target *cluster.Access)) func() []checks.Result {
	return func() []checks.Result {
		g := guarded(t, nil)
		m := g.Migration
		m.Quotas = &plan.Quotas{Include: m.ACLs.Include, Existing: "report"}
		g.Source.Access.Quotas = []cluster.Quota{{Entity: cluster.QuotaEntity{User: "o-a"}, Values: map[string]float64{"producer_byte_rate": 5}}}
		g.Source.Access.Users = []cluster.ScramUser{{Name: "o-a", Mechanism: "SCRAM-SHA-512", Iterations: 4096}}
		change(&g.Target.Access)
		return diff.CompareAccess(m, g.Source.Access, g.Target.Access, nil).Checks(m, g.Source.Access, g.Target.Access)
	}
}
