package cluster

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// ConfigSource says where the value of a config comes from, as DescribeConfigs
// reports it (KIP-226). Only SourceTopic means that somebody set it on the
// topic itself.
type ConfigSource int

// The sources, with Kafka's own numbers.
const (
	SourceUnknown              ConfigSource = 0
	SourceTopic                ConfigSource = 1
	SourceDynamicBroker        ConfigSource = 2
	SourceDynamicDefaultBroker ConfigSource = 3
	SourceStaticBroker         ConfigSource = 4
	SourceDefault              ConfigSource = 5
)

// Config is one config value of a topic.
type Config struct {
	Value     string
	Source    ConfigSource
	Sensitive bool // the broker does not tell the value
	ReadOnly  bool
}

// Partition is the metadata of one partition. Leader is -1 when there is none.
type Partition struct {
	ID          int32
	Leader      int32
	LeaderEpoch int32
	Replicas    []int32
	ISR         []int32
}

// Topic is what one cluster says about one topic.
type Topic struct {
	Name       string
	ID         string // KIP-516; empty on brokers that do not tell
	Internal   bool
	Partitions []Partition       // sorted by ID
	Configs    map[string]Config // every config, whatever its source
}

// ReplicationFactor is the number of replicas of the first partition, or 0.
func (t Topic) ReplicationFactor() int {
	if len(t.Partitions) == 0 {
		return 0
	}
	return len(t.Partitions[0].Replicas)
}

// SetConfigs returns the configs that are set on the topic itself, sorted by
// name.
func (t Topic) SetConfigs() []string {
	var names []string
	for name, c := range t.Configs {
		if c.Source == SourceTopic {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// LogEnds are the offsets of one partition, asked of its leader. A quiet
// partition has LogEnd == HighWatermark == LastStable (R4, R5).
type LogEnds struct {
	LogStart      int64
	LogEnd        int64 // ListOffsets with replica id -2
	HighWatermark int64
	LastStable    int64
}

// Settled reports whether nothing is open or unreplicated at the log's end.
func (l LogEnds) Settled() bool {
	return l.LogEnd == l.HighWatermark && l.HighWatermark == l.LastStable
}

// String is the partition as people write it: topic[3].
func (tp TopicPartition) String() string {
	return tp.Topic + "[" + strconv.Itoa(int(tp.Partition)) + "]"
}

// MarshalText lets partitions be keys of JSON objects.
func (tp TopicPartition) MarshalText() ([]byte, error) { return []byte(tp.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (tp *TopicPartition) UnmarshalText(text []byte) error {
	s := string(text)
	open := strings.LastIndexByte(s, '[')
	if open < 0 || !strings.HasSuffix(s, "]") {
		return fmt.Errorf("%q is not a partition: want topic[number]", s)
	}
	n, err := strconv.ParseInt(s[open+1:len(s)-1], 10, 32)
	if err != nil {
		return fmt.Errorf("%q is not a partition: %w", s, err)
	}
	tp.Topic, tp.Partition = s[:open], int32(n)
	return nil
}

// TopicSpec is a topic to create.
type TopicSpec struct {
	Name              string
	Partitions        int
	ReplicationFactor int
	Configs           map[string]string
}

// Record is what kplan wants to know of a data record: nothing of its content.
type Record struct {
	Offset     int64
	ProducerID int64 // -1: the producer is not idempotent
	HasKey     bool
	Unread     string // why the batch there cannot be read; empty: it can
}

// ErrBehind says that the leader of a partition does not show what another
// answer has shown before: it has not caught up yet, or the log was truncated.
// Nothing is known then; ask again.
var ErrBehind = errors.New("the leader shows less of the log than was there before: it has not caught up, or records were lost in an election")

// ErrTopicExists says that a topic to create is there already.
var ErrTopicExists = errors.New("the topic exists already")

// ErrGroupHasMembers says that positions cannot be placed because somebody
// reads with the group.
var ErrGroupHasMembers = errors.New("the group has members")

// ErrTransactionsUnknown says that the brokers are too old to list
// transactions.
var ErrTransactionsUnknown = errors.New("brokers before 3.0 do not list transactions")
