package checks

import (
	"fmt"
	"slices"
	"strings"

	"kplan/plan/diff"
)

// racksOf returns the racks of the target's brokers by broker, their names, and
// the brokers that tell none.
func (g Ground) racksOf() (by map[int32]string, names, without []string) {
	by = map[int32]string{}
	for _, b := range g.Target.Brokers {
		if b.Rack == "" {
			without = append(without, fmt.Sprint(b.ID))
			continue
		}
		by[b.ID] = b.Rack
		if !slices.Contains(names, b.Rack) {
			names = append(names, b.Rack)
		}
	}
	slices.Sort(names)
	return by, names, without
}

// racks judges whether the target's brokers span the racks that are asked for,
// all of them with a rack: a broker without one gets replicas as if racks did
// not exist.
func (g Ground) racks(want int) Result {
	r := onTarget(NameRacks, fmt.Sprintf("do the target's brokers span %d racks?", want))
	_, names, without := g.racksOf()
	r.Saw = fmt.Sprintf("%d racks", len(names))
	if len(names) > 0 {
		r.Saw += ": " + strings.Join(names, ", ")
	}
	if len(without) > 0 {
		r.Saw += "; no broker.rack on broker " + some(without)
	}
	if len(names) < want || len(without) > 0 {
		r.Verdict = diff.Fail
		r.Advice = fmt.Sprintf("Set broker.rack on every broker of the target and spread them over %d racks, or correct capacity { racks } of cluster %q", want, g.Migration.Target.Name)
	}
	return r
}

// replicas judges whether the replicas of every selected topic span the racks:
// by their places where the topic exists, else by their number, since Kafka
// spreads the replicas of a new topic over the racks when every broker has one.
func (g Ground) replicas(want int) Result {
	r := onTarget(NameReplicas, fmt.Sprintf("do the replicas of every selected topic span %d racks?", want))
	by, _, _ := g.racksOf()
	var narrow []string
	partitions := 0
	for _, w := range g.Wants {
		topic, exists := g.Target.Topics[w.Name]
		if !exists {
			if int(w.ReplicationFactor) < want {
				narrow = append(narrow, fmt.Sprintf("%s is to have %d replicas", w.Name, w.ReplicationFactor))
			}
			continue
		}
		bad, example := 0, ""
		for _, p := range topic.Partitions {
			partitions++
			var in []string
			for _, broker := range p.Replicas {
				if rack := by[broker]; rack != "" && !slices.Contains(in, rack) {
					in = append(in, rack)
				}
			}
			if len(in) >= want {
				continue
			}
			bad++
			if example == "" {
				example = fmt.Sprintf("[%d] has %d replicas in %d racks", p.ID, len(p.Replicas), len(in))
				if len(in) > 0 {
					example += " (" + strings.Join(in, ", ") + ")"
				}
			}
		}
		if bad > 1 {
			example += fmt.Sprintf(", and so %d more of its partitions", bad-1)
		}
		if bad > 0 {
			narrow = append(narrow, w.Name+example)
		}
	}
	r.Saw = fmt.Sprintf("%d partitions on the target do, and topics still to be created have enough replicas", partitions)
	if len(narrow) > 0 {
		r.Verdict, r.Saw = diff.Fail, some(narrow)
		r.Advice = fmt.Sprintf("Move replicas with kafka-reassign-partitions, and set topics { parity { replication_factor = %d } } or more", want)
	}
	return r
}
