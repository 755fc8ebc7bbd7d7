package cluster

import (
	"fmt"
	"strings"
	"time"
)

// OpenTransaction is a transaction that has not ended, on a partition whose last
// stable offset it holds back. What the brokers do not tell is zero or empty.
type OpenTransaction struct {
	Partition   TopicPartition
	StartOffset int64 // of its first record there

	ProducerID       int64
	ProducerEpoch    int32
	CoordinatorEpoch int32

	TransactionalID string    // empty: no coordinator lists it (it hangs, or kplan may not describe the id), or the brokers are older than 3.0
	Coordinator     int32     // the broker that coordinates it; -1: not known
	Since           time.Time // when it began, by its coordinator; zero: not known
	Written         time.Time // the time stamp of its producer's last record there; zero: not known
}

// String names the transaction.
func (t OpenTransaction) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "producer id %d, epoch %d", t.ProducerID, t.ProducerEpoch)
	if t.TransactionalID != "" {
		fmt.Fprintf(&b, ", transactional id %q, coordinator broker %d", t.TransactionalID, t.Coordinator)
	} else {
		b.WriteString(", which no coordinator lists to kplan (it hangs, or kplan may not describe its transactional id)")
	}
	fmt.Fprintf(&b, ", open on %s from offset %d", t.Partition, t.StartOffset)
	return b.String()
}
