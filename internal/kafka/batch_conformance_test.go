package kafka_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/cluster"
	"kplan/internal/kafka"
)

// testCreateMany: of many topics in one request each one is created, refused, or
// there already, and those that are created can be used at once.
func testCreateMany(t *testing.T, r *rig) {
	ctx := t.Context()
	prefix, exists := name("many"), r.topic(t, 1, nil)
	var specs []cluster.TopicSpec
	var names []string
	for i := range 20 {
		n := fmt.Sprintf("%s-%02d", prefix, i)
		names = append(names, n)
		specs = append(specs, cluster.TopicSpec{Name: n, Partitions: 1 + i%3, ReplicationFactor: int(r.replicas), Configs: map[string]string{"retention.ms": "3600000"}})
	}
	tooMany := name("bad")
	specs = append(specs, cluster.TopicSpec{Name: exists, Partitions: 1, ReplicationFactor: int(r.replicas)}, cluster.TopicSpec{Name: tooMany, Partitions: 1, ReplicationFactor: 9})
	for _, validateOnly := range []bool{true, false} {
		errs, err := r.client.CreateTopics(ctx, specs, validateOnly)
		if err != nil {
			t.Fatal(err)
		}
		var refused *kafka.RefusedError
		if len(errs) != 2 || !errors.Is(errs[exists], cluster.ErrTopicExists) || !errors.As(errs[tooMany], &refused) || !strings.Contains(refused.What, tooMany) {
			t.Errorf("validateOnly %v: refused %v", validateOnly, errs)
		}
		topics, err := r.client.TopicsNamed(ctx, append(names, name("missing")))
		if err != nil {
			t.Fatal(err)
		}
		if validateOnly {
			if len(topics) != 0 {
				t.Errorf("validateOnly has left %d topics", len(topics))
			}
			continue
		}
		for _, s := range specs[:20] {
			topic := topics[s.Name]
			if len(topic.Partitions) != s.Partitions || topic.Configs["retention.ms"].Value != "3600000" {
				t.Errorf("%s has %d partitions and retention.ms %+v", s.Name, len(topic.Partitions), topic.Configs["retention.ms"])
			}
		}
		if len(topics) != 20 {
			t.Errorf("%d topics", len(topics))
		}
	}
	if none, err := r.client.TopicsNamed(ctx, nil); err != nil || len(none) != 0 {
		t.Errorf("no names: %d topics, %v", len(none), err)
	}
}

// testAlterMany: many topics in one request, each with its own changes.
func testAlterMany(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b, missing := r.topic(t, 1, map[string]string{"retention.ms": "3600000"}), r.topic(t, 1, nil), name("missing")
	week, soon := "604800000", "soon"
	changes := map[string]map[string]*string{a: {"retention.ms": nil, "retention.bytes": &week}, b: {"retention.ms": &week}}
	for _, validateOnly := range []bool{true, false} {
		if errs, err := r.client.AlterTopics(ctx, changes, validateOnly); err != nil || len(errs) != 0 {
			t.Fatalf("validateOnly %v: %v, %v", validateOnly, errs, err)
		}
		topics, err := r.client.TopicsNamed(ctx, []string{a, b})
		if err != nil {
			t.Fatal(err)
		}
		got := [][]string{topics[a].SetConfigs(), topics[b].SetConfigs()}
		want := [][]string{{"retention.ms"}, nil}
		if !validateOnly {
			want = [][]string{{"retention.bytes"}, {"retention.ms"}}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("validateOnly %v: set configs (-want +got):\n%s", validateOnly, d)
		}
	}
	bad := map[string]map[string]*string{a: {"retention.ms": &week}, missing: {"retention.ms": &week}}
	refusals := 1
	if r.real() { // the embedded one takes anything
		bad[b] = map[string]*string{"retention.ms": &soon}
		refusals = 2
	}
	errs, err := r.client.AlterTopics(ctx, bad, true)
	if err != nil || len(errs) != refusals || errs[a] != nil {
		t.Errorf("refused %v, %v", errs, err)
	}
	for topic, err := range errs {
		var refused *kafka.RefusedError
		if !errors.As(err, &refused) || refused.Text == "" {
			t.Errorf("%s: %v", topic, err)
		}
	}
}

