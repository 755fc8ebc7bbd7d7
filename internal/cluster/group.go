package cluster

// GroupType is the protocol that a group speaks, as ListGroups v5 names it.
// Brokers before 4.0 (group types: KIP-848) do not tell; theirs are classic.
type GroupType string

// The group types that kplan tells apart.
const (
	GroupClassic  GroupType = "classic"
	GroupConsumer GroupType = "consumer" // KIP-848
	GroupShare    GroupType = "share"    // KIP-932
	GroupStreams  GroupType = "streams"  // KIP-1071
)

// OwnPrefix begins the names of kplan's own topics and groups.
const OwnPrefix = "_kplan."

// Member is one member of a group.
type Member struct {
	ID         string
	InstanceID string // group.instance.id of a static member, else empty
	ClientID   string
	Host       string
	Assigned   []TopicPartition
	Subscribed []string // topics, as far as the broker tells
}

// Commit is a committed position: the next offset to read.
type Commit struct {
	Offset   int64
	Metadata string
}

// LowestCommit is the lowest position that any group has committed on a partition.
type LowestCommit struct {
	Offset int64
	Group  string
}

// Group is what one cluster says about one group.
type Group struct {
	ID      string
	Type    GroupType
	State   string // Kafka's word: Empty, Stable, PreparingRebalance, ...
	Members []Member
	Commits map[TopicPartition]Commit
}

// Topics returns the topics on which the group has a commit, an assignment or
// a subscription, without duplicates and in no order.
func (g Group) Topics() map[string]bool {
	topics := map[string]bool{}
	for tp := range g.Commits {
		topics[tp.Topic] = true
	}
	for _, m := range g.Members {
		for _, tp := range m.Assigned {
			topics[tp.Topic] = true
		}
		for _, t := range m.Subscribed {
			topics[t] = true
		}
	}
	return topics
}
