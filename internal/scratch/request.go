package scratch

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListOffsets: timestamps, and who asks.
const (
	earliest int64 = -2
	latest   int64 = -1

	consumer int32 = -1
	debug    int32 = -2 // is told the log end instead of the high watermark
)

var errNoAnswer = errors.New("the broker answered for no partition")

// leader sends requests to the leader of the only partition, once each: what is
// sent again must be sent on purpose.
type leader struct{ *trial }

// Request satisfies kmsg.Requestor.
func (l leader) Request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	return l.client.Broker(int(l.leaders[0])).Request(ctx, req)
}

// producerID asks for a producer id that nobody has used.
func (t *trial) producerID(ctx context.Context) (int64, error) {
	resp, err := kmsg.NewPtrInitProducerIDRequest().RequestWith(ctx, t.client)
	if err != nil {
		return 0, fmt.Errorf("asking for a producer id: %w", err)
	}
	return resp.ProducerID, codeError(resp.ErrorCode)
}

// produce appends one batch and returns its first offset.
func (t *trial) produce(ctx context.Context, epoch int16, sequence int32) (int64, error) {
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, int32(requestLimit.Milliseconds())
	asked, part := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	asked.Topic, asked.TopicID, part.Records = t.name, t.id, batch(t.producer, epoch, sequence, perBatch)
	asked.Partitions = append(asked.Partitions, part)
	req.Topics = append(req.Topics, asked)
	resp, err := req.RequestWith(ctx, leader{t})
	if err != nil {
		return 0, fmt.Errorf("producing: %w", err)
	}
	for _, answer := range resp.Topics {
		for _, p := range answer.Partitions {
			return p.BaseOffset, codeError(p.ErrorCode)
		}
	}
	return 0, errNoAnswer
}

// offset asks for one offset of the log.
func (t *trial) offset(ctx context.Context, as int32, timestamp int64) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = as
	asked, part := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	asked.Topic, part.Timestamp, part.CurrentLeaderEpoch = t.name, timestamp, -1
	asked.Partitions = append(asked.Partitions, part)
	req.Topics = append(req.Topics, asked)
	resp, err := req.RequestWith(ctx, leader{t})
	if err != nil {
		return 0, fmt.Errorf("listing offsets: %w", err)
	}
	for _, answer := range resp.Topics {
		for _, p := range answer.Partitions {
			return p.Offset, codeError(p.ErrorCode)
		}
	}
	return 0, errNoAnswer
}

// marker writes one abort marker.
func (t *trial) marker(ctx context.Context) error {
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	m, asked := kmsg.NewWriteTxnMarkersRequestMarker(), kmsg.NewWriteTxnMarkersRequestMarkerTopic()
	asked.Topic, asked.Partitions = t.name, []int32{0}
	m.ProducerID, m.ProducerEpoch, m.Topics = t.producer, 1, append(m.Topics, asked)
	req.Markers = append(req.Markers, m)
	resp, err := req.RequestWith(ctx, leader{t})
	if err != nil {
		return fmt.Errorf("writing a marker: %w", err)
	}
	for _, m := range resp.Markers {
		for _, answer := range m.Topics {
			for _, p := range answer.Partitions {
				return codeError(p.ErrorCode)
			}
		}
	}
	return errNoAnswer
}
