package checks

import (
	"fmt"
	"strconv"
	"strings"

	"kplan/internal/cluster"
	"kplan/plan"
	"kplan/plan/diff"
)

// defaultHeadroom is by how much the disk must exceed what is needed, where the
// plan does not say: indexes, segments that wait to be deleted, a busy day.
const defaultHeadroom = 1.2

// need is what the selected topics take on the target, in bytes.
type need struct {
	replica int64 // of one replica of each topic
	held    int64 // of what one replica of each grows by while its retention is held; an estimate
	copies  int64 // of all replicas, both of the above
	total   int64 // copies with headroom
	there   int64 // of total, what is on the target already
}

// disk judges whether the target has room: bytes of one replica of the selected
// topics on the source × replication factor on the target × headroom, less what
// is there already.
func (g Ground) disk() Result {
	r := onTarget(NameDisk, "has the target room for the selected topics?")
	unknown := func(saw, advice string) Result {
		r.Verdict, r.Saw, r.Advice = diff.Unknown, saw, advice
		return r
	}
	for _, n := range g.SourceNodes {
		if n.NoDisk != "" {
			return unknown(fmt.Sprintf("broker %d of the source does not tell the size of its logs: %s", n.ID, n.NoDisk),
				"Allow kplan to Describe the source's cluster (kafka-acls --operation Describe --cluster)")
		}
	}
	headroom := defaultHeadroom
	capacity := g.Migration.Target.Capacity
	if capacity != nil && capacity.Headroom > 0 {
		headroom = capacity.Headroom
	}
	n := g.needs(headroom)
	r.Saw = fmt.Sprintf("one replica of the selected topics has %s", bytesText(n.replica))
	if n.held > 0 {
		r.Saw += fmt.Sprintf(", %s more (an estimate) while retention is held for up to %s", bytesText(n.held), g.Migration.Scheme.DrainTimeout)
	}
	r.Saw += fmt.Sprintf("; all replicas on the target with a headroom of %v need %s", headroom, bytesText(n.total))
	if n.there > 0 {
		r.Saw += fmt.Sprintf(", %s of it are there", bytesText(n.there))
	}
	if n.total == 0 {
		return r
	}
	free, how, why := g.free(capacity)
	if why != "" {
		return unknown(r.Saw+"; "+why, fmt.Sprintf("Say how much disk the brokers of cluster %q have together: capacity { disk_bytes = bytes(\"4TiB\") }", g.Migration.Target.Name))
	}
	r.Saw += fmt.Sprintf("; %s are free (%s)", bytesText(free), how)
	if n.total-n.there > free {
		r.Verdict = diff.Fail
		r.Advice = "Add disk or brokers to the target, shorten retention on the source, or lower headroom in its capacity block"
	}
	return r
}

// needs adds the topics up. What held retention adds is estimated from the
// topics' size: a topic with a time limit holds about as much as was written in
// that time, so the time of holding, at most drain_timeout, adds its share. A
// topic younger than its time limit adds more than that.
func (g Ground) needs(headroom float64) need {
	logs := map[cluster.TopicPartition]int64{}
	for _, node := range g.SourceNodes {
		for tp, size := range node.Disk.Logs {
			logs[tp] = max(logs[tp], size) // a replica that lags has less
		}
	}
	sizes := map[string]int64{}
	for tp, size := range logs {
		sizes[tp.Topic] += size
	}
	var n need
	for _, w := range g.Wants {
		factor := int64(w.ReplicationFactor)
		if topic, exists := g.Target.Topics[w.Name]; exists {
			factor = int64(topic.ReplicationFactor())
		}
		size := sizes[w.Name]
		held := g.held(w.Name, size)
		n.replica += size
		n.held += held
		n.copies += (size + held) * factor
	}
	n.total = int64(float64(n.copies) * headroom)
	for _, node := range g.TargetNodes {
		for _, size := range node.Disk.Logs {
			n.there += size
		}
	}
	n.there = min(n.there, n.total)
	return n
}

func (g Ground) held(topic string, size int64) int64 {
	if g.Migration.Scheme.Kind != plan.ProductionFirst {
		return 0 // nothing waits on the target
	}
	configs := g.Source.Topics[topic].Configs
	ms, err := strconv.ParseInt(configs["retention.ms"].Value, 10, 64)
	if policy, told := configs["cleanup.policy"]; err != nil || ms <= 0 || told && !strings.Contains(policy.Value, "delete") {
		return 0 // nothing is deleted by age
	}
	return int64(float64(size) * float64(g.Migration.Scheme.DrainTimeout.Milliseconds()) / float64(ms))
}

// free says how many bytes may still be written to the target, how that is
// known, or why it is not. Replicas are spread evenly, so the broker with the
// least room decides for all.
func (g Ground) free(capacity *plan.Capacity) (free int64, how, why string) {
	free = -1
	var used int64
	least := cluster.Node{ID: -1}
	for _, n := range g.TargetNodes {
		used += n.Disk.Used
		switch {
		case n.NoDisk != "":
			why = fmt.Sprintf("broker %d of the target does not tell its disk: %s", n.ID, n.NoDisk)
		case n.Disk.Usable < 0:
			why = fmt.Sprintf("broker %d of the target does not tell its free disk, as brokers do from 3.3 on", n.ID)
		case least.ID < 0 || n.Disk.Usable < least.Disk.Usable:
			least = n
		}
	}
	if why == "" && least.ID >= 0 {
		free = least.Disk.Usable * int64(len(g.TargetNodes))
		how = fmt.Sprintf("%d brokers, %s on broker %d, which has the least", len(g.TargetNodes), bytesText(least.Disk.Usable), least.ID)
	}
	if capacity == nil || capacity.DiskBytes == 0 {
		return free, how, why
	}
	if declared := max(capacity.DiskBytes-used, 0); free < 0 || declared < free {
		return declared, fmt.Sprintf("the plan declares %s, and %s are used", bytesText(capacity.DiskBytes), bytesText(used)), ""
	}
	return free, how, ""
}

// bytesText is a number of bytes for people.
func bytesText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, exponent := float64(n)/unit, 0
	for value >= unit && exponent < 5 {
		value /= unit
		exponent++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[exponent])
}
