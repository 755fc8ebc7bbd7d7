package checks_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/checks"
	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// Only what holds back the last stable offset of a topic that a service still
// writes is asked about; what is open for long fails, what nobody tells the age
// of is not known.
func TestTransactions(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	g := ground()
	g.Migration.Services = []*plan.Service{{Name: "a", Produces: []plan.NamedRef{{Name: "t"}, {Name: "moved"}}}}
	behind := cluster.LogEnds{LogEnd: 9, HighWatermark: 9, LastStable: 5}
	g.Source.LogEnds = map[cluster.TopicPartition]cluster.LogEnds{
		tp(0): behind, tp(1): {LogEnd: 9, HighWatermark: 9, LastStable: 9}, {Topic: "moved"}: behind, {Topic: "other"}: behind,
	}
	side := func(topic string) cluster.Side {
		if topic == "moved" {
			return cluster.Target
		}
		return cluster.Source
	}
	if d := cmp.Diff(map[string][]int32{"t": {0}}, checks.HeldBack(g, side)); d != "" {
		t.Error(d)
	}
	command := func(cluster.OpenTransaction) string { return "kafka-transactions.sh abort" }
	open := func(since time.Time) []cluster.OpenTransaction {
		return []cluster.OpenTransaction{{Partition: tp(0), ProducerID: 4711, Since: since}}
	}
	for name, c := range map[string]struct {
		open []cluster.OpenTransaction
		err  error
		want diff.Verdict
	}{
		"none":      {nil, nil, diff.Pass},
		"young":     {open(now.Add(-30 * time.Second)), nil, diff.Pass},
		"old":       {open(now.Add(-10 * time.Minute)), nil, diff.Fail},
		"unknown":   {open(time.Time{}), nil, diff.Unknown},
		"not asked": {nil, errors.New("not allowed"), diff.Unknown},
	} {
		all := checks.Transactions(g, c.open, c.err, now, command)
		if len(all) != 1 || all[0].Verdict != c.want {
			t.Errorf("%s: %+v", name, all)
		}
		if c.want == diff.Fail && (!strings.Contains(all[0].Saw, "producer id 4711") || !strings.Contains(all[0].Saw, "10m0s") || !strings.Contains(all[0].Advice, "kafka-transactions.sh abort")) {
			t.Errorf("it says %+v", all[0])
		}
	}
}
