package checks_test

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

func operations(names ...string) map[string]bool {
	all := map[string]bool{}
	for _, n := range names {
		all[n] = true
	}
	return all
}

// allowed is a plan with a service, and a cluster that lets kplan do all that
// the plan needs anywhere.
func allowed() (checks.RightsGround, checks.Told) {
	include, err := plan.NewPattern("t", plan.Pattern{}.Range)
	if err != nil {
		panic(err) // a plain name is a pattern
	}
	login := func(name string) *plan.Cluster {
		return &plan.Cluster{Name: name, Listener: plan.Listener{Bootstrap: []string{name + ":9092"}, SASL: &plan.SASL{Username: "it's kplan"}}}
	}
	m := &plan.Migration{
		Name: "orders", Source: login("old"), Target: login("new"), Topics: plan.Topics{Include: []plan.Pattern{include}},
		Scheme:   plan.Scheme{Kind: plan.ProductionFirst, Fence: "acl"},
		Services: []*plan.Service{{Name: "s", Produces: refs("t"), Consumes: refs("t"), Groups: refs("g"), Principals: refs("User:CN=s,O=x")}},
	}
	g := checks.RightsGround{
		Plan: &plan.Plan{Migration: m, State: plan.State{Backend: "kafka", Cluster: m.Source}}, Transactions: true,
		Source: checks.Known{Topics: []string{"t"}, Groups: []string{"stranger"}}, Target: checks.Known{Topics: []string{"t"}, Groups: []string{"stranger"}, Missing: []string{"t"}},
	}
	topic := func() map[string]bool {
		return operations("read", "write", "create", "alter", "describe", "describe_configs", "alter_configs")
	}
	return g, checks.Told{
		Rights: cluster.Rights{
			Cluster: operations("describe", "describe_configs", "alter"),
			Topics:  map[string]map[string]bool{"t": topic(), "__consumer_offsets": topic(), "__transaction_state": topic(), "_kplan.orders": topic()},
			Groups:  map[string]map[string]bool{"g": operations("read", "describe"), "stranger": operations("describe")},
		},
		Rules: []cluster.ACL{
			{Resource: "cluster", Name: cluster.ClusterName, Pattern: cluster.Literal, Principal: "User:it's kplan", Host: "*", Operation: "all", Permission: cluster.Allow},
			{Resource: "transactional_id", Name: "*", Pattern: cluster.Literal, Principal: "User:it's kplan", Host: "*", Operation: "describe", Permission: cluster.Allow},
		},
	}
}

// With all of them, nothing is missing; without an authorizer, nothing either.
func TestRightsThatAreThere(t *testing.T) {
	g, told := allowed()
	for place, on := range map[string]*plan.Cluster{checks.OnSource: g.Plan.Migration.Source, checks.OnTarget: g.Plan.Migration.Target, checks.OnState: g.Plan.Migration.Source} {
		if got := checks.Failing(checks.Rights(g, place, on, told)); len(got) > 0 {
			t.Errorf("%s: %+v", place, got)
		}
	}
	told.Rules, told.NoRules = nil, cluster.ErrNoAuthorizer
	if got := checks.Rights(g, checks.OnSource, g.Plan.Migration.Source, told); len(got) != 1 || got[0].Verdict != diff.Pass {
		t.Errorf("without an authorizer: %+v", got)
	}
	if got := checks.ServiceRights(g.Plan.Migration, told, told); len(got) != 0 {
		t.Errorf("services without an authorizer: %+v", got)
	}
}

