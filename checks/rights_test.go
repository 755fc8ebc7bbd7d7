package checks_test

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// A mirror needs more, and what it needs depends on who runs it and on how old
// the brokers are.
func TestRightsOfTheMirror(t *testing.T) {
	g, told := allowed()
	g.StrictIDs = true
	g.Plan.Migration.Scheme.Fence = "none"
	m := g.Plan.Migration
	m.Mirror = &plan.Mirror{Run: "worker"}
	told.Rights.Topics["t"] = operations("read", "create", "describe", "describe_configs", "alter_configs")
	lacks := func(place string, on *plan.Cluster, want ...string) {
		t.Helper()
		var got []string
		for _, r := range checks.Failing(checks.Rights(g, place, on, told)) {
			got = append(got, r.Object.Name+": "+r.Advice[strings.Index(r.Advice, "--operation"):])
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", place, d)
		}
	}
	lacks(checks.OnSource, m.Source, "source Read on groups: --operation Read --group _kplan.orders.mirror")
	lacks(checks.OnTarget, m.Target, "target Write on topics: --operation Write --topic t", "target IdempotentWrite on the cluster: --operation IdempotentWrite --cluster")
	lacks(checks.OnState, m.Source, "state Read on topics: --operation Read --topic _kplan.orders.mirror", "state Write on topics: --operation Write --topic _kplan.orders.mirror")
	m.Mirror.Run, g.StrictIDs = "apply", false
	lacks(checks.OnSource, m.Source)
	lacks(checks.OnTarget, m.Target, "target Write on topics: --operation Write --topic t")
	m.Mirror = nil
	lacks(checks.OnTarget, m.Target)
	lacks(checks.OnState, m.Source)
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
	told.Rules = nil // and yet it may do things on the cluster: a super user, or everybody may
	if got := checks.Rights(g, checks.OnSource, source, told); len(got) != 1 || got[0].Verdict != diff.Pass {
		t.Errorf("a super user: %+v", got)
	}
}

