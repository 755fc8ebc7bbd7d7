package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sort"
	"unicode/utf16"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// The internal topics that transactions and groups live in.
const (
	offsetsTopic      = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
)

// OffsetTransactions returns the transactional ids whose open transaction holds
// the group's partition of __consumer_offsets, sorted. Such a transaction may
// still commit a position that require_stable does not show (R9): a producer
// that has only announced its offsets (AddOffsetsToTxn) is invisible there.
//
// Every broker is asked, since each lists only the transactions that it
// coordinates (KIP-664). Brokers before 3.0 cannot be asked: then the error is
// cluster.ErrTransactionsUnknown, unless the cluster has never had a
// transaction.
func (c *Client) OffsetTransactions(ctx context.Context, group string) ([]string, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var holding []string
	err := c.retry(ctx, "asking for open transactions", func() (err error) {
		holding, err = c.offsetTransactions(group)
		return err
	})
	return holding, err
}

func (c *Client) offsetTransactions(group string) ([]string, error) {
	partitions, err := c.internalPartitions()
	if err != nil {
		return nil, err
	}
	if partitions[transactionsTopic] == 0 || partitions[offsetsTopic] == 0 {
		return nil, nil
	}
	if err := c.discover(); err != nil { // the library asks the brokers that it knows
		return nil, fmt.Errorf("asking %s for its brokers: %w", c.ep.Name(), err)
	}
	listed, err := c.admin.ListTransactions([]string{"Ongoing", "PrepareCommit", "PrepareAbort"}, nil, -1)
	if errors.Is(err, sarama.ErrUnsupportedVersion) {
		return nil, cluster.ErrTransactionsUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("listing the transactions of %s: %w", c.ep.Name(), err)
	}
	ids := make([]string, 0, len(listed))
	for _, t := range listed {
		ids = append(ids, t.TransactionalID)
	}
	described, err := c.admin.DescribeTransactions(ids)
	if err != nil {
		return nil, fmt.Errorf("describing the transactions of %s: %w", c.ep.Name(), err)
	}
	held := offsetsPartition(group, partitions[offsetsTopic])
	var holding []string
	for id, t := range described {
		for _, topic := range t.Topics {
			for _, p := range topic.Partitions {
				if topic.Topic == offsetsTopic && p == held {
					holding = append(holding, id)
				}
			}
		}
	}
	sort.Strings(holding)
	return holding, nil
}

// internalPartitions counts the partitions of the internal topics; absent ones
// have none.
func (c *Client) internalPartitions() (map[string]int32, error) {
	meta, err := c.metadata([]string{offsetsTopic, transactionsTopic})
	if err != nil {
		return nil, fmt.Errorf("asking %s for its internal topics: %w", c.ep.Name(), err)
	}
	counts := map[string]int32{}
	for _, t := range meta.Topics {
		switch {
		case errors.Is(t.Err, sarama.ErrNoError):
			counts[t.Name] = int32(len(t.Partitions))
		case errors.Is(t.Err, sarama.ErrTopicAuthorizationFailed):
			// To take it for absent would be to say that there are no transactions.
			return nil, fmt.Errorf("describing topic %q of %s: %w", t.Name, c.ep.Name(), t.Err)
		}
	}
	return counts, nil
}

// offsetsPartition is where Kafka keeps a group's offsets: the absolute value
// of Java's hash of the name, modulo the partitions.
func offsetsPartition(group string, partitions int32) int32 {
	var h int32
	for _, unit := range utf16.Encode([]rune(group)) {
		h = 31*h + int32(unit)
	}
	switch {
	case h == math.MinInt32:
		return 0 // as Kafka's Utils.abs has it
	case h < 0:
		h = -h
	}
	return h % partitions
}
