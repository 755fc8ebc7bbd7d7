package diff_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

func TestHoldConfigs(t *testing.T) {
	for _, test := range []struct {
		name, topic string
		set         map[string]string
		restore     map[string]string // "" is unset
		ok          bool
	}{
		{"set on the topic", "1 1 ~cleanup.policy=delete retention.ms=5 retention.bytes=6",
			map[string]string{"retention.ms": "-1", "retention.bytes": "-1"}, map[string]string{"retention.ms": "5", "retention.bytes": "6"}, true},
		{"inherited", "1 1 ~cleanup.policy=delete ~retention.ms=5 ~retention.bytes=-1",
			map[string]string{"retention.ms": "-1"}, map[string]string{"retention.ms": ""}, true},
		{"compacted and deleted", "1 1 cleanup.policy=compact,delete retention.ms=5",
			map[string]string{"retention.ms": "-1"}, map[string]string{"retention.ms": "5"}, true},
		{"compacted only", "1 1 cleanup.policy=compact retention.ms=5", nil, nil, false},
		{"without limits", "1 1 retention.ms=-1 ~retention.bytes=-1", map[string]string{}, map[string]string{}, false},
		{"nothing told", "1 1", map[string]string{"retention.ms": "-1"}, map[string]string{"retention.ms": ""}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := topic(test.topic)
			set, restore, ok := diff.HoldConfigs(before)
			if ok != test.ok {
				t.Errorf("ok = %v", ok)
			}
			var values map[string]string
			if restore != nil {
				values = map[string]string{}
			}
			for k, v := range restore {
				values[k] = ""
				if v != nil {
					values[k] = *v
				}
			}
			if d := cmp.Diff(test.set, set); d != "" {
				t.Errorf("set (-want +got):\n%s", d)
			}
			if d := cmp.Diff(test.restore, values); d != "" {
				t.Errorf("restore (-want +got):\n%s", d)
			}
		})
	}
}

func TestRetention(t *testing.T) {
	hour := "3600000"
	for _, test := range []struct {
		name, target string
		edit         func(*plan.Migration)
		owned        map[string]bool
		want         diff.Verdict // "" is no check
	}{
		{name: "short", target: "1 1 ~retention.ms=" + hour, want: diff.Fail},
		{name: "just enough", target: "1 1 ~retention.ms=14400000 ~retention.bytes=-1"},
		{name: "limited by size", target: "1 1 retention.ms=-1 retention.bytes=1000", want: diff.Unknown},
		{name: "not a number", target: "1 1 retention.ms=soon", want: diff.Unknown},
		{name: "compacted", target: "1 1 retention.ms=" + hour + " cleanup.policy=compact"},
		{name: "held: ours", target: "1 1 retention.ms=" + hour, owned: map[string]bool{"t": true}},
		{name: "held: named", target: "1 1 retention.ms=" + hour,
			edit: func(m *plan.Migration) { m.Topics.Named = []plan.NamedTopic{{Name: "t"}} }},
		{name: "nobody waits with production_later", target: "1 1 retention.ms=" + hour,
			edit: func(m *plan.Migration) { m.Scheme.Kind = plan.ProductionLater }},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &plan.Migration{
				Scheme:   plan.Scheme{Kind: plan.ProductionFirst, DrainTimeout: 2 * time.Hour},
				Services: []*plan.Service{{Name: "c", Consumes: refs("t"), Groups: refs("g")}},
			}
			if test.edit != nil {
				test.edit(m)
			}
			var got diff.Verdict
			for _, c := range diff.LeftOf(diff.Steps(build(t, m, cluster.Source))).Retention(m, cluster.Snapshot{Topics: topics(map[string]string{"t": test.target})}, test.owned) {
				got = c.Verdict
			}
			if got != test.want {
				t.Errorf("verdict %q, want %q", got, test.want)
			}
		})
	}
}
