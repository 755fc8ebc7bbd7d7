package wire

import (
	"context"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Partition names a partition.
type Partition struct {
	Topic  string
	Number int32
}

// Position is where a fetch of one partition begins.
type Position struct {
	Partition
	Offset      int64
	LeaderEpoch int32 // as Metadata names it; -1: not known
	LastEpoch   int32 // the leader epoch of the last batch that was read; -1: none. A broker of 2.7 or later tells by it that the log was truncated (KIP-595)
	MaxBytes    int32
}

// Fetch asks for record batches. A broker sends at least one batch for the first
// partition that has any, however large it is; the caller rotates the order so
// that every partition comes first.
type Fetch struct {
	Positions     []Position
	MaxWait       time.Duration
	MinBytes      int32
	MaxBytes      int32
	ReadCommitted bool
}

// Aborted is a transaction that was aborted: the batches of its producer id from
// the first offset up to its abort marker are not to be read.
type Aborted struct {
	ProducerID  int64
	FirstOffset int64
}

// Fetched is what came for one partition.
type Fetched struct {
	Partition
	Err           error // Kafka's
	HighWatermark int64
	LastStable    int64 // -1: not told
	LogStart      int64 // -1: not told
	Aborted       []Aborted
	DivergingAt   int64  // where the log parts from what was read before; -1: it does not
	Records       []byte // whole batches and perhaps a part of one more; in the answer's buffer
}

// Answer is the answer to a fetch. Its records are valid until Release.
type Answer struct {
	Partitions []Fetched
	Throttled  time.Duration // how long the broker holds the connection back (a quota)
	code       int16
	buffer     *Buffer
}

// Hold keeps the records for one more holder.
func (a *Answer) Hold() { a.buffer.Hold() }

// Size is how many bytes the answer takes.
func (a *Answer) Size() int { return len(a.buffer.Bytes) }

// Release gives the memory back when every holder has released it.
func (a *Answer) Release() { a.buffer.Release() }

// The versions of Fetch: from 4 on record batches are of format 2 where the
// topic's are; from 13 on topics go by id, which brokers before 2.8 do not know.
const (
	leastFetch = 4
	mostFetch  = 12
)

// Fetch asks and waits for the answer, which the caller releases.
func (c *Conn) Fetch(ctx context.Context, f Fetch) (*Answer, error) {
	req := f.request()
	v, err := c.Version(req, leastFetch, mostFetch)
	if err != nil {
		return nil, err
	}
	req.SetVersion(v)
	type result struct {
		answer *Answer
		err    error
	}
	done := make(chan result, 1)
	err = c.send(ctx, outgoing{
		frame: func(correlation int32) net.Buffers {
			return net.Buffers{c.format.AppendRequest(nil, req, correlation)}
		},
		pending: pending{
			pooled: true,
			answered: func(b *Buffer) {
				resp, err := c.read(req, b.Bytes)
				if err != nil {
					b.Release()
					done <- result{err: err}
					return
				}
				done <- result{answer: answer(resp.(*kmsg.FetchResponse), b)}
			},
			failed: func(err error) { done <- result{err: err} },
		},
	})
	if err != nil {
		return nil, err
	}
	select {
	case r := <-done:
		if r.err != nil {
			return nil, r.err
		}
		if err := Code(r.answer.code); err != nil {
			r.answer.Release()
			return nil, err
		}
		return r.answer, nil
	case <-ctx.Done():
		go func() { // the answer still comes, and its memory has to go back
			if r := <-done; r.answer != nil {
				r.answer.Release()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

func (f Fetch) request() *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID = -1
	req.MaxWaitMillis = int32(f.MaxWait.Milliseconds())
	req.MinBytes = f.MinBytes
	req.MaxBytes = f.MaxBytes
	if f.ReadCommitted {
		req.IsolationLevel = 1
	}
	req.SessionEpoch = -1 // no session
	for _, p := range f.Positions {
		if n := len(req.Topics); n == 0 || req.Topics[n-1].Topic != p.Topic {
			t := kmsg.NewFetchRequestTopic()
			t.Topic = p.Topic
			req.Topics = append(req.Topics, t)
		}
		part := kmsg.NewFetchRequestTopicPartition()
		part.Partition = p.Number
		part.FetchOffset = p.Offset
		part.CurrentLeaderEpoch = p.LeaderEpoch
		part.LastFetchedEpoch = p.LastEpoch
		part.LogStartOffset = -1
		part.PartitionMaxBytes = p.MaxBytes
		last := &req.Topics[len(req.Topics)-1]
		last.Partitions = append(last.Partitions, part)
	}
	return req
}

func answer(resp *kmsg.FetchResponse, b *Buffer) *Answer {
	a := &Answer{buffer: b, code: resp.ErrorCode, Throttled: time.Duration(resp.ThrottleMillis) * time.Millisecond}
	n := 0
	for _, t := range resp.Topics {
		n += len(t.Partitions)
	}
	a.Partitions = make([]Fetched, 0, n)
	for _, t := range resp.Topics {
		for i := range t.Partitions {
			p := &t.Partitions[i]
			f := Fetched{
				Partition: Partition{t.Topic, p.Partition}, Err: Code(p.ErrorCode),
				HighWatermark: p.HighWatermark, LastStable: p.LastStableOffset, LogStart: p.LogStartOffset,
				DivergingAt: -1, Records: p.RecordBatches,
			}
			if p.DivergingEpoch.Epoch >= 0 {
				f.DivergingAt = p.DivergingEpoch.EndOffset
			}
			for _, x := range p.AbortedTransactions {
				f.Aborted = append(f.Aborted, Aborted{x.ProducerID, x.FirstOffset})
			}
			a.Partitions = append(a.Partitions, f)
		}
	}
	return a
}
