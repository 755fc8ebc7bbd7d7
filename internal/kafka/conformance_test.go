package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/kafka"
)

// conformance is what holds on every cluster. The same functions run on the
// embedded one and on real brokers (real_test.go).
func conformance() map[string]func(*testing.T, *rig) {
	return map[string]func(*testing.T, *rig){
		"create":       testCreate,
		"configs":      testConfigs,
		"partitions":   testPartitions,
		"log ends":     testLogEnds,
		"first record": testFirstRecord,
		"no group":     testGroupThatNeverWas,
		"members":      testMembers,
		"commit":       testCommit,
		"nameless":     testGroupWithoutAName,
		"pending":      testPendingCommit,
		"open":         testOpenTransactions,
		"snapshot":     testSnapshot,
		"create many":  testCreateMany,
		"alter many":   testAlterMany,
		"grow many":    testGrowMany,
		"many groups":  testManyGroups,
		"lowest":       testLowestCommits,
		"keys":         testKeys,
	}
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	r := onEmbedded(t, embedded.Options{Brokers: 3})
	for what, test := range conformance() {
		t.Run(what, func(t *testing.T) { test(t, r) })
	}
}

func testCreate(t *testing.T, r *rig) {
	ctx := t.Context()
	spec := cluster.TopicSpec{Name: name("new"), Partitions: 2, ReplicationFactor: int(r.replicas), Configs: map[string]string{"retention.ms": "3600000"}}
	only := func(n string) bool { return n == spec.Name }
	if err := r.client.CreateTopic(ctx, spec, true); err != nil {
		t.Fatal(err)
	}
	if topics, err := r.client.Topics(ctx, only); err != nil || len(topics) != 0 {
		t.Errorf("validateOnly has left %v, %v", topics, err)
	}
	if err := r.client.CreateTopic(ctx, spec, false); err != nil {
		t.Fatal(err)
	}
	if _, err := r.client.LogEnds(ctx, []string{spec.Name}); err != nil {
		t.Fatal(err)
	}
	topics, err := r.client.Topics(ctx, only)
	if err != nil || len(topics[spec.Name].Partitions) != 2 || topics[spec.Name].ReplicationFactor() != int(r.replicas) {
		t.Errorf("created %+v, %v", topics, err)
	}
	for _, validateOnly := range []bool{true, false} {
		if err := r.client.CreateTopic(ctx, spec, validateOnly); !errors.Is(err, cluster.ErrTopicExists) {
			t.Errorf("validateOnly %v on a topic that exists: %v", validateOnly, err)
		}
	}
	refusals := map[string]cluster.TopicSpec{"replicas": {Name: name("bad"), Partitions: 1, ReplicationFactor: 9}}
	if r.real() { // the embedded one takes anything
		refusals["name"] = cluster.TopicSpec{Name: "no such/name", Partitions: 1, ReplicationFactor: 1}
		refusals["config"] = cluster.TopicSpec{Name: name("bad"), Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"retention.mss": "1"}}
	}
	for what, bad := range refusals {
		var refused *kafka.RefusedError
		if err := r.client.CreateTopic(ctx, bad, true); !errors.As(err, &refused) || refused.Text == "" {
			t.Errorf("bad %s: %v", what, err)
		}
	}
}

