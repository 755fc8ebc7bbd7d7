package worker_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/internal/embedded"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// last lets a fault last.
func (p *play) last() { <-time.After(p.while()) }

// kill ends a process as kill -9 would: it sends nothing more, keeps nothing more
// and says nothing. Another one begins at once.
func (p *play) kill() {
	m := p.leave()
	m.dead.Store(true)
	m.source.Close()
	m.target.Close()
	m.stop()
	if !p.workers { // its successor has to find what it has kept
		_ = p.end(m) // it is dead: whatever it says
	} else {
		p.Cleanup(func() { _ = p.end(m) })
	}
	p.start()
	p.last()
}

// handOver ends a process in order while its connections are cut.
func (p *play) handOver() {
	m := p.leave()
	m.stop()
	p.cutOnce()
	if err := p.end(m); err != nil {
		p.Logf("a process that was cut while it ended: %v", err)
	}
	p.start()
	p.last()
}

func (p *play) cutOnce() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close() // it may have ended
		delete(p.conns, c)
	}
}

func (p *play) cut() {
	for range 3 {
		p.cutOnce()
		<-time.After(p.while() / 5)
	}
}

func (p *play) refuse()     { p.fault(p.target, kmsg.Produce, kerr.NotEnoughReplicas) }
func (p *play) refuseLate() { p.fault(p.target, kmsg.Produce, kerr.NotEnoughReplicasAfterAppend) }

func (p *play) fault(c *embedded.Cluster, key kmsg.Key, err *kerr.Error) {
	h := c.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{key}, Topic: topic, Partitions: []int32{p.rand.Int32N(matrixPartitions)}, Err: err, Count: -1})
	p.last()
	h.Remove()
}

func (p *play) leaderless() {
	p.headless.Store(p.rand.Int32N(matrixPartitions))
	h := p.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: []int32{p.headless.Load()}, Err: kerr.NotLeaderForPartition, Count: -1})
	<-time.After(1500*time.Millisecond + p.while()) // until what waits is moved out of the way
	h.Remove()
	p.headless.Store(-1)
}

