//go:build bench

package mirrorbench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/kafkatest"
)

// load is what a topic of the source is filled with.
type load struct {
	name, title string
	records     int
	size        int // bytes of key and value
	batch       int // bytes of a batch, before it is packed
	codec       string
	json        bool
	partitions  int
}

const partitions = 12

func loads() []load {
	return []load{
		{name: "1k", title: "1 KB none", records: 1_500_000, size: 1000, batch: 128 << 10, codec: "none", partitions: partitions},
		{name: "100", title: "100 B none", records: 8_000_000, size: 100, batch: 128 << 10, codec: "none", partitions: partitions},
		{name: "lz4", title: "1 KB JSON lz4", records: 1_500_000, size: 1000, batch: 128 << 10, codec: "lz4", json: true, partitions: partitions},
		{name: "zstd", title: "1 KB JSON zstd", records: 1_500_000, size: 1000, batch: 128 << 10, codec: "zstd", json: true, partitions: partitions},
		{name: "small", title: "100 B none in batches of 1 KB", records: 2_000_000, size: 100, batch: 1200, codec: "none", partitions: partitions},
	}
}

// loaded is a filled topic.
type loaded struct {
	load
	stage   *stage
	topic   string
	records int64
	bytes   int64 // of keys and values
	wire    int64 // of batches
	next    int   // partition that the next batch is for
	few     int64 // records after which a measurement ends; 0: all
}

// stage is the two brokers.
type stage struct {
	source, target     *kafkatest.Cluster
	sources, targets   *kgo.Client
	atSource, atTarget *kadm.Client
}

// prepare starts the brokers, as a server would run them but for their size.
func prepare(t *testing.T) *stage {
	t.Helper()
	o := kafkatest.Options{
		Version: kafkatest.V4_3_0,
		JVM:     []string{"-Xmx1g"},
		ExtraProperties: map[string]string{
			"num.network.threads": "3", "num.io.threads": "8", "log.segment.delete.delay.ms": "1000",
			"log.index.size.max.bytes": "1048576",
		},
		// What stands before it is at the same port of another loopback address.
		Named: []kafkatest.NamedListener{{Name: "FAR", Protocol: kafkatest.Plaintext, Advertise: farHost}},
	}
	s := &stage{source: brokers.Shared(t, o)}
	o.Racks = []string{"target"} // another cluster of the pool
	s.target = brokers.Shared(t, o)
	s.sources, s.atSource = client(t, s.source)
	s.targets, s.atTarget = client(t, s.target)
	return s
}

const farHost = "127.0.0.2"

func client(t *testing.T, c *kafkatest.Cluster, more ...kgo.Opt) (*kgo.Client, *kadm.Client) {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Bootstrap(kafkatest.Plaintext)...)}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl, kadm.NewClient(cl)
}

var topics atomic.Int64

// fill makes a topic on the source and writes the load into it. Topic and data
// go away with the test.
func (s *stage) fill(t *testing.T, l load) *loaded {
	t.Helper()
	l.records = max(1, l.records/100*setting(t, "BENCH_PERCENT", 100))
	made := &loaded{load: l, stage: s, topic: fmt.Sprintf("bench-%s-%d", l.name, topics.Add(1)), records: int64(l.records)}
	fresh(t, s.atSource, made.topic, l.partitions)
	t.Cleanup(func() { remove(t, s.atSource, made.topic) })
	made.bytes = s.write(t, made)
	dirs, err := s.atSource.DescribeAllLogDirs(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	dirs.Each(func(d kadm.DescribedLogDir) {
		d.Topics.Each(func(p kadm.DescribedLogDirPartition) {
			if p.Topic == made.topic {
				made.wire += p.Size
			}
		})
	})
	t.Logf("%s: %d records, %.1f MB, %.1f MB on the wire", l.title, made.records, float64(made.bytes)/1e6, float64(made.wire)/1e6)
	return made
}

// texts are distinct records, more than a batch holds: random letters, or
// documents as services write them.
func texts(l load) [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	words := []string{"pending", "confirmed", "shipped", "returned", "Lisbon", "Gdansk", "Turku", "express", "standard", "invoice", "card", "gift"}
	all := make([][]byte, 20_000)
	for i := range all {
		text := fmt.Appendf(nil, "%08x", random.Uint32())
		if l.json {
			text = fmt.Appendf(text, `{"id":"%016x","customer":%d,"at":"2026-11-%02dT%02d:%02d:%02dZ","lines":[`, random.Uint64(), random.IntN(1e6), 1+random.IntN(28), random.IntN(24), random.IntN(60), random.IntN(60))
			for len(text) < l.size-120 {
				text = fmt.Appendf(text, `{"sku":"%06d","city":"%s","state":"%s","amount":%d.%02d},`, random.IntN(1e6), words[random.IntN(len(words))], words[random.IntN(len(words))], random.IntN(1000), random.IntN(100))
			}
			text = append(text, `{}],"note":"`...)
			for len(text) < l.size-2 {
				text = append(text, words[random.IntN(len(words))]...)
			}
			text = append(text[:l.size-2], `"}`...)
		}
		for len(text) < l.size {
			text = append(text, byte(random.IntN(256)))
		}
		all[i] = text
	}
	return all
}

// copyConfigs are what kplan wants on the target during a copy (R15).
func copyConfigs() map[string]*string {
	return map[string]*string{
		"cleanup.policy": kadm.StringPtr("delete"), "retention.ms": kadm.StringPtr("-1"), "retention.bytes": kadm.StringPtr("-1"),
		"message.timestamp.type":          kadm.StringPtr("CreateTime"),
		"message.timestamp.after.max.ms":  kadm.StringPtr("9223372036854775807"),
		"message.timestamp.before.max.ms": kadm.StringPtr("9223372036854775807"),
	}
}

// fresh makes a topic, also where one of its name is still being deleted.
func fresh(t *testing.T, admin *kadm.Client, topic string, partitions int) {
	t.Helper()
	limit := time.Now().Add(time.Minute)
	for {
		resp, err := admin.CreateTopic(t.Context(), int32(partitions), 1, copyConfigs(), topic)
		if err == nil {
			err = resp.Err
		}
		if err == nil {
			break
		}
		if !errors.Is(err, kerr.TopicAlreadyExists) || time.Now().After(limit) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	for ; ; time.Sleep(20 * time.Millisecond) {
		if offsets, err := admin.ListEndOffsets(t.Context(), topic); err == nil && offsets.Error() == nil && len(offsets[topic]) == partitions {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("topic %s has no leaders", topic)
		}
	}
}

func remove(t *testing.T, admin *kadm.Client, topics ...string) {
	t.Helper()
	resp, err := admin.DeleteTopics(context.WithoutCancel(t.Context()), topics...)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		t.Error(err)
	}
}

// end is the sum of a topic's log ends on the target.
func (c *loaded) end(t *testing.T) int64 {
	t.Helper()
	offsets, err := c.stage.atTarget.ListEndOffsets(t.Context(), c.topic)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	offsets.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum
}
