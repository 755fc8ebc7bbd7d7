package checks_test

import (
	"strings"
	"testing"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// Records that the mirror has not brought, and configs that kplan may not
// change, are found before the copy begins, and only then; without a mirror
// nothing is asked.
func TestMirrorTarget(t *testing.T) {
	tp := cluster.TopicPartition{Topic: "t"}
	held := func(g *checks.Ground) {
		g.Target.LogEnds = map[cluster.TopicPartition]cluster.LogEnds{tp: {LogStart: 5, LogEnd: 12}}
	}
	short := func(g *checks.Ground) {
		g.Target.Topics["t"] = cluster.Topic{Configs: map[string]cluster.Config{"cleanup.policy": {Value: "compact", Source: cluster.SourceTopic}, "retention.ms": {Value: "-1"}}}
	}
	named := func(g *checks.Ground) { g.Migration.Topics.Named = []plan.NamedTopic{{Name: "t"}} }
	for name, c := range map[string]struct {
		change []func(*checks.Ground)
		begun  bool
		owned  bool
		want   []string // what failing results say
	}{
		"empty":               {},
		"records":             {change: []func(*checks.Ground){held}, want: []string{"holds 7 offsets"}},
		"records, begun":      {change: []func(*checks.Ground){held}, begun: true},
		"not ours":            {change: []func(*checks.Ground){short}, want: []string{"cleanup.policy"}},
		"not ours, and named": {change: []func(*checks.Ground){short, named}},
		"ours":                {change: []func(*checks.Ground){short}, owned: true},
		"both":                {change: []func(*checks.Ground){held, short}, want: []string{"holds 7 offsets", "cleanup.policy"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := ground()
			g.Migration.Mirror = &plan.Mirror{}
			g.Wants = []diff.Wanted{{Name: "t"}, {Name: "missing"}}
			g.Target.Topics = map[string]cluster.Topic{"t": {Configs: map[string]cluster.Config{"retention.ms": {Value: "-1"}}}}
			for _, change := range c.change {
				change(&g)
			}
			var got []string
			for _, r := range checks.MirrorTarget(g, c.begun, map[string]bool{"t": c.owned}) {
				if r.Verdict != diff.Pass {
					got = append(got, r.Saw)
				}
			}
			if len(got) != len(c.want) {
				t.Fatalf("found %q, want %q", got, c.want)
			}
			for i, want := range c.want {
				if !strings.Contains(got[i], want) {
					t.Errorf("found %q, want %q", got[i], want)
				}
			}
		})
	}
	if found := checks.MirrorTarget(ground(), false, nil); found != nil {
		t.Errorf("without a mirror: %v", found)
	}
}