// hideLeaders has the target's brokers name no leader of a partition that has
// none.
func (p *play) hideLeaders() {
	fake := p.target.Fake()
	fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		number := p.headless.Load()
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

func (p *play) moveLeaders() {
	for range 3 {
		for _, c := range []*embedded.Cluster{p.source, p.target} {
			if err := c.Fake().MoveTopicPartition(topic, p.rand.Int32N(matrixPartitions), p.rand.Int32N(2)); err != nil {
				p.Error(err)
			}
		}
		<-time.After(p.while() / 5)
	}
}

func (p *play) loseState() {
	p.stateAway.Store(true)
	p.last()
	p.stateAway.Store(false)
}

func (p *play) compact() {
	p.source.Fake().Compact()
	p.last()
	p.source.Fake().Compact()
}

// write puts n records on the source, in transactions where it has some, and
// notes those that are committed.
func (p *play) write(n int) {
	p.Helper()
	var more []kgo.Opt
	if p.transactional {
		more = append(more, kgo.TransactionalID("producer"))
	}
	cl := p.kgo(p.source, more...)
	defer cl.Close()
	for n > 0 {
		n -= p.writeSome(p.Context(), cl, n)
	}
}

// writeSome writes a few; what was written is in the log, and noted, when it
// returns.
func (p *play) writeSome(ctx context.Context, cl *kgo.Client, most int) int {
	p.mu.Lock()
	n := min(most, 1+p.count%7)
	var records []*kgo.Record
	for range n {
		p.count++
		records = append(records, &kgo.Record{
			Topic: topic, Partition: int32(p.count % matrixPartitions), Key: fmt.Append(nil, "k", p.count%17), Value: fmt.Append(nil, "v", p.count),
		})
	}
	commit := kgo.TransactionEndTry(p.count%3 > 0)
	p.mu.Unlock()
	if p.transactional {
		if err := cl.BeginTransaction(); err != nil {
			p.Error(err)
			return most
		}
	}
	results := cl.ProduceSync(ctx, records...)
	err := results.FirstErr()
	if p.transactional && err == nil {
		err = cl.EndTransaction(ctx, commit)
	}
	if err != nil {
		p.Errorf("writing to the source: %v", err)
		return most
	}
	if p.transactional && commit == kgo.TryAbort {
		return n
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range results {
		p.ever[r.Record.Partition][r.Record.Offset] = string(r.Record.Key) + "=" + string(r.Record.Value)
	}
	return n
}

// load writes until ctx ends.
func (p *play) load(ctx context.Context) {
	var more []kgo.Opt
	if p.transactional {
		more = append(more, kgo.TransactionalID("producer"))
	}
	cl := p.kgo(p.source, more...)
	for ctx.Err() == nil {
		p.writeSome(context.WithoutCancel(ctx), cl, 7)
		<-time.After(5 * time.Millisecond)
	}
	cl.Close()
}

// arrive waits until all of the source is acknowledged, as the state tells
// anybody who asks.
func (p *play) arrive(faults []string) {
	p.Helper()
	source := p.client(p.source)
	defer source.Close()
	keeper := mirror.NewKeeper(p.open())
	limit := time.After(90 * time.Second)
	for {
		ends, failed, err := source.StableEnds(p.Context(), p.ids)
		acked, askErr := keeper.Acked(p.Context(), []string{topic})
		left := 0
		for _, id := range p.ids {
			if a, known := acked[id]; !known || a.Source < ends[id] {
				left++
			}
		}
		if err == nil && askErr == nil && len(failed) == 0 && left == 0 {
			return
		}
		select {
		case <-limit:
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, m := range p.members {
				p.Logf("%+v", m.standing())
			}
			p.Fatalf("after %q not all arrives: ends %v, acknowledged %v (%v, %v, %v)", faults, ends, acked, err, askErr, failed)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// compare judges each partition.
func (p *play) compare() {
	p.Helper()
	copied, unproven, err := mirror.NewKeeper(p.open()).Load(p.Context(), p.ids)
	if err != nil || len(unproven) > 0 {
		p.Fatal(unproven, err)
	}
	for _, id := range p.ids {
		source, target := p.contents(p.source, id), p.contents(p.target, id)
		at := map[int64]int64{}
		for _, g := range copied[id].Segments() {
			for i := range g.Length {
				at[g.Source+i] = g.Target + i
			}
		}
		now, there := map[int64]string{}, map[int64]string{}
		for offset, r := range target {
			there[offset] = r.text
		}
		for offset, r := range source {
			now[offset] = r.text
			if to, known := at[offset]; known && target[to].time != r.time {
				p.Errorf("partition %d: source offset %d is of %s, its copy of %s", id.Number, offset, r.time, target[to].time)
				break
			}
		}
		for _, wrong := range judge(p.ever[id.Number], now, there, at, p.compacted) {
			p.Errorf("partition %d: %s", id.Number, wrong)
		}
	}
}

type written struct {
	text string
	time time.Time
}

// contents are the committed records of a partition, by offset.
func (p *play) contents(c *embedded.Cluster, id wire.Partition) map[int64]written {
	p.Helper()
	listed, err := kadm.NewClient(p.kgo(c)).ListCommittedOffsets(p.Context(), topic)
	if err != nil {
		p.Fatal(err)
	}
	end, _ := listed.Lookup(topic, id.Number)
	cl := p.kgo(c, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {id.Number: kgo.NewOffset().AtStart()}}), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer cl.Close()
	ctx, cancel := context.WithTimeout(p.Context(), time.Minute)
	defer cancel()
	all := map[int64]written{}
	for at := int64(0); at < end.Offset; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			p.Fatalf("reading partition %d at %d of %d: %v", id.Number, at, end.Offset, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if at = r.Offset + 1; !r.Attrs.IsControl() {
				all[r.Offset] = written{string(r.Key) + "=" + string(r.Value), r.Timestamp}
			}
		})
	}
	return all
}
