package graph_test

import (
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