func testConfigs(t *testing.T, r *rig) {
	ctx := t.Context()
	topic := r.topic(t, 1, map[string]string{"retention.ms": "3600000"})
	get := func(key string) cluster.Config {
		t.Helper()
		topics, err := r.client.Topics(ctx, func(n string) bool { return n == topic })
		if err != nil {
			t.Fatal(err)
		}
		return topics[topic].Configs[key]
	}
	if c := get("retention.ms"); c.Value != "3600000" || c.Source != cluster.SourceTopic {
		t.Errorf("set at the creation: %+v", c)
	}
	standard := get("retention.bytes")
	if standard.Source == cluster.SourceTopic || standard.Value != "-1" {
		t.Errorf("not set: %+v", standard)
	}
	unlimited, gigabyte := "-1", "1073741824"
	alter := func(changes map[string]*string, validateOnly bool) {
		t.Helper()
		if err := r.alter(ctx, topic, changes, validateOnly); err != nil {
			t.Fatal(err)
		}
	}
	alter(map[string]*string{"retention.ms": &unlimited}, true)
	if c := get("retention.ms"); c.Value != "3600000" {
		t.Errorf("validateOnly has set %+v", c)
	}
	alter(map[string]*string{"retention.ms": &unlimited, "retention.bytes": &gigabyte}, false)
	if c := get("retention.ms"); c.Value != "-1" || c.Source != cluster.SourceTopic {
		t.Errorf("set: %+v", c)
	}
	alter(map[string]*string{"retention.bytes": nil}, false) // and nothing else changes
	if d := cmp.Diff(standard, get("retention.bytes")); d != "" {
		t.Errorf("deleted (-before +after):\n%s", d)
	}
	if c := get("retention.ms"); c.Value != "-1" {
		t.Errorf("after deleting another config: %+v", c)
	}
	var refused *kafka.RefusedError
	soon := "soon"
	if err := r.alter(ctx, topic, map[string]*string{"retention.ms": &soon}, true); r.real() && (!errors.As(err, &refused) || refused.Text == "") {
		t.Errorf("a value that is no number: %v", err)
	}
}

func testPartitions(t *testing.T, r *rig) {
	ctx := t.Context()
	topic := r.topic(t, 2, nil)
	if err := r.grow(ctx, topic, 4, true); err != nil {
		t.Fatal(err)
	}
	if ends, err := r.client.LogEnds(ctx, []string{topic}); err != nil || len(ends) != 2 {
		t.Errorf("validateOnly: %d partitions, %v", len(ends), err)
	}
	if err := r.grow(ctx, topic, 4, false); err != nil {
		t.Fatal(err)
	}
	r.ends(t, tp(topic, 3), func(cluster.LogEnds) bool { return true })
	var refused *kafka.RefusedError
	if err := r.grow(ctx, topic, 1, false); !errors.As(err, &refused) || refused.Text == "" {
		t.Errorf("fewer partitions: %v", err)
	}
}

// testLogEnds is R5 and R4: the four offsets, with open and ended transactions.
func testLogEnds(t *testing.T, r *rig) {
	topic := r.topic(t, 3, nil)
	plain, tx := r.another(t, byHand()), r.transactional(t)
	p0, p1 := tp(topic, 0), tp(topic, 1)
	produce(t, plain, p0, 5)
	if got := r.ends(t, p0, cluster.LogEnds.Settled); got != (cluster.LogEnds{LogEnd: 5, HighWatermark: 5, LastStable: 5}) {
		t.Errorf("five records: %+v", got)
	}
	produce(t, plain, p1, 2)
	begin(t, tx)
	produce(t, tx, p1, 3)
	want := cluster.LogEnds{LogEnd: 5, HighWatermark: 5, LastStable: 2}
	if got := r.ends(t, p1, func(e cluster.LogEnds) bool { return e.LogEnd == 5 && e.HighWatermark == 5 }); got != want || got.Settled() {
		t.Errorf("in a transaction: %+v, want %+v", got, want)
	}
	produce(t, plain, p1, 1)
	if got := r.ends(t, p1, func(e cluster.LogEnds) bool { return e.HighWatermark == 6 }); got.LastStable != 2 {
		t.Errorf("a record behind an open transaction: %+v", got)
	}
	end(t, tx, kgo.TryCommit)
	if got := r.ends(t, p1, cluster.LogEnds.Settled); got.LogEnd != 7 {
		t.Errorf("with the marker: %+v", got)
	}
	begin(t, tx)
	produce(t, tx, p1, 1)
	end(t, tx, kgo.TryAbort)
	if got := r.ends(t, p1, cluster.LogEnds.Settled); got.LogEnd != 9 {
		t.Errorf("with an aborted record and its marker: %+v", got)
	}
	deleteBefore(t, r, p0, 3)
	if got := r.ends(t, p0, cluster.LogEnds.Settled); got.LogStart != 3 || got.LogEnd != 5 {
		t.Errorf("after DeleteRecords: %+v", got)
	}
	if all, err := r.client.LogEnds(t.Context(), nil); err != nil || len(all) != 0 {
		t.Errorf("of no topic: %v, %v", all, err)
	}
	var unsettled *kafka.UnsettledError
	if _, err := r.client.LogEnds(t.Context(), []string{topic, name("missing")}); !errors.As(err, &unsettled) {
		t.Errorf("of a topic that is missing: %v", err)
	}
}