func testGrowMany(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b, large := r.topic(t, 1, nil), r.topic(t, 2, nil), r.topic(t, 3, nil)
	totals := map[string]int{a: 3, b: 4, large: 2}
	for _, validateOnly := range []bool{true, false} {
		errs, err := r.client.GrowTopics(ctx, totals, validateOnly)
		var refused *kafka.RefusedError
		if err != nil || len(errs) != 1 || !errors.As(errs[large], &refused) {
			t.Fatalf("validateOnly %v: %v, %v", validateOnly, errs, err)
		}
		topics, err := r.client.TopicsNamed(ctx, []string{a, b, large})
		if err != nil {
			t.Fatal(err)
		}
		got := []int{len(topics[a].Partitions), len(topics[b].Partitions), len(topics[large].Partitions)}
		want := []int{1, 2, 3}
		if !validateOnly {
			want = []int{3, 4, 3}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("validateOnly %v: partitions (-want +got):\n%s", validateOnly, d)
		}
	}
}

// testManyGroups: more groups than one request asks about; older brokers are
// asked group by group.
func testManyGroups(t *testing.T, r *rig) {
	ctx := t.Context()
	topic, other := r.topic(t, 3, nil), r.topic(t, 1, nil)
	want := map[string]map[cluster.TopicPartition]cluster.Commit{}
	for i := range 250 {
		id := fmt.Sprintf("%s-%03d", topic, i)
		want[id] = map[cluster.TopicPartition]cluster.Commit{tp(topic, int32(i%3)): {Offset: int64(i), Metadata: fmt.Sprint("m", i)}}
		if err := r.client.Commit(ctx, id, want[id]); err != nil {
			t.Fatal(err)
		}
	}
	stranger := name("stranger")
	if err := r.client.Commit(ctx, stranger, map[cluster.TopicPartition]cluster.Commit{tp(other, 0): {Offset: 1}}); err != nil {
		t.Fatal(err)
	}
	snap, err := r.client.Snapshot(ctx, func(n string) bool { return n == topic })
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]map[cluster.TopicPartition]cluster.Commit{}
	for id, g := range snap.Groups {
		if g.Type != cluster.GroupClassic || g.State != "Empty" {
			t.Errorf("group %s is %s, %s", id, g.Type, g.State)
		}
		got[id] = g.Commits
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("groups (-want +got):\n%s", d)
	}
}

// testKeys: a topic carries keys when the newest record of any of its partitions
// does, however large that record's batch is.
func testKeys(t *testing.T, r *rig) {
	c := r.another(t, byHand())
	write := func(at cluster.TopicPartition, key []byte, size int) {
		t.Helper()
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: at.Topic, Partition: at.Partition, Key: key, Value: make([]byte, size)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	late, large, none, empty, before := r.topic(t, 3, nil), r.topic(t, 1, nil), r.topic(t, 2, nil), r.topic(t, 1, nil), r.topic(t, 1, nil)
	write(tp(late, 0), nil, 1)
	write(tp(late, 2), []byte("k"), 1)
	write(tp(large, 0), []byte("k"), 300_000)
	write(tp(none, 0), nil, 300_000)
	write(tp(none, 1), nil, 1)
	write(tp(before, 0), []byte("k"), 1)
	write(tp(before, 0), nil, 1) // only the newest is looked at
	all := map[string]bool{late: true, large: true, none: true, empty: true, before: true}
	snap, err := r.client.Snapshot(t.Context(), func(n string) bool { return all[n] })
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]bool{late: true, large: true}, snap.Keyed); d != "" {
		t.Errorf("keyed (-want +got):\n%s", d)
	}
}
