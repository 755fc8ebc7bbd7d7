package mirror_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/kafkatest"
	"kplan/mirror"
	"kplan/mirror/wire"
)

var brokers kafkatest.Pool

func TestMain(m *testing.M) {
	if path := os.Getenv(errandFile); path != "" {
		if err := runErrand(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(brokers.Main(m))
}

func partition(topic string, number int32) wire.Partition {
	return wire.Partition{Topic: topic, Number: number}
}

var names atomic.Int64

// uniqueName is one that no test has on brokers that the packages of a run share.
func uniqueName() string { return fmt.Sprintf("mirror-%d-%d", os.Getpid(), names.Add(1)) }

// memory is a store that forgets what a crash would.
type memory struct {
	mu    sync.Mutex
	begun map[wire.Partition]mirror.Beginning
	kept  map[wire.Partition]mirror.Kept
}

func newMemory() *memory {
	return &memory{begun: map[wire.Partition]mirror.Beginning{}, kept: map[wire.Partition]mirror.Kept{}}
}

func (m *memory) Begin(p wire.Partition, b mirror.Beginning) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begun[p] = b
	return nil
}

func (m *memory) Keep(kept map[wire.Partition]mirror.Kept) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, one := range kept {
		m.kept[p] = one
	}
	return nil
}

// known is what a new process would find. Offsets that were lost begin anew.
func (m *memory) known(t *testing.T, partitions []wire.Partition, lost bool) map[wire.Partition]mirror.Assignment {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[wire.Partition]mirror.Assignment{}
	for _, p := range partitions {
		begin, ok := m.begun[p]
		kept, known := m.kept[p]
		switch {
		case !ok:
			all[p] = mirror.Assignment{}
		case lost || !known:
			made, err := mirror.NewMap(begin.Point)
			if err != nil {
				t.Fatal(err)
			}
			all[p] = mirror.Assignment{Offsets: made, Topics: begin.Topics}
		default:
			all[p] = mirror.Assignment{Offsets: kept.Offsets.Clone(), Acked: &kept.Acked, Topics: begin.Topics}
		}
	}
	return all
}

// stage is two clusters and a topic that is on both.
type stage struct {
	source, target *kafkatest.Cluster
	topic          string
	partitions     []wire.Partition
	id             int64
	store          *memory
}

func newStage(t *testing.T, source, target *kafkatest.Cluster, partitions int, replicas int16, configs map[string]*string) *stage {
	t.Helper()
	s := &stage{source: source, target: target, topic: uniqueName(), store: newMemory()}
	forever := "-1" // some records here are years old
	all := map[string]*string{"retention.ms": &forever}
	maps.Copy(all, configs)
	for _, c := range []*kafkatest.Cluster{source, target} {
		admin := kadm.NewClient(client(t, c))
		resp, err := admin.CreateTopic(t.Context(), int32(partitions), replicas, all, s.topic)
		if err != nil || resp.Err != nil {
			t.Fatal(err, resp.Err)
		}
	}
	for i := range partitions {
		s.partitions = append(s.partitions, wire.Partition{Topic: s.topic, Number: int32(i)})
	}
	w := connect(t, target)
	id, err := w.ProducerID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.id = id
	return s
}

func client(t *testing.T, c *kafkatest.Cluster, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Bootstrap(kafkatest.Plaintext)...)}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func connect(t *testing.T, c *kafkatest.Cluster) *wire.Client {
	t.Helper()
	w := wire.New(wire.Options{Bootstrap: c.Bootstrap(kafkatest.Plaintext), Pool: wire.NewPool(64 << 20)})
	t.Cleanup(w.Close)
	return w
}

