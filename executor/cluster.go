package executor

import (
	"context"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
)

// Topics changes topics, many at once. The maps hold those that were refused,
// with the reason; the error is that of a whole request.
type Topics interface {
	CreateTopics(ctx context.Context, specs []cluster.TopicSpec, validateOnly bool) (map[string]error, error)
	GrowTopics(ctx context.Context, totals map[string]int, validateOnly bool) (map[string]error, error)
	AlterTopics(ctx context.Context, changes map[string]map[string]*string, validateOnly bool) (map[string]error, error)
}

// TopicReader describes topics; those that are missing are absent.
type TopicReader interface {
	TopicsNamed(ctx context.Context, names []string) (map[string]cluster.Topic, error)
}

// Logs reads where logs end (R5) and whether a range holds data (R7).
type Logs interface {
	LogEnds(ctx context.Context, topics []string) (map[cluster.TopicPartition]cluster.LogEnds, error)
	FirstRecord(ctx context.Context, tp cluster.TopicPartition, from, before int64) (cluster.Record, bool, error)
}

// Positions reads and places committed offsets.
type Positions interface {
	StableCommits(ctx context.Context, group string, partitions map[string][]int32) (map[cluster.TopicPartition]cluster.Commit, error)
	Commit(ctx context.Context, group string, positions map[cluster.TopicPartition]cluster.Commit) error
}

// Members reads groups and takes out members that went without saying so.
type Members interface {
	Group(ctx context.Context, id string) (cluster.Group, error)
	RemoveMembers(ctx context.Context, group string, members []cluster.Member) error
}

// Transactions lists the open transactions that hold a group's offsets (R9), and
// those that hold back the last stable offset of partitions (R4). On
// brokers that cannot tell, the error is cluster.ErrTransactionsUnknown.
type Transactions interface {
	OffsetTransactions(ctx context.Context, group string) ([]string, error)
	OpenTransactions(ctx context.Context, partitions map[string][]int32) ([]cluster.OpenTransaction, error)
}

// Rules adds and takes away access rules. The maps hold those that were refused;
// the error is that of a whole request. A rule that is there already, or gone, is
// fine.
type Rules interface {
	CreateACLs(ctx context.Context, rules []cluster.ACL) (map[cluster.ACL]error, error)
	DeleteACLs(ctx context.Context, rules []cluster.ACL) (map[cluster.ACL]error, error)
}

// RuleReader reads all access rules, as the cluster knows them and as one of its
// brokers does: they reach the brokers one after the other (R8).
type RuleReader interface {
	ACLs(ctx context.Context) ([]cluster.ACL, error)
	ACLsOn(ctx context.Context, broker int32) ([]cluster.ACL, error)
}

// Quotas reads and sets client quotas: keys that are given, no others. The map
// holds the entities that were refused.
type Quotas interface {
	Quotas(ctx context.Context) ([]cluster.Quota, error)
	SetQuotas(ctx context.Context, quotas []cluster.Quota, validateOnly bool) (map[cluster.QuotaEntity]error, error)
}

// Users lists and creates SCRAM users. One that is there already is
// cluster.ErrUserExists, and keeps its password.
type Users interface {
	ScramUsers(ctx context.Context) ([]cluster.ScramUser, error)
	CreateScramUser(ctx context.Context, user cluster.ScramUser, password string) error
}

// Brokers lists the brokers that a cluster has now.
type Brokers interface {
	BrokerIDs(ctx context.Context) ([]int32, error)
}

// Cluster is one side of the migration.
type Cluster interface {
	Topics
	TopicReader
	Logs
	Positions
	Members
	Transactions
	Rules
	RuleReader
	Quotas
	Users
	Brokers
}

// Switch stops and starts one service. Stop and Start are idempotent; Check
// says where it runs now. step is the address that asks, for logs.
type Switch interface {
	Stop(ctx context.Context, side cluster.Side, step string) error
	Start(ctx context.Context, side cluster.Side, step string) error
	Check(ctx context.Context, step string) ([]cluster.Side, error)
}

// Journal keeps records, in order; all are durable when Append returns.
type Journal interface {
	Append(records ...state.Record) ([]state.Record, error)
}

// Inbox holds what people ask for. A request that was taken cannot be
// withdrawn; Take fails with state.ErrNoRequest when it has been before.
type Inbox interface {
	Requests(ctx context.Context) ([]state.Request, error)
	Take(ctx context.Context, id string) error
	Clear(ctx context.Context, id string) error
}

// Fence says whether this process still is the one that may act.
type Fence interface {
	Check() error
	Lost() <-chan struct{}
}

// Clock tells the time; tests and rehearsals have their own.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

// WallClock is the real one.
type WallClock struct{}

// Now is time.Now.
func (WallClock) Now() time.Time { return time.Now() }

// After is time.After.
func (WallClock) After(d time.Duration) <-chan time.Time { return time.After(d) }
