package checks

import (
	"fmt"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// Ground is what the checks of capacity and of the brokers look at.
type Ground struct {
	Migration   *plan.Migration
	Source      cluster.Snapshot
	Target      cluster.Snapshot
	SourceNodes []cluster.Node
	TargetNodes []cluster.Node
	Wants       []diff.Wanted // what the selected topics have to be on the target
	Selected    []string      // groups of the plan's services, sorted
}

// Capacity judges whether the target has room for the selected topics: enough
// brokers, the racks that the plan asks for, disk, partitions, and message
// sizes.
func Capacity(g Ground) []Result {
	all := []Result{g.brokers()}
	if c := g.Migration.Target.Capacity; c != nil && c.Racks > 0 {
		all = append(all, g.racks(c.Racks), g.replicas(c.Racks))
	}
	return append(all, g.disk(), g.partitions(), g.messages())
}

func onTarget(name, asked string) Result {
	return Result{Name: name, Object: diff.Object{Kind: "cluster", Name: "target"}, Asked: asked, Verdict: diff.Pass}
}

func (g Ground) brokers() Result {
	r := onTarget(NameCapacity, "has the target as many brokers as the source?")
	r.Saw = fmt.Sprintf("%d brokers on the target, %d on the source", len(g.Target.Brokers), len(g.Source.Brokers))
	if len(g.Target.Brokers) < len(g.Source.Brokers) {
		r.Verdict = diff.Fail
		r.Advice = fmt.Sprintf("Add brokers, or say why fewer are enough: waive %q { reason = \"...\" }", NameCapacity)
	}
	return r
}

// partitionsPerBroker is what Kafka's operators have long been advised not to
// exceed; clusters with KRaft bear more.
const partitionsPerBroker = 4000

// partitions counts the replicas that the brokers hold and those of the topics
// that are still to be created.
func (g Ground) partitions() Result {
	r := onTarget(NameLogs, "do the target's brokers hold a reasonable number of partitions?")
	coming := 0
	for _, w := range g.Wants {
		if _, exists := g.Target.Topics[w.Name]; !exists {
			coming += int(w.Partitions) * int(w.ReplicationFactor)
		}
	}
	brokers := max(len(g.Target.Brokers), 1)
	share := (coming + brokers - 1) / brokers
	most, fullest := -1, int32(-1)
	for _, b := range g.Target.Brokers {
		if n := g.Target.Replicas[b.ID]; n > most {
			most, fullest = n, b.ID
		}
	}
	r.Saw = fmt.Sprintf("%d replicas on broker %d, the fullest, and about %d to come on each", max(most, 0), fullest, share)
	if most+share > partitionsPerBroker {
		r.Verdict = diff.Unknown
		r.Saw += fmt.Sprintf("; the advised limit is %d", partitionsPerBroker)
		r.Advice = fmt.Sprintf("Add brokers, or, where the target is known to bear it (KRaft bears more), say so: waive %q { reason = \"...\" }", NameLogs)
	}
	return r
}

// some lists the first few of many names.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
