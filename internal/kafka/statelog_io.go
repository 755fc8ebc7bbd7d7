package kafka

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
	"kplan/mirror/batch"
	"kplan/mirror/wire"
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
	entries, size := stateBatch(keys, values)
	if l.limit > 0 && size > l.limit {
		return 0, l.refuse(fmt.Sprintf("a record of %d bytes is larger than its max.message.bytes, %d. Raise that to %d", size, l.limit, max(stateRecordBytes, 2*size)), nil)
	}
	return askLeader(ctx, l, func(b *sarama.Broker) (int64, error) {
		req := &sarama.ProduceRequest{Version: 7, RequiredAcks: sarama.WaitForAll, Timeout: int32(stateTimeout / time.Millisecond)}
		req.AddBatch(l.topic, 0, entries)
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
		last := block.Offset + int64(len(keys)) - 1
		for known := l.end.Load(); last >= known && !l.end.CompareAndSwap(known, last+1); known = l.end.Load() {
		}
		return last, nil
	})
}

func stateBatch(keys []string, values [][]byte) (*sarama.RecordBatch, int) {
	now := time.Now()
	size := batchOverhead
	made := &sarama.RecordBatch{
		Version: 2, FirstTimestamp: now, MaxTimestamp: now, LastOffsetDelta: int32(len(keys) - 1),
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, PartitionLeaderEpoch: -1,
	}
	for i, k := range keys {
		made.Records = append(made.Records, &sarama.Record{OffsetDelta: int64(i), Key: []byte(k), Value: values[i]})
		size += recordOverhead + len(k) + len(values[i])
	}
	return made, size
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
//
// The high watermark is that of the broker which is taken for the leader. One that
// was deposed and has not noticed may tell an older one, so that what comes is what
// was true a moment ago; executor/state decides nothing by that alone, but by what
// lies before an entry of its own, which no such broker can take. One whose log
// ends before what was read or acknowledged here is not believed: who leads is
// asked anew.
func (l *StateLog) Read(ctx context.Context, from int64, each func(offset int64, key string, value []byte) error) (next int64, err error) {
	if exists, err := l.there(ctx); err != nil || !exists {
		return from, err
	}
	reading := l.c.waits.begin("reading the topic " + l.topic)
	defer l.c.waits.end(reading)
	size := int32(1 << 20)
	for end := int64(-1); end < 0 || from < end; {
		was := from
		err := l.fetch(ctx, from, size, func(f wire.Fetched) (err error) {
			if end < 0 {
				end = f.HighWatermark
			}
			if known := max(from, l.end.Load()); end < known {
				l.logs.forget(cluster.TopicPartition{Topic: l.topic})
				return fmt.Errorf("the log of topic %q ends at %d and is known up to %d: its leader lags behind, or entries are lost", l.topic, end, known)
			}
			from, err = deliver(f.Records, from, end, each)
			return err
		})
		if errors.Is(err, errHeldBack) {
			continue // the broker reads the next request when its time has come
		}
		if errors.Is(err, sarama.ErrOffsetOutOfRange) {
			return from, l.refuse(fmt.Sprintf("there is nothing at offset %d any more: it was deleted and made anew, or records were deleted. If another kplan works on this migration, stop it, and compare both clusters by hand", from), err)
		}
		if err != nil {
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

// fetch asks the leader once, with a limit of its own, and hands on what came:
// it is good for as long as use runs.
func (l *StateLog) fetch(ctx context.Context, from int64, size int32, use func(wire.Fetched) error) error {
	asking, cancel := context.WithTimeoutCause(ctx, 2*stateTimeout, fmt.Errorf("the topic %s: %w", l.topic, sarama.ErrRequestTimedOut))
	defer cancel()
	answer, err := l.ask(asking, from, size)
	if errors.Is(err, errHeldBack) {
		return err
	}
	if err != nil {
		l.logs.forget(cluster.TopicPartition{Topic: l.topic}) // the next try finds out anew who leads
		return fmt.Errorf("asking the leader of topic %q: %w", l.topic, err)
	}
	defer answer.Release()
	return use(answer.Partitions[0])
}

func (l *StateLog) ask(ctx context.Context, from int64, size int32) (*wire.Answer, error) {
	at, err := l.logs.leader(ctx, cluster.TopicPartition{Topic: l.topic})
	if err != nil {
		return nil, coded(err)
	}
	conn, err := l.logs.wire.Broker(ctx, at.id, 0)
	if err != nil {
		return nil, coded(err)
	}
	answer, err := conn.Fetch(ctx, wire.Fetch{MaxBytes: size, Positions: []wire.Position{{
		Partition: wire.Partition{Topic: l.topic}, Offset: from, LeaderEpoch: at.epoch, LastEpoch: -1, MaxBytes: size,
	}}})
	if err != nil {
		return nil, coded(err)
	}
	if len(answer.Partitions) == 0 && answer.Throttled > 0 {
		answer.Release()
		return nil, errHeldBack
	}
	if len(answer.Partitions) != 1 {
		answer.Release()
		return nil, sarama.ErrIncompleteResponse
	}
	if err := answer.Partitions[0].Err; err != nil {
		answer.Release()
		var kerr sarama.KError
		if errors.As(coded(err), &kerr) {
			return nil, l.explain(kerr)
		}
		return nil, err
	}
	return answer, nil
}

// deliver calls each for the entries of a page from an offset on and before the
// end, and returns where the next page begins.
func deliver(records []byte, from, end int64, each func(offset int64, key string, value []byte) error) (next int64, err error) {
	splicer, err := batch.NewSplicer(batch.Limits{Batch: unpackedBatch, Unpacked: unpackedBatch})
	if err != nil {
		return from, err
	}
	next = from
	hand := func(r batch.Record) bool {
		if r.Offset < end && err == nil {
			err = each(r.Offset, string(r.Key), bytes.Clone(r.Value)) // nil stays nil
		}
		return err == nil
	}
	r := batch.NewReader(records)
	for r.Next() && err == nil {
		last := r.Message().Offset
		var damage error
		switch {
		case r.Magic() < 2:
			damage = splicer.MessageRecords(r.Message(), from, hand)
		case !r.Batch().Control():
			last, damage = r.Batch().LastOffset, splicer.Records(r.Batch(), from, hand)
		default:
			last = r.Batch().LastOffset
		}
		if err = cmp.Or(err, damage); err == nil {
			next = max(next, min(end, last()+1))
		}
	}
	return next, cmp.Or(err, r.Err())
}
