package kafka

import (
	"testing"

	"kplan/internal/cluster"
)

// What the brokers call internal is in no snapshot, whatever a pattern says, and
// what a pattern covers of it makes nobody a reader.
func TestInternalIsWhatTheBrokersSay(t *testing.T) {
	v := view{
		topics: map[string]cluster.Topic{
			"__cdc": {Name: "__cdc", Partitions: []cluster.Partition{{ID: 0}}}, "__ours": {Name: "__ours", Internal: true, Partitions: []cluster.Partition{{ID: 0}}},
		},
		leaders: map[cluster.TopicPartition]leader{{Topic: "__cdc"}: {id: 1}, {Topic: "__ours"}: {id: 1}},
		others:  []string{"else"},
	}
	v.leaveInternal()
	want := v.wants(func(string) bool { return true })
	if len(v.topics) != 1 || len(v.leaders) != 1 || !want("__cdc") || want("__ours") || want("else") {
		t.Errorf("%+v", v)
	}
}
