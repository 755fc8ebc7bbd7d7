package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/kafka"
)

// requests counts those of one kind.
func requests(r *rig, key kmsg.Key) func() int64 {
	var n atomic.Int64
	fake := r.fake.Fake()
	fake.ControlKey(key.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		n.Add(1)
		return nil, nil, false
	})
	return n.Load
}

// More topics than one request takes, for creating, describing and altering:
// every one of them has to come through.
func TestChunks(t *testing.T) {
	r := onEmbedded(t, embedded.Options{Brokers: 3})
	ctx := t.Context()
	var specs []cluster.TopicSpec
	changes := map[string]map[string]*string{}
	day := "86400000"
	for i := range 1100 {
		n := fmt.Sprintf("t-%04d", i)
		specs = append(specs, cluster.TopicSpec{Name: n, Partitions: 1, ReplicationFactor: 3, Configs: map[string]string{"retention.ms": fmt.Sprint(i % 7)}})
		changes[n] = map[string]*string{"segment.ms": &day}
	}
	created := requests(r, kmsg.CreateTopics)
	if errs, err := r.client.CreateTopics(ctx, specs, false); err != nil || len(errs) != 0 {
		t.Fatalf("%v, %v", errs, err)
	}
	if errs, err := r.client.AlterTopics(ctx, changes, false); err != nil || len(errs) != 0 {
		t.Fatalf("%v, %v", errs, err)
	}
	snap, err := r.client.Snapshot(ctx, func(string) bool { return true })
	if err != nil || len(snap.Topics) != 1100 || len(snap.LogEnds) != 1100 {
		t.Fatalf("%d topics, %d partitions, %v", len(snap.Topics), len(snap.LogEnds), err)
	}
	for _, s := range specs {
		got := snap.Topics[s.Name].Configs
		if got["retention.ms"].Value != s.Configs["retention.ms"] || got["segment.ms"].Value != day || got["retention.bytes"].Source == cluster.SourceTopic {
			t.Fatalf("%s: %+v", s.Name, got)
		}
	}
	if n := created(); n != 6 {
		t.Errorf("%d requests for 1100 topics, want 6 of at most 200", n)
	}
}

// met fails a test whose faults were not met: it would say nothing.
func met(t *testing.T, want int, faults ...*kfake.FaultHandle) {
	t.Helper()
	hits := 0
	for _, f := range faults {
		hits += f.Hits()
	}
	if hits < want {
		t.Errorf("the faults were met %d times, want %d: the test says nothing", hits, want)
	}
}

// Taken out: sending again what a controller on the move has refused.
func TestControllerMoves(t *testing.T) {
	r := onEmbedded(t, embedded.Options{})
	fault := r.fake.Fake().Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: "b", Err: kerr.NotController, Count: 2},
		kfake.Fault{Keys: []kmsg.Key{kmsg.CreatePartitions}, Topic: "a", Err: kerr.NotController},
	)
	defer met(t, 3, fault)
	specs := []cluster.TopicSpec{{Name: "a", Partitions: 1, ReplicationFactor: 1}, {Name: "b", Partitions: 1, ReplicationFactor: 1}}
	if errs, err := r.client.CreateTopics(t.Context(), specs, false); err != nil || len(errs) != 0 {
		t.Errorf("create: %v, %v", errs, err) // in particular not: "a" exists already
	}
	if errs, err := r.client.GrowTopics(t.Context(), map[string]int{"a": 3, "b": 2}, false); err != nil || len(errs) != 0 {
		t.Errorf("grow: %v, %v", errs, err)
	}
	topics, err := r.client.TopicsNamed(t.Context(), []string{"a", "b"})
	if err != nil || len(topics["a"].Partitions) != 3 || len(topics["b"].Partitions) != 2 {
		t.Errorf("%+v, %v", topics, err)
	}
}

// Taken out: the look at what is there after a lost answer. A topic that kplan
// has created itself would be taken for somebody else's.
func TestLostAnswerToCreate(t *testing.T) {
	r := onEmbedded(t, embedded.Options{})
	fake := r.fake.Fake()
	var faults []*kfake.FaultHandle
	defer func() { met(t, 3, faults...) }()
	timedOut := func(topic string) { // after the work
		faults = append(faults, fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: topic, Err: kerr.RequestTimedOut}))
	}
	timedOut("mine")
	spec := cluster.TopicSpec{Name: "mine", Partitions: 2, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "1000"}}
	if err := r.client.CreateTopic(t.Context(), spec, false); err != nil {
		t.Errorf("created, and the answer is lost: %v", err)
	}
	// Somebody else's, with other partitions, is not taken for ours.
	if err := r.client.CreateTopic(t.Context(), cluster.TopicSpec{Name: "theirs", Partitions: 1, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	timedOut("theirs")
	spec.Name = "theirs"
	if err := r.client.CreateTopic(t.Context(), spec, false); !errors.Is(err, cluster.ErrTopicExists) {
		t.Errorf("somebody else's topic: %v", err)
	}
	faults = append(faults, fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreatePartitions}, Topic: "mine", Err: kerr.RequestTimedOut}))
	if err := r.grow(t.Context(), "mine", 5, false); err != nil {
		t.Errorf("grown, and the answer is lost: %v", err)
	}
}

