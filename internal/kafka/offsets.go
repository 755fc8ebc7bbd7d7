package kafka

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

const (
	earliest = -2 // ListOffsets timestamps
	latest   = -1

	debugReplica = -2 // answered with the log end instead of the high watermark
)

// UnsettledError says that the log ends of a partition could not be read by R5.
type UnsettledError struct {
	Cluster   string
	Partition cluster.TopicPartition
	Err       error
}

func (e *UnsettledError) Error() string {
	return fmt.Sprintf("reading the log end of %s[%d] in %s: %v. It is asked again when the partition has a leader and its replicas have caught up", e.Partition.Topic, e.Partition.Partition, e.Cluster, e.Err)
}

func (e *UnsettledError) Unwrap() error { return e.Err }

// LogEnds reads where the logs of the topics begin and end, each partition
// from its leader, and accepts the answer only when another broker names the
// same leader and leader epoch afterwards (R5). It asks again while leaders
// move.
//
// sarama cannot put the leader epoch into ListOffsets, so a leader that was
// frozen and has not noticed its successor is caught by the second look at the
// metadata only.
func (c *Client) LogEnds(ctx context.Context, topics []string) (map[cluster.TopicPartition]cluster.LogEnds, error) {
	if len(topics) == 0 {
		return map[cluster.TopicPartition]cluster.LogEnds{}, nil
	}
	var ends map[cluster.TopicPartition]cluster.LogEnds
	err := c.retry(ctx, func() (err error) {
		ends, err = c.logEndsOnce(topics)
		return err
	})
	return ends, err
}

var errLeaderMoved = errors.New("the leader changed while it was asked")

func (c *Client) logEndsOnce(topics []string) (map[cluster.TopicPartition]cluster.LogEnds, error) {
	before, first, err := c.leaders(nil, topics)
	if err != nil {
		return nil, err
	}
	byLeader := map[int32][]cluster.TopicPartition{}
	for tp, l := range before {
		byLeader[l.id] = append(byLeader[l.id], tp)
	}
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		errs []error
		ends = map[cluster.TopicPartition]cluster.LogEnds{}
	)
	asked := map[int32]bool{first: true}
	for leader, tps := range byLeader {
		asked[leader] = asked[leader] || len(byLeader) == 1
		wg.Go(func() {
			got, err := c.endsOfLeader(leader, tps)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			}
			for tp, e := range got {
				ends[tp] = e
			}
		})
	}
	wg.Wait()
	if len(errs) > 0 {
		return nil, errs[0]
	}
	after, _, err := c.leaders(asked, topics)
	if err != nil {
		return nil, err
	}
	for tp, l := range before {
		if after[tp] != l {
			return nil, &UnsettledError{Cluster: c.ep.Name(), Partition: tp, Err: errLeaderMoved}
		}
	}
	return ends, nil
}

type leader struct {
	id    int32
	epoch int32
}

// leaders asks for the leaders of all partitions and returns who told.
func (c *Client) leaders(avoid map[int32]bool, topics []string) (map[cluster.TopicPartition]leader, int32, error) {
	meta, told, err := c.metadataFrom(avoid, topics)
	if err != nil {
		return nil, 0, fmt.Errorf("asking %s for partition leaders: %w", c.ep.Name(), err)
	}
	leaders := map[cluster.TopicPartition]leader{}
	for _, t := range meta.Topics {
		if !errors.Is(t.Err, sarama.ErrNoError) {
			return nil, 0, &UnsettledError{Cluster: c.ep.Name(), Partition: cluster.TopicPartition{Topic: t.Name}, Err: t.Err}
		}
		for _, p := range t.Partitions {
			tp := cluster.TopicPartition{Topic: t.Name, Partition: p.ID}
			if p.Leader < 0 {
				return nil, 0, &UnsettledError{Cluster: c.ep.Name(), Partition: tp, Err: sarama.ErrLeaderNotAvailable}
			}
			leaders[tp] = leader{id: p.Leader, epoch: p.LeaderEpoch}
		}
	}
	return leaders, told, nil
}

// endsOfLeader asks one broker the four questions on one connection.
func (c *Client) endsOfLeader(id int32, tps []cluster.TopicPartition) (map[cluster.TopicPartition]cluster.LogEnds, error) {
	b, err := c.broker(id)
	if err != nil {
		return nil, err
	}
	sort.Slice(tps, func(i, j int) bool {
		return tps[i].Topic < tps[j].Topic || tps[i].Topic == tps[j].Topic && tps[i].Partition < tps[j].Partition
	})
	ends := map[cluster.TopicPartition]cluster.LogEnds{}
	for _, q := range []struct {
		at        int64
		isolation sarama.IsolationLevel
		debug     bool
		put       func(*cluster.LogEnds, int64)
	}{
		{latest, sarama.ReadUncommitted, true, func(e *cluster.LogEnds, o int64) { e.LogEnd = o }},
		{latest, sarama.ReadUncommitted, false, func(e *cluster.LogEnds, o int64) { e.HighWatermark = o }},
		{latest, sarama.ReadCommitted, false, func(e *cluster.LogEnds, o int64) { e.LastStable = o }},
		{earliest, sarama.ReadUncommitted, false, func(e *cluster.LogEnds, o int64) { e.LogStart = o }},
	} {
		req := sarama.NewOffsetRequest(c.conf.Version)
		req.IsolationLevel = q.isolation
		if q.debug {
			req.SetReplicaID(debugReplica)
		}
		for _, tp := range tps {
			req.AddBlock(tp.Topic, tp.Partition, q.at, 1)
		}
		resp, err := b.GetAvailableOffsets(req)
		if err != nil {
			return nil, fmt.Errorf("asking broker %d of %s for offsets: %w", id, c.ep.Name(), err)
		}
		for _, tp := range tps {
			block := resp.GetBlock(tp.Topic, tp.Partition)
			if block == nil {
				return nil, &UnsettledError{Cluster: c.ep.Name(), Partition: tp, Err: sarama.ErrIncompleteResponse}
			}
			if !errors.Is(block.Err, sarama.ErrNoError) {
				return nil, &UnsettledError{Cluster: c.ep.Name(), Partition: tp, Err: block.Err}
			}
			e := ends[tp]
			q.put(&e, block.Offset)
			ends[tp] = e
		}
	}
	return ends, nil
}
