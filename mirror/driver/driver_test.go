package driver_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/executor"
	"kplan/executor/state"
	"kplan/internal/boottime"
	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/mirror"
	"kplan/mirror/driver"
	"kplan/mirror/wire"
	"kplan/mirror/worker"
)

// stage is two embedded clusters and a shelf.
type stage struct {
	t        *testing.T
	at       [2]*embedded.Cluster
	clients  [2]*kafka.Client
	shelf    state.Shelf
	producer mirror.Producer
}

const (
	source = 0
	target = 1
)

func newStage(t *testing.T, topics ...string) *stage {
	t.Helper()
	s := &stage{t: t, shelf: state.NewFileShelf(t.TempDir())}
	for i := range s.at {
		made := map[string]int32{}
		for _, name := range topics {
			made[name] = 1
		}
		c, err := embedded.Start(embedded.Options{Topics: made})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		s.at[i] = c
		if s.clients[i], err = kafka.Open(t.Context(), endpoint.Endpoint{Cluster: "c", Bootstrap: c.Bootstrap()}, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.clients[i].Close() }) // the test is over
	}
	w := s.wire(target)
	var err error
	if s.producer, err = mirror.Identify(t.Context(), s.shelf, w, "new", false, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stage) wire(side int) *wire.Client {
	w := wire.New(wire.Options{Bootstrap: s.at[side].Bootstrap(), Pool: wire.NewPool(16 << 20)})
	s.t.Cleanup(w.Close)
	return w
}

func (s *stage) client(side int) *kgo.Client {
	s.t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(s.at[side].Bootstrap()...))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

func (s *stage) write(topic string, n int) {
	s.t.Helper()
	var records []*kgo.Record
	for i := range n {
		records = append(records, &kgo.Record{Topic: topic, Key: fmt.Append(nil, i), Value: fmt.Append(nil, i)})
	}
	if err := s.client(source).ProduceSync(s.t.Context(), records...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) end(topic string) int64 {
	s.t.Helper()
	all, err := kadm.NewClient(s.client(target)).ListEndOffsets(s.t.Context(), topic)
	if err != nil {
		s.t.Fatal(err)
	}
	o, _ := all.Lookup(topic, 0)
	return o.Offset
}

func (s *stage) workers() *driver.Workers {
	return driver.NewWorkers(s.clients[source], &driver.Workers{Shelf: s.shelf, Keeper: mirror.NewKeeper(s.shelf), Target: s.clients[target], Command: "kplan mirror"}, boottime.Clock{}.Now, nil)
}

func (s *stage) local() *driver.Local {
	m := driver.NewLocal(s.clients[source], &driver.Local{
		Source: s.wire(source), Target: s.wire(target), SourceTopics: s.clients[source], TargetTopics: s.clients[target], TargetLogs: s.clients[target],
		Shelf: s.shelf, Keeper: mirror.NewKeeper(s.shelf), Producer: s.producer, Lease: func() error { return nil },
		Memory: func(context.Context) (time.Duration, error) { return time.Hour, nil }, Log: slog.New(slog.NewTextHandler(s.t.Output(), nil)),
	})
	s.t.Cleanup(func() {
		if err := m.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return m
}

// working runs a worker until the test ends; ended is closed when it has ended by
// itself before.
func (s *stage) working(topics map[string]worker.Topic, change func(*worker.Config)) (ended <-chan struct{}) {
	s.t.Helper()
	conf := worker.Config{
		ID: "w1", Source: s.wire(source), Target: s.wire(target), Producer: s.producer, Shelf: s.shelf, Clock: boottime.Clock{}, Log: slog.New(slog.NewTextHandler(s.t.Output(), nil)),
		Group: worker.Group{Name: "_kplan.orders.mirror", At: wire.Options{Bootstrap: s.at[source].Bootstrap()}, Session: 6 * time.Second},
		Survey: func(context.Context) (map[string]worker.Topic, error) {
			return topics, nil
		},
	}
	change(&conf)
	w, err := worker.New(conf)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := w.Run(ctx); err != nil {
			s.t.Log(err)
		}
	}()
	s.t.Cleanup(func() {
		cancel()
		<-done
	})
	return done
}

func (s *stage) until(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("never: %s", what)
		}
	}
}

func lagOf(t *testing.T, m executor.Mirror, topics ...string) executor.CopyLag {
	t.Helper()
	lag, err := m.Lag(t.Context(), topics)
	if err != nil {
		t.Fatal(err)
	}
	return lag
}

