package mirror_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/embedded"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// faked is two embedded clusters, for failures that a broker can be told to have.
type faked struct {
	source, target *embedded.Cluster
	partitions     []wire.Partition
	id             int64
	store          *memory
	written        int
}

const fakedTopic = "orders"

func newFaked(t *testing.T, partitions int32) *faked {
	t.Helper()
	return newFakedOn(t, partitions, 1)
}

// newFakedOn has so many brokers on each side.
func newFakedOn(t *testing.T, partitions int32, nodes int) *faked {
	t.Helper()
	f := &faked{store: newMemory()}
	for _, side := range []**embedded.Cluster{&f.source, &f.target} {
		c, err := embedded.Start(embedded.Options{Brokers: nodes, Topics: map[string]int32{fakedTopic: partitions}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		*side = c
	}
	for i := range partitions {
		f.partitions = append(f.partitions, wire.Partition{Topic: fakedTopic, Number: i})
	}
	id, err := f.connect(t, f.target).ProducerID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.id = id
	return f
}

func (f *faked) connect(t *testing.T, c *embedded.Cluster) *wire.Client {
	w := wire.New(wire.Options{Bootstrap: c.Bootstrap(), Pool: wire.NewPool(32 << 20)})
	t.Cleanup(w.Close)
	return w
}

func (f *faked) client(t *testing.T, c *embedded.Cluster, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Bootstrap()...), kgo.RecordPartitioner(kgo.ManualPartitioner())}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// run starts a copier; the function ends it, which the test's end does too.
func (f *faked) run(t *testing.T, change func(*mirror.Config)) (*mirror.Copier, func()) {
	t.Helper()
	conf := mirror.Config{
		Source: f.connect(t, f.source), Target: f.connect(t, f.target), Producer: mirror.Producer{ID: f.id},
		Partitions: f.store.known(t, f.partitions, false), Store: f.store,
	}
	if change != nil {
		change(&conf)
	}
	c, err := mirror.New(conf)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	ended := false
	end := func() {
		if cancel(); !ended {
			ended = true
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(end)
	return c, end
}

// write produces n records to each partition of the source, with few keys.
func (f *faked) write(t *testing.T, n int) {
	t.Helper()
	cl := f.client(t, f.source)
	var records []*kgo.Record
	for range n {
		for _, p := range f.partitions {
			f.written++
			records = append(records, &kgo.Record{
				Topic: p.Topic, Partition: p.Number, Key: fmt.Appendf(nil, "key-%d", f.written%7), Value: fmt.Appendf(nil, "value-%d", f.written),
			})
		}
	}
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func (f *faked) ends(t *testing.T, c *embedded.Cluster) map[wire.Partition]int64 {
	t.Helper()
	listed, err := kadm.NewClient(f.client(t, c)).ListEndOffsets(t.Context(), fakedTopic)
	if err != nil {
		t.Fatal(err)
	}
	ends := map[wire.Partition]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[wire.Partition{Topic: o.Topic, Number: o.Partition}] = o.Offset })
	return ends
}

func (f *faked) drained(t *testing.T, c *mirror.Copier, partitions ...wire.Partition) {
	t.Helper()
	all, ends := f.ends(t, f.source), map[wire.Partition]int64{}
	for _, p := range partitions {
		ends[p] = all[p]
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Drained(ctx, ends); err != nil {
		t.Fatalf("%v: %+v", err, c.Status())
	}
}

// values are those of a partition, in order.
func (f *faked) values(t *testing.T, c *embedded.Cluster, p wire.Partition) []string {
	t.Helper()
	end := f.ends(t, c)[p]
	cl := f.client(t, c, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.Topic: {p.Number: kgo.NewOffset().AtStart()}}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all []string
	for at := int64(0); at < end; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("reading at %d of %d: %v", at, end, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			all = append(all, string(r.Key)+"="+string(r.Value))
			at = r.Offset + 1
		})
	}
	return all
}

func (f *faked) same(t *testing.T, partitions ...wire.Partition) {
	t.Helper()
	for _, p := range partitions {
		if d := cmp.Diff(f.values(t, f.source, p), f.values(t, f.target, p)); d != "" {
			t.Errorf("partition %d (-source +target):\n%s", p.Number, strings.TrimSpace(d))
		}
	}
}