// Taken out: waiting. The brokers accept a topic before each of them shows it.
func TestCreateWaitsUntilShown(t *testing.T) {
	r := onEmbedded(t, embedded.Options{})
	fake := r.fake.Fake()
	hidden := 5
	fake.ControlKey(kmsg.Metadata.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		asked := req.(*kmsg.MetadataRequest)
		if len(asked.Topics) != 1 || hidden == 0 {
			return nil, nil, false
		}
		hidden--
		resp := asked.ResponseKind().(*kmsg.MetadataResponse)
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic, topic.ErrorCode = asked.Topics[0].Topic, kerr.UnknownTopicOrPartition.Code
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	if err := r.client.CreateTopic(t.Context(), cluster.TopicSpec{Name: "t", Partitions: 1, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	if hidden != 0 {
		t.Errorf("it did not wait: %d more answers would have hidden the topic", hidden)
	}
	hidden = 1 << 30
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("enough"))
	defer cancel()
	if err := r.client.CreateTopic(ctx, cluster.TopicSpec{Name: "never", Partitions: 1, ReplicationFactor: 1}, false); err == nil {
		t.Error("a topic that never shows is said to be created")
	}
}

// A lost connection while groups are read, and coordinators that move: no group
// may be missing, for a reader that nobody knows of loses records (R11).
func TestGroupsMoveWhileTheyAreRead(t *testing.T) {
	r := onEmbedded(t, embedded.Options{Brokers: 3})
	ctx := t.Context()
	topic := r.topic(t, 1, nil)
	for i := range 40 {
		if err := r.client.Commit(ctx, fmt.Sprintf("g-%02d", i), map[cluster.TopicPartition]cluster.Commit{tp(topic, 0): {Offset: int64(i)}}); err != nil {
			t.Fatal(err)
		}
	}
	fake := r.fake.Fake()
	for what, fault := range map[string]kfake.Fault{
		"described": {Keys: []kmsg.Key{kmsg.DescribeGroups}, Group: "g-07", Err: kerr.NotCoordinator},
		"listed":    {Keys: []kmsg.Key{kmsg.ListGroups}, Nodes: []int32{1}, TopLevel: true, Err: kerr.CoordinatorLoadInProgress, Count: 2},
		"fetched":   {Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g-11", Err: kerr.CoordinatorLoadInProgress, Count: 2},
	} {
		h := fake.Fault(fault)
		snap, err := r.client.Snapshot(ctx, func(n string) bool { return n == topic })
		if err != nil || len(snap.Groups) != 40 {
			t.Errorf("moved while they were %s: %d groups, %v", what, len(snap.Groups), err)
		}
		for id, g := range snap.Groups {
			if len(g.Commits) != 1 {
				t.Errorf("%s: %s has commits %v", what, id, g.Commits)
			}
		}
		met(t, 1, h)
		h.Remove()
	}
	fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListGroups}, Nodes: []int32{2}, TopLevel: true, Err: kerr.GroupAuthorizationFailed})
	if snap, err := r.client.Snapshot(ctx, func(n string) bool { return n == topic }); err == nil {
		t.Errorf("one broker did not list its groups, and still there are %d", len(snap.Groups))
	}
}

// Looking at one group asks about this one only.
func TestGroupListsNothing(t *testing.T) {
	r := onEmbedded(t, embedded.Options{Brokers: 3})
	ctx := t.Context()
	topic, id := r.topic(t, 1, nil), name("g")
	if err := r.client.Commit(ctx, id, map[cluster.TopicPartition]cluster.Commit{tp(topic, 0): {Offset: 3}}); err != nil {
		t.Fatal(err)
	}
	listed := requests(r, kmsg.ListGroups)
	g, err := r.client.Group(ctx, id)
	if err != nil || g.State != "Empty" || len(g.Commits) != 1 || listed() != 0 {
		t.Errorf("%+v, %v, with %d lists of groups", g, err, listed())
	}
	if g, err = r.client.Group(ctx, name("never")); err != nil || g.State != "Dead" || listed() > 1 {
		t.Errorf("a group that is not there: %+v, %v, with %d lists of groups, of which one is needed", g, err, listed())
	}
}

// A broker that cannot be asked keeps nobody from creating topics.
func TestCreateWithABrokerGone(t *testing.T) {
	r := onEmbedded(t, embedded.Options{Brokers: 3})
	if err := r.client.CreateTopic(t.Context(), cluster.TopicSpec{Name: "before", Partitions: 1, ReplicationFactor: 1}, false); err != nil {
		t.Fatal(err)
	}
	snap, err := r.client.Snapshot(t.Context(), func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	gone := (int(snap.Controller) + 1) % 3
	if err := r.fake.Kill(gone); err != nil {
		t.Fatal(err)
	}
	client := r.client.Patient(time.Second)
	if err := client.CreateTopic(t.Context(), cluster.TopicSpec{Name: "after", Partitions: 1, ReplicationFactor: 1}, false); err != nil {
		t.Errorf("with one of three brokers gone: %v", err)
	}
	var refused *kafka.RefusedError
	r.fake.Fake().Control(func(kmsg.Request) (kmsg.Response, error, bool) { return nil, io.EOF, true })
	if err := client.CreateTopic(t.Context(), cluster.TopicSpec{Name: "worse", Partitions: 1, ReplicationFactor: 9}, false); !errors.As(err, &refused) {
		t.Errorf("a refusal behind a broken connection: %v", err)
	}
}