// Each thing that is taken away is named alone, with the command.
func TestRightsThatAreMissing(t *testing.T) {
	for name, c := range map[string]struct {
		place, object, command string
		take                   func(told *checks.Told)
	}{
		"hidden topic":         {checks.OnSource, "source Read on topics", "--operation Read --topic t", func(told *checks.Told) { delete(told.Rights.Topics, "t") }},
		"configs":              {checks.OnSource, "source DescribeConfigs on topics", "--operation DescribeConfigs --topic t", func(told *checks.Told) { delete(told.Rights.Topics["t"], "describe_configs") }},
		"cluster":              {checks.OnSource, "source Alter on the cluster", "--operation Alter --cluster", func(told *checks.Told) { told.Rights.Cluster = nil; told.NoRules = cluster.ErrNotAllowed }},
		"fence":                {checks.OnSource, "source Alter on the cluster", "--operation Alter --cluster", func(told *checks.Told) { delete(told.Rights.Cluster, "alter") }},
		"foreign group":        {checks.OnSource, "source Describe on groups", "--operation Describe --group '*'", func(told *checks.Told) { delete(told.Rights.Groups, "stranger") }},
		"own group":            {checks.OnSource, "source Read on groups", "--operation Read --group g", func(told *checks.Told) { delete(told.Rights.Groups, "g") }},
		"transactional ids":    {checks.OnSource, "source Describe on transactional ids", "--operation Describe --transactional-id '*'", func(told *checks.Told) { told.Rules = told.Rules[:1] }},
		"topics of offsets":    {checks.OnSource, "source Describe on topics", "--topic __consumer_offsets", func(told *checks.Told) { delete(told.Rights.Topics, "__consumer_offsets") }},
		"creating":             {checks.OnTarget, "target Create on topics", "--operation Create --topic t", func(told *checks.Told) { delete(told.Rights.Topics["t"], "create") }},
		"placing":              {checks.OnTarget, "target Read on groups", "--operation Read --group g", func(told *checks.Told) { delete(told.Rights.Groups["g"], "read") }},
		"holding":              {checks.OnTarget, "target AlterConfigs on topics", "--operation AlterConfigs --topic t", func(told *checks.Told) { delete(told.Rights.Topics["t"], "alter_configs") }},
		"recording":            {checks.OnState, "state Write on topics", "--operation Write --topic _kplan.orders", func(told *checks.Told) { delete(told.Rights.Topics["_kplan.orders"], "write") }},
		"limits of the target": {checks.OnTarget, "target DescribeConfigs on the cluster", "--operation DescribeConfigs --cluster", func(told *checks.Told) { delete(told.Rights.Cluster, "describe_configs") }},
	} {
		g, told := allowed()
		c.take(&told)
		on := map[string]*plan.Cluster{checks.OnSource: g.Plan.Migration.Source, checks.OnTarget: g.Plan.Migration.Target, checks.OnState: g.Plan.Migration.Source}[c.place]
		got := checks.Rights(g, c.place, on, told)
		if len(got) != 1 || got[0].Verdict != diff.Fail || got[0].Object.Name != c.object || !strings.Contains(got[0].Advice, c.command) || !strings.Contains(got[0].Advice, `'User:it'\''s kplan'`) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What cannot be known is Unknown or an Error, never a Pass.
func TestRightsThatAreNotTold(t *testing.T) {
	g, told := allowed()
	source := g.Plan.Migration.Source
	told.Err = cluster.ErrRightsUntold
	if got := checks.Rights(g, checks.OnSource, source, told); len(got) != 1 || got[0].Verdict != diff.Unknown {
		t.Errorf("%+v", got)
	}
	told.Err = errors.New("gone")
	if got := checks.Rights(g, checks.OnSource, source, told); len(got) != 1 || got[0].Verdict != diff.Error {
		t.Errorf("%+v", got)
	}
	_, told = allowed()
	told.Everyone, told.Rules = true, told.Rules[:1]
	if got := checks.Rights(g, checks.OnSource, source, told); len(got) != 1 || got[0].Verdict != diff.Unknown {
		t.Errorf("unruled transactional ids: %+v", got)
	}
	told.Rules = nil // and yet it may do things on the cluster: a super user
	if got := checks.Rights(g, checks.OnSource, source, told); len(got) != 1 || got[0].Verdict != diff.Pass {
		t.Errorf("a super user: %+v", got)
	}
}

// Services: rules there, rules that the plan creates under another name, a
// denial, nothing known.
func TestServiceRights(t *testing.T) {
	rules := func(who string) []cluster.ACL {
		rule := func(resource, name, operation string) cluster.ACL {
			return cluster.ACL{Resource: resource, Name: name, Pattern: cluster.Literal, Principal: who, Host: "*", Operation: operation, Permission: cluster.Allow}
		}
		return []cluster.ACL{rule("topic", "t", "write"), rule("topic", "t", "read"), rule("group", "g", "read")}
	}
	const old, renamed = "User:CN=s,O=x", "User:s"
	moving := &plan.ACLs{Becomes: map[string]string{old: renamed}}
	include, err := plan.NewPattern("User:*", plan.Pattern{}.Range)
	if err != nil {
		t.Fatal(err)
	}
	moving.Include = []plan.Pattern{include}
	deny := append(rules(old), cluster.ACL{Resource: "topic", Name: "*", Pattern: cluster.Literal, Principal: cluster.Anybody, Host: "*", Operation: "write", Permission: cluster.Deny})
	for name, c := range map[string]struct {
		acls           *plan.ACLs
		source, target checks.Told
		want           diff.Verdict
		says           string
	}{
		"there":         {nil, checks.Told{}, checks.Told{Rules: rules(old)}, diff.Pass, old},
		"not there":     {nil, checks.Told{Rules: rules(old)}, checks.Told{}, diff.Fail, "Write on topics t; no rule"},
		"coming":        {moving, checks.Told{Rules: rules(old)}, checks.Told{}, diff.Pass, renamed},
		"by old name":   {moving, checks.Told{}, checks.Told{Rules: rules(old)}, diff.Fail, renamed},
		"coming?":       {moving, checks.Told{NoRules: cluster.ErrNotAllowed}, checks.Told{}, diff.Unknown, "not known"},
		"denied":        {nil, checks.Told{}, checks.Told{Rules: deny, Everyone: true}, diff.Fail, "Write on topics t"},
		"unruled":       {nil, checks.Told{}, checks.Told{Everyone: true}, diff.Unknown, "no rule is about 3"},
		"unreadable":    {nil, checks.Told{}, checks.Told{NoRules: cluster.ErrNotAllowed}, diff.Unknown, "cannot be read"},
		"reading alone": {nil, checks.Told{}, checks.Told{Rules: slices.Delete(rules(old), 0, 1)}, diff.Fail, "Write on topics t"},
	} {
		g, _ := allowed()
		m := g.Plan.Migration
		m.ACLs = c.acls
		got := checks.ServiceRights(m, c.source, c.target)
		if len(got) != 1 || got[0].Verdict != c.want || !strings.Contains(got[0].Saw, c.says) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// The table names every place, and its document is its golden.
func TestRightsDocument(t *testing.T) {
	places := map[string]bool{}
	for _, r := range checks.RightsNeeded() {
		places[r.Place] = true
		if r.For == "" || r.Operation == "" || (r.Names == "") != (r.Resource == "cluster") {
			t.Errorf("not described: %+v", r)
		}
	}
	if got := slices.Sorted(maps.Keys(places)); len(got) != 3 {
		t.Errorf("places: %v", got)
	}
	golden(t, filepath.Join("..", "docs", "rights.md"), checks.RightsDocument())
}
