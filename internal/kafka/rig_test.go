package kafka_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
	"kplan/plan"
)

var brokers kafkatest.Pool

func TestMain(m *testing.M) { os.Exit(overheard(m)) }

// rig is a cluster to test against, embedded or real, with the client under
// test and franz-go as the independent witness.
type rig struct {
	ep       endpoint.Endpoint
	client   *kafka.Client
	replicas int16
	witness  *kgo.Client
	opts     []kgo.Opt         // for more witnesses
	fake     *embedded.Cluster // nil: real brokers
	version  kafkatest.Version // real brokers
}

func (r *rig) real() bool { return r.fake == nil }

func newRig(t *testing.T, ep endpoint.Endpoint) *rig {
	t.Helper()
	r := &rig{ep: ep, replicas: 1, opts: []kgo.Opt{kgo.SeedBrokers(ep.Bootstrap...)}}
	if ep.TLS != nil {
		r.opts = append(r.opts, kgo.DialTLSConfig(ep.TLS.Clone()))
	}
	if ep.SASL != nil {
		r.opts = append(r.opts, kgo.SASL(scram.Auth{User: ep.SASL.Username, Pass: ep.SASL.Password.Reveal()}.AsSha512Mechanism()))
	}
	client, err := kafka.Open(t.Context(), ep, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	r.client = client
	r.witness = r.another(t)
	return r
}

// another makes one more witness.
func (r *rig) another(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(append([]kgo.Opt{}, r.opts...), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// onEmbedded starts an embedded cluster.
func onEmbedded(t *testing.T, o embedded.Options) *rig {
	t.Helper()
	c, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	r := newRig(t, endpoint.Endpoint{Cluster: "old", Bootstrap: c.Bootstrap()})
	r.fake = c
	return r
}

// onReal shares one cluster of each version.
func onReal(t *testing.T, v kafkatest.Version, l kafkatest.Listener) *rig {
	t.Helper()
	c := brokers.Shared(t, kafkatest.Stock(v))
	ep := endpoint.Endpoint{Cluster: "real", Bootstrap: c.Bootstrap(l)}
	if l == kafkatest.SASLTLS {
		ep.TLS = &tls.Config{RootCAs: c.Authority().Pool(), MinVersion: tls.VersionTLS12}
		ep.SASL = &plan.SASL{Mechanism: "SCRAM-SHA-512", Username: "kplan", Password: plan.NewSecret(kafkatest.Password)}
	}
	r := newRig(t, ep)
	r.version = v
	return r
}

// name makes names that no other test on a shared cluster has.
func name(what string) string { return fmt.Sprintf("%s-%08x", what, rand.Uint32()) }

// topic creates one through the client under test.
func (r *rig) topic(t *testing.T, partitions int, configs map[string]string) string {
	t.Helper()
	topic := name("t")
	if err := r.client.CreateTopic(t.Context(), cluster.TopicSpec{Name: topic, Partitions: partitions, ReplicationFactor: int(r.replicas), Configs: configs}, false); err != nil {
		t.Fatal(err)
	}
	if _, err := r.client.LogEnds(t.Context(), []string{topic}); err != nil { // until every broker knows it
		t.Fatal(err)
	}
	return topic
}

func tp(topic string, p int32) cluster.TopicPartition {
	return cluster.TopicPartition{Topic: topic, Partition: p}
}

// produce writes n records to one partition.
func produce(t *testing.T, c *kgo.Client, at cluster.TopicPartition, n int) {
	t.Helper()
	for i := range n {
		rec := &kgo.Record{Topic: at.Topic, Partition: at.Partition, Key: []byte(fmt.Sprint(i)), Value: []byte("v")}
		if err := c.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func byHand() kgo.Opt { return kgo.RecordPartitioner(kgo.ManualPartitioner()) }

// transactional makes a producer with a transactional id.
func (r *rig) transactional(t *testing.T) *kgo.Client {
	t.Helper()
	return r.another(t, byHand(), kgo.TransactionalID(name("tx")), kgo.TransactionTimeout(30*time.Second))
}

func begin(t *testing.T, c *kgo.Client) {
	t.Helper()
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
}

func end(t *testing.T, c *kgo.Client, try kgo.TransactionEndTry) {
	t.Helper()
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.EndTransaction(t.Context(), try); err != nil {
		t.Fatal(err)
	}
}

// ends asks for one partition until ok says yes: markers are written after the
// answer to EndTxn.
func (r *rig) ends(t *testing.T, at cluster.TopicPartition, ok func(cluster.LogEnds) bool) cluster.LogEnds {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var last cluster.LogEnds
	for ctx.Err() == nil {
		all, err := r.client.LogEnds(ctx, []string{at.Topic})
		if err != nil {
			t.Fatal(err)
		}
		if last = all[at]; ok(last) {
			return last
		}
	}
	t.Fatalf("%s stays at %+v", at, last)
	return last
}

// rawCommit reads a commit with everything that the broker keeps.
func (r *rig) rawCommit(t *testing.T, group string, at cluster.TopicPartition) kmsg.OffsetFetchResponseTopicPartition {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	topic := kmsg.NewOffsetFetchRequestTopic()
	topic.Topic, topic.Partitions = at.Topic, []int32{at.Partition}
	req.Topics = append(req.Topics, topic)
	inGroup := kmsg.NewOffsetFetchRequestGroup()
	inGroup.Group = group
	groupTopic := kmsg.NewOffsetFetchRequestGroupTopic()
	groupTopic.Topic, groupTopic.Partitions = at.Topic, []int32{at.Partition}
	inGroup.Topics = append(inGroup.Topics, groupTopic)
	req.Groups = append(req.Groups, inGroup)
	resp, err := req.RequestWith(t.Context(), r.witness)
	if err != nil {
		t.Fatal(err)
	}
	var out kmsg.OffsetFetchResponseTopicPartition
	for _, g := range resp.Groups {
		for _, p := range g.Topics[0].Partitions {
			out.Offset, out.LeaderEpoch, out.Metadata = p.Offset, p.LeaderEpoch, p.Metadata
		}
	}
	for _, t := range resp.Topics {
		out = t.Partitions[0]
	}
	return out
}

// refusedOne takes the answer of a batch for its one topic.
func refusedOne(topic string) func(map[string]error, error) error {
	return func(refused map[string]error, err error) error {
		if err != nil {
			return err
		}
		return refused[topic]
	}
}

func (r *rig) alter(ctx context.Context, topic string, changes map[string]*string, validateOnly bool) error {
	return refusedOne(topic)(r.client.AlterTopics(ctx, map[string]map[string]*string{topic: changes}, validateOnly))
}

func (r *rig) grow(ctx context.Context, topic string, total int, validateOnly bool) error {
	return refusedOne(topic)(r.client.GrowTopics(ctx, map[string]int{topic: total}, validateOnly))
}