// An answer that is kept for a moment is one about the topics that were asked
// for; what nobody has told yet is unknown, and counts in full.
func TestLagIsThatOfItsTopics(t *testing.T) {
	t.Parallel()
	s := newStage(t, "small", "large")
	s.write("large", 1000)
	w := s.workers()
	if lag := lagOf(t, w, "small"); lag.Records != 0 || lag.Unknown != 1 {
		t.Errorf("of an empty topic whose copy has not begun: %+v", lag)
	}
	for range 2 { // the second may be an answer that was kept
		if lag := lagOf(t, w, "small", "large"); lag.Records != 1000 || lag.Unknown != 2 || !strings.Contains(lag.String(), "1000 records to copy at most, since of 2 partitions is not known yet") {
			t.Errorf("of both: %+v: %s", lag, lag)
		}
	}
	if lag := lagOf(t, w, "small"); lag.Records != 0 || lag.Unknown != 1 {
		t.Errorf("of the empty one again: %+v", lag)
	}
}

// A copy that has just begun has copied nothing: that it has heard of nothing yet
// does not make its lag zero.
func TestLagBeforeAnythingIsHeard(t *testing.T) {
	t.Parallel()
	s := newStage(t, "orders")
	s.write("orders", 1000)
	fault := s.at[target].Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	m := s.local()
	if lag := lagOf(t, m, "orders"); lag.Records != 1000 || lag.Unknown != 1 {
		t.Errorf("before the copy begins: %+v", lag)
	}
	if err := m.Begin(t.Context(), []string{"orders"}); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 2500*time.Millisecond; time.Sleep(50 * time.Millisecond) {
		if lag := lagOf(t, m, "orders"); lag.Records != 1000 {
			t.Fatalf("nothing is copied: %+v", lag)
		}
	}
	fault.Remove()
	s.until("nothing is left", func() bool { lag := lagOf(t, m, "orders"); return lag.Records == 0 && lag.Unknown == 0 })
	if n := s.end("orders"); n != 1000 {
		t.Errorf("nothing is left, and the target has %d records", n)
	}
}

// The map of a compacted source is kept before anything is sent. What is planned
// there is not copied, for nobody: neither for a drain nor for a lag nor for a
// worker that ends by itself.
func TestPlannedIsNotCopied(t *testing.T) {
	t.Parallel()
	s := newStage(t, "archive")
	s.write("archive", 20)
	fault := s.at[target].Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	m := s.workers()
	if err := m.Begin(t.Context(), []string{"archive"}); err != nil {
		t.Fatal(err)
	}
	ahead := map[string]worker.Topic{"archive": {Partitions: 1, Ahead: true}}
	once := func(id string) (ended func() bool) {
		over := s.working(ahead, func(c *worker.Config) { c.ID, c.Once = id, true })
		return func() bool {
			select {
			case <-over:
				return true
			default:
				return false
			}
		}
	}
	entry := func(id string) mirror.Entry {
		t.Helper()
		all, err := mirror.Entries(t.Context(), s.shelf)
		if err != nil {
			t.Fatal(err)
		}
		return all[id]
	}
	own := once("w1")
	planned := func() bool {
		all, err := s.shelf.All(t.Context(), "map/")
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range all {
			var planned mirror.Map
			if err := planned.UnmarshalBinary(text); err != nil {
				t.Fatal(err)
			}
			return planned.End().Source == 20
		}
		return false
	}
	s.until("all is planned", planned)
	bounds := map[cluster.TopicPartition]int64{{Topic: "archive"}: 20}
	places := func() map[cluster.TopicPartition]executor.CopyPlace {
		t.Helper()
		there, err := m.Translate(t.Context(), bounds)
		if err != nil {
			t.Fatal(err)
		}
		return there
	}
	if there, lag := places(), lagOf(t, m, "archive"); len(there) > 0 || lag.Records != 20 || s.end("archive") != 0 {
		t.Errorf("nothing was sent yet, and it says %v, %+v", there, lag)
	}
	others := once("w2")
	s.until("both had time to look how far the copy is", func() bool { return own() || others() || entry("w2").Serial >= 4 })
	if own() || others() {
		t.Errorf("nothing was sent yet, and it has ended: who copies %v, who does not %v", own(), others())
	}
	fault.Remove()
	s.until("all is copied", func() bool { return len(places()) == 1 })
	if n := s.end("archive"); n != 20 {
		t.Errorf("all is copied, and the target has %d of 20 records", n)
	}
	s.until("and nothing is left", func() bool { return lagOf(t, m, "archive").Records == 0 })
	s.until("they have ended by themselves", func() bool { return own() && others() })
	s.working(ahead, func(c *worker.Config) { c.ID = "w3" })
	s.until("one that goes on has it", func() bool { return entry("w3").Partitions == 1 })
	end, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := m.End(end, []string{"archive"}); err != nil {
		t.Error(err)
	}
	for at := range int64(21) {
		if got, err := m.Translate(t.Context(), map[cluster.TopicPartition]int64{{Topic: "archive"}: at}); err != nil || got[cluster.TopicPartition{Topic: "archive"}] != (executor.CopyPlace{Offset: at, Latest: at}) {
			t.Errorf("offset %d is at %v, %v", at, got, err)
		}
	}
}
