package mirror_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/kafkatest"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// mortal is a store that keeps nothing any more after its process has died.
type mortal struct {
	mirror.Store
	dead atomic.Bool
}

func (m *mortal) Begin(p wire.Partition, b mirror.Beginning) error {
	if m.dead.Load() {
		return nil
	}
	return m.Store.Begin(p, b)
}

func (m *mortal) Keep(kept map[wire.Partition]mirror.Kept) error {
	if m.dead.Load() {
		return nil
	}
	return m.Store.Keep(kept)
}

// crash lets a mirror copy for a moment, and ends it as kill -9 would.
func (s *stage) crash(t *testing.T, ahead bool) {
	t.Helper()
	store, target := &mortal{Store: s.store}, connect(t, s.target)
	conf := s.aside(t, ahead)
	conf.Store, conf.Target = store, target
	c, err := mirror.New(conf)
	if err != nil {
		t.Fatal(err)
	}
	c.SetThrottle(300_000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	<-time.After(time.Duration(rand.IntN(600)) * time.Millisecond) // the instant is what is tried, not waited for
	store.dead.Store(true)
	target.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	ends := s.ends(t, s.target)
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	for p, kept := range s.store.kept {
		if kept.Acked.Target > ends[p] {
			t.Errorf("partition %d is kept as acknowledged up to %d, and the target's log ends at %d", p.Number, kept.Acked.Target, ends[p])
		}
	}
}

// aside is the configuration of a mirror that begins after one that may have
// died.
func (s *stage) aside(t *testing.T, ahead bool) mirror.Config {
	t.Helper()
	known := s.store.known(t, s.partitions, false)
	for p, a := range known {
		a.Ahead = ahead
		known[p] = a
	}
	return mirror.Config{
		Source: connect(t, s.source), Target: connect(t, s.target), Producer: mirror.Producer{ID: s.id}, Partitions: known, Store: s.store,
		Wait: 300 * time.Millisecond, Limits: mirror.Limits{Partition: 16 << 10, Fetch: 32 << 10},
	}
}

// both are the ways between the two versions.
func both() [][2]kafkatest.Version {
	return [][2]kafkatest.Version{{kafkatest.V2_8_2, kafkatest.V4_3_0}, {kafkatest.V4_3_0, kafkatest.V2_8_2}}
}

// A compacted source is another one at each crash. What survives there is on the
// target, once, where the map says; what the target has beside it was on the
// source when it was read, and has a younger record of its key.
func TestCopyOfACompactedSourceOnRealBrokers(t *testing.T) {
	for _, way := range both() {
		t.Run(fmt.Sprintf("%s to %s", way[0], way[1]), func(t *testing.T) {
			t.Parallel()
			source := brokers.Shared(t, kafkatest.Stock(way[0]))
			target := brokers.Shared(t, kafkatest.Stock(way[1]))
			s := newStage(t, source, target, 1, 1, nil)
			cleanOften(t, source)
			for name, value := range map[string]string{"min.cleanable.dirty.ratio": "0.001", "segment.ms": "100", "delete.retention.ms": "0", "cleanup.policy": "compact"} {
				s.configure(t, source, name, value)
			}
			ledger := map[int64]string{}
			for range 5 {
				s.writeKeyed(t, ledger, 1500)
				s.crash(t, true)
				s.compacted(t, ledger)
			}
			c := s.run(t, func(conf *mirror.Config) { *conf = s.aside(t, true) })
			s.drained(t, c, s.partitions...)
			m, ok := c.Map(s.partitions[0])
			if !ok {
				t.Fatal("no map")
			}
			exact(t, m, ledger, s.byOffset(t, target))
			s.keptUpTo(t, m.End())
			copied, last := map[int64]bool{}, map[string]int64{}
			for _, g := range m.Segments() {
				for i := range g.Length {
					copied[g.Source+i] = true
					last[keyOf(ledger[g.Source+i])] = g.Source + i
				}
			}
			for offset, value := range ledger {
				if !copied[offset] && last[keyOf(value)] < offset {
					t.Errorf("%s at source offset %d was not copied, nor anything younger of its key", value, offset)
				}
			}
			for offset := range s.byOffset(t, source) {
				if !copied[offset] {
					t.Errorf("source offset %d survives and was not copied", offset)
				}
			}
		})
	}
}

// keptUpTo waits until the store knows partition 0 to be planned, and to be
// acknowledged, up to there.
func (s *stage) keptUpTo(t *testing.T, end mirror.Point) {
	t.Helper()
	until(t, "the store has the map", func(context.Context) bool {
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		kept := s.store.kept[s.partitions[0]]
		return kept.Offsets != nil && kept.Offsets.End() == end && kept.Acked.Point == end
	})
}

func keyOf(line string) string { return line[:strings.IndexByte(line, '=')] }

// cleanOften makes the broker look for logs to compact all the time.
func cleanOften(t *testing.T, c *kafkatest.Cluster) {
	t.Helper()
	often := "200"
	resp, err := kadm.NewClient(client(t, c)).AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{{Name: "log.cleaner.backoff.ms", Value: &often}})
	if err != nil || resp[0].Err != nil {
		t.Fatal(err, resp)
	}
}

