package graph_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

func pattern(t *testing.T, text string) []plan.Pattern {
	t.Helper()
	p, err := plan.NewPattern(text, hcl.Range{})
	if err != nil {
		t.Fatal(err)
	}
	return []plan.Pattern{p}
}

// Only principals that have a rule which moves are selected, and rules of
// topics outside the selection do not move.
func TestSelectAccess(t *testing.T) {
	m := &plan.Migration{
		Topics: plan.Topics{Include: pattern(t, "orders.*")},
		ACLs:   &plan.ACLs{Include: pattern(t, "User:o-*")},
		Quotas: &plan.Quotas{Include: pattern(t, "User:o-*")},
	}
	rule := func(principal, resource, name, kind string) cluster.ACL {
		return cluster.ACL{Resource: resource, Name: name, Pattern: kind, Principal: principal, Host: "*", Operation: "read", Permission: "allow"}
	}
	var source cluster.Snapshot
	source.Access.ACLs = []cluster.ACL{
		rule("User:o-topic", "topic", "orders.a", cluster.Literal),
		rule("User:o-other", "topic", "billing", cluster.Literal),
		rule("User:o-all", "topic", "*", cluster.Literal),
		rule("User:o-prefix", "topic", "bill", cluster.Prefixed),
		rule("User:o-group", "group", "billing", cluster.Literal),
		rule("User:o-cluster", "cluster", cluster.ClusterName, cluster.Literal),
		rule("User:*", "topic", "orders.a", cluster.Literal),
		rule("User:x", "topic", "orders.a", cluster.Literal),
	}
	source.Access.Quotas = []cluster.Quota{{Entity: cluster.QuotaEntity{User: "o-b"}}, {Entity: cluster.QuotaEntity{User: "o-a", ClientID: "c"}}, {Entity: cluster.QuotaEntity{User: "x"}}}
	sel := graph.Select(m, source)
	if d := cmp.Diff([]string{"User:o-all", "User:o-cluster", "User:o-group", "User:o-prefix", "User:o-topic"}, sel.Principals); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]cluster.QuotaEntity{{User: "o-a", ClientID: "c"}, {User: "o-b"}}, sel.Quotas); d != "" {
		t.Error(d)
	}
}

// Offline the principals and users that the plan names in full are drawn.
func TestLiteralAccess(t *testing.T) {
	m := &plan.Migration{
		Name: "m", Scheme: plan.Scheme{Kind: plan.ProductionFirst},
		Topics: plan.Topics{Include: pattern(t, "t")},
		ACLs:   &plan.ACLs{Include: append(pattern(t, "User:a"), pattern(t, "User:b-*")...)},
		Quotas: &plan.Quotas{Include: append(pattern(t, "User:a"), pattern(t, "<default>")...)},
		Users:  []plan.User{{Name: "a"}},
	}
	g, diags := graph.Build(m, graph.Selection{}, graph.Sides{}, graph.Sides{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	want := []string{graph.TopicAddress("t", ""), `prepare.acls["User:a"]`, `prepare.quota["user=a"]`, `prepare.user["a"]`}
	if d := cmp.Diff(want, g.Addresses()); d != "" {
		t.Error(d)
	}
}
