package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The timestamps of ListOffsets that stand for the ends of a log.
const (
	logStart int64 = -2
	logEnd   int64 = -1
)

// The replica ids with which an offset is asked for: a consumer's is answered by
// the leader with the high watermark, the debugging one by any replica with the
// end of its log.
const (
	asConsumer int32 = -1
	asDebugger int32 = -2
)

// The isolation levels with which a consumer asks.
const (
	uncommitted int8 = 0
	committed   int8 = 1
)

// UnsettledError says why the true end of a log cannot be told now (R5).
type UnsettledError struct {
	Partition Partition
	Why       string
	Behind    bool  // replicas do not have all of it
	Cause     error // Kafka's; may be nil
}

func (e *UnsettledError) Error() string {
	text := fmt.Sprintf("the log end of %s[%d] is not settled: %s", e.Partition.Topic, e.Partition.Number, e.Why)
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

func (e *UnsettledError) Unwrap() error { return e.Cause }

// LogEnds returns the true log end of each partition by R5: asked of the leader
// that the highest epoch of any reachable broker's metadata names, on one
// connection, as debugger and as consumer, both equal; and another broker still
// names that epoch afterwards. Partitions for which this does not hold now are
// in the second map, with *UnsettledError; ask again a little later. The error
// is that of the cluster.
func (c *Client) LogEnds(ctx context.Context, partitions []Partition) (map[Partition]int64, map[Partition]error, error) {
	leaders, err := c.highestLeaders(ctx, topicsOf(partitions))
	if err != nil {
		return nil, nil, err
	}
	ends, unsettled := map[Partition]int64{}, map[Partition]error{}
	byBroker := map[int32][]Partition{}
	for _, p := range partitions {
		l, ok := leaders[p]
		if !ok || l.Broker < 0 {
			unsettled[p] = &UnsettledError{Partition: p, Why: "it has no leader"}
			continue
		}
		byBroker[l.Broker] = append(byBroker[l.Broker], p)
	}
	var asking sync.WaitGroup
	var mu sync.Mutex // of the two maps
	for broker, ps := range byBroker {
		asking.Go(func() { // one that hangs does not hold up the others
			err := c.endsAt(ctx, broker, ps, leaders, func(p Partition, end int64, why *UnsettledError) {
				mu.Lock()
				defer mu.Unlock()
				if why != nil {
					unsettled[p] = why
				} else {
					ends[p] = end
				}
			})
			mu.Lock()
			defer mu.Unlock()
			for i := 0; err != nil && i < len(ps); i++ {
				unsettled[ps[i]] = &UnsettledError{Partition: ps[i], Why: "its leader cannot be asked", Cause: err}
			}
		})
	}
	asking.Wait()
	after, err := c.highestLeaders(ctx, topicsOf(partitions))
	if err != nil {
		return nil, nil, err
	}
	for p := range ends {
		if after[p] != leaders[p] {
			unsettled[p] = &UnsettledError{Partition: p, Why: "its leader has changed"}
			delete(ends, p)
		}
	}
	return ends, unsettled, nil
}

// endsAt asks one broker for the partitions that it leads.
func (c *Client) endsAt(ctx context.Context, broker int32, ps []Partition, leaders map[Partition]Leader, tell func(Partition, int64, *UnsettledError)) error {
	ctx, cancel := context.WithTimeout(ctx, endsLimit)
	defer cancel()
	conn, err := c.Broker(ctx, broker, control)
	if err != nil {
		return err
	}
	end, err := conn.listOffsets(ctx, asDebugger, logEnd, uncommitted, ps, leaders)
	if err != nil {
		return err
	}
	mark, err := conn.listOffsets(ctx, asConsumer, logEnd, uncommitted, ps, leaders)
	if err != nil {
		return err
	}
	for _, p := range ps {
		e, m := end[p], mark[p]
		switch err := errors.Join(e.err, m.err); {
		case errors.Is(err, kerr.OffsetNotAvailable):
			tell(p, 0, &UnsettledError{Partition: p, Why: "its new leader waits for the replicas", Cause: kerr.OffsetNotAvailable})
		case err != nil:
			tell(p, 0, &UnsettledError{Partition: p, Why: "its leader refuses to tell", Cause: err})
		case e.offset != m.offset:
			tell(p, 0, &UnsettledError{Partition: p, Behind: true, Why: fmt.Sprintf("records up to %d are not on all in-sync replicas, those up to %d are; with fewer of these than min.insync.replicas that stays so", e.offset, m.offset)})
		default:
			tell(p, e.offset, nil)
		}
	}
	return nil
}

// LogStarts returns the first offset of each partition, as its leader tells.
// Those that it does not tell are in the second map.
func (c *Client) LogStarts(ctx context.Context, partitions []Partition) (map[Partition]int64, map[Partition]error, error) {
	return c.offsets(ctx, logStart, uncommitted, partitions)
}

// HighWatermarks is LogStarts for where consumers find the end of the log.
func (c *Client) HighWatermarks(ctx context.Context, partitions []Partition) (map[Partition]int64, map[Partition]error, error) {
	return c.offsets(ctx, logEnd, uncommitted, partitions)
}

// StableEnds is LogStarts for the last stable offset: where consumers of
// committed records find the end of the log.
func (c *Client) StableEnds(ctx context.Context, partitions []Partition) (map[Partition]int64, map[Partition]error, error) {
	return c.offsets(ctx, logEnd, committed, partitions)
}

func (c *Client) offsets(ctx context.Context, at int64, isolation int8, partitions []Partition) (map[Partition]int64, map[Partition]error, error) {
	leaders, err := c.highestLeaders(ctx, topicsOf(partitions))
	if err != nil {
		return nil, nil, err
	}
	starts := map[Partition]int64{}
	failed := c.byLeader(ctx, partitions, leaders, func(ctx context.Context, conn *Conn, ps []Partition) (map[Partition]error, func(), error) {
		told, err := conn.listOffsets(ctx, asConsumer, at, isolation, ps, leaders)
		failed := map[Partition]error{}
		for p, one := range told {
			failed[p] = one.err
		}
		return failed, func() {
			for p, one := range told {
				if one.err == nil {
					starts[p] = one.offset
				}
			}
		}, err
	})
	return starts, failed, nil
}

// byLeader asks each broker for the partitions that it leads, all at once: one
// that hangs does not hold up the others. ask returns what failed of each, and
// how to take the rest, which is called by one at a time. The result is of which
// partitions something failed.
func (c *Client) byLeader(ctx context.Context, partitions []Partition, leaders map[Partition]Leader, ask func(context.Context, *Conn, []Partition) (map[Partition]error, func(), error)) map[Partition]error {
	failed := map[Partition]error{}
	byBroker := map[int32][]Partition{}
	for _, p := range partitions {
		if l, ok := leaders[p]; !ok || l.Broker < 0 {
			failed[p] = &UnsettledError{Partition: p, Why: "it has no leader"}
		} else {
			byBroker[l.Broker] = append(byBroker[l.Broker], p)
		}
	}
	var asking sync.WaitGroup
	var mu sync.Mutex // of failed, and of what take changes
	for broker, ps := range byBroker {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, endsLimit)
			defer cancel()
			conn, err := c.Broker(ctx, broker, control)
			var some map[Partition]error
			take := func() {}
			if err == nil {
				some, take, err = ask(ctx, conn, ps)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, p := range ps {
				if one := errors.Join(err, some[p]); one != nil {
					failed[p] = one
				}
			}
			if err == nil {
				take()
			}
		})
	}
	asking.Wait()
	return failed
}

