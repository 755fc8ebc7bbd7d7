package wire

import (
	"context"
	"encoding/binary"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Batch is one record batch for a partition, whole and as it goes into the log.
// A request takes one of each partition.
type Batch struct {
	Partition
	Records []byte
}

// Ack is what became of one batch.
type Ack struct {
	Partition
	Err        error // Kafka's
	Why        string
	BaseOffset int64
	LogStart   int64
}

// The versions of Produce: zstd needs 7; 8 tells why a record was refused
// (KIP-467). Later ones have a denser form and nothing that the mirror needs.
const (
	leastProduce = 7
	mostProduce  = 8
)

// Produce sends batches and asks for the acknowledgement of all in-sync
// replicas. It returns when they are sent. sent is called, at most once and at
// the latest then, when the memory of the batches is the caller's again: a broker
// that does not read keeps no more of it than a moment. Then done is called,
// once, on the connection's own goroutine: with an error the batches may or may
// not be in the log. timeout is how long the broker waits for its replicas.
func (c *Conn) Produce(ctx context.Context, timeout time.Duration, batches []Batch, sent func(), done func([]Ack, time.Duration, error)) error {
	req := kmsg.NewPtrProduceRequest()
	v, err := c.Version(req, leastProduce, mostProduce)
	if err != nil {
		return err
	}
	req.SetVersion(v)
	return c.send(ctx, outgoing{
		frame: func(correlation int32) net.Buffers { return produceFrame(v, correlation, timeout, batches) },
		sent:  sent,
		pending: pending{
			answered: func(b *Buffer) {
				resp, err := c.read(req, b.Bytes)
				if err != nil {
					done(nil, 0, err)
					return
				}
				answer := resp.(*kmsg.ProduceResponse)
				done(acks(answer), time.Duration(answer.ThrottleMillis)*time.Millisecond, nil)
			},
			failed: func(err error) { done(nil, 0, err) },
		},
	})
}

// produceFrame writes what kmsg would, without a copy of the records.
func produceFrame(version int16, correlation int32, timeout time.Duration, batches []Batch) net.Buffers {
	buffers := make(net.Buffers, 0, 2*len(batches)+1)
	b := make([]byte, 4, 64+32*len(batches))
	b = binary.BigEndian.AppendUint16(b, uint16(kmsg.Produce))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, uint32(correlation))
	b = appendString(b, "kplan-mirror")
	b = binary.BigEndian.AppendUint16(b, 0xffff) // no transactional id
	b = binary.BigEndian.AppendUint16(b, 0xffff) // acks of all in-sync replicas
	b = binary.BigEndian.AppendUint32(b, uint32(timeout.Milliseconds()))
	topics, at := uint32(0), len(b)
	b = append(b, 0, 0, 0, 0)
	size, from := 0, 0
	for i := 0; i < len(batches); {
		n := i
		for n < len(batches) && batches[n].Topic == batches[i].Topic {
			n++
		}
		topics++
		b = appendString(b, batches[i].Topic)
		b = binary.BigEndian.AppendUint32(b, uint32(n-i))
		for ; i < n; i++ {
			b = binary.BigEndian.AppendUint32(b, uint32(batches[i].Number))
			b = binary.BigEndian.AppendUint32(b, uint32(len(batches[i].Records)))
			buffers = append(buffers, b[from:len(b):len(b)], batches[i].Records)
			size += len(b) - from + len(batches[i].Records)
			from = len(b)
		}
	}
	if len(buffers) == 0 {
		buffers, size = append(buffers, b), len(b)
	}
	binary.BigEndian.PutUint32(buffers[0][at:], topics)
	binary.BigEndian.PutUint32(buffers[0], uint32(size-4))
	return buffers
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

func acks(resp *kmsg.ProduceResponse) []Ack {
	var all []Ack
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			a := Ack{Partition: Partition{t.Topic, p.Partition}, Err: Code(p.ErrorCode), BaseOffset: p.BaseOffset, LogStart: p.LogStartOffset}
			if p.ErrorMessage != nil {
				a.Why = *p.ErrorMessage
			}
			all = append(all, a)
		}
	}
	return all
}
