package workload

import (
	"fmt"
	"strings"
	"time"

	"kplan/internal/cluster"
)

// Report is what the ledgers of a work directory prove.
type Report struct {
	Topics []TopicReport `json:"topics"`
	Pauses []Pause       `json:"pauses"`
}

// TopicReport counts one topic, over both clusters.
type TopicReport struct {
	Topic    string `json:"topic"`
	Produced int64  `json:"produced"` // acknowledged records, each once
	Repeated int64  `json:"repeated"` // acknowledged again by a producer or processor
	Refused  int64  `json:"refused"`  // given up by a producer, and seen by no reader
	// Readers has one entry per consumer group (or groupless reader).
	Readers  []ReaderReport `json:"readers"`
	Examples []Example      `json:"examples,omitempty"` // of what was repeated or refused
}

// ReaderReport counts what one group saw of one topic.
type ReaderReport struct {
	Group    string   `json:"group"`
	Services []string `json:"services"`
	Received int64    `json:"received"` // good records, each once
	Lost     int64    `json:"lost"`     // acknowledged, never received
	Twice    int64    `json:"twice"`    // received again
	// OutOfOrder counts records, not repeats, that came below the highest
	// sequence of their key that the group had seen on the same cluster.
	OutOfOrder int64 `json:"out_of_order"`
	// OutOfOrderBetween counts those that were in order on their own cluster
	// but came below what the group had seen on the other one. The scheme
	// production_later promises nothing about these.
	OutOfOrderBetween int64 `json:"out_of_order_between_clusters"`
	BadChecksum       int64 `json:"bad_checksum"`
	// Unacknowledged counts records received that no producer got an
	// acknowledgement for. They are no fault: the answer was lost, or the
	// ledgers were read while the producers ran.
	Unacknowledged int64     `json:"unacknowledged"`
	Examples       []Example `json:"examples,omitempty"` // at most maxExamples of each kind
}

// Example names one record. Place and time are where it was written for a lost
// one and where it was seen (again, too late) for the others.
type Example struct {
	Kind      string       `json:"kind"` // lost, twice, out of order, out of order between clusters, bad checksum, repeated, refused
	Key       string       `json:"key"`
	Seq       int64        `json:"seq"`
	Side      cluster.Side `json:"side"`
	Partition int32        `json:"partition"`
	Offset    int64        `json:"offset"`
	At        time.Time    `json:"at"`
}

// Pause is the longest time between two neighbouring deeds of a service, on
// whichever side.
type Pause struct {
	Service string       `json:"service"`
	What    string       `json:"what"` // produced or received
	Longest float64      `json:"longest_ms"`
	Start   time.Time    `json:"start"`
	From    cluster.Side `json:"from"` // the side before the gap
	To      cluster.Side `json:"to"`   // the side after it
}

const maxExamples = 5

// Clean reports whether nothing at all went wrong: nothing lost, twice, out of
// order, damaged, repeated or refused.
func (r Report) Clean() bool { return r.CleanPerCluster() && r.between() == 0 }

// CleanPerCluster is Clean without the order between the two clusters: what
// production_later promises.
func (r Report) CleanPerCluster() bool {
	for _, t := range r.Topics {
		if t.Repeated+t.Refused > 0 {
			return false
		}
		for _, c := range t.Readers {
			if c.Lost+c.Twice+c.OutOfOrder+c.BadChecksum > 0 {
				return false
			}
		}
	}
	return true
}

func (r Report) between() int64 {
	var n int64
	for _, t := range r.Topics {
		for _, c := range t.Readers {
			n += c.OutOfOrderBetween
		}
	}
	return n
}

// Sentences says what went wrong, one sentence per kind, topic and group, with
// examples; empty when the report is clean.
func (r Report) Sentences() []string {
	var out []string
	for _, t := range r.Topics {
		out = append(out, say(t.Repeated, "Topic %s: %s written twice%s.", t.Topic, examples(t.Examples, "repeated"))...)
		out = append(out, say(t.Refused, "Topic %s: %s refused by the cluster%s.", t.Topic, examples(t.Examples, "refused"))...)
		for _, c := range t.Readers {
			for _, k := range []struct {
				n          int64
				kind, text string
			}{
				{c.Lost, "lost", "lost"},
				{c.Twice, "twice", "received twice"},
				{c.OutOfOrder, "out of order", "received out of order"},
				{c.OutOfOrderBetween, "out of order between clusters", "received out of order between the two clusters"},
				{c.BadChecksum, "bad checksum", "received with a bad checksum"},
			} {
				out = append(out, say(k.n, "Topic %s, group "+c.Group+": %s "+k.text+"%s.", t.Topic, examples(c.Examples, k.kind))...)
			}
		}
	}
	return out
}

func say(n int64, format, topic, examples string) []string {
	if n == 0 {
		return nil
	}
	count := fmt.Sprintf("%d records", n)
	if n == 1 {
		count = "1 record"
	}
	return []string{fmt.Sprintf(format, topic, count, examples)}
}

func examples(all []Example, kind string) string {
	var parts []string
	for _, e := range all {
		if e.Kind == kind {
			parts = append(parts, fmt.Sprintf("key %s seq %d (%s, partition %d, offset %d)", e.Key, e.Seq, e.Side, e.Partition, e.Offset))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ", such as " + strings.Join(parts, ", ")
}
