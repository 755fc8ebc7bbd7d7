package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/executor/state"
	"kplan/internal/boottime"
	"kplan/internal/embedded"
	"kplan/mirror"
	"kplan/mirror/wire"
	"kplan/mirror/worker"
)

const (
	topic      = "orders"
	partitions = 4
	session    = 6 * time.Second // the least that brokers take
)

// jumpy is a clock that can be put forward, as when a machine was suspended.
type jumpy struct{ by atomic.Int64 }

func (j *jumpy) Now() time.Duration { return boottime.Clock{}.Now() + time.Duration(j.by.Load()) }

// stage is two embedded clusters and what workers share.
type stage struct {
	t              *testing.T
	source, target *embedded.Cluster
	shelf          state.Shelf
	producer       mirror.Producer
	clock          *jumpy
	names          atomic.Int64
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, shelf: state.NewFileShelf(t.TempDir()), clock: &jumpy{}}
	for _, c := range []**embedded.Cluster{&s.source, &s.target} {
		var err error
		if *c, err = embedded.Start(embedded.Options{Topics: map[string]int32{topic: partitions}}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*c).Close)
	}
	w := wire.New(wire.Options{Bootstrap: s.target.Bootstrap(), Pool: wire.NewPool(1 << 20)})
	defer w.Close()
	var err error
	if s.producer, err = mirror.Identify(t.Context(), s.shelf, w, "new", false, nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// started is a stage on which apply has begun the copy.
func started(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.direct(mirror.Forward)
	return s
}

// direct does what apply does.
func (s *stage) direct(way mirror.Way) mirror.Directions {
	s.t.Helper()
	d, err := mirror.Direct(s.t.Context(), s.shelf, map[string]mirror.Way{topic: way})
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// begin starts a worker; end ends it in order and returns its error.
func (s *stage) begin(change func(*worker.Config)) (w *worker.Worker, end func() error) {
	s.t.Helper()
	source := wire.New(wire.Options{Bootstrap: s.source.Bootstrap(), Pool: wire.NewPool(16 << 20)})
	target := wire.New(wire.Options{Bootstrap: s.target.Bootstrap(), Pool: wire.NewPool(16 << 20)})
	conf := worker.Config{
		ID: fmt.Sprint("w", s.names.Add(1)), Source: source, Target: target, Producer: s.producer, Shelf: s.shelf, Clock: s.clock,
		Group: worker.Group{Name: "_kplan.orders.mirror", At: wire.Options{Bootstrap: s.source.Bootstrap()}, Session: session},
		Survey: func(context.Context) (map[string]worker.Topic, error) {
			return map[string]worker.Topic{topic: {Partitions: partitions}}, nil
		},
		Log: slog.New(slog.NewTextHandler(s.t.Output(), nil)),
	}
	if change != nil {
		change(&conf)
	}
	w, err := worker.New(conf)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	ended := false
	end = func() error {
		if ended {
			return nil
		}
		ended = true
		if !conf.Once {
			cancel()
		}
		defer cancel()
		defer source.Close()
		defer target.Close()
		select {
		case err := <-done:
			return err
		case <-time.After(time.Minute):
			return errors.New("the worker does not end")
		}
	}
	s.t.Cleanup(func() {
		cancel()
		if err := end(); err != nil {
			s.t.Error(err)
		}
	})
	return w, end
}

func (s *stage) client(c *embedded.Cluster) *kgo.Client {
	s.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(cl.Close)
	return cl
}

// write puts n records on each partition of the source.
func (s *stage) write(n int) {
	s.t.Helper()
	var records []*kgo.Record
	for i := range n * partitions {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(i % partitions), Value: fmt.Append(nil, i)})
	}
	if err := s.client(s.source).ProduceSync(s.t.Context(), records...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

// count is how many records the target has.
func (s *stage) count() int64 {
	s.t.Helper()
	ends, err := kadm.NewClient(s.client(s.target)).ListEndOffsets(s.t.Context(), topic)
	if err != nil {
		s.t.Fatal(err)
	}
	var n int64
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

func (s *stage) until(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(45 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("never: %s", what)
		}
		select {
		case <-s.t.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *stage) copied(n int64) {
	s.t.Helper()
	s.until(fmt.Sprintf("%d records on the target", n), func() bool { return s.count() >= n })
	s.has(n)
}

// has is copied for what must be there already.
func (s *stage) has(n int64) {
	s.t.Helper()
	if got := s.count(); got != n {
		s.t.Errorf("%d records on the target, want %d", got, n)
	}
}

// entry is what a worker tells of itself; there: it has begun, and not ended.
func (s *stage) entry(id string) (e mirror.Entry, there bool) {
	s.t.Helper()
	all, err := mirror.Entries(s.t.Context(), s.shelf)
	if err != nil {
		s.t.Fatal(err)
	}
	e, there = all[id]
	return e, there
}

// hold makes the target take no record until release.
func (s *stage) hold() (release func()) {
	return s.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1}).Remove
}

// had waits until a worker has had time for something, or has ended.
func (s *stage) had(timeTo, id string) {
	s.t.Helper()
	from := int64(-1)
	s.until(id+" had time "+timeTo, func() bool {
		e, there := s.entry(id)
		if from < 0 && there {
			from = e.Serial
		}
		return from >= 0 && (!there || e.Serial >= from+3)
	})
}

// What nobody has asked for yet is not copied: apply looks first whether records
// of others are in the way, and whether gates are open. Also a worker that is to
// end by itself waits, but not for ever.
func TestNothingIsCopiedBeforeApply(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.write(10)
	w, _ := s.begin(nil)
	s.until("it has partitions and a lease", func() bool { return w.Standing().Assigned == partitions && w.Standing().NoLease == nil })
	s.had("to take them", "w1")
	if now := w.Standing(); len(now.Partitions) > 0 || now.Pending != 1 || now.Topics != 0 || s.count() > 0 {
		t.Errorf("before anybody asks for a copy it copies %d partitions (%d topics ready, %d pending), and the target has %d records", len(now.Partitions), now.Topics, now.Pending, s.count())
	}
	_, end := s.begin(func(c *worker.Config) { c.Once, c.Patience = true, time.Second })
	var pending *worker.PendingError
	if err := end(); !errors.As(err, &pending) || len(pending.Topics) != 1 {
		t.Errorf("a worker that should end by itself ended with %v", err)
	}
	_, end = s.begin(func(c *worker.Config) { c.Once = true })
	release := s.hold()
	s.direct(mirror.Forward)
	s.had("to look how far the copy is", "w3")
	if _, there := s.entry("w3"); !there {
		t.Error("it has ended, and nothing is copied yet")
	}
	release()
	if err := end(); err != nil {
		t.Error(err)
	}
	s.has(10 * partitions) // at once: the first one goes on
}

// What the state asks for is done, and known to be done, before anybody relies
// on it (R18).
func TestDirectionsAreCarriedOut(t *testing.T) {
	t.Parallel()
	s := started(t)
	s.write(10)
	first, _ := s.begin(nil)
	second, _ := s.begin(nil)
	s.copied(10 * partitions)
	pass := func(way mirror.Way) {
		t.Helper()
		d := s.direct(way)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := mirror.Barrier(ctx, s.shelf, d.Epoch, mirror.NewWatch(s.clock.Now, nil), nil); err != nil {
			t.Fatal(err)
		}
	}
	pass(mirror.Halted)
	if a, b := first.Standing().Partitions, second.Standing().Partitions; len(a)+len(b) > 0 {
		t.Errorf("behind the barrier they still have %v and %v", a, b)
	}
	s.write(10)
	w, end := s.begin(nil) // one that comes later
	s.until("a third worker", func() bool { return w.Standing().Assigned > 0 && w.Standing().NoLease == nil })
	s.had("to take some", "w3")
	if n := s.count(); n != 10*partitions || len(w.Standing().Partitions) > 0 {
		t.Errorf("%d records were copied behind the barrier, and %d partitions are", n-10*partitions, len(w.Standing().Partitions))
	}
	pass(mirror.Forward)
	s.copied(20 * partitions)
	if err := end(); err != nil {
		t.Error(err)
	}
}

// A worker that the group does not answer writes nothing when its lease has run
// out, be it that the machine was suspended; it goes on when it has one again.
func TestNothingIsWrittenWithoutALease(t *testing.T) {
	t.Parallel()
	s := started(t)
	s.write(10)
	// Long enough that the group does not go on without it before it is looked at.
	w, _ := s.begin(func(c *worker.Config) { c.Group.Session = 30 * time.Second })
	s.copied(10 * partitions)
	var deaf atomic.Bool
	deaf.Store(true)
	// An answer with which the group's client is patient: where it gave the partitions
	// up before they are looked at, nothing would be seen of them.
	s.source.Fake().ControlKey(kmsg.Heartbeat.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		s.source.Fake().KeepControl()
		if !deaf.Load() {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = kerr.CoordinatorLoadInProgress.Code
		return resp, nil, true
	})
	s.clock.by.Add(int64(time.Hour))
	s.until("the lease has run out", func() bool { return w.Standing().NoLease != nil })
	s.write(10)
	s.until("the new records are seen", func() bool {
		behind := 0 // of each some: without a lease it does not read on for ever
		for _, p := range w.Standing().Partitions {
			if p.Lag() > 0 {
				behind++
			}
		}
		return behind == partitions || s.count() > 10*partitions
	})
	if n := s.count(); n != 10*partitions {
		t.Errorf("%d records were written without a lease", n-10*partitions)
	}
	var lacks *worker.LeaseError
	if !errors.As(w.Standing().NoLease, &lacks) || !strings.Contains(lacks.Why, "heartbeat") {
		t.Errorf("it says %v", w.Standing().NoLease)
	}
	deaf.Store(false)
	s.copied(20 * partitions)
}

// A clean hand-over is noted for the next owner, a death is not.
func TestSettled(t *testing.T) {
	t.Parallel()
	s := started(t)
	s.write(1)
	settled := func() int {
		t.Helper()
		all, err := s.shelf.All(t.Context(), "settled/")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	_, end := s.begin(nil)
	s.copied(partitions)
	if n := settled(); n != 0 {
		t.Errorf("%d partitions are noted as left while they are copied", n)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if n := settled(); n != partitions {
		t.Errorf("%d partitions are noted as left in order, want %d", n, partitions)
	}
	if left, err := mirror.Entries(t.Context(), s.shelf); err != nil || len(left) != 0 {
		t.Errorf("entries of workers that have left: %v, %v", left, err)
	}
	// The next one takes the notes away before it writes. It has not waited for
	// requests of anybody before it, and has seen to none: its own note counts
	// only because it began in order.
	w, end := s.begin(nil)
	s.until("it has all", func() bool { return len(w.Standing().Partitions) == partitions })
	if n := settled(); n != 0 {
		t.Errorf("%d notes are still there", n)
	}
	s.until("it has a lease", func() bool { return w.Standing().NoLease == nil })
	if err := end(); err != nil || settled() != partitions {
		t.Errorf("%v, %d notes", err, settled())
	}
	if err := mirror.NewKeeper(s.shelf).Unsettle(t.Context(), []wire.Partition{{Topic: topic}}); err != nil {
		t.Fatal(err) // as if its owner had been killed
	}
	w, end = s.begin(nil)
	s.until("it has all", func() bool { return len(w.Standing().Partitions) == partitions && w.Standing().NoLease == nil })
	if err := end(); err != nil || settled() != partitions-1 {
		t.Errorf("%v, %d notes: what a dead worker had sent may still come", err, settled())
	}
}

// Once copies what is there, whoever has the partitions, and ends.
func TestOnce(t *testing.T) {
	t.Parallel()
	s := started(t)
	s.write(10)
	once := func(c *worker.Config) { c.Once = true }
	_, end := s.begin(once)
	if err := end(); err != nil {
		t.Fatal(err)
	}
	s.copied(10 * partitions)
	w, _ := s.begin(nil)
	s.until("another has all", func() bool { return len(w.Standing().Partitions) == partitions })
	release := s.hold()
	s.write(10)
	_, end = s.begin(once)
	s.had("to look how far the other is", "w3")
	if _, there := s.entry("w3"); !there {
		t.Error("it has ended, and the other has copied nothing yet")
	}
	s.has(10 * partitions)
	release()
	if err := end(); err != nil {
		t.Fatal(err)
	}
	s.has(20 * partitions) // at once: the other goes on
}

// With start = "latest" history stays where it is; what comes is copied, also on
// partitions that are added.
func TestLatest(t *testing.T) {
	t.Parallel()
	s := started(t)
	s.write(10)
	ready := atomic.Int64{}
	ready.Store(partitions - 1)
	w, _ := s.begin(func(c *worker.Config) {
		c.Latest, c.Every = true, 200*time.Millisecond
		c.Survey = func(context.Context) (map[string]worker.Topic, error) {
			return map[string]worker.Topic{topic: {Partitions: int(ready.Load())}}, nil
		}
	})
	begun := func(n int) {
		s.until("the copies have begun", func() bool {
			all, err := s.shelf.All(t.Context(), "begin/")
			return err == nil && len(all) == n
		})
	}
	begun(partitions - 1)
	s.write(1)
	s.copied(partitions - 1)
	ready.Store(partitions)
	s.copied(partitions - 1 + 11)
	if len(w.Standing().Partitions) != partitions {
		t.Errorf("%d partitions", len(w.Standing().Partitions))
	}
}

// A worker that is to end by itself waits for all topics: what apply has not asked
// for is not left out silently, and only that is named.
func TestOnceWaitsForEveryTopic(t *testing.T) {
	t.Parallel()
	s := started(t)
	s.write(10)
	both := func(context.Context) (map[string]worker.Topic, error) {
		return map[string]worker.Topic{topic: {Partitions: partitions}, "late": {}}, nil
	}
	_, end := s.begin(func(c *worker.Config) { c.Once, c.Patience, c.Survey = true, time.Second, both })
	var pending *worker.PendingError
	if err := end(); !errors.As(err, &pending) || len(pending.Topics) != 1 || pending.Topics[0] != "late" {
		t.Errorf("it ended with %v", err)
	}
	_, end = s.begin(func(c *worker.Config) { c.Once, c.Survey = true, both })
	if _, err := mirror.Direct(t.Context(), s.shelf, map[string]mirror.Way{"late": mirror.Halted}); err != nil {
		t.Fatal(err)
	}
	if err := end(); err != nil {
		t.Errorf("when nobody wants the other it ends with %v", err)
	}
	s.copied(10 * partitions)
}
