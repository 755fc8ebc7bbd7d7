package kafka

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

const fetchBytes = 64 << 10

// FirstRecord returns the first data record at or after from and before the
// offset before, as a read_committed consumer would see it: transaction
// markers, aborted records, compaction holes and what retention has deleted do
// not count (R7). ok is false where there is none. It must not be asked beyond the last stable offset.
func (c *Client) FirstRecord(ctx context.Context, tp cluster.TopicPartition, from, before int64) (rec cluster.Record, ok bool, err error) {
	size := int32(fetchBytes)
	for from < before {
		var page page
		err := c.retry(ctx, func() (err error) {
			if page, err = c.fetch(tp, from, size); err != nil {
				_ = c.client.RefreshMetadata(tp.Topic) // the next try says if that fails
			}
			return err
		})
		if errors.Is(err, sarama.ErrOffsetOutOfRange) {
			ends, endsErr := c.LogEnds(ctx, []string{tp.Topic})
			if endsErr != nil {
				return cluster.Record{}, false, endsErr
			}
			if start := ends[tp].LogStart; from < start {
				from = start // retention has deleted what was before
				continue
			}
		}
		if err != nil {
			return cluster.Record{}, false, fmt.Errorf("looking for records in %s[%d] from offset %d: %w", tp.Topic, tp.Partition, from, err)
		}
		if page.first != nil {
			return *page.first, page.first.Offset < before, nil
		}
		if page.next <= from {
			if page.lastStable <= from {
				return cluster.Record{}, false, nil // an unstable or empty tail
			}
			if size *= 2; size > 64<<20 {
				return cluster.Record{}, false, fmt.Errorf("looking for records in %s[%d] from offset %d: nothing readable in 64 MiB", tp.Topic, tp.Partition, from)
			}
			continue
		}
		from = page.next
	}
	return cluster.Record{}, false, nil
}

// page is what one fetch showed.
type page struct {
	first      *cluster.Record // the first visible data record at or after the offset
	next       int64           // where to go on
	lastStable int64
}

func (c *Client) fetch(tp cluster.TopicPartition, from int64, size int32) (page, error) {
	leader, err := c.client.Leader(tp.Topic, tp.Partition)
	if err != nil {
		return page{}, err
	}
	req := &sarama.FetchRequest{
		Version: 11, MaxWaitTime: 100, MinBytes: 1, MaxBytes: size,
		Isolation: sarama.ReadCommitted, SessionEpoch: -1,
	}
	req.AddBlock(tp.Topic, tp.Partition, from, size, -1)
	resp, err := leader.Fetch(req)
	if err != nil {
		return page{}, err
	}
	block := resp.GetBlock(tp.Topic, tp.Partition)
	if block == nil {
		return page{}, sarama.ErrIncompleteResponse
	}
	if !errors.Is(block.Err, sarama.ErrNoError) {
		return page{}, block.Err
	}
	return visible(block, from), nil
}

// visible applies read_committed to a fetched block: the broker sends aborted
// records along and lists whose they are.
func visible(block *sarama.FetchResponseBlock, from int64) page {
	out := page{next: from, lastStable: block.LastStableOffset}
	aborted := append([]*sarama.AbortedTransaction(nil), block.AbortedTransactions...)
	sort.Slice(aborted, func(i, j int) bool { return aborted[i].FirstOffset < aborted[j].FirstOffset })
	open := map[int64]bool{} // producer ids whose records are aborted from here on
	for _, records := range block.RecordsSet {
		if set := records.MsgSet; set != nil {
			for _, m := range set.Messages {
				if m.Offset >= from {
					out.first = &cluster.Record{Offset: m.Offset, ProducerID: -1, HasKey: m.Msg != nil && m.Msg.Key != nil}
					return out
				}
			}
			continue
		}
		batch := records.RecordBatch
		if batch == nil || batch.PartialTrailingRecord {
			continue
		}
		last := batch.FirstOffset + int64(batch.LastOffsetDelta)
		for len(aborted) > 0 && aborted[0].FirstOffset <= last {
			open[aborted[0].ProducerID] = true
			aborted = aborted[1:]
		}
		if last+1 > out.next {
			out.next = last + 1
		}
		if batch.Control {
			// A commit marker ends no aborted transaction, and a producer id has
			// one transaction at a time: whichever marker it is, it ends this one.
			delete(open, batch.ProducerID)
			continue
		}
		if batch.IsTransactional && open[batch.ProducerID] {
			continue
		}
		for _, r := range batch.Records {
			if offset := batch.FirstOffset + r.OffsetDelta; offset >= from {
				out.first = &cluster.Record{Offset: offset, ProducerID: batch.ProducerID, HasKey: r.Key != nil}
				return out
			}
		}
	}
	return out
}
