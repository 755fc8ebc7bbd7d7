package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

const (
	batchOverhead  = 61 // the header of a record batch
	recordOverhead = 32 // at most, of a record without headers
)

// Append adds entries in one batch and returns the offset of the last one when
// all in-sync replicas have them. A nil value is a tombstone. It tries once;
// unless the error is a *StateTopicError the entries may be in the log.
func (l *StateLog) Append(ctx context.Context, keys []string, values [][]byte) (last int64, err error) {
	if err := l.ensure(ctx); err != nil {
		return 0, err
	}
	writing := l.c.waits.begin("writing to the topic " + l.topic)
	defer l.c.waits.end(writing)
	batch, size := stateBatch(keys, values)
	if l.limit > 0 && size > l.limit {
		return 0, l.refuse(fmt.Sprintf("a record of %d bytes is larger than its max.message.bytes, %d. Raise that to %d", size, l.limit, max(stateRecordBytes, 2*size)), nil)
	}
	return askLeader(ctx, l, func(b *sarama.Broker) (int64, error) {
		req := &sarama.ProduceRequest{Version: 7, RequiredAcks: sarama.WaitForAll, Timeout: int32(stateTimeout / time.Millisecond)}
		req.AddBatch(l.topic, 0, batch)
		resp, err := b.Produce(req)
		if err != nil {
			return 0, err
		}
		block := resp.GetBlock(l.topic, 0)
		if block == nil {
			return 0, sarama.ErrIncompleteResponse
		}
		if !errors.Is(block.Err, sarama.ErrNoError) {
			return 0, l.explain(block.Err)
		}
		return block.Offset + int64(len(keys)) - 1, nil
	})
}

func stateBatch(keys []string, values [][]byte) (*sarama.RecordBatch, int) {
	now := time.Now()
	size := batchOverhead
	batch := &sarama.RecordBatch{
		Version: 2, FirstTimestamp: now, MaxTimestamp: now, LastOffsetDelta: int32(len(keys) - 1),
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, PartitionLeaderEpoch: -1,
	}
	for i, k := range keys {
		batch.Records = append(batch.Records, &sarama.Record{OffsetDelta: int64(i), Key: []byte(k), Value: values[i]})
		size += recordOverhead + len(k) + len(values[i])
	}
	return batch, size
}

// explain tells refusals from troubles that pass.
func (l *StateLog) explain(code sarama.KError) error {
	switch code {
	case sarama.ErrTopicAuthorizationFailed, sarama.ErrClusterAuthorizationFailed:
		return l.refuse("kplan needs READ, WRITE, DESCRIBE and DESCRIBE_CONFIGS on it", code)
	case sarama.ErrMessageSizeTooLarge, sarama.ErrMessageSetSizeTooLarge, sarama.ErrInvalidRecord, sarama.ErrPolicyViolation:
		return l.refuse("the brokers refuse a record", code)
	}
	return code
}

// Read calls each for every entry from an offset on up to the high watermark at
// the time of the call, and returns the offset to go on from. A topic that does
// not exist has no entries. One that has lost entries, because it was made anew
// or records were deleted, is a *StateTopicError.
func (l *StateLog) Read(ctx context.Context, from int64, each func(offset int64, key string, value []byte) error) (next int64, err error) {
	if exists, err := l.there(ctx); err != nil || !exists {
		return from, err
	}
	reading := l.c.waits.begin("reading the topic " + l.topic)
	defer l.c.waits.end(reading)
	size := int32(1 << 20)
	for end := int64(-1); end < 0 || from < end; {
		page, err := askLeader(ctx, l, func(b *sarama.Broker) (*sarama.FetchResponseBlock, error) { return l.fetch(b, from, size) })
		if errors.Is(err, sarama.ErrOffsetOutOfRange) {
			return from, l.refuse(fmt.Sprintf("there is nothing at offset %d any more: it was deleted and made anew, or records were deleted. If another kplan works on this migration, stop it, and compare both clusters by hand", from), err)
		}
		if err != nil {
			return from, err
		}
		if end < 0 {
			end = page.HighWaterMarkOffset
		}
		if end < from {
			return from, fmt.Errorf("the log of topic %q ends at %d and was read up to %d: its leader lags behind, or entries are lost", l.topic, end, from)
		}
		was := from
		if from, err = deliver(page, from, end, each); err != nil {
			return from, err
		}
		if from == was && from < end {
			if size *= 2; size > 64<<20 {
				return from, fmt.Errorf("reading topic %q at offset %d: nothing readable in 64 MiB", l.topic, from)
			}
		}
	}
	return from, nil
}

func (l *StateLog) fetch(b *sarama.Broker, from int64, size int32) (*sarama.FetchResponseBlock, error) {
	req := &sarama.FetchRequest{Version: 11, MaxWaitTime: 1, MaxBytes: size, Isolation: sarama.ReadUncommitted, SessionEpoch: -1}
	req.AddBlock(l.topic, 0, from, size, -1)
	resp, err := b.Fetch(req)
	if err != nil {
		return nil, err
	}
	block := resp.GetBlock(l.topic, 0)
	if block == nil {
		return nil, sarama.ErrIncompleteResponse
	}
	if !errors.Is(block.Err, sarama.ErrNoError) {
		return nil, l.explain(block.Err)
	}
	return block, nil
}

// deliver calls each for the entries of a page from an offset on and before the
// end, and returns where the next page begins.
func deliver(page *sarama.FetchResponseBlock, from, end int64, each func(offset int64, key string, value []byte) error) (next int64, err error) {
	next = from
	for _, set := range page.RecordsSet {
		batch := set.RecordBatch
		if batch == nil || batch.PartialTrailingRecord {
			continue
		}
		for _, r := range batch.Records {
			offset := batch.FirstOffset + r.OffsetDelta
			if offset < from || offset >= end || batch.Control {
				continue
			}
			if err := each(offset, string(r.Key), r.Value); err != nil {
				return offset, err
			}
		}
		next = max(next, min(end, batch.LastOffset()+1))
	}
	return next, nil
}