type told struct {
	offset int64
	err    error
}

func (c *Conn) listOffsets(ctx context.Context, replica int32, at int64, isolation int8, ps []Partition, leaders map[Partition]Leader) (map[Partition]told, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = replica, isolation
	for _, same := range byTopic(ps) {
		topic := kmsg.NewListOffsetsRequestTopic()
		topic.Topic = same[0].Topic
		for _, p := range same {
			one := kmsg.NewListOffsetsRequestTopicPartition()
			one.Partition, one.CurrentLeaderEpoch, one.Timestamp = p.Number, leaders[p].Epoch, at
			topic.Partitions = append(topic.Partitions, one)
		}
		req.Topics = append(req.Topics, topic)
	}
	resp, err := c.Request(ctx, req)
	if err != nil {
		return nil, err
	}
	answers := map[Partition]told{}
	for _, t := range resp.(*kmsg.ListOffsetsResponse).Topics {
		for _, p := range t.Partitions {
			answers[Partition{t.Topic, p.Partition}] = told{p.Offset, Code(p.ErrorCode)}
		}
	}
	for _, p := range ps {
		if _, ok := answers[p]; !ok {
			answers[p] = told{err: errNotAnswered}
		}
	}
	return answers, nil
}

var errNotAnswered = errors.New("the broker's answer leaves the partition out")

// highestLeaders asks every broker that can be asked, and believes the highest
// epoch.
func (c *Client) highestLeaders(ctx context.Context, topics []string) (map[Partition]Leader, error) {
	first, err := c.Metadata(ctx, topics)
	if err != nil {
		return nil, err
	}
	leaders := map[Partition]Leader{}
	take := func(m Metadata) {
		for name, t := range m.Topics {
			for i, l := range t.Leaders {
				p := Partition{name, int32(i)}
				if known, ok := leaders[p]; !ok || l.Epoch > known.Epoch {
					leaders[p] = l
				}
			}
		}
	}
	take(first)
	var asking sync.WaitGroup
	var mu sync.Mutex // of leaders
	for _, broker := range first.Brokers {
		if broker == first.From {
			continue
		}
		asking.Go(func() { // together: several that hang cost the time of one
			m, err := c.briefly(ctx, broker, topics)
			if err != nil {
				return // one that is down names nobody
			}
			mu.Lock()
			defer mu.Unlock()
			take(m)
		})
	}
	asking.Wait()
	return leaders, nil
}

func topicsOf(ps []Partition) []string {
	var topics []string
	for _, same := range byTopic(ps) {
		topics = append(topics, same[0].Topic)
	}
	return topics
}

// byTopic puts the partitions of each topic together, as requests name them, in
// the order in which they come.
func byTopic(ps []Partition) [][]Partition {
	var topics [][]Partition
	index := map[string]int{}
	for _, p := range ps {
		i, known := index[p.Topic]
		if !known {
			i = len(topics)
			index[p.Topic] = i
			topics = append(topics, nil)
		}
		topics[i] = append(topics[i], p)
	}
	return topics
}

// briefly asks one of many brokers: one that hangs must not hold up the rest.
func (c *Client) briefly(ctx context.Context, broker int32, topics []string) (Metadata, error) {
	ctx, cancel := context.WithTimeout(ctx, opinionLimit)
	defer cancel()
	return c.MetadataFrom(ctx, broker, topics)
}

const (
	opinionLimit = 5 * time.Second
	endsLimit    = 10 * time.Second // for the leader of many partitions to tell their ends
)
