package checks_test

import (
	"strings"
	"testing"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// Every place from which min.insync.replicas may come, on both sides, against
// replicas that are there, that are in sync, and that will be there.
func TestWritable(t *testing.T) {
	old := func(nodes []cluster.Node) { // brokers before 4.0
		for i := range nodes {
			nodes[i].Requests = map[int16]cluster.Versions{1: {Max: 12}}
		}
	}
	least := func(topic cluster.Topic, value string, source cluster.ConfigSource) {
		topic.Configs[cluster.MinInSync] = cluster.Config{Value: value, Source: source}
	}
	inSync := func(topic cluster.Topic, ids ...int32) {
		for i := range topic.Partitions {
			topic.Partitions[i].ISR = ids
		}
	}
	for name, c := range map[string]struct {
		change func(*checks.Ground)
		want   string // what the failing result says; empty: all passes
	}{
		"nothing is short": {change: func(*checks.Ground) {}},
		"topic to come, its own": {func(g *checks.Ground) {
			delete(g.Target.Topics, "t")
			g.Wants[0].ReplicationFactor, g.Wants[0].Configs = 1, map[string]string{cluster.MinInSync: "2"}
		}, "it will have 1 replica and min.insync.replicas = 2"},
		"topic to come, a broker's": {func(g *checks.Ground) {
			delete(g.Target.Topics, "t")
			g.Wants[0].ReplicationFactor = 1
			g.TargetNodes[1].Configs[cluster.MinInSync] = cluster.Config{Value: "2"}
		}, "it will have 1 replica"},
		"topic to come, the default": {func(g *checks.Ground) {
			delete(g.Target.Topics, "t")
			g.Wants[0].ReplicationFactor = 1
			g.Target.Defaults = map[string]cluster.Config{cluster.MinInSync: {Value: "2"}}
		}, "it will have 1 replica"},
		"too few in sync": {func(g *checks.Ground) {
			least(g.Target.Topics["t"], "2", cluster.SourceTopic)
			inSync(g.Target.Topics["t"], 1)
		}, "on the target"},
		"too few for a broker": {func(g *checks.Ground) {
			g.TargetNodes[2].Configs[cluster.MinInSync] = cluster.Config{Value: "2"}
			inSync(g.Target.Topics["t"], 1)
		}, "on the target"},
		"enough in sync": {func(g *checks.Ground) {
			least(g.Target.Topics["t"], "2", cluster.SourceTopic)
			inSync(g.Target.Topics["t"], 1, 2)
		}, ""},
		"source, too few in sync": {func(g *checks.Ground) {
			least(g.Source.Topics["t"], "3", cluster.SourceDynamicDefaultBroker)
			inSync(g.Source.Topics["t"], 1, 2)
		}, "on the source"},
		"more than replicas": {func(g *checks.Ground) {
			least(g.Target.Topics["t"], "4", cluster.SourceTopic)
			inSync(g.Target.Topics["t"], 0, 1, 2)
		}, "min.insync.replicas wants 4"},
		"kplan will make it so": {func(g *checks.Ground) {
			g.Migration.Topics.Parity.Existing = "alter"
			g.Wants[0].Configs = map[string]string{cluster.MinInSync: "4"}
		}, "it will have 3 replicas"},
		"kplan leaves it as it is": {func(g *checks.Ground) { g.Wants[0].Configs = map[string]string{cluster.MinInSync: "4"} }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, capped := range []bool{false, true} {
				g := ground()
				g.Migration.Services = []*plan.Service{{Name: "a", Produces: []plan.NamedRef{{Name: "t"}}}}
				if c.change(&g); !capped {
					old(g.TargetNodes)
				} else {
					for i := range g.TargetNodes {
						g.TargetNodes[i].Requests = map[int16]cluster.Versions{0: {Max: 12}}
					}
				}
				var failed []diff.Check
				for _, r := range checks.Writable(g, nil) {
					if r.Verdict != diff.Pass {
						failed = append(failed, r)
					}
				}
				// Brokers from 4.0 want no more than there are.
				want := c.want
				if capped && (strings.Contains(want, "it will have") || strings.Contains(want, "wants 4")) {
					want = ""
				}
				if want == "" && len(failed) > 0 || want != "" && (len(failed) != 1 || !strings.Contains(failed[0].Saw, want) || failed[0].Advice == "") {
					t.Errorf("capped %v: %+v, want %q", capped, failed, want)
				}
			}
		})
	}
}
