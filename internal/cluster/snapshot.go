package cluster

import "time"

// Broker is one broker as the cluster advertises it to the listener that
// asked.
type Broker struct {
	ID      int32
	Address string // host:port
	Rack    string
}

// Snapshot is what was observed of one cluster at one moment. It holds the
// topics and groups that were asked for, which may be fewer than the cluster
// has.
type Snapshot struct {
	ClusterID  string
	At         time.Time
	Brokers    []Broker
	Replicas   map[int32]int // by broker: how many replicas it holds of all the cluster's topics
	Controller int32
	Topics     map[string]Topic
	Others     []string // names of the cluster's topics that were not asked for, sorted
	Groups     map[string]Group
	LogEnds    map[TopicPartition]LogEnds
	Keyed      map[string]bool   // topics whose sampled newest records carry keys
	Unread     map[string]string // topics whose newest record could not be looked at, and why

	// Defaults are the configs of a topic on which nothing is set, as this
	// cluster would fill them in; nil where nobody asked. Its keys, with those
	// of Topics, are the config names that the cluster knows.
	Defaults map[string]Config

	// Access holds rules, quotas and users, as far as somebody asked for them.
	Access Access
}
