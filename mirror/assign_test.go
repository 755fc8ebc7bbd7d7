package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/kafkatest"
	"kplan/mirror"
	"kplan/mirror/batch"
	"kplan/mirror/wire"
)

// between returns the clusters that most tests copy between.
func between(t *testing.T) (source, target *kafkatest.Cluster) {
	t.Helper()
	return brokers.Shared(t, kafkatest.Stock(kafkatest.V2_8_2)), brokers.Shared(t, kafkatest.Stock(kafkatest.V4_3_0))
}

// run starts a copier with a configuration that change may change, and ends it
// with the test.
func (s *stage) run(t *testing.T, change func(*mirror.Config)) *mirror.Copier {
	t.Helper()
	conf := mirror.Config{
		Source: connect(t, s.source), Target: connect(t, s.target), Producer: mirror.Producer{ID: s.id},
		Partitions: s.store.known(t, s.partitions, false), Store: s.store, Limits: mirror.Limits{Partition: 64 << 10, Fetch: 256 << 10},
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
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return c
}

// drained waits for partitions to be copied up to the source's end.
func (s *stage) drained(t *testing.T, c *mirror.Copier, partitions ...wire.Partition) {
	t.Helper()
	all := s.ends(t, s.source)
	ends := map[wire.Partition]int64{}
	for _, p := range partitions {
		ends[p] = all[p]
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Drained(ctx, ends); err != nil {
		t.Fatalf("%v: %+v", err, c.Status())
	}
}

// standing waits until one of a partition is as wanted.
func standing(t *testing.T, c *mirror.Copier, p wire.Partition, want func(mirror.Standing) bool) mirror.Standing {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		for _, s := range c.Status() {
			if s.Partition == p && want(s) {
				return s
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited for a minute: %+v", c.Status())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Partitions come to a mirror that runs, and go to another one, while records
// are written: nothing is lost, nothing repeated.
func TestPartitionsComeAndGoOnRealBrokers(t *testing.T) {
	t.Parallel()
	source, target := between(t)
	s := newStage(t, source, target, 3, 1, nil)
	p := s.partitions
	first := s.run(t, func(conf *mirror.Config) { conf.Partitions = nil })
	s.write(t, 1000)
	if err := first.Add(map[wire.Partition]mirror.Assignment{p[0]: {}}); err != nil {
		t.Fatal(err)
	}
	s.drained(t, first, p[0])
	if err := first.Add(map[wire.Partition]mirror.Assignment{p[1]: {}, p[2]: {}}); err != nil {
		t.Fatal(err)
	}
	var assigned *mirror.AssignedError
	if err := first.Add(map[wire.Partition]mirror.Assignment{p[1]: {}}); !errors.As(err, &assigned) || !assigned.Assigned {
		t.Errorf("added twice: %v", err)
	}
	s.write(t, 1000)
	if _, err := first.Remove(t.Context(), p[:2]); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Remove(t.Context(), p[:1]); !errors.As(err, &assigned) || assigned.Assigned {
		t.Errorf("removed twice: %v", err)
	}
	if err := first.Drained(t.Context(), map[wire.Partition]int64{p[0]: 0}); !errors.As(err, &assigned) {
		t.Errorf("drained of what it does not copy: %v", err)
	}
	if got := first.Status(); len(got) != 1 || got[0].Partition != p[2] {
		t.Errorf("the standing of what is left: %+v", got)
	}
	second := s.run(t, func(conf *mirror.Config) {
		conf.Partitions = s.store.known(t, p[:2], false)
		for id, end := range s.ends(t, target) {
			if a, ok := conf.Partitions[id]; ok && (a.Offsets == nil || a.Offsets.End().Target != end) {
				t.Errorf("the map of partition %d that was kept does not reach the log end, %d", id.Number, end)
			}
		}
	})
	s.write(t, 1000)
	s.drained(t, second, p[:2]...)
	s.drained(t, first, p[2])
	s.same(t)
	m, ok := second.Map(p[0])
	if want := (mirror.Point{Source: s.ends(t, source)[p[0]], Target: s.ends(t, target)[p[0]]}); !ok || m.End() != want {
		t.Errorf("the map ends at %+v, want %+v", m.End(), want)
	}
}

// Without a lease nothing is sent, nor told to the store; with one it goes on.
func TestNothingIsWrittenWithoutALeaseOnRealBrokers(t *testing.T) {
	t.Parallel()
	source, target := between(t)
	s := newStage(t, source, target, 2, 1, nil)
	p := s.partitions
	var out atomic.Bool
	out.Store(true)
	ran := errors.New("the lease ran out")
	c := s.run(t, func(conf *mirror.Config) {
		conf.Lease = func(id wire.Partition) error {
			if id == p[1] && out.Load() {
				return ran
			}
			return nil
		}
	})
	s.write(t, 500)
	s.drained(t, c, p[0])
	got := standing(t, c, p[1], func(s mirror.Standing) bool { return s.Why != nil })
	if !errors.Is(got.Why, ran) || got.Phase != mirror.Resuming {
		t.Errorf("%s: %v", got.Phase, got.Why)
	}
	if _, begun := s.store.known(t, p, false)[p[1]]; begun && s.store.known(t, p, false)[p[1]].Offsets != nil {
		t.Error("the store was told where it begins")
	}
	out.Store(false)
	s.drained(t, c, p...)
	out.Store(true)
	before := s.ends(t, target)[p[1]]
	s.write(t, 500)
	s.drained(t, c, p[0])
	standing(t, c, p[1], func(s mirror.Standing) bool { return s.Why != nil })
	if now := s.ends(t, target)[p[1]]; now != before {
		t.Errorf("%d records were sent without a lease", now-before)
	}
	out.Store(false)
	s.drained(t, c, p...)
	s.same(t)
}

// A batch that is larger than the target takes is cut; a record that is larger
// stops its partition by name, and the others go on.
func TestBatchesFitTheTargetOnRealBrokers(t *testing.T) {
	for _, told := range []bool{true, false} {
		t.Run(fmt.Sprintf("told %t", told), func(t *testing.T) {
			t.Parallel()
			source, target := between(t)
			s := newStage(t, source, target, 2, 1, nil)
			const limit = 50_000
			s.configure(t, target, "max.message.bytes", fmt.Sprint(limit))
			one := func(p int32, size int) *kgo.Record {
				return &kgo.Record{Topic: s.topic, Partition: p, Value: []byte(strings.Repeat("x", size))}
			}
			for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.Lz4Compression()} {
				var records []*kgo.Record
				for i := range 400 {
					records = append(records, one(int32(i%2), 1000+i))
				}
				cl := client(t, source, kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(20*time.Millisecond))
				if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			c := s.run(t, func(conf *mirror.Config) {
				conf.Limits = mirror.Limits{} // batches come whole
				for p, a := range conf.Partitions {
					if told {
						a.MaxBatch = limit
					}
					conf.Partitions[p] = a
				}
			})
			s.drained(t, c, s.partitions...)
			s.same(t)
			cl := client(t, source, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			at := s.ends(t, source)[s.partitions[1]]
			if err := cl.ProduceSync(t.Context(), one(1, limit), one(0, 10)).FirstErr(); err != nil {
				t.Fatal(err)
			}
			got := standing(t, c, s.partitions[1], func(s mirror.Standing) bool { return s.Phase == mirror.Stopped })
			var large *batch.TooLargeError
			var refused *mirror.RefusedError
			switch {
			case told && (!errors.As(got.Why, &large) || large.Offset != at || large.Limit != limit || large.Size <= limit):
				t.Errorf("it says: %v", got.Why)
			case !told && (!errors.As(got.Why, &refused) || refused.Source != at || refused.Records != 1 || refused.Size <= limit):
				t.Errorf("it says: %v", got.Why)
			}
			s.drained(t, c, s.partitions[0])
			if d := cmp.Diff(s.contents(t, source)[0], s.contents(t, target)[0]); d != "" {
				t.Error(d)
			}
		})
	}
}

// configure sets a config of the topic on one side.
func (s *stage) configure(t *testing.T, c *kafkatest.Cluster, name, value string) {
	t.Helper()
	resp, err := kadm.NewClient(client(t, c)).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: name, Value: &value}}, s.topic)
	if err == nil {
		_, err = resp.On(s.topic, func(r *kadm.AlterConfigsResponse) error { return r.Err })
	}
	if err != nil {
		t.Fatal(err)
	}
}