// begin starts a mirror; the function ends it, in order or as a crash would.
func (s *stage) begin(t *testing.T, lost bool, source, target wire.Options) (*mirror.Copier, func(crash bool)) {
	t.Helper()
	src, dst := wire.New(source), wire.New(target)
	c, err := mirror.New(mirror.Config{
		Source: src, Target: dst, Producer: mirror.Producer{ID: s.id}, Partitions: s.store.known(t, s.partitions, lost),
		Store: s.store, Log: slog.New(slog.NewTextHandler(writer{t}, nil)), Limits: mirror.Limits{Partition: 64 << 10, Fetch: 256 << 10},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	return c, func(crash bool) {
		if crash {
			dst.Close()
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		src.Close()
		dst.Close()
	}
}

type writer struct{ t *testing.T }

func (w writer) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

func options(c *kafkatest.Cluster) wire.Options {
	return wire.Options{Bootstrap: c.Bootstrap(kafkatest.Plaintext), Pool: wire.NewPool(32 << 20)}
}

// write produces n records with keys, headers, nulls and several codecs.
func (s *stage) write(t *testing.T, n int) {
	t.Helper()
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	for i, codec := range codecs {
		cl := client(t, s.source, kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(500))
		var records []*kgo.Record
		for j := range n / len(codecs) {
			r := &kgo.Record{Topic: s.topic, Partition: int32(rand.IntN(len(s.partitions))), Timestamp: time.UnixMilli(1_700_000_000_000 + int64(j))}
			if rand.IntN(4) > 0 {
				r.Key = fmt.Appendf(nil, "key-%d-%d", i, j)
			}
			if rand.IntN(10) > 0 {
				r.Value = []byte(strings.Repeat(fmt.Sprintf("value-%d-%d ", i, j), rand.IntN(20)))
			}
			if rand.IntN(3) == 0 {
				r.Headers = []kgo.RecordHeader{{Key: "h", Value: []byte{byte(j)}}, {Key: "null"}}
			}
			records = append(records, r)
		}
		if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		cl.Close()
	}
}

// line is a record as both sides must show it.
type line struct {
	Partition  int32
	Key, Value []byte
	Headers    []kgo.RecordHeader
	Time       int64
}

// ends are the source's stable log ends.
func (s *stage) ends(t *testing.T, c *kafkatest.Cluster) map[wire.Partition]int64 {
	t.Helper()
	offsets, err := kadm.NewClient(client(t, c)).ListCommittedOffsets(t.Context(), s.topic)
	if err != nil {
		t.Fatal(err)
	}
	all := map[wire.Partition]int64{}
	offsets.Each(func(o kadm.ListedOffset) { all[wire.Partition{Topic: o.Topic, Number: o.Partition}] = o.Offset })
	return all
}

// contents reads what a consumer sees, by partition.
func (s *stage) contents(t *testing.T, c *kafkatest.Cluster) [][]line {
	t.Helper()
	ends := s.ends(t, c)
	all := make([][]line, len(s.partitions))
	cl := client(t, c, kgo.ConsumeTopics(s.topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	at := make([]int64, len(s.partitions))
	left := func() bool {
		for p, end := range ends {
			if at[p.Number] < end {
				return true
			}
		}
		return false
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last error
	for left() && ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil && ctx.Err() == nil {
			last = err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			at[r.Partition] = r.Offset + 1
			if !r.Attrs.IsControl() {
				all[r.Partition] = append(all[r.Partition], line{r.Partition, r.Key, r.Value, r.Headers, r.Timestamp.UnixMilli()})
			}
		})
	}
	if ctx.Err() != nil {
		t.Fatalf("reading %s from %s: at %v of %v, the last failure: %v", s.topic, c.Version(), at, ends, last)
	}
	return all
}

// same compares both logs record by record.
func (s *stage) same(t *testing.T) {
	t.Helper()
	want, got := s.contents(t, s.source), s.contents(t, s.target)
	for i := range want {
		if len(want[i]) != len(got[i]) {
			t.Errorf("partition %d: %d records on the source, %d on the target", i, len(want[i]), len(got[i]))
		}
		for j := range min(len(want[i]), len(got[i])) {
			if d := cmp.Diff(want[i][j], got[i][j]); d != "" {
				t.Errorf("partition %d, record %d (-source +target):\n%s", i, j, d)
				break
			}
		}
	}
}
