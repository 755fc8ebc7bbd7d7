package state_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/executor/state"
	"kplan/internal/embedded"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
)

// contest is two kplans that want to work on one topic, while its brokers have
// trouble.
type contest struct {
	open opener

	mu     sync.Mutex // guards what follows
	seat   int64
	actors map[int64]string
	acked  map[string][]string
	wrong  []string
	lost   int
}

func newContest(open opener) *contest {
	return &contest{open: open, actors: map[int64]string{}, acked: map[string][]string{}}
}

func (c *contest) fault(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

// compete takes the lock, works, and lets go or forgets to, until ctx ends.
func (c *contest) compete(ctx context.Context, who string, b state.Backend) {
	for round := 0; ctx.Err() == nil; round++ {
		s, err := b.Acquire(ctx, elsewhere(who))
		if err != nil {
			continue
		}
		c.mu.Lock()
		if s.Epoch() <= c.seat {
			c.fault("epoch %d after %d", s.Epoch(), c.seat)
		}
		c.seat = max(c.seat, s.Epoch())
		c.mu.Unlock()
		for i := 0; ctx.Err() == nil && i < 40 && c.act(who, s); i++ {
			text := fmt.Sprintf("%s %d.%d", who, round, i)
			if _, err := s.Append(state.Record{Owned: &state.Owned{Topic: text}}); err != nil {
				break
			}
			c.mu.Lock()
			c.acked[who] = append(c.acked[who], text)
			c.mu.Unlock()
			select {
			case <-s.Lost():
			case <-time.After(20 * time.Millisecond): // the effect takes its time
			}
		}
		_ = s.Release() // fails where the lease is lost; then others wait for it
	}
}

func (c *contest) act(who string, s state.Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.Check() != nil {
		c.lost++
		return false
	}
	if other, ok := c.actors[s.Epoch()]; s.Epoch() < c.seat || ok && other != who {
		c.fault("%s acts under epoch %d, as %s did; %d is taken", who, s.Epoch(), other, c.seat)
	}
	c.actors[s.Epoch()] = who
	return true
}

// during runs the contest while trouble happens, and judges it afterwards.
func (c *contest) during(t *testing.T, trouble func()) {
	t.Helper()
	along := c.open()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, who := range []string{"a", "b"} {
		b := c.open()
		wg.Go(func() { c.compete(ctx, who, b) })
	}
	c.progress(t, along, 20)
	trouble()
	c.progress(t, along, 20)
	cancel()
	wg.Wait()
	got := records(t, along)
	if d := cmp.Diff(got, records(t, c.open())); d != "" {
		t.Errorf("who reads along and who comes late disagree: %s", d)
	}
	place := map[string]int{}
	for i, r := range got {
		if _, twice := place[r.Owned.Topic]; twice {
			t.Errorf("%s is in the journal twice", r.Owned.Topic)
		}
		place[r.Owned.Topic] = i
	}
	total := 0
	for who, texts := range c.acked {
		last := -1
		for _, text := range texts {
			at, ok := place[text]
			if !ok || at <= last {
				t.Errorf("%q was acknowledged and is not in the journal, in its order", text)
			}
			last = at
		}
		total += len(texts)
		t.Logf("%s has written %d records", who, len(texts))
	}
	t.Logf("%d epochs, %d records of which %d acknowledged, the lease lost %d times", c.seat, len(got), total, c.lost)
	for _, w := range c.wrong {
		t.Error(w)
	}
}

// progress waits until the journal has grown by n records.
func (c *contest) progress(t *testing.T, b recorder, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	began := -1
	for tick := time.NewTicker(50 * time.Millisecond); ; <-tick.C {
		got, err := b.Records(ctx)
		if err == nil && began < 0 {
			began = len(got)
		}
		if err == nil && len(got) >= began+n {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("the journal has grown from %d to %d records: %v", began, len(got), err)
		}
	}
}

func TestLeaseOnEmbeddedWhileTheLeaderMoves(t *testing.T) {
	t.Parallel()
	fake, err := embedded.Start(embedded.Options{Brokers: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	c := newContest(inTopic(t, fake.Bootstrap(), "_kplan.orders", 3*time.Second, nil))
	along := c.open()
	c.during(t, func() {
		for range 5 {
			if err := fake.Fake().MoveTopicPartition("_kplan.orders", 0, (fake.Fake().LeaderFor("_kplan.orders", 0)+1)%3); err != nil {
				t.Error(err)
			}
			c.progress(t, along, 10)
			fake.Fake().Compact()
		}
	})
}

// A broker is restarted, the leader is killed, and the topic compacted
// meanwhile.
func TestLeaseOnRealBrokersInTrouble(t *testing.T) {
	t.Parallel()
	cluster := kafkatest.Start(t, kafkatest.Options{Version: kafkatest.V4_3_0, Brokers: 3, ExtraProperties: map[string]string{
		"log.cleaner.backoff.ms": "200", "broker.session.timeout.ms": "4000", "broker.heartbeat.interval.ms": "1000", // a killed leader is known to be dead sooner
	}})
	bootstrap := cluster.Bootstrap(kafkatest.Plaintext)
	c := newContest(inTopic(t, bootstrap, "_kplan.orders", 6*time.Second, map[string]string{"segment.ms": "500", "min.cleanable.dirty.ratio": "0.01"}))
	client, err := kafka.Open(t.Context(), endpoint.Endpoint{Cluster: "old", Bootstrap: bootstrap}, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, client.Close()) })
	along := c.open()
	c.during(t, func() {
		for _, end := range []func(int) error{cluster.Stop, cluster.Kill} {
			leader := leaderOf(t, client.Patient(30*time.Second))
			if err := end(leader); err != nil {
				t.Fatal(err)
			}
			c.progress(t, along, 10)
			if err := cluster.Restart(t.Context(), leader); err != nil {
				t.Fatal(err)
			}
			c.progress(t, along, 10)
		}
		awaitCompaction(t, client)
	})
}

func leaderOf(t *testing.T, client *kafka.Client) int {
	t.Helper()
	topics, err := client.TopicsNamed(t.Context(), []string{"_kplan.orders"})
	if err != nil {
		t.Fatal(err)
	}
	return int(topics["_kplan.orders"].Partitions[0].Leader)
}

// awaitCompaction waits until heartbeats are gone from the topic that were
// there.
func awaitCompaction(t *testing.T, client *kafka.Client) {
	t.Helper()
	log, err := client.StateLog(t.Context(), "_kplan.orders", kafka.StateLogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, log.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		entries, beats := 0, 0
		next, err := log.Read(ctx, 0, func(_ int64, key string, _ []byte) error {
			entries++
			if strings.HasPrefix(key, "beat/") {
				beats++
			}
			return nil
		})
		if permanent := (*kafka.StateTopicError)(nil); errors.As(err, &permanent) {
			t.Fatal(err)
		}
		if err == nil && int64(entries) < next {
			t.Logf("of %d entries %d are left, %d of them heartbeats", next, entries, beats)
			return
		}
	}
	t.Fatal("nothing was compacted: the test says little")
}
