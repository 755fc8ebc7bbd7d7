package checks_test

import (
	"strings"
	"testing"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/plan/diff"
)

func TestBrokers(t *testing.T) {
	set := func(nodes []cluster.Node, key string, values ...string) {
		for i, v := range values {
			nodes[i].Configs[key] = cluster.Config{Value: v}
		}
	}
	for name, c := range map[string]struct {
		change  func(*checks.Ground)
		check   string
		verdict diff.Verdict
		saw     string
	}{
		"all is well": {change: func(*checks.Ground) {}},
		"mixed": {func(g *checks.Ground) { g.SourceNodes[1].Requests = map[int16]cluster.Versions{1: {Max: 13}, 60: {}} },
			checks.NameVersions, diff.Unknown, "broker 0, 2: 2.8 or newer, ZooKeeper; broker 1: 3.1 or newer, ZooKeeper"},
		"positions forgotten": {func(g *checks.Ground) { set(g.TargetNodes, "offsets.retention.minutes", "10080", "1440") },
			checks.NameLimits, diff.Fail, "offsets.retention.minutes is 10080 on the source and 1440 on the target: positions"},
		"kept longer":          {change: func(g *checks.Ground) { set(g.TargetNodes, "offsets.retention.minutes", "20160") }},
		"short sessions":       {func(g *checks.Ground) { set(g.TargetNodes, "group.min.session.timeout.ms", "10000") }, checks.NameLimits, diff.Fail, "is 6000 on the source and 10000 on the target"},
		"the same sessions":    {change: func(g *checks.Ground) { set(g.TargetNodes, "group.min.session.timeout.ms", "6000") }},
		"shorter sessions":     {change: func(g *checks.Ground) { set(g.TargetNodes, "group.min.session.timeout.ms", "1000") }},
		"no right":             {func(g *checks.Ground) { g.TargetNodes[0].NoConfig = "no right" }, checks.NameLimits, diff.Unknown, "broker 0 of the target does not tell its configs: no right"},
		"topics by themselves": {func(g *checks.Ground) { set(g.TargetNodes, "auto.create.topics.enable", "false", "true") }, checks.NameAutoCreate, diff.Unknown, "true on broker 1"},
	} {
		t.Run(name, func(t *testing.T) {
			g := ground()
			c.change(&g)
			one(t, checks.Failing(checks.Brokers(g)), c.check, c.verdict, c.saw)
		})
	}
	saw := checks.Brokers(ground())[1].Saw
	if saw != "broker 0, 1, 2: 4.3 or newer, KRaft" {
		t.Errorf("the target: %s", saw)
	}
}

// A limit of the target is as wide as the source's, or wider: each of those of
// which a smaller one is the tighter.
func TestBrokerLimits(t *testing.T) {
	for _, key := range []string{
		"group.max.session.timeout.ms", "group.max.size", "max.connection.creation.rate", "max.connections", "max.connections.per.ip",
		"offset.metadata.max.bytes", "transaction.max.timeout.ms", "transactional.id.expiration.ms",
	} {
		for value, verdict := range map[string]diff.Verdict{"9": diff.Fail, "10": diff.Pass, "11": diff.Pass} {
			g := ground()
			for i := range g.SourceNodes {
				g.SourceNodes[i].Configs[key], g.TargetNodes[i].Configs[key] = cluster.Config{Value: "10"}, cluster.Config{Value: value}
			}
			failing, check := checks.Failing(checks.Brokers(g)), ""
			if verdict == diff.Fail {
				check = checks.NameLimits
			}
			t.Logf("%s is %s", key, value)
			one(t, failing, check, verdict, key+" is 10 on the source and "+value+" on the target: ")
		}
	}
}

// The note stands only where the target refuses what the source serves.
func TestOldClients(t *testing.T) {
	g := ground()
	if note := checks.OldClients(g); note == nil || note.Action != diff.Noteworthy || !strings.Contains(note.Reason, "older than 2.1") {
		t.Errorf("2.8 → 4.3: %+v", note)
	}
	g.SourceNodes = g.TargetNodes
	if note := checks.OldClients(g); note != nil {
		t.Errorf("4.3 → 4.3: %+v", note)
	}
	g = ground()
	g.TargetNodes = g.SourceNodes
	if note := checks.OldClients(g); note != nil {
		t.Errorf("2.8 → 2.8: %+v", note)
	}
}
