package cluster

// Versions are the first and the last version of a request that a broker
// speaks.
type Versions struct{ Min, Max int16 }

// Node is what one broker says about itself. What it does not say has a reason:
// it may want rights (Describe and DescribeConfigs on the cluster), or be no
// Apache Kafka.
type Node struct {
	ID       int32
	Requests map[int16]Versions // by request key, as ApiVersions lists them (KIP-35)
	Features map[string]int16   // finalized features and their levels (KIP-584); none on ZooKeeper before 3.3

	Configs  map[string]Config // of the broker, some of them; nil when it does not tell
	NoConfig string            // why not

	Disk   Disk
	NoDisk string // why it does not tell of its disk
}

// Disk is what a broker says about its log directories, all together.
type Disk struct {
	Used   int64 // bytes of all logs
	Usable int64 // bytes that may still be written; -1: the broker does not tell (before 3.3, KIP-827)
	Logs   map[TopicPartition]int64
}
