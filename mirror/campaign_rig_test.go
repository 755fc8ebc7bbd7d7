package mirror_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/kafkatest"
)

func longAgo() time.Time { return time.Now().AddDate(-1, 0, 0) }

// scene is a topic on two clusters, with a proxy before each broker, and the
// store of the mirrors that copy it.
type scene struct {
	stage
	rand     *rand.Rand
	old      bool // records are a year old
	before   []*kafkatest.Proxy
	behind   []*kafkatest.Proxy
	folder   string
	written  atomic.Int64
	through  map[string]string
	children int
}

// seeded prints how to repeat what was drawn.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("KPLAN_TEST_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d (KPLAN_TEST_SEED)", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

// newScene makes the topic on both sides. Faults are those between the mirror
// and the source, and between it and the target.
func newScene(t *testing.T, source, target *kafkatest.Cluster, replicas int16, configs map[string]string, from, to kafkatest.Faults) *scene {
	t.Helper()
	all := map[string]*string{"retention.ms": kadm.StringPtr("-1")}
	for k, v := range configs {
		all[k] = kadm.StringPtr(v)
	}
	s := &scene{rand: seeded(t), folder: t.TempDir(), through: map[string]string{}}
	s.stage = stage{source: source, target: target, topic: uniqueName()}
	const partitions = 3
	for _, c := range []*kafkatest.Cluster{source, target} {
		configs, copies := all, replicas
		if c == source {
			configs, copies = map[string]*string{"retention.ms": all["retention.ms"]}, 1
		}
		resp, err := kadm.NewClient(client(t, c)).CreateTopic(t.Context(), partitions, copies, configs, s.topic)
		if err != nil || resp.Err != nil {
			t.Fatal(err, resp.Err)
		}
	}
	for i := range int32(partitions) {
		s.partitions = append(s.partitions, partition(s.topic, i))
	}
	s.before, s.behind = s.proxies(t, source, from), s.proxies(t, target, to)
	return s
}

func (s *scene) proxies(t *testing.T, c *kafkatest.Cluster, f kafkatest.Faults) []*kafkatest.Proxy {
	var all []*kafkatest.Proxy
	for _, address := range c.Bootstrap(kafkatest.Plaintext) {
		p := kafkatest.NewProxy(t, address, f)
		s.through[address] = p.Address()
		all = append(all, p)
	}
	return all
}

// fill writes n records of many kinds to the source: all codecs, headers, nulls,
// keys, small batches; every one differs from every other.
func (s *scene) fill(t *testing.T, n int) {
	t.Helper()
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	for _, codec := range codecs {
		cl := client(t, s.source, kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerBatchMaxBytes(1<<10+s.rand.Int32N(16<<10)))
		var records []*kgo.Record
		for range n / len(codecs) {
			records = append(records, s.record(s.rand))
		}
		if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		cl.Close()
	}
}

func (s *scene) record(r *rand.Rand) *kgo.Record {
	n := s.written.Add(1)
	at := time.Now()
	if s.old {
		at = longAgo()
	}
	one := &kgo.Record{Topic: s.topic, Partition: r.Int32N(int32(len(s.partitions))), Timestamp: at.Add(-time.Duration(r.IntN(60_000)) * time.Millisecond)}
	one.Headers = []kgo.RecordHeader{{Key: "number", Value: fmt.Append(nil, n)}}
	if r.IntN(4) > 0 {
		one.Key = fmt.Appendf(nil, "key-%d", r.IntN(100))
	}
	if r.IntN(10) > 0 {
		one.Value = make([]byte, r.IntN(250))
		for i := range one.Value {
			one.Value[i] = "abcdefgh"[r.IntN(8)]
		}
	}
	if r.IntN(3) == 0 {
		one.Headers = append(one.Headers, kgo.RecordHeader{Key: "null"})
	}
	return one
}

// trickle goes on writing a little, as a service does, until it is ended.
func (s *scene) trickle(t *testing.T) (end func()) {
	t.Helper()
	cl := client(t, s.source, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(2*time.Millisecond))
	ctx, cancel := context.WithCancel(t.Context())
	r := rand.New(rand.NewPCG(s.rand.Uint64(), 2))
	var mu sync.Mutex
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(10 * time.Millisecond); ctx.Err() == nil; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				tick.Stop()
				return
			}
			for range r.IntN(8) {
				cl.Produce(t.Context(), s.record(r), func(_ *kgo.Record, err error) {
					mu.Lock()
					failed = cmp.Or(failed, err)
					mu.Unlock()
				})
			}
		}
	}()
	return sync.OnceFunc(func() {
		cancel()
		<-done
		err := cl.Flush(context.WithoutCancel(t.Context()))
		mu.Lock()
		defer mu.Unlock()
		if err := errors.Join(err, failed); err != nil {
			t.Errorf("writing to the source: %v", err)
		}
	})
}

// limits draws how batches are cut and how much is asked for.
func (s *scene) limits() map[string]int {
	return map[string]int{
		"Batch": 2<<10 + s.rand.IntN(40<<10), "Fetch": 16<<10 + s.rand.IntN(200<<10), "Partition": 16<<10 + s.rand.IntN(100<<10), "Request": 8<<10 + s.rand.IntN(200<<10),
	}
}

// entries reads what a consumer sees, by partition.
func (s *scene) entries(t *testing.T, c *kafkatest.Cluster) [][]entry {
	t.Helper()
	ends := s.ends(t, c)
	at := make([]int64, len(s.partitions))
	all := make([][]entry, len(s.partitions))
	cl := client(t, c, kgo.ConsumeTopics(s.topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	left := func() bool {
		for p, end := range ends {
			if at[p.Number] < end {
				return true
			}
		}
		return false
	}
	for left() {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("reading %s: at %v of %v: %v", s.topic, at, ends, fetches.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			at[r.Partition] = r.Offset + 1
			if !r.Attrs.IsControl() {
				all[r.Partition] = append(all[r.Partition], entryOf(r))
			}
		})
	}
	return all
}

// judge compares both logs.
func (s *scene) judge(t *testing.T) damage {
	t.Helper()
	source, target := s.entries(t, s.source), s.entries(t, s.target)
	var d damage
	for i := range source {
		d.add(compare(int32(i), source[i], target[i]))
	}
	return d
}
