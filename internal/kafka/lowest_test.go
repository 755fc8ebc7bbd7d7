package kafka_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
)

// testLowestCommits: of all groups, whosever they are, the lowest position on each
// partition; kplan's own read nothing, and what has no commit is absent.
func testLowestCommits(t *testing.T, r *rig) {
	topic, other := r.topic(t, 4, nil), r.topic(t, 1, nil)
	low, high := name("low"), name("high")
	for group, at := range map[string]map[cluster.TopicPartition]int64{
		low:                             {tp(topic, 0): 3, tp(topic, 2): 9, tp(other, 0): 1},
		high:                            {tp(topic, 0): 7, tp(topic, 1): 5, tp(topic, 2): 4},
		cluster.OwnPrefix + name("own"): {tp(topic, 0): 0, tp(topic, 3): 0},
	} {
		commits := map[cluster.TopicPartition]cluster.Commit{}
		for tp, offset := range at {
			commits[tp] = cluster.Commit{Offset: offset}
		}
		if err := r.client.Commit(t.Context(), group, commits); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.client.LowestCommits(t.Context(), []string{topic})
	want := map[cluster.TopicPartition]cluster.LowestCommit{tp(topic, 0): {Offset: 3, Group: low}, tp(topic, 1): {Offset: 5, Group: high}, tp(topic, 2): {Offset: 4, Group: high}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, d)
	}
}

// What is not told is no answer: a broker that does not list its groups or their
// positions, rights of which the brokers say nothing, topics that are not shown.
func TestLowestCommitsAreWhole(t *testing.T) {
	r := onEmbedded(t, embedded.Options{Brokers: 3})
	topic := r.topic(t, 1, nil)
	for _, group := range []string{"g1", "g2", "g3", "g4"} {
		if err := r.client.Commit(t.Context(), group, map[cluster.TopicPartition]cluster.Commit{tp(topic, 0): {Offset: 3}}); err != nil {
			t.Fatal(err)
		}
	}
	for what, fault := range map[string]kfake.Fault{
		"a broker does not list its groups": {Keys: []kmsg.Key{kmsg.ListGroups}, Nodes: []int32{1}, TopLevel: true, Err: kerr.GroupAuthorizationFailed, Count: -1},
		"a group is not described":          {Keys: []kmsg.Key{kmsg.DescribeGroups}, Group: "g2", Err: kerr.GroupAuthorizationFailed, Count: -1},
		"positions are not told":            {Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: "g3", Err: kerr.GroupAuthorizationFailed, Count: -1},
		"the topic is not shown":            {Keys: []kmsg.Key{kmsg.Metadata}, Topic: topic, Err: kerr.TopicAuthorizationFailed, Count: -1},
	} {
		h := r.fake.Fake().Fault(fault)
		if got, err := r.client.LowestCommits(t.Context(), []string{topic}); err == nil || got != nil {
			t.Errorf("%s, and still %v", what, got)
		} else {
			t.Log(err)
		}
		met(t, 1, h)
		h.Remove()
	}
	if got, err := r.client.LowestCommits(t.Context(), []string{topic}); err != nil || len(got) != 1 {
		t.Errorf("in the end: %v, %v", got, err)
	}
}

// While a part of the topic of offsets has no leader nobody lists its groups, and
// one that moves while they are read may be listed by neither.
func TestLowestCommitsWhileCoordinatorsMove(t *testing.T) {
	const offsets = "__consumer_offsets"
	r := onEmbedded(t, embedded.Options{Brokers: 3, Topics: map[string]int32{offsets: 3}})
	topic, fake := r.topic(t, 1, nil), r.fake.Fake()
	ask := func() error {
		_, err := r.client.LowestCommits(t.Context(), []string{topic})
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	h := fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: offsets, Partitions: []int32{2}, Err: kerr.LeaderNotAvailable, Count: -1})
	if err := ask(); err == nil || !strings.Contains(err.Error(), offsets+"[2]") {
		t.Errorf("a part of the topic of offsets has no leader, and it says %v", err)
	}
	met(t, 1, h)
	h.Remove()
	moved := false
	fake.ControlKey(kmsg.ListGroups.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		if !moved {
			moved = true
			fake.SleepControl(func() {
				if err := fake.MoveTopicPartition(offsets, 1, (fake.LeaderFor(offsets, 1)+1)%3); err != nil {
					t.Error(err)
				}
			})
		}
		return nil, nil, false
	})
	if err := ask(); err == nil || !moved {
		t.Errorf("groups moved meanwhile (%t), and it is an answer", moved)
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
}

// Brokers leave out, without a word, the groups and commits that may not be
// described: each right that is missing is an error.
func TestLowestCommitsNeedRightsOnRealBrokers(t *testing.T) {
	eachVersion(t, func(t *testing.T, v kafkatest.Version) {
		super, plain := guarded(t, v)
		topic, group := super.topic(t, 1, nil), name("g")
		if err := super.client.Commit(t.Context(), group, map[cluster.TopicPartition]cluster.Commit{tp(topic, 0): {Offset: 3}}); err != nil {
			t.Fatal(err)
		}
		refused := func(step string) {
			t.Helper()
			got, err := plain.client.LowestCommits(t.Context(), []string{topic})
			if err == nil || got != nil || !kafka.NotAllowed(err) && !errors.Is(err, cluster.ErrNotAllowed) {
				t.Errorf("%s: %v, %v", step, got, err)
			}
		}
		for _, right := range []cluster.ACL{
			rule("topic", "__consumer_offsets", "User:kplan", "describe", cluster.Allow), rule("topic", topic, "User:kplan", "describe", cluster.Allow),
			rule("cluster", cluster.ClusterName, "User:kplan", "describe", cluster.Allow), rule("group", "*", "User:kplan", "describe", cluster.Allow),
		} {
			refused("before Describe on " + right.Resource + " " + right.Name)
			super.grant(t, right)
		}
		want := map[cluster.TopicPartition]cluster.LowestCommit{tp(topic, 0): {Offset: 3, Group: group}}
		if got, err := plain.client.LowestCommits(t.Context(), []string{topic}); err != nil || !cmp.Equal(want, got) {
			t.Errorf("with all of them: %v, %v", got, err)
		}
	})
}
