package cluster

import "time"

// Technique is one thing that the mirror relies on brokers for (R22).
type Technique string

// The techniques, in the order in which they are tried.
const (
	TrySequence  Technique = "sequence"  // a producer id that is new to a partition may begin with any sequence
	TryDuplicate Technique = "duplicate" // a batch that is sent again is recognised
	TryOrder     Technique = "order"     // a sequence that leaves a gap is refused
	TryEpoch     Technique = "epoch"     // an older producer epoch is refused
	TryLogEnd    Technique = "logend"    // replica id -2 and -1 tell the same end of a quiet log (R5)
	TryDelete    Technique = "delete"    // DeleteRecords moves the log start
	TryMarkers   Technique = "markers"   // WriteTxnMarkers adds one offset a marker
)

// Techniques returns all of them in their order.
func Techniques() []Technique {
	return []Technique{TrySequence, TryDuplicate, TryOrder, TryEpoch, TryLogEnd, TryDelete, TryMarkers}
}

// Outcome is what came of a trial.
type Outcome string

// The outcomes.
const (
	Holds     Outcome = "holds"
	Broken    Outcome = "broken"    // the brokers do something else
	Forbidden Outcome = "forbidden" // kplan's principal may not
	Untried   Outcome = "untried"   // an earlier trial, or the connection, came between
)

// Trial is one technique on one cluster.
type Trial struct {
	Technique Technique `json:"technique"`
	Outcome   Outcome   `json:"outcome"`
	Saw       string    `json:"saw"` // what was sent and what came back
}

// Conformance is what a cluster showed on a scratch topic.
type Conformance struct {
	Cluster string  `json:"cluster"` // the plan's name
	Topic   string  `json:"topic"`   // empty: it could not be created
	Left    string  `json:"left"`    // why the topic is still there; empty: it is gone
	Trials  []Trial `json:"trials"`
}

// Load is what a cluster bore on a scratch topic. Bytes are those of records
// before replication.
type Load struct {
	Cluster    string        `json:"cluster"`
	Topic      string        `json:"topic"`
	Left       string        `json:"left"`
	Partitions int           `json:"partitions"`
	Replicas   int           `json:"replication_factor"`
	Wanted     float64       `json:"wanted_bytes_per_second"`
	Achieved   float64       `json:"achieved_bytes_per_second"` // acknowledged by all in-sync replicas
	Records    int64         `json:"records"`
	RecordSize int           `json:"record_bytes"`
	Took       time.Duration `json:"nanoseconds"`
	Slowest    time.Duration `json:"slowest_nanoseconds"` // from handing a record over to its acknowledgement
	Failed     string        `json:"failed"`              // why it ended early; empty: it did not
}