func deleteBefore(t *testing.T, r *rig, at cluster.TopicPartition, offset int64) {
	t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 10_000
	topic, part := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Partition, part.Offset = at.Partition, offset
	topic.Topic, topic.Partitions = at.Topic, append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(t.Context(), r.witness)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// testGroupThatNeverWas: brokers differ in what they answer here.
func testGroupThatNeverWas(t *testing.T, r *rig) {
	group, topic := name("never"), r.topic(t, 1, nil)
	commits, err := r.client.StableCommits(t.Context(), group, map[string][]int32{topic: {0}})
	if err != nil || len(commits) != 0 {
		t.Errorf("commits %v, %v", commits, err)
	}
	if commits, err = r.client.StableCommits(t.Context(), group, map[string][]int32{}); err != nil || len(commits) != 0 {
		t.Errorf("commits on no partition: %v, %v", commits, err)
	}
	got, err := r.client.Group(t.Context(), group)
	want := cluster.Group{ID: group, Type: cluster.GroupClassic, State: "Dead", Commits: map[cluster.TopicPartition]cluster.Commit{}}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if err := r.client.RemoveMembers(t.Context(), group, []cluster.Member{{ID: "x"}}); err != nil {
		t.Errorf("removing a member of it: %v", err)
	}
}

// testCommit is R9: what is placed is what the broker keeps, with leader epoch
// -1 and the metadata byte for byte, and other partitions are left alone.
func testCommit(t *testing.T, r *rig) {
	group, topic := name("g"), r.topic(t, 3, nil)
	produce(t, r.another(t, byHand()), tp(topic, 0), 10)
	metadata := "offset of pod-3, äöü \x01"
	positions := map[cluster.TopicPartition]cluster.Commit{tp(topic, 0): {Offset: 7, Metadata: metadata}, tp(topic, 1): {Offset: 0}}
	if err := r.client.Commit(t.Context(), group, positions); err != nil {
		t.Fatal(err)
	}
	got, err := r.client.StableCommits(t.Context(), group, map[string][]int32{topic: {0, 1, 2}})
	if d := cmp.Diff(positions, got); d != "" || err != nil {
		t.Errorf("%v (-placed +read):\n%s", err, d)
	}
	raw := r.rawCommit(t, group, tp(topic, 0))
	if raw.Offset != 7 || raw.LeaderEpoch != -1 || raw.Metadata == nil || *raw.Metadata != metadata {
		t.Errorf("the broker keeps %+v", raw)
	}
	if err := r.client.Commit(t.Context(), group, map[cluster.TopicPartition]cluster.Commit{tp(topic, 1): {Offset: 3}}); err != nil {
		t.Fatal(err)
	}
	group2, err := r.client.Group(t.Context(), group)
	positions[tp(topic, 1)] = cluster.Commit{Offset: 3}
	if d := cmp.Diff(positions, group2.Commits); d != "" || err != nil || group2.State != "Empty" {
		t.Errorf("%s, %v (-placed +group):\n%s", group2.State, err, d)
	}
}

// testGroupWithoutAName: old clients commit for the empty group id, and it is
// found, read and placed like any other.
func testGroupWithoutAName(t *testing.T, r *rig) {
	topic := r.topic(t, 1, nil)
	at := tp(topic, 0)
	produce(t, r.another(t, byHand()), at, 3)
	want := map[cluster.TopicPartition]cluster.Commit{at: {Offset: 2, Metadata: "m"}}
	if err := r.client.Commit(t.Context(), "", want); err != nil {
		t.Fatal(err)
	}
	got, err := r.client.StableCommits(t.Context(), "", map[string][]int32{topic: {0}})
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-placed +read):\n%s", err, d)
	}
	snap, err := r.client.Snapshot(t.Context(), func(n string) bool { return n == topic })
	if err != nil {
		t.Fatal(err)
	}
	if g, there := snap.Groups[""]; !there || g.Commits[at].Offset != 2 || len(g.Members) != 0 {
		t.Errorf("found %v, %+v", there, g)
	}
	if g, err := r.client.Group(t.Context(), ""); err != nil || g.Commits[at].Offset != 2 || len(g.Members) != 0 {
		t.Errorf("described: %+v, %v", g, err)
	}
}

