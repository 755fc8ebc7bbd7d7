package checks_test

import (
	"strings"
	"testing"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// One thing at a time is short, and one check says so; with nothing short all
// pass.
func TestCapacity(t *testing.T) {
	rackless := func(g *checks.Ground, id int32) { g.Target.Brokers[id].Rack = "" }
	inRacks := func(racks string) func(*checks.Ground) {
		return func(g *checks.Ground) {
			for i := range g.Target.Brokers {
				g.Target.Brokers[i].Rack = racks[i : i+1]
			}
		}
	}
	fresh := func(g *checks.Ground) { g.Target.Topics = nil; g.Target.Replicas = nil }
	usable := func(g *checks.Ground, each int64) {
		for i := range g.TargetNodes {
			g.TargetNodes[i].Disk.Usable = each
		}
	}
	declared := func(n int64) func(*checks.Ground) {
		return func(g *checks.Ground) { g.Migration.Target.Capacity.DiskBytes = n }
	}
	limited := func(g *checks.Ground, side map[string]cluster.Topic, c cluster.Config) {
		topic := side["t"]
		configs := map[string]cluster.Config{"retention.ms": topic.Configs["retention.ms"], "max.message.bytes": c}
		topic.Configs = configs
		side["t"] = topic
	}
	for name, c := range map[string]struct {
		change  func(*checks.Ground)
		check   string
		verdict diff.Verdict
		saw     string
	}{
		"all is well":              {change: func(*checks.Ground) {}},
		"nothing there yet":        {change: fresh},
		"fewer brokers":            {func(g *checks.Ground) { g.Source.Brokers = append(g.Source.Brokers, cluster.Broker{ID: 3}) }, checks.NameCapacity, diff.Fail, "3 brokers on the target, 4 on the source"},
		"more brokers":             {change: func(g *checks.Ground) { g.Source.Brokers = g.Source.Brokers[:1] }},
		"two racks, not asked":     {change: func(g *checks.Ground) { inRacks("aab")(g); g.Migration.Target.Capacity = nil }},
		"two racks, nothing there": {func(g *checks.Ground) { inRacks("aab")(g); fresh(g) }, checks.NameRacks, diff.Fail, "2 racks: a, b"},
		"a broker without a rack": {func(g *checks.Ground) {
			fresh(g)
			g.Target.Brokers = append(g.Target.Brokers, cluster.Broker{ID: 3})
			rackless(g, 3)
		}, checks.NameRacks, diff.Fail, "no broker.rack on broker 3"},
		"replicas that share a rack": {func(g *checks.Ground) {
			g.Target.Brokers = append(g.Target.Brokers, cluster.Broker{ID: 3, Rack: "a"})
			g.Target.Topics["t"].Partitions[1].Replicas = []int32{0, 1, 3}
		}, checks.NameReplicas, diff.Fail, "t[1] has 3 replicas in 2 racks (a, b)"},
		"two replicas of a new topic": {func(g *checks.Ground) { fresh(g); g.Wants[0].ReplicationFactor = 2 }, checks.NameReplicas, diff.Fail, "t is to have 2 replicas"},
		"just enough disk":            {change: func(g *checks.Ground) { usable(g, 12*gib) }},
		"one byte too few": {func(g *checks.Ground) { usable(g, 12*gib-1) },
			checks.NameDisk, diff.Fail, "one replica of the selected topics has 10.0 GiB; all replicas on the target with a headroom of 1.2 need 36.0 GiB; 36.0 GiB are free (3 brokers, 12.0 GiB on broker 0, which has the least)"},
		"one full broker": {func(g *checks.Ground) { g.TargetNodes[1].Disk.Usable = gib }, checks.NameDisk, diff.Fail, "1.0 GiB on broker 1, which has the least"},
		"more headroom":   {func(g *checks.Ground) { usable(g, 12*gib); g.Migration.Target.Capacity.Headroom = 1.5 }, checks.NameDisk, diff.Fail, "a headroom of 1.5 need 45.0 GiB"},
		"much of it there": {change: func(g *checks.Ground) {
			usable(g, gib)
			for i := range g.TargetNodes {
				g.TargetNodes[i].Disk.Logs = map[cluster.TopicPartition]int64{tp(0): 11 * gib}
			}
		}},
		"retention held":                {func(g *checks.Ground) { usable(g, 12*gib); g.Migration.Scheme.Kind = plan.ProductionFirst }, checks.NameDisk, diff.Fail, "121.9 MiB more (an estimate) while retention is held for up to 2h"},
		"disk too small by declaration": {declared(35 * gib), checks.NameDisk, diff.Fail, "the plan declares 35.0 GiB, and 0 B are used"},
		"enough by declaration, told less": {func(g *checks.Ground) { usable(g, gib); declared(900 * gib)(g) },
			checks.NameDisk, diff.Fail, "3.0 GiB are free"},
		"old brokers":               {func(g *checks.Ground) { usable(g, -1) }, checks.NameDisk, diff.Unknown, "does not tell its free disk"},
		"old brokers, declared":     {change: func(g *checks.Ground) { usable(g, -1); declared(36 * gib)(g) }},
		"the target refuses":        {func(g *checks.Ground) { g.TargetNodes[2].NoDisk = "no right" }, checks.NameDisk, diff.Unknown, "broker 2 of the target does not tell its disk: no right"},
		"the source refuses":        {func(g *checks.Ground) { g.SourceNodes[0].NoDisk = "no right" }, checks.NameDisk, diff.Unknown, "broker 0 of the source"},
		"too many partitions":       {func(g *checks.Ground) { g.Target.Replicas[1] = 4001 }, checks.NameLogs, diff.Unknown, "4001 replicas on broker 1"},
		"too many with those to be": {func(g *checks.Ground) { fresh(g); g.Wants[0].Partitions = 4001 }, checks.NameLogs, diff.Unknown, "about 4001 to come on each"},
		"smaller default":           {func(g *checks.Ground) { limited(g, g.Target.Topics, cluster.Config{Value: "1000"}) }, checks.NameMessages, diff.Fail, "t: 1048588 bytes on the source, 1000 on the target"},
		"smaller, but that is drift": {change: func(g *checks.Ground) {
			limited(g, g.Target.Topics, cluster.Config{Value: "1000", Source: cluster.SourceTopic})
		}},
		"smaller, as planned": {func(g *checks.Ground) { g.Wants[0].Configs = map[string]string{"max.message.bytes": "7"} }, checks.NameMessages, diff.Fail, "7 on the target"},
		"small by the brokers": {func(g *checks.Ground) {
			fresh(g)
			g.TargetNodes[1].Configs["message.max.bytes"] = cluster.Config{Value: "2000"}
		}, checks.NameMessages, diff.Fail, "2000 on the target"},
		"small requests": {func(g *checks.Ground) {
			g.TargetNodes[1].Configs["socket.request.max.bytes"] = cluster.Config{Value: "9"}
		}, checks.NameMessages, diff.Fail, "socket.request.max.bytes is 9"},
		"not told": {func(g *checks.Ground) {
			fresh(g)
			for i := range g.TargetNodes {
				g.TargetNodes[i].Configs = nil
			}
		}, checks.NameMessages, diff.Unknown, "1 topics whose limit"},
	} {
		t.Run(name, func(t *testing.T) {
			g := ground()
			c.change(&g)
			one(t, checks.Failing(checks.Capacity(g)), c.check, c.verdict, c.saw)
		})
	}
}

// one holds the failing results to one of that name, or none for "".
func one(t *testing.T, failing []checks.Result, check string, verdict diff.Verdict, saw string) {
	t.Helper()
	if check == "" {
		for _, f := range failing {
			t.Errorf("%s fails: %s", f.Name, f.Saw)
		}
		return
	}
	if len(failing) != 1 || failing[0].Name != check || failing[0].Verdict != verdict || !strings.Contains(failing[0].Saw, saw) {
		t.Fatalf("failing: %+v", failing)
	}
	if f := failing[0]; f.Advice == "" || f.Asked == "" || f.Object.Name == "" {
		t.Errorf("no advice: %+v", f)
	}
}
