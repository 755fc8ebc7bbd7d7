package kafka_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/cluster"
	"kplan/internal/kafkatest"
)

// What holds on the embedded cluster holds on Apache Kafka, of each version, by
// each listener.
func TestConformanceOnRealBrokers(t *testing.T) {
	for v, l := range map[kafkatest.Version]kafkatest.Listener{kafkatest.V4_3_0: kafkatest.SASLTLS, kafkatest.V2_8_2: kafkatest.Plaintext} {
		t.Run(string(v)+"/"+string(l), func(t *testing.T) {
			t.Parallel()
			r := onReal(t, v, l)
			for what, test := range conformance() {
				t.Run(what, func(t *testing.T) { test(t, r) })
			}
		})
	}
}

// A group of the new protocol (KIP-848) is seen with its members, refuses
// placement while it has some, and takes it afterwards.
func TestNewGroupProtocolOnRealBrokers(t *testing.T) {
	r := onReal(t, kafkatest.V4_3_0, kafkatest.Plaintext)
	group, topic, instance := name("g848"), r.topic(t, 2, nil), name("pod")
	//lint:ignore SA1029 the key that franz-go looks for
	ctx := context.WithValue(t.Context(), "opt_in_kafka_next_gen_balancer_beta", true)
	c := r.another(t, kgo.WithContext(ctx), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.InstanceID(instance))
	produce(t, r.another(t, byHand()), tp(topic, 1), 1)
	poll(t, c)
	got := r.stable(t, group)
	if got.Type != cluster.GroupConsumer || len(got.Members) != 1 || len(got.Members[0].Assigned) != 2 || got.Members[0].InstanceID != instance {
		t.Fatalf("the group: %+v", got)
	}
	place := func() error {
		return r.client.Commit(t.Context(), group, map[cluster.TopicPartition]cluster.Commit{tp(topic, 0): {Offset: 0, Metadata: "m"}})
	}
	if err := place(); !errors.Is(err, cluster.ErrGroupHasMembers) {
		t.Errorf("placing under a member: %v", err)
	}
	if err := r.client.RemoveMembers(t.Context(), group, got.Members); err != nil {
		t.Fatal(err)
	}
	c.CloseAllowingRebalance()
	limit, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for {
		g, err := r.client.Group(limit, group)
		if err != nil {
			t.Fatal(err)
		}
		if len(g.Members) == 0 {
			break
		}
		if err := r.client.RemoveMembers(limit, group, g.Members); err != nil { // it may have come back before it was closed
			t.Fatal(err)
		}
	}
	if err := place(); err != nil {
		t.Errorf("placing when nobody is there: %v", err)
	}
	if raw := r.rawCommit(t, group, tp(topic, 0)); raw.Offset != 0 || raw.LeaderEpoch != -1 {
		t.Errorf("the broker keeps %+v", raw)
	}
	if snap, err := r.client.Snapshot(t.Context(), func(n string) bool { return n == topic }); err != nil || snap.Groups[group].Type != cluster.GroupConsumer {
		t.Errorf("in the snapshot: %+v, %v", snap.Groups[group], err)
	}
}