// testMembers: who is in a group, that nothing is placed while somebody is, and
// the removal of one that went without saying so.
func testMembers(t *testing.T, r *rig) {
	group, topic, instance := name("g"), r.topic(t, 2, nil), name("pod")
	c := r.another(t, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.InstanceID(instance), kgo.ClientID("witness"), kgo.SessionTimeout(30*time.Second))
	produce(t, r.another(t, byHand()), tp(topic, 1), 1)
	poll(t, c)
	got := r.stable(t, group)
	want := []cluster.Member{{InstanceID: instance, ClientID: "witness", Assigned: []cluster.TopicPartition{tp(topic, 0), tp(topic, 1)}, Subscribed: []string{topic}}}
	sorted := cmpopts.SortSlices(func(a, b cluster.TopicPartition) bool { return a.Partition < b.Partition })
	if d := cmp.Diff(want, got.Members, sorted, cmpopts.IgnoreFields(cluster.Member{}, "ID", "Host")); d != "" {
		t.Errorf("members (-want +got):\n%s", d)
	}
	place := func() error {
		return r.client.Commit(t.Context(), group, map[cluster.TopicPartition]cluster.Commit{tp(topic, 0): {Offset: 0}})
	}
	if err := place(); !errors.Is(err, cluster.ErrGroupHasMembers) {
		t.Errorf("placing under a member: %v", err)
	}
	c.CloseAllowingRebalance() // a static member does not leave
	if left := r.stable(t, group); len(left.Members) != 1 {
		t.Fatalf("%d members after a static one went", len(left.Members))
	}
	for range 2 { // the second time nobody is there
		if err := r.client.RemoveMembers(t.Context(), group, got.Members); err != nil {
			t.Fatal(err)
		}
	}
	empty, err := r.client.Group(t.Context(), group)
	if err != nil || len(empty.Members) != 0 || empty.State != "Empty" {
		t.Errorf("after the removal: %+v, %v", empty, err)
	}
	if err := place(); err != nil {
		t.Errorf("placing when nobody is there: %v", err)
	}
}

func poll(t *testing.T, c *kgo.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	fetches := c.PollFetches(ctx)
	if err := fetches.Err(); err != nil || fetches.NumRecords() == 0 {
		t.Fatalf("the consumer got %d records, %v", fetches.NumRecords(), err)
	}
}

// stable waits until the group's members have their assignments.
func (r *rig) stable(t *testing.T, group string) cluster.Group {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		g, err := r.client.Group(ctx, group)
		if err != nil {
			t.Fatal(err)
		}
		if g.State == "Stable" {
			return g
		}
	}
}

// testPendingCommit is require_stable: a position that an open transaction may
// still change is not read (R9).
func testPendingCommit(t *testing.T, r *rig) {
	group, topic := name("g"), r.topic(t, 1, nil)
	at := tp(topic, 0)
	if err := r.client.Commit(t.Context(), group, map[cluster.TopicPartition]cluster.Commit{at: {Offset: 1}}); err != nil {
		t.Fatal(err)
	}
	tx := r.transactional(t)
	begin(t, tx)
	produce(t, tx, at, 1)
	r.commitInTransaction(t, tx, group, at, 42)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 700*time.Millisecond, errors.New("no longer"))
	defer cancel()
	if got, err := r.client.StableCommits(ctx, group, map[string][]int32{topic: {0}}); err == nil {
		t.Errorf("read while a transaction is open: %v", got)
	}
	answer := make(chan error, 1)
	go func() {
		got, err := r.client.StableCommits(t.Context(), group, map[string][]int32{topic: {0}})
		if err == nil && got[at].Offset != 42 {
			err = fmt.Errorf("it read %v", got)
		}
		answer <- err
	}()
	end(t, tx, kgo.TryCommit)
	if err := <-answer; err != nil {
		t.Errorf("across the end of the transaction: %v", err)
	}
}