// Taken out: that a certificate, a token or a rule for one host leaves open whom
// a rule is about. Rules that are somebody else's do not make kplan a super user.
func TestRightsOfTransactionalIDs(t *testing.T) {
	const op, other = "allow User:CN=x describe transactional_id *", "allow User:CN=x all cluster kafka-cluster"
	host := func(text string) cluster.ACL {
		a := about(text)
		a.Host = "10.0.0.5"
		return a
	}
	token := func(c *plan.Cluster, _ *checks.Told) { c.SASL = &plan.SASL{OAuth: &plan.OAuth{}} }
	certificate := func(c *plan.Cluster, _ *checks.Told) { c.SASL, c.TLS = nil, &plan.TLS{CertFile: "k.pem"} }
	stated := func(may bool) func(*plan.Cluster, *checks.Told) {
		return func(c *plan.Cluster, _ *checks.Told) { c.Authorizer = &plan.Authorizer{AllowEveryone: may} }
	}
	hidden := func(_ *plan.Cluster, told *checks.Told) { told.Everyone = true }
	const own = "allow User:kplan all cluster kafka-cluster"
	for name, c := range map[string]struct {
		change func(*plan.Cluster, *checks.Told)
		rules  []cluster.ACL
		want   diff.Verdict
	}{
		"a rule":                          {nil, []cluster.ACL{about(own), about("allow User:kplan describe transactional_id *")}, diff.Pass},
		"no rule":                         {nil, []cluster.ACL{about(own)}, diff.Fail},
		"rights that no rule gives":       {nil, []cluster.ACL{about(other), about(op)}, diff.Pass},
		"rights from one host":            {nil, []cluster.ACL{host(own)}, diff.Fail},
		"the rule for one host":           {nil, []cluster.ACL{about(own), host("allow User:kplan describe transactional_id *")}, diff.Unknown},
		"a token":                         {token, []cluster.ACL{about(other), about(op)}, diff.Unknown},
		"a certificate":                   {certificate, []cluster.ACL{about(other)}, diff.Unknown},
		"a certificate, everybody may":    {certificate, []cluster.ACL{about(other), about("allow User:* describe transactional_id *")}, diff.Pass},
		"stated on":                       {stated(true), []cluster.ACL{about(own)}, diff.Pass},
		"stated on, ruled":                {stated(true), []cluster.ACL{about(own), about(op)}, diff.Fail},
		"hidden":                          {hidden, []cluster.ACL{about(own)}, diff.Unknown},
		"hidden and no rule":              {hidden, nil, diff.Pass},
		"hidden and a rule for ids alone": {hidden, []cluster.ACL{about(op)}, diff.Unknown},
	} {
		g, told := allowed()
		source := *g.Plan.Migration.Source
		source.SASL = &plan.SASL{Username: "kplan"}
		told.Rules = c.rules
		if c.change != nil {
			c.change(&source, &told)
		}
		got := checks.Rights(g, checks.OnSource, &source, told)
		if len(got) != 1 || got[0].Verdict != c.want {
			t.Errorf("%s: want %s: %+v", name, c.want, got)
		}
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
		"denied":        {nil, checks.Told{}, checks.Told{Rules: deny, Everyone: true}, diff.Fail, "a rule denies User:CN=s,O=x Write on topics t"},
		"a fence":       {moving, checks.Told{Rules: append(rules(old), about("deny User:CN=s,O=x write topic t"))}, checks.Told{}, diff.Fail, "and it would be copied from the source"},
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

// Taken out: that the plan states what no rule means on the target.
func TestServiceRightsStated(t *testing.T) {
	for _, everyone := range []bool{true, false} {
		g, _ := allowed()
		m := g.Plan.Migration
		m.Target.Authorizer = &plan.Authorizer{AllowEveryone: everyone}
		got := checks.ServiceRights(m, checks.Told{}, checks.Told{Everyone: true})
		if len(got) != 1 || (got[0].Verdict == diff.Pass) != everyone || (got[0].Verdict == diff.Fail) == everyone {
			t.Errorf("stated %v: %+v", everyone, got)
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

// Where there never was a group nobody asks about one, since the question would
// make the cluster's topic of offsets: the rules decide, name by name.
func TestRightsWhereThereNeverWasAGroup(t *testing.T) {
	rule := func(group, operation, permission string) cluster.ACL {
		return cluster.ACL{Resource: "group", Name: group, Pattern: cluster.Literal, Principal: "User:it's kplan", Host: "*", Operation: operation, Permission: permission}
	}
	for name, c := range map[string]struct {
		change func(*checks.Told)
		want   string
	}{
		"no rule": {func(*checks.Told) {}, "fail"},
		"rules": {func(told *checks.Told) {
			told.Rules = append(told.Rules, rule("g", "read", cluster.Allow), rule("stranger", "describe", cluster.Allow))
		}, ""},
		"a rule for all":   {func(told *checks.Told) { told.Rules = append(told.Rules, rule("*", "all", cluster.Allow)) }, ""},
		"one of two":       {func(told *checks.Told) { told.Rules = append(told.Rules, rule("stranger", "describe", cluster.Allow)) }, "fail"},
		"the other of two": {func(told *checks.Told) { told.Rules = append(told.Rules, rule("g", "read", cluster.Allow)) }, "fail"},
		"denied": {func(told *checks.Told) {
			told.Rules = append(told.Rules, rule("*", "all", cluster.Allow), rule("g", "read", cluster.Deny))
		}, "fail"},
		"a super user":  {func(told *checks.Told) { told.Rules = nil }, ""},
		"no authorizer": {func(told *checks.Told) { told.Rules, told.NoRules = nil, cluster.ErrNoAuthorizer }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g, told := allowed()
			told.Rights.Groups, told.Rights.NoGroups = map[string]map[string]bool{}, true
			c.change(&told)
			failing := checks.Failing(checks.Rights(g, checks.OnTarget, g.Plan.Migration.Target, told))
			got := ""
			for _, r := range failing {
				got = string(r.Verdict)
				if !strings.Contains(r.Saw, "group") || !strings.Contains(r.Advice, "kafka-acls") {
					t.Errorf("%+v", r)
				}
			}
			if got != c.want {
				t.Errorf("%q, want %q: %+v", got, c.want, failing)
			}
		})
	}
}

// A service that writes and has no group needs the names of transactions as well:
// those that are open on its topics are found before it is stopped (R4).
func TestRightsOfAProducer(t *testing.T) {
	g, told := allowed()
	told.Rules = told.Rules[:1]
	s := g.Plan.Migration.Services[0]
	s.Groups, s.Consumes = nil, nil
	got := checks.Failing(checks.Rights(g, checks.OnSource, g.Plan.Migration.Source, told))
	if len(got) != 1 || got[0].Object.Name != "source Describe on transactional ids" {
		t.Errorf("of a producer: %+v", got)
	}
	s.Produces = nil
	if got := checks.Failing(checks.Rights(g, checks.OnSource, g.Plan.Migration.Source, told)); len(got) > 0 {
		t.Errorf("of nobody who writes or has a group: %+v", got)
	}
}
