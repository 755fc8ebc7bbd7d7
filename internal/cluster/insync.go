package cluster

import "strconv"

// MinInSync is the config that says how many replicas have to be in sync for a
// write with acks=all.
const MinInSync = "min.insync.replicas"

// LeastInSync is how many replicas of a partition have to be in sync for a write
// with acks=all. Brokers from 4.0 want no more than the partition has (capped;
// KIP-966); on older ones a topic with fewer replicas takes no such write.
func LeastInSync(config string, replicas int, capped bool) int {
	least, err := strconv.Atoi(config)
	if err != nil {
		least = 1 // Kafka's default
	}
	if capped {
		return min(least, replicas)
	}
	return least
}

// Unwritable returns the partitions of a topic that take no write with acks=all
// now, with how many replicas of theirs are in sync, and how many have to be.
// What the brokers do not tell is left out.
func (t Topic) Unwritable(capped bool) []ShortPartition {
	var all []ShortPartition
	for _, p := range t.Partitions {
		least := LeastInSync(t.Configs[MinInSync].Value, len(p.Replicas), capped)
		if len(p.ISR) > 0 && len(p.ISR) < least {
			all = append(all, ShortPartition{Partition: p.ID, InSync: len(p.ISR), Replicas: len(p.Replicas), Least: least})
		}
	}
	return all
}

// ShortPartition is a partition with too few replicas in sync.
type ShortPartition struct {
	Partition               int32
	InSync, Replicas, Least int
}