// commitInTransaction adds a position to an open transaction.
func (r *rig) commitInTransaction(t *testing.T, tx *kgo.Client, group string, at cluster.TopicPartition, offset int64) {
	t.Helper()
	id, epoch, err := tx.ProducerID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	txid := tx.OptValue(kgo.TransactionalID).(string)
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = txid, id, epoch, group
	added, err := add.RequestWith(t.Context(), tx)
	if err != nil || added.ErrorCode != 0 {
		t.Fatalf("AddOffsetsToTxn: %+v, %v", added, err)
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group, req.Generation = txid, id, epoch, group, -1
	topic, part := kmsg.NewTxnOffsetCommitRequestTopic(), kmsg.NewTxnOffsetCommitRequestTopicPartition()
	part.Partition, part.Offset = at.Partition, offset
	meta := kmsg.NewPtrMetadataRequest()
	meta.Topics = []kmsg.MetadataRequestTopic{{Topic: &at.Topic}}
	described, err := meta.RequestWith(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	topic.TopicID = described.Topics[0].TopicID // newer versions of the request name it so
	topic.Topic, topic.Partitions = at.Topic, append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(t.Context(), tx)
	if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("TxnOffsetCommit: %+v, %v", resp, err)
	}
}

// testSnapshot: the selected topics, and every group that reads any of them,
// whatever its name (R11).
func testSnapshot(t *testing.T, r *rig) {
	ctx := t.Context()
	keyed, empty, foreign := r.topic(t, 2, nil), r.topic(t, 1, nil), r.topic(t, 1, nil)
	unkeyed := r.topic(t, 1, nil)
	plain := r.another(t, byHand())
	produce(t, plain, tp(keyed, 1), 3)
	if err := plain.ProduceSync(ctx, &kgo.Record{Topic: unkeyed, Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	commits, member, other := name("by-commit"), name("by-member"), name("other")
	for group, topic := range map[string]string{commits: keyed, other: foreign} {
		if err := r.client.Commit(ctx, group, map[cluster.TopicPartition]cluster.Commit{tp(topic, 0): {Offset: 0}}); err != nil {
			t.Fatal(err)
		}
	}
	c := r.another(t, kgo.ConsumerGroup(member), kgo.ConsumeTopics(keyed), kgo.DisableAutoCommit())
	poll(t, c)
	r.stable(t, member)
	snap, err := r.client.Snapshot(ctx, func(n string) bool { return n == keyed || n == empty || n == unkeyed })
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := snap.Topics[foreign]; ok || len(snap.Topics) != 3 || snap.ClusterID != r.client.ClusterID() || snap.ClusterID == "" {
		t.Errorf("topics %v of cluster %q", snap.Topics, snap.ClusterID)
	}
	var groups []string
	for _, g := range []string{commits, member, other} {
		if _, ok := snap.Groups[g]; ok {
			groups = append(groups, g)
		}
	}
	if d := cmp.Diff([]string{commits, member}, groups); d != "" {
		t.Errorf("groups (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[string]bool{keyed: true}, snap.Keyed); d != "" {
		t.Errorf("keyed (-want +got):\n%s", d)
	}
	if got := snap.LogEnds[tp(keyed, 1)].LogEnd; got != 3 || len(snap.LogEnds) != 4 {
		t.Errorf("log end %d, of %d partitions", got, len(snap.LogEnds))
	}
	if c, ok := snap.Defaults["retention.ms"]; !ok || c.Source == cluster.SourceTopic {
		t.Errorf("default of retention.ms: %+v", c)
	}
	if len(snap.Brokers) == 0 || snap.Brokers[0].Address == "" {
		t.Errorf("brokers %+v", snap.Brokers)
	}
}
