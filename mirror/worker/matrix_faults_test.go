package worker_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/internal/embedded"
)

// faults are what can happen here. Each begins and, if it lasts, ends
// before it returns.
func (e *theatre) faults() map[string]func() {
	all := map[string]func(){
		"a process is killed":                     func() { e.kill(); e.last() },
		"a process hands over while it is cut":    func() { e.handOver(e.cutOnce); e.last() },
		"too few replicas":                        e.refuse,
		"too few replicas behind the append":      e.refuseLate,
		"a partition of the target has no leader": e.leaderless,
		"leaders move":                            e.moveLeaders,
		"connections are cut":                     e.cut,
		"the state is out of reach":               e.loseState,
	}
	if e.compacted {
		all["the source is compacted"] = e.compact
	}
	return all
}

// while is how long a fault lasts: long enough for a few tries, and in a campaign
// for more patience than some of them have.
func (e *theatre) while() time.Duration {
	return 100*time.Millisecond + time.Duration(e.rand.Int64N(int64(e.longest)))
}

// last lets a fault last.
func (e *theatre) last() { <-time.After(e.while()) }

func (e *theatre) cutOnce() {
	e.conns.Lock()
	defer e.conns.Unlock()
	for c := range e.all {
		_ = c.Close() // it may have ended
		delete(e.all, c)
	}
}

func (e *theatre) cut() {
	for range 3 {
		e.cutOnce()
		<-time.After(e.while() / 5)
	}
}

func (e *theatre) refuse()     { e.fault(e.to, kmsg.Produce, kerr.NotEnoughReplicas) }
func (e *theatre) refuseLate() { e.fault(e.to, kmsg.Produce, kerr.NotEnoughReplicasAfterAppend) }

func (e *theatre) fault(c *embedded.Cluster, key kmsg.Key, err *kerr.Error) {
	h := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{key}, Topic: topic, Partitions: []int32{e.rand.Int32N(matrixPartitions)}, Err: err, Count: -1})
	e.last()
	h.Remove()
}

func (e *theatre) leaderless() {
	e.headless.Store(e.rand.Int32N(matrixPartitions))
	h := e.to.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: []int32{e.headless.Load()}, Err: kerr.NotLeaderForPartition, Count: -1})
	<-time.After(1500*time.Millisecond + e.while()) // until what waits is moved out of the way
	h.Remove()
	e.headless.Store(-1)
}

// hideLeaders has the target's brokers name no leader of a partition that has
// none.
func (e *theatre) hideLeaders() {
	fake := e.to.Fake()
	fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		number := e.headless.Load()
		asked := req.(*kmsg.MetadataRequest).Topics
		if number < 0 || len(asked) != 1 || asked[0].Topic == nil || *asked[0].Topic != topic {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		one := kmsg.NewMetadataResponseTopic()
		one.Topic, one.TopicID = kmsg.StringPtr(topic), fake.TopicInfo(topic).TopicID
		for i, address := range fake.ListenAddrs() {
			b := kmsg.NewMetadataResponseBroker()
			b.NodeID = int32(i)
			host, port := split(address)
			b.Host, b.Port = host, port
			resp.Brokers = append(resp.Brokers, b)
		}
		for _, info := range fake.PartitionInfos(topic) {
			part := kmsg.NewMetadataResponseTopicPartition()
			part.Partition, part.Leader, part.LeaderEpoch = info.Partition, info.Leader, info.Epoch
			if part.Partition == number {
				part.Leader, part.ErrorCode = -1, kerr.LeaderNotAvailable.Code
			}
			one.Partitions = append(one.Partitions, part)
		}
		resp.Topics = append(resp.Topics, one)
		return resp, nil, true
	})
}

func split(address string) (host string, port int32) {
	i := slices.Index([]byte(address), ':')
	_, _ = fmt.Sscan(address[i+1:], &port) // kfake's own
	return address[:i], port
}

func (e *theatre) moveLeaders() {
	for range 3 {
		for _, c := range []*embedded.Cluster{e.from, e.to} {
			if err := c.Fake().MoveTopicPartition(topic, e.rand.Int32N(matrixPartitions), e.rand.Int32N(2)); err != nil {
				e.Error(err)
			}
		}
		<-time.After(e.while() / 5)
	}
}

func (e *theatre) loseState() {
	e.away.Store(true)
	e.last()
	e.away.Store(false)
}

func (e *theatre) compact() {
	e.from.Fake().Compact()
	e.last()
	e.from.Fake().Compact()
}
