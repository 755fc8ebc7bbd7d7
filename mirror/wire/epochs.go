package wire

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// EpochEnd is what a leader knows of a leader epoch: the highest one of its log
// that is not above the one that was asked for, and where its records end; both
// -1: it knows none.
type EpochEnd struct {
	Epoch  int32
	End    int64
	Leader int32 // the leader epoch of the broker that told, as Metadata names it
}

// leastEpochEnds is the version of OffsetForLeaderEpoch from which on consumers
// may ask (KIP-320, brokers from 2.3 on).
const (
	leastEpochEnds = 3
	mostEpochEnds  = 4
)

// EpochEnds asks the leader of each partition where the records of a leader epoch
// end in its log (OffsetForLeaderEpoch, KIP-101). Those that it does not tell are
// in the second map, with *UnsupportedError where the broker is older than 2.3.
// The error is that of the cluster.
func (c *Client) EpochEnds(ctx context.Context, epochs map[Partition]int32) (map[Partition]EpochEnd, map[Partition]error, error) {
	var partitions []Partition
	for p := range epochs {
		partitions = append(partitions, p)
	}
	leaders, err := c.highestLeaders(ctx, topicsOf(partitions))
	if err != nil {
		return nil, nil, err
	}
	ends := map[Partition]EpochEnd{}
	failed := c.byLeader(ctx, partitions, leaders, func(ctx context.Context, conn *Conn, ps []Partition) (map[Partition]error, func(), error) {
		resp, err := conn.epochEnds(ctx, ps, epochs, leaders)
		if err != nil {
			return nil, nil, err
		}
		failed, told := map[Partition]error{}, map[Partition]EpochEnd{}
		for _, p := range ps {
			failed[p] = errNotAnswered
		}
		for _, t := range resp.Topics {
			for _, one := range t.Partitions {
				p := Partition{t.Topic, one.Partition}
				failed[p] = Code(one.ErrorCode)
				told[p] = EpochEnd{Epoch: one.LeaderEpoch, End: one.EndOffset, Leader: leaders[p].Epoch}
			}
		}
		return failed, func() {
			for p, one := range told {
				if failed[p] == nil {
					ends[p] = one
				}
			}
		}, nil
	})
	return ends, failed, nil
}

func (c *Conn) epochEnds(ctx context.Context, ps []Partition, epochs map[Partition]int32, leaders map[Partition]Leader) (*kmsg.OffsetForLeaderEpochResponse, error) {
	req := kmsg.NewPtrOffsetForLeaderEpochRequest()
	v, err := c.Version(req, leastEpochEnds, mostEpochEnds)
	if err != nil {
		return nil, err
	}
	req.SetVersion(v)
	req.ReplicaID = -1
	for _, same := range byTopic(ps) {
		topic := kmsg.NewOffsetForLeaderEpochRequestTopic()
		topic.Topic = same[0].Topic
		for _, p := range same {
			one := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			one.Partition, one.CurrentLeaderEpoch, one.LeaderEpoch = p.Number, leaders[p].Epoch, epochs[p]
			topic.Partitions = append(topic.Partitions, one)
		}
		req.Topics = append(req.Topics, topic)
	}
	resp, err := c.roundTrip(ctx, req)
	if err != nil {
		return nil, err
	}
	return resp.(*kmsg.OffsetForLeaderEpochResponse), nil
}
