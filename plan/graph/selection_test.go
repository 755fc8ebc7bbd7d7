package graph_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/graph"
)

// A group belongs to the selection by its name, by its owner, or because it
// reads along, whatever it is called (R11).
func TestSelectFindsEveryReader(t *testing.T) {
	pattern := func(text string) []plan.Pattern {
		p, err := plan.NewPattern(text, hcl.Range{})
		if err != nil {
			t.Fatal(err)
		}
		return []plan.Pattern{p}
	}
	m := &plan.Migration{
		Topics:   plan.Topics{Include: pattern("orders.*"), Exclude: pattern("*.tmp")},
		Groups:   plan.Groups{Include: pattern("orders-*")},
		Services: []*plan.Service{{Name: "b", Groups: []plan.NamedRef{{Name: "billing"}, {Name: "absent"}}}},
	}
	commit := func(topic string) map[cluster.TopicPartition]cluster.Commit {
		return map[cluster.TopicPartition]cluster.Commit{{Topic: topic}: {Offset: 1}}
	}
	source := cluster.Snapshot{
		Topics: map[string]cluster.Topic{"orders.b": {}, "orders.a": {}, "orders.x.tmp": {}, "other": {}, "__consumer_offsets": {}},
		Groups: map[string]cluster.Group{
			"orders-x": {}, "billing": {},
			"reads-along":     {Commits: commit("orders.a")},
			"subscribed":      {Members: []cluster.Member{{Subscribed: []string{"orders.b"}}}},
			"elsewhere":       {Commits: commit("other")},
			"reads-temporary": {Commits: commit("orders.x.tmp")},
		},
	}
	want := graph.Selection{
		Topics: []string{"orders.a", "orders.b"},
		Groups: []string{"billing", "orders-x", "reads-along", "subscribed"},
	}
	got := graph.Select(m, source)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if nothing := graph.Select(m, cluster.Snapshot{}); nothing.Offline() {
		t.Error("a selection that matched nothing counts as offline")
	}
	if !(graph.Selection{}).Offline() {
		t.Error("no selection does not count as offline")
	}
}

// Taken out: the look at what owned groups have committed. A topic that the plan
// does not list for them would be neither drained nor placed, and a consumer with
// auto.offset.reset = latest would lose what is there (R11).
func TestCommitsCountAsReading(t *testing.T) {
	all, err := plan.NewPattern("orders.*", hcl.Range{})
	if err != nil {
		t.Fatal(err)
	}
	m := &plan.Migration{
		Scheme: plan.Scheme{Kind: plan.ProductionFirst, Fence: "none"},
		Topics: plan.Topics{Include: []plan.Pattern{all}},
		Services: []*plan.Service{
			{Name: "shop", Produces: []plan.NamedRef{{Name: "orders.a"}, {Name: "orders.b"}}, Switch: plan.Switch{Exec: &plan.ExecSwitch{}}},
			{Name: "cron", Consumes: []plan.NamedRef{{Name: "orders.a"}}, Groups: []plan.NamedRef{{Name: "g"}}, Switch: plan.Switch{Exec: &plan.ExecSwitch{}}},
		},
	}
	commits := map[cluster.TopicPartition]cluster.Commit{}
	for _, topic := range []string{"orders.a", "orders.b", "orders.b", "elsewhere"} {
		commits[cluster.TopicPartition{Topic: topic, Partition: int32(len(commits))}] = cluster.Commit{Offset: 1}
	}
	source := cluster.Snapshot{
		Topics: map[string]cluster.Topic{"orders.a": {}, "orders.b": {}, "elsewhere": {}},
		Groups: map[string]cluster.Group{"g": {Commits: commits}},
	}
	p := &plan.Plan{Migration: m}
	hash := p.Hash()
	sel := graph.Select(m, source)
	if d := cmp.Diff(map[string][]string{"g": {"orders.b"}}, sel.Reads); d != "" {
		t.Fatal(d)
	}
	reading := p.Reading(sel.Reads)
	if reading.Hash() != hash {
		t.Error("what the cluster tells has changed the plan's hash")
	}
	g, diags := graph.Build(reading.Migration, sel, graph.Sides{}, graph.Everywhere(m, sel, cluster.Target))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, verb := range []string{"drain", "vacate", "place", "works"} {
		if d := cmp.Diff([]string{"orders.a", "orders.b"}, g.Step(graph.GroupAddress("g", verb)).Topics); d != "" {
			t.Errorf("%s: %s", verb, d)
		}
	}
	if text := diags.Error(); !strings.Contains(text, `"orders.b"`) || !strings.Contains(text, `ignore "orders.b"`) {
		t.Errorf("the diff does not say so: %s", text)
	}
	m.Groups.Named = []plan.NamedGroup{{Name: "g", Ignore: []plan.IgnoredTopic{{Name: "orders.b", Reason: "read by hand once"}}}}
	if sel := graph.Select(m, source); sel.Reads != nil {
		t.Errorf("the plan says that it reads the topic no more: %v", sel.Reads)
	}
}

// Taken out: the difference between nothing left to do and nothing known. A plan
// without services, drawn without a cluster, has no steps, and nobody knows where
// anything is.
func TestNoStepsAreExplained(t *testing.T) {
	m := &plan.Migration{Scheme: plan.Scheme{Kind: plan.ProductionFirst}}
	for text, sel := range map[string]graph.Selection{"without a cluster": {}, "where it is wanted": {Topics: []string{}, Groups: []string{}}} {
		g, diags := graph.Build(m, sel, graph.Sides{}, graph.Sides{})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		var out strings.Builder
		if err := g.WriteText(&out); err != nil || !strings.Contains(out.String(), text) {
			t.Errorf("%q, %v, want %q", out.String(), err, text)
		}
	}
}
