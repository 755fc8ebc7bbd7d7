package checks

import (
	"fmt"
	"slices"
	"strconv"

	"kplan/internal/cluster"
	"kplan/plan/diff"
)

// NameWritable is the check whether producers can write.
const NameWritable = "topics.writable"

const askedWritable = "can a producer write there with acks=all?"

// Writable judges whether min.insync.replicas lets anybody write with acks=all,
// wherever it is set (the topic, a broker, the cluster's default): on the target
// to every selected topic, as it is and as kplan will make it, and on the source
// to those that services write, since they may have to go back (R13). owned are
// the topics that kplan created.
func Writable(g Ground, owned map[string]bool) []Result {
	var all []Result
	for _, w := range g.Wants {
		topic, exists := g.Target.Topics[w.Name]
		if exists {
			topic.Name = w.Name
			all = append(all, judgeInSync(cluster.Target, topic, g.TargetNodes, diff.MayAlter(g.Migration, owned, w.Name))...)
		}
		if !exists || diff.MayAlter(g.Migration, owned, w.Name) && w.Configs[cluster.MinInSync] != "" {
			all = append(all, g.toBe(w, topic, exists)...)
		}
	}
	for _, name := range produced(g) {
		if topic, exists := g.Source.Topics[name]; exists {
			topic.Name = name
			all = append(all, judgeInSync(cluster.Source, topic, g.SourceNodes, false)...)
		}
	}
	if len(all) == 0 {
		all = append(all, Result{Name: NameWritable, Object: diff.Object{Kind: "plan", Name: g.Migration.Name}, Verdict: diff.Pass, Asked: askedWritable,
			Saw: "min.insync.replicas is nowhere above the replicas that are in sync, or will be"})
	}
	return all
}

func produced(g Ground) []string {
	var names []string
	for _, s := range g.Migration.Services {
		for _, t := range s.Produces {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// toBe judges a topic as kplan will make it.
func (g Ground) toBe(w diff.Wanted, is cluster.Topic, exists bool) []Result {
	replicas, value := int(w.ReplicationFactor), w.Configs[cluster.MinInSync]
	if exists {
		replicas = is.ReplicationFactor()
	}
	if value == "" {
		value = strictest(g.Target.Defaults[cluster.MinInSync].Value, g.TargetNodes)
	}
	least := cluster.LeastInSync(value, replicas, CapsInSync(g.TargetNodes))
	if replicas == 0 || least <= replicas {
		return nil
	}
	saw := fmt.Sprintf("it will have %s and min.insync.replicas = %s, which brokers before 4.0 never reach: nobody could write with acks=all", replicasOf(replicas), value)
	return []Result{notWritable(w.Name, saw, fmt.Sprintf(
		"Set it in the plan (topics { topic %q { config = { \"min.insync.replicas\" = \"%d\" } } }), or give the topic more replicas (parity { replication_factor = %d })", w.Name, replicas, least))}
}

// judgeInSync judges a topic as it is. kept says that kplan keeps its configs as
// the plan wants them.
func judgeInSync(side cluster.Side, topic cluster.Topic, nodes []cluster.Node, kept bool) []Result {
	if c := topic.Configs[cluster.MinInSync]; c.Source != cluster.SourceTopic {
		configs := map[string]cluster.Config{}
		for k, v := range topic.Configs {
			configs[k] = v
		}
		configs[cluster.MinInSync] = cluster.Config{Value: strictest(c.Value, nodes), Source: c.Source}
		topic.Configs = configs
	}
	short := topic.Unwritable(CapsInSync(nodes))
	if len(short) == 0 {
		return nil
	}
	p := short[0]
	saw := fmt.Sprintf("%s of %d partitions on the %s take no write with acks=all: partition %d has %d of %s in sync, and min.insync.replicas wants %d",
		strconv.Itoa(len(short)), len(topic.Partitions), side, p.Partition, p.InSync, replicasOf(p.Replicas), p.Least)
	advice := "Bring the brokers back that hold the other replicas (kafka-topics.sh --describe --under-min-isr-partitions names the partitions)"
	switch {
	case p.Least > p.Replicas && kept:
		advice = fmt.Sprintf("Lower it in the plan (topics { topic %q { config = { \"min.insync.replicas\" = \"%d\" } } }), or give the topic more replicas (kafka-reassign-partitions.sh)", topic.Name, p.Replicas)
	case p.Least > p.Replicas:
		advice = fmt.Sprintf("Lower it to %d at most (kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config min.insync.replicas=%d), or give the topic more replicas (kafka-reassign-partitions.sh)", p.Replicas, topic.Name, p.Replicas)
	}
	return []Result{notWritable(topic.Name, saw, advice)}
}

func replicasOf(n int) string {
	if n == 1 {
		return "1 replica"
	}
	return strconv.Itoa(n) + " replicas"
}

func notWritable(topic, saw, advice string) Result {
	return Result{Name: NameWritable, Object: diff.Object{Kind: "topic", Name: topic}, Verdict: diff.Fail, Asked: askedWritable, Saw: saw, Advice: advice}
}

// strictest is the greatest min.insync.replicas of the cluster's default and of
// the brokers, any of which may come to lead a partition.
func strictest(value string, nodes []cluster.Node) string {
	most := cluster.LeastInSync(value, 0, false)
	for _, n := range nodes {
		most = max(most, cluster.LeastInSync(n.Configs[cluster.MinInSync].Value, 0, false))
	}
	return strconv.Itoa(most)
}

// CapsInSync reports whether all brokers are of 4.0 or newer: they want no more
// replicas in sync than a partition has.
func CapsInSync(nodes []cluster.Node) bool {
	return len(nodes) > 0 && !slices.ContainsFunc(nodes, func(n cluster.Node) bool { return releaseOf(n).before(release{4, 0}) })
}