// writeKeyed produces records of few keys to partition 0, and notes them.
func (s *stage) writeKeyed(t *testing.T, ledger map[int64]string, n int) {
	t.Helper()
	cl := client(t, s.source, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(50), kgo.ProducerBatchMaxBytes(4<<10))
	var records []*kgo.Record
	for range n {
		key := fmt.Sprintf("key-%d", rand.IntN(400))
		records = append(records, &kgo.Record{Topic: s.topic, Key: []byte(key), Value: fmt.Appendf(nil, "value-%d %s", names.Add(1), strings.Repeat("x", 50))})
	}
	for _, r := range cl.ProduceSync(t.Context(), records...) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		ledger[r.Record.Offset] = string(r.Record.Key) + "=" + string(r.Record.Value)
	}
}

// compacted waits until the source has fewer records than were written to it.
// Only what is written later closes a segment, so that it can be compacted.
func (s *stage) compacted(t *testing.T, ledger map[int64]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(s.byOffset(t, s.source)) > len(ledger)*3/4 {
		s.writeKeyed(t, ledger, 1)
		select {
		case <-ctx.Done():
			t.Fatal("the source was not compacted within a minute")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// byOffset are the committed records of partition 0.
func (s *stage) byOffset(t *testing.T, c *kafkatest.Cluster) map[int64]string {
	t.Helper()
	end := s.ends(t, c)[s.partitions[0]]
	cl := client(t, c, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.topic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	all := map[int64]string{}
	for at := int64(0); at < end; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("reading at %d of %d: %v", at, end, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if at = r.Offset + 1; !r.Attrs.IsControl() {
				all[r.Offset] = string(r.Key) + "=" + string(r.Value)
			}
		})
	}
	return all
}

// exact compares a map with both logs, record by record, and each position with
// what a search through all records finds.
func exact(t *testing.T, m *mirror.Map, source, target map[int64]string) {
	t.Helper()
	at := map[int64]int64{}
	for _, g := range m.Segments() {
		for i := range g.Length {
			at[g.Source+i] = g.Target + i
			if want, got := source[g.Source+i], target[g.Target+i]; want != got || want == "" {
				t.Fatalf("source offset %d has %q, and target offset %d %q", g.Source+i, want, g.Target+i, got)
			}
		}
	}
	if len(at) != len(target) {
		t.Errorf("the map has %d records, and the target %d", len(at), len(target))
	}
	want := m.End().Target
	for position := m.End().Source; position >= m.Start().Source; position-- {
		if there, ok := at[position]; ok {
			want = there
		}
		if got, err := m.ToTarget(position); err != nil || got != (mirror.Place{Target: want, Latest: want}) {
			t.Fatalf("position %d is %d (%v), want %d", position, got, err, want)
		}
	}
}

// Of a transactional source the committed records are copied, once and in
// order, with no offset for what ended or was aborted.
func TestCopyOfATransactionalSourceOnRealBrokers(t *testing.T) {
	for _, way := range both() {
		t.Run(fmt.Sprintf("%s to %s", way[0], way[1]), func(t *testing.T) {
			t.Parallel()
			source := brokers.Shared(t, kafkatest.Stock(way[0]))
			target := brokers.Shared(t, kafkatest.Stock(way[1]))
			s := newStage(t, source, target, 1, 1, nil)
			committed := map[int64]string{}
			cl := client(t, source, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(s.topic))
			for round := range 4 {
				for range 12 {
					s.transact(t, cl, committed)
				}
				s.writeKeyed(t, committed, 200) // without a transaction
				if round < 3 {
					s.crash(t, false)
				}
			}
			c := s.run(t, func(conf *mirror.Config) { *conf = s.aside(t, false) })
			s.drained(t, c, s.partitions...)
			s.same(t)
			m, ok := c.Map(s.partitions[0])
			if !ok {
				t.Fatal("no map")
			}
			exact(t, m, committed, s.byOffset(t, target))
			if int(m.Records()) != len(committed) || m.End().Source <= m.Records() {
				t.Errorf("%d records of %d that were committed, up to source offset %d", m.Records(), len(committed), m.End().Source)
			}
			s.coarse(t, m, committed)
		})
	}
}

// coarse makes a map so below one of its transactions: from there on it stays as
// it is, and before it no group misses a record that is committed behind its
// position, or reads more than it is told of those before it.
func (s *stage) coarse(t *testing.T, whole *mirror.Map, committed map[int64]string) {
	t.Helper()
	m, err := mirror.NewMap(whole.Start())
	if err != nil {
		t.Fatal(err)
	}
	mirror.PackAfter(m, 3)
	for _, one := range whole.Segments() {
		if err := m.Append(one); err != nil {
			t.Fatal(err)
		}
	}
	floor := m.End().Source * 3 / 4
	m.Coarsen(floor)
	rounded := 0
	for position := m.Start().Source; position <= whole.End().Source; position++ {
		truly, err := whole.ToTarget(position)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.ToTarget(min(position, m.End().Source))
		if err != nil || got.Target > truly.Target || got.Latest < truly.Target || got.Repeats() > 0 && position >= floor {
			t.Fatalf("position %d is at %d, and said to be at %+v: %v", position, truly.Target, got, err)
		}
		if got.Target < truly.Target {
			rounded++
		}
	}
	if n := mirror.ExactFrom(m).Source; n == 0 || n > floor || rounded == 0 {
		t.Errorf("below %d of %d committed records it is coarse up to %d, and %d places are rounded", floor, len(committed), n, rounded)
	}
}

// transact writes a transaction, and aborts a third of them.
func (s *stage) transact(t *testing.T, cl *kgo.Client, committed map[int64]string) {
	t.Helper()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	var records []*kgo.Record
	for range 1 + rand.IntN(60) {
		records = append(records, &kgo.Record{Topic: s.topic, Key: []byte("k"), Value: fmt.Appendf(nil, "transacted-%d", names.Add(1))})
	}
	end := kgo.TransactionEndTry(rand.IntN(3) > 0)
	for _, r := range cl.ProduceSync(t.Context(), records...) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if end == kgo.TryCommit {
			committed[r.Record.Offset] = string(r.Record.Key) + "=" + string(r.Record.Value)
		}
	}
	if err := cl.EndTransaction(t.Context(), end); err != nil {
		t.Fatal(err)
	}
}

// A second mirror that was started by mistake, with the same producer, does no
// harm: each adopts what the other has sent.
func TestASecondMirrorByMistakeOnRealBrokers(t *testing.T) {
	t.Parallel()
	source, target := between(t)
	s := newStage(t, source, target, 2, 1, nil)
	s.write(t, 1000)
	first := s.run(t, nil)
	second := s.run(t, func(conf *mirror.Config) { conf.Store = newMemory() })
	for range 4 {
		s.write(t, 1000)
	}
	s.drained(t, first, s.partitions...)
	s.drained(t, second, s.partitions...)
	s.same(t)
}
