package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/executor/state"
	"kplan/internal/embedded"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// theatre is a site of embedded brokers, for one play.
type theatre struct {
	*play
	longest  time.Duration // that a fault lasts, about
	from, to *embedded.Cluster
	open     func() (mirror.Shelf, error) // the state, as one process has it
	headless atomic.Int32                 // the target's partition that has no leader; -1: none
	away     atomic.Bool                  // the state is
	born     atomic.Int64                 // processes

	conns sync.Mutex // guards those in all
	all   map[net.Conn]bool
}

const matrixPartitions = 3

// newTheatre makes both clusters, the topic and the state of a play.
func newTheatre(t *testing.T, k kind, workers, inTopic bool, seed uint64) *theatre {
	t.Helper()
	p := &play{
		T: t, kind: k, name: t.Name(), topic: topic, workers: workers, rand: rand.New(rand.NewPCG(seed, 10)), pause: 20 * time.Millisecond,
		session: session,
	}
	e := &theatre{play: p, longest: 700 * time.Millisecond, all: map[net.Conn]bool{}}
	p.on = e
	e.headless.Store(-1)
	for _, c := range []**embedded.Cluster{&e.from, &e.to} {
		var err error
		if *c, err = embedded.Start(embedded.Options{Brokers: 2}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*c).Close)
	}
	if err := errors.Join(e.from.Fake().CreateTopic(topic, matrixPartitions, k.configs), e.to.Fake().CreateTopic(topic, matrixPartitions, nil)); err != nil {
		t.Fatal(err)
	}
	p.source, p.target = e.from.Bootstrap(), e.to.Bootstrap()
	p.plan(matrixPartitions)
	e.hideLeaders()
	if k.compacted {
		e.anchor()
	}
	dir := t.TempDir()
	e.open = func() (mirror.Shelf, error) { return state.NewFileShelf(dir), nil }
	if inTopic {
		e.open = e.openTopic
	}
	p.eyes = wire.New(wire.Options{Bootstrap: p.source, Pool: wire.NewPool(1 << 20)})
	t.Cleanup(p.eyes.Close)
	w := wire.New(wire.Options{Bootstrap: p.target, Pool: wire.NewPool(1 << 20)})
	defer w.Close()
	var err error
	if p.shelf, err = e.open(); err != nil {
		t.Fatal(err)
	}
	if p.producer, err = mirror.Identify(t.Context(), p.shelf, w, "new", false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := mirror.Direct(t.Context(), p.shelf, map[string]mirror.Way{topic: mirror.Forward}); err != nil {
		t.Fatal(err)
	}
	return e
}

// perform lets so many faults happen, and judges.
func (e *theatre) perform(faults int) performance {
	e.Helper()
	f := performance{T: e.T, plays: []*play{e.play}, faults: e.faults()}
	f.list = drawn(e.rand, f.faults, faults)
	e.Logf("faults: %q", f.list)
	f.run()
	return f
}

// anchor gives each partition a record that compaction keeps: kfake's log start
// would move behind what is compacted away, and Kafka's does not.
func (e *theatre) anchor() {
	e.Helper()
	cl, err := e.client(e.source)
	if err != nil {
		e.Fatal(err)
	}
	defer cl.Close()
	for _, id := range e.ids {
		r := &kgo.Record{Topic: topic, Partition: id.Number, Key: []byte("anchor"), Value: []byte("a")}
		if err := cl.ProduceSync(e.Context(), r).FirstErr(); err != nil {
			e.Fatal(err)
		}
		e.ever[id.Number][r.Offset] = text(r)
	}
}

func (e *theatre) openTopic() (mirror.Shelf, error) {
	shelf, end, err := shelfIn(e.Context(), slog.New(slog.DiscardHandler), e.source, "_kplan.m.mirror")
	if err == nil {
		e.Cleanup(func() { _ = end() }) // the test is over
	}
	return shelf, err
}

// within is the state as one process has it, until it is dead or the state away.
type within struct {
	mirror.Shelf
	e    *theatre
	dead *atomic.Bool
}

var errAway = errors.New("the state is out of reach")

func (w within) refused() error {
	switch {
	case w.dead.Load():
		return errDead
	case w.e.away.Load():
		return errAway
	}
	return nil
}

var errDead = errors.New("the process is dead")

func (w within) Put(ctx context.Context, values map[string][]byte) error {
	if err := w.refused(); err != nil {
		return err
	}
	return w.Shelf.Put(ctx, values)
}

func (w within) All(ctx context.Context, prefix string) (map[string][]byte, error) {
	if w.e.away.Load() {
		return nil, errAway
	}
	return w.Shelf.All(ctx, prefix)
}

// Claim is what the state has beyond a Shelf: what a dead process has sent, and
// what arrives only now, counts no more.
func (w within) Claim(ctx context.Context, scopes []string, lease func() error) error {
	if err := w.refused(); err != nil {
		return err
	}
	return w.Shelf.(state.Shelf).Claim(ctx, scopes, lease)
}

// data is a client whose connections can be cut.
func (e *theatre) data(at []string) *wire.Client {
	return wire.New(wire.Options{Bootstrap: at, Pool: wire.NewPool(256 << 10), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			e.conns.Lock()
			e.all[conn] = true
			e.conns.Unlock()
		}
		return conn, err
	}})
}

const matrixWait = 300 * time.Millisecond // nothing here is under way for longer

// process begins one in this process.
func (e *theatre) process(p *play) (*member, error) {
	shelf, err := e.open()
	if err != nil {
		return nil, err
	}
	dead := &atomic.Bool{}
	// All partitions fit an answer: where one is full kfake does not say which of its
	// transactions were aborted.
	limits := mirror.Limits{Fetch: 100 << 10, Partition: 32 << 10, Timeout: 2 * time.Second}
	c := &process{
		workers: p.workers, id: fmt.Sprint("w", e.born.Add(1)), topic: p.topic, partitions: len(p.ids), compacted: p.compacted,
		source: e.data(p.source), target: e.data(p.target), sourceAt: p.source, targetAt: p.target, shelf: within{shelf, e, dead},
		producer: p.producer, wait: matrixWait, session: session, limits: limits, log: slog.New(slog.DiscardHandler),
		lease: func() error {
			if dead.Load() {
				return errDead
			}
			return nil
		},
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &member{stopped: c.stops, stop: stop, said: func() string { return fmt.Sprintf("%s: stopped %v", c.id, c.stops()) }, ended: make(chan error, 1)}
	over := make(chan struct{})
	go func() {
		defer close(over)
		err := c.run(ctx)
		c.source.Close()
		c.target.Close()
		m.ended <- err
	}()
	m.kill = func() { // it sends nothing more, keeps nothing more and says nothing
		dead.Store(true)
		c.source.Close()
		c.target.Close()
		stop()
		if !p.workers { // its successor has to find what it has kept
			<-over
		}
	}
	e.Cleanup(func() { stop(); <-over })
	return m, nil
}

// healthy: no fault here lasts as long as the watchdog's patience.
func (e *theatre) healthy(p *play) map[int32]bool {
	all := map[int32]bool{}
	for _, id := range p.ids {
		all[id.Number] = true
	}
	return all
}
