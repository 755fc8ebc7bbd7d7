package mirror_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// scanty gives a mirror memory for few answers, as a great load would.
func scanty(t *testing.T, f *faked) func(*mirror.Config) {
	return func(conf *mirror.Config) {
		conf.Source = wire.New(wire.Options{Bootstrap: f.source.Bootstrap(), Pool: wire.NewPool(1 << 20)})
		t.Cleanup(conf.Source.Close)
		conf.Limits = mirror.Limits{Fetch: 60 << 10, Partition: 48 << 10}
	}
}

// sideBySide writes a small record to partition 0 and a large one to partition
// 2, which are read by one lane, so that they come in one answer, many times, and
// waits each time until the large one is copied.
func (f *faked) sideBySide(t *testing.T, c *mirror.Copier, rounds int) {
	t.Helper()
	cl := f.client(t, f.source, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0))
	for i := range rounds {
		small := &kgo.Record{Topic: fakedTopic, Partition: 0, Key: []byte("k"), Value: fmt.Append(nil, "small ", i)}
		large := &kgo.Record{Topic: fakedTopic, Partition: 2, Key: []byte("k"), Value: bytes.Repeat([]byte{'x'}, 40<<10)}
		results := cl.ProduceSync(t.Context(), small, large)
		if err := results.FirstErr(); err != nil {
			t.Fatal(err)
		}
		standing(t, c, f.partitions[2], func(s mirror.Standing) bool { return s.Copied > large.Offset })
	}
}

// A partition of the target that has no leader keeps the memory of no other; and
// that its leader is back is heard however much waits.
func TestALeaderlessPartitionHoldsUpNobody(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 4)
	lead := f.leaderless(t, 0)
	f.write(t, 5)
	c, _ := f.run(t, scanty(t, f))
	f.drained(t, c, f.partitions...)
	lead.set(t, false)
	f.sideBySide(t, c, 30)
	if got := standing(t, c, f.partitions[0], func(mirror.Standing) bool { return true }); got.Copied != 5 {
		t.Fatalf("without a leader it is copied up to %d", got.Copied)
	}
	lead.set(t, true)
	f.drained(t, c, f.partitions...)
	f.same(t, f.partitions...)
}

// leading says whether a partition of the target has a leader.
type leading struct {
	f     *faked
	yes   atomic.Bool
	asked atomic.Int64 // how often who leads was asked for
}

// set changes that, and waits until the mirror has looked for the leaders again.
func (l *leading) set(t *testing.T, yes bool) {
	t.Helper()
	l.yes.Store(yes)
	before := l.asked.Load()
	l.f.source.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: fakedTopic, Partitions: []int32{1}, Err: kerr.NotLeaderForPartition, Count: 1})
	ctx := briefly(t)
	for l.asked.Load() == before {
		select {
		case <-ctx.Done():
			t.Fatal("the leaders were not asked for")
		case <-time.After(time.Millisecond):
		}
	}
}

// leaderless lets a partition of the target have a leader only while that is set.
func (f *faked) leaderless(t *testing.T, number int32) *leading {
	t.Helper()
	told, err := f.connect(t, f.target).Metadata(t.Context(), []string{fakedTopic})
	if err != nil {
		t.Fatal(err)
	}
	brokers, err := kadm.NewClient(f.client(t, f.target)).ListBrokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lead := &leading{f: f}
	lead.yes.Store(true)
	fake := f.target.Fake()
	fake.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		lead.asked.Add(1)
		if lead.yes.Load() {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		for _, b := range brokers {
			one := kmsg.NewMetadataResponseBroker()
			one.NodeID, one.Host, one.Port = b.NodeID, b.Host, b.Port
			resp.Brokers = append(resp.Brokers, one)
		}
		name := fakedTopic
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic, topic.TopicID = &name, told.Topics[fakedTopic].ID
		for i, l := range told.Topics[fakedTopic].Leaders {
			one := kmsg.NewMetadataResponseTopicPartition()
			one.Partition, one.Leader, one.LeaderEpoch = int32(i), l.Broker, l.Epoch
			if int32(i) == number {
				one.Leader, one.ErrorCode = -1, kerr.LeaderNotAvailable.Code
			}
			topic.Partitions = append(topic.Partitions, one)
		}
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	return lead
}

// While the store fails, partitions that need it keep the memory of no other.
func TestAStoreThatFailsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 4)
	broken := &refusing{Store: f.store, err: errors.New("the state's brokers are away")}
	c, _ := f.run(t, func(conf *mirror.Config) {
		scanty(t, f)(conf)
		conf.Store = broken
		conf.Partitions[f.partitions[0]] = mirror.Assignment{Ahead: true}
	})
	f.write(t, 5)
	f.drained(t, c, f.partitions...)
	broken.set(true)
	f.sideBySide(t, c, 30)
	if end := f.ends(t, f.target)[f.partitions[0]]; end != 5 {
		t.Errorf("the target has %d records of which the map is not kept", end-5)
	}
	broken.set(false)
	f.drained(t, c, f.partitions...)
	f.same(t, f.partitions...)
}

