package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	err := c.retry(ctx, fmt.Sprintf("reading the log ends of %d topics", len(topics)), func() (err error) {
		ends, err = c.logEndsOnce(topics)
		return err
	})
	return ends, err
}

var errLeaderMoved = errors.New("the leader changed while it was asked")

func (c *Client) logEndsOnce(topics []string) (map[cluster.TopicPartition]cluster.LogEnds, error) {
	before, told, err := c.leaders(topics)
	if err != nil {
		return nil, err
	}
	return c.endsBetween(before, told, topics)
}

// endsBetween asks the leaders that a broker has told, and then another broker
// whether they still lead.
func (c *Client) endsBetween(before map[cluster.TopicPartition]leader, told int32, topics []string) (map[cluster.TopicPartition]cluster.LogEnds, error) {
	if len(before) == 0 {
		return map[cluster.TopicPartition]cluster.LogEnds{}, nil // no names would mean every topic
	}
	byLeader := map[int32][]cluster.TopicPartition{}
	for tp, l := range before {
		byLeader[l.id] = append(byLeader[l.id], tp)
	}
	var (
		mu   sync.Mutex
		wg   sync.WaitGroup
		errs []error
		ends = make(map[cluster.TopicPartition]cluster.LogEnds, len(before))
	)
	asked := map[int32]bool{told: true}
	for leader, tps := range byLeader {
		if leader < 0 {
			return nil, &UnsettledError{Cluster: c.ep.Name(), Partition: tps[0], Err: sarama.ErrLeaderNotAvailable}
		}
		asked[leader] = asked[leader] || len(byLeader) == 1
		wg.Go(func() {
			err := c.endsOfLeader(leader, tps, func(tps []cluster.TopicPartition, got []cluster.LogEnds) {
				mu.Lock()
				defer mu.Unlock()
				for i, tp := range tps {
					ends[tp] = got[i]
				}
			})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	if len(errs) > 0 {
		return nil, errs[0]
	}
	meta, _, err := c.metadataFrom(asked, topics)
	if err != nil {
		return nil, fmt.Errorf("asking %s for partition leaders again: %w", c.ep.Name(), err)
	}
	after, err := c.leadersIn(meta)
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
func (c *Client) leaders(topics []string) (map[cluster.TopicPartition]leader, int32, error) {
	meta, told, err := c.metadataFrom(nil, topics)
	if err != nil {
		return nil, 0, fmt.Errorf("asking %s for partition leaders: %w", c.ep.Name(), err)
	}
	leaders, err := c.leadersIn(meta)
	return leaders, told, err
}

// leadersIn takes the leaders of all partitions out of metadata; -1 is none.
func (c *Client) leadersIn(meta *sarama.MetadataResponse) (map[cluster.TopicPartition]leader, error) {
	partitions := 0
	for _, t := range meta.Topics {
		partitions += len(t.Partitions)
	}
	leaders := make(map[cluster.TopicPartition]leader, partitions)
	for _, t := range meta.Topics {
		if !errors.Is(t.Err, sarama.ErrNoError) {
			return nil, &UnsettledError{Cluster: c.ep.Name(), Partition: cluster.TopicPartition{Topic: t.Name}, Err: t.Err}
		}
		for _, p := range t.Partitions {
			leaders[cluster.TopicPartition{Topic: t.Name, Partition: p.ID}] = leader{id: p.Leader, epoch: p.LeaderEpoch}
		}
	}
	return leaders, nil
}

// askOffsets is how many partitions one ListOffsets asks about.
const askOffsets = 10_000

// endsOfLeader asks one broker the four questions on one connection, and gives
// the answers on in pieces.
func (c *Client) endsOfLeader(id int32, tps []cluster.TopicPartition, put func([]cluster.TopicPartition, []cluster.LogEnds)) error {
	b, err := c.broker(id)
	if err != nil {
		return err
	}
	slices.SortFunc(tps, func(a, b cluster.TopicPartition) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for _, some := range chunks(tps, askOffsets) {
		ends := make([]cluster.LogEnds, len(some))
		for _, q := range questions() {
			resp, err := b.GetAvailableOffsets(q.request(c.conf.Version, some))
			if err != nil {
				return fmt.Errorf("asking broker %d of %s for offsets: %w", id, c.ep.Name(), err)
			}
			for i, tp := range some {
				block := resp.GetBlock(tp.Topic, tp.Partition)
				if block == nil {
					return &UnsettledError{Cluster: c.ep.Name(), Partition: tp, Err: sarama.ErrIncompleteResponse}
				}
				if !errors.Is(block.Err, sarama.ErrNoError) {
					return &UnsettledError{Cluster: c.ep.Name(), Partition: tp, Err: block.Err}
				}
				q.put(&ends[i], block.Offset)
			}
		}
		put(some, ends)
	}
	return nil
}

// question is one of the four that R4 and R5 ask about a partition.
type question struct {
	at        int64
	isolation sarama.IsolationLevel
	debug     bool
	put       func(*cluster.LogEnds, int64)
}

func questions() []question {
	return []question{
		{latest, sarama.ReadUncommitted, true, func(e *cluster.LogEnds, o int64) { e.LogEnd = o }},
		{latest, sarama.ReadUncommitted, false, func(e *cluster.LogEnds, o int64) { e.HighWatermark = o }},
		{latest, sarama.ReadCommitted, false, func(e *cluster.LogEnds, o int64) { e.LastStable = o }},
		{earliest, sarama.ReadUncommitted, false, func(e *cluster.LogEnds, o int64) { e.LogStart = o }},
	}
}

func (q question) request(v sarama.KafkaVersion, tps []cluster.TopicPartition) *sarama.OffsetRequest {
	req := sarama.NewOffsetRequest(v)
	req.IsolationLevel = q.isolation
	if q.debug {
		req.SetReplicaID(debugReplica)
	}
	for _, tp := range tps {
		req.AddBlock(tp.Topic, tp.Partition, q.at, 1)
	}
	return req
}
