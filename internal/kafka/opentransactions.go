package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// OpenTransactions returns the transactions that are open on partitions, by
// partition and start: leaders tell their producers (DescribeProducers, KIP-664,
// brokers from 2.8), and coordinators their names and ages (ListTransactions and
// DescribeTransactions, from 3.0). One that no coordinator lists hangs, and nothing
// will end it, or kplan may not describe its transactional id: the answers do not
// tell which. Older brokers give cluster.ErrTransactionsUnknown. It needs Read on
// the topics.
func (c *Client) OpenTransactions(ctx context.Context, partitions map[string][]int32) ([]cluster.OpenTransaction, error) {
	var told map[string]map[int32]sarama.DescribeProducersResponsePartition
	err := c.retry(ctx, "asking for the producers of open transactions", func() (err error) {
		if told, err = c.admin.DescribeProducers(partitions); err == nil {
			err = untold(partitions, told)
		}
		if err != nil {
			_ = c.client.RefreshMetadata(slices.Collect(maps.Keys(partitions))...) // the next try says if that fails
		}
		return err
	})
	if errors.Is(err, sarama.ErrUnsupportedVersion) {
		return nil, cluster.ErrTransactionsUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("asking %s for the producers of open transactions: %w", c.ep.Name(), err)
	}
	var open []cluster.OpenTransaction
	for topic, parts := range told {
		for number, p := range parts {
			for _, producer := range p.ActiveProducers {
				if producer.CurrentTxnStartOffset < 0 {
					continue
				}
				t := cluster.OpenTransaction{
					Partition: cluster.TopicPartition{Topic: topic, Partition: number}, StartOffset: producer.CurrentTxnStartOffset,
					ProducerID: producer.ProducerID, ProducerEpoch: producer.ProducerEpoch, CoordinatorEpoch: producer.CoordinatorEpoch, Coordinator: -1,
				}
				if producer.LastTimestamp > 0 {
					t.Written = time.UnixMilli(producer.LastTimestamp)
				}
				open = append(open, t)
			}
		}
	}
	slices.SortFunc(open, func(a, b cluster.OpenTransaction) int {
		return cmp.Or(cmp.Compare(a.Partition.Topic, b.Partition.Topic), cmp.Compare(a.Partition.Partition, b.Partition.Partition), cmp.Compare(a.StartOffset, b.StartOffset))
	})
	if len(open) == 0 {
		return nil, nil
	}
	err = c.retry(ctx, "asking for the names of open transactions", func() error { return c.nameTransactions(open) })
	return open, err
}

// untold is the error of the first partition whose leader has not told its
// producers: such an answer lists none.
func untold(partitions map[string][]int32, told map[string]map[int32]sarama.DescribeProducersResponsePartition) error {
	for topic, numbers := range partitions {
		for _, number := range numbers {
			at := cluster.TopicPartition{Topic: topic, Partition: number}
			switch p, ok := told[topic][number]; {
			case !ok:
				return fmt.Errorf("%s: %w", at, sarama.ErrIncompleteResponse)
			case !errors.Is(p.ErrorCode, sarama.ErrNoError):
				return fmt.Errorf("%s: %w", at, p.ErrorCode)
			}
		}
	}
	return nil
}

// nameTransactions adds what the coordinators know.
func (c *Client) nameTransactions(open []cluster.OpenTransaction) error {
	if err := c.discover(); err != nil { // the library asks the brokers that it knows
		return fmt.Errorf("asking %s for its brokers: %w", c.ep.Name(), err)
	}
	var producers []int64
	for _, t := range open {
		producers = append(producers, t.ProducerID)
	}
	listed, err := c.admin.ListTransactions([]string{"Ongoing", "PrepareCommit", "PrepareAbort"}, producers, -1)
	if errors.Is(err, sarama.ErrUnsupportedVersion) {
		return nil // before 3.0
	}
	if err != nil {
		return fmt.Errorf("listing the transactions of %s: %w", c.ep.Name(), err)
	}
	var ids []string
	of := map[int64]string{}
	for _, t := range listed {
		ids, of[t.ProducerID] = append(ids, t.TransactionalID), t.TransactionalID
	}
	described, err := c.admin.DescribeTransactions(ids)
	if err != nil {
		return fmt.Errorf("describing the transactions of %s: %w", c.ep.Name(), err)
	}
	for i := range open {
		t := &open[i]
		id, known := of[t.ProducerID]
		if !known || !holds(described[id], t.Partition) {
			continue
		}
		t.TransactionalID = id
		if start := described[id].TransactionStartTime; start > 0 {
			t.Since = time.UnixMilli(start)
		}
		if b, err := c.client.TransactionCoordinator(id); err == nil {
			t.Coordinator = b.ID()
		}
	}
	return nil
}

func holds(t sarama.TransactionState, tp cluster.TopicPartition) bool {
	for _, topic := range t.Topics {
		if topic.Topic == tp.Topic && slices.Contains(topic.Partitions, tp.Partition) {
			return true
		}
	}
	return false
}