// A broker that takes what it is sent and says nothing keeps the memory of no
// partition that another one leads.
func TestASilentBrokerHoldsUpNobody(t *testing.T) {
	t.Parallel()
	f := newFakedOn(t, 4, 2)
	for i := range int32(4) { // all are read from one broker, and partition 0 alone is written to the other
		if err := errors.Join(f.source.Fake().MoveTopicPartition(fakedTopic, i, 0), f.target.Fake().MoveTopicPartition(fakedTopic, i, min(i, 1))); err != nil {
			t.Fatal(err)
		}
	}
	var silent atomic.Bool
	fake := f.target.Fake()
	fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		return nil, nil, silent.Load() && req.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Partition == 0
	})
	f.write(t, 5)
	c, _ := f.run(t, func(conf *mirror.Config) {
		scanty(t, f)(conf)
		conf.Limits.Timeout = time.Second // for the end of the test
		conf.Target = wire.New(wire.Options{Bootstrap: f.target.Bootstrap(), Pool: wire.NewPool(32 << 20), Patience: time.Hour})
		t.Cleanup(conf.Target.Close)
	})
	f.drained(t, c, f.partitions...)
	silent.Store(true)
	f.sideBySide(t, c, 30)
	if got := standing(t, c, f.partitions[0], func(mirror.Standing) bool { return true }); got.Copied != 5 || got.Flying == 0 {
		t.Errorf("what is not answered is copied up to %d, with %d requests under way", got.Copied, got.Flying)
	}
}

// A broker answers a request when all of its partitions have their replicas, or
// when the time is up that the request names, and reads no other one of that
// connection before: for so long one that lacks replicas holds up others.
func TestWhatLacksReplicasHoldsUpOthersBriefly(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 2)
	var longest atomic.Int32
	fake := f.target.Fake()
	fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		longest.Store(max(longest.Load(), req.(*kmsg.ProduceRequest).TimeoutMillis))
		return nil, nil, false
	})
	f.write(t, 20)
	c, _ := f.run(t, nil)
	f.drained(t, c, f.partitions...)
	if got := longest.Load(); got <= 0 || got > 10_000 {
		t.Errorf("a request may be under way for %d ms", got)
	}
}

// What makes no progress says so, and what has nothing to do does not.
func TestStalled(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 2)
	fault := f.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: fakedTopic, Partitions: []int32{0}, Err: kerr.NotEnoughReplicas, Count: -1})
	c, _ := f.run(t, nil)
	f.write(t, 20)
	f.drained(t, c, f.partitions[1])
	if err := fault.Wait(briefly(t), 3); err != nil {
		t.Fatal(err)
	}
	const limit = 400 * time.Millisecond
	got := standing(t, c, f.partitions[0], func(s mirror.Standing) bool { return s.Stalled(time.Now(), limit) != nil })
	var stalled *mirror.StalledError
	if err := got.Stalled(time.Now(), limit); !errors.As(err, &stalled) || stalled.For <= limit || !errors.Is(err, kerr.NotEnoughReplicas) && got.Why != nil {
		t.Errorf("%v of %+v", err, got)
	}
	before := time.Now()
	standing(t, c, f.partitions[1], func(s mirror.Standing) bool { return s.Moved.After(before) }) // idle, and heard of
	fault.Remove()
	f.drained(t, c, f.partitions...)
	standing(t, c, f.partitions[0], func(s mirror.Standing) bool {
		return s.Stalled(time.Now(), time.Minute) == nil && s.Moved.After(before)
	})
	if err := (mirror.Standing{Phase: mirror.Stopped}).Stalled(time.Now(), limit); err != nil {
		t.Errorf("one that is stopped is stalled as well: %v", err)
	}
}
