package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/executor/state"
	"kplan/internal/boottime"
	"kplan/internal/embedded"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/mirror"
	"kplan/mirror/wire"
	"kplan/mirror/worker"
)

// play is one performance of the matrix.
type play struct {
	*testing.T
	kind
	workers        bool
	rand           *rand.Rand
	longest        time.Duration // that a fault lasts, about
	source, target *embedded.Cluster
	open           func() mirror.Shelf // the state, as another process has it
	producer       mirror.Producer
	ids            []wire.Partition
	headless       atomic.Int32 // the target's partition that has no leader; -1: none
	stateAway      atomic.Bool

	mu      sync.Mutex
	conns   map[net.Conn]bool
	members []*member
	ever    map[int32]map[int64]string // committed to the source, by offset
	count   int
}

// member is one process of the mirror.
type member struct {
	dead           atomic.Bool
	source, target *wire.Client
	standing       func() []mirror.Standing
	stop           context.CancelFunc
	ended          chan error
}

const matrixPartitions = 3

func newPlay(t *testing.T, k kind, workers, inTopic bool, seed uint64) *play {
	t.Helper()
	p := &play{T: t, kind: k, workers: workers, longest: 700 * time.Millisecond, rand: rand.New(rand.NewPCG(seed, 10)), conns: map[net.Conn]bool{}, ever: map[int32]map[int64]string{}}
	p.headless.Store(-1)
	for _, c := range []**embedded.Cluster{&p.source, &p.target} {
		var err error
		if *c, err = embedded.Start(embedded.Options{Brokers: 2}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup((*c).Close)
	}
	if err := errors.Join(p.source.Fake().CreateTopic(topic, matrixPartitions, k.configs), p.target.Fake().CreateTopic(topic, matrixPartitions, nil)); err != nil {
		t.Fatal(err)
	}
	for i := range int32(matrixPartitions) {
		p.ids = append(p.ids, wire.Partition{Topic: topic, Number: i})
		p.ever[i] = map[int64]string{}
	}
	p.hideLeaders()
	if k.compacted {
		p.anchor()
	}
	dir := t.TempDir()
	p.open = func() mirror.Shelf { return state.NewFileShelf(dir) }
	if inTopic {
		p.open = p.openTopic
	}
	w := wire.New(wire.Options{Bootstrap: p.target.Bootstrap(), Pool: wire.NewPool(1 << 20)})
	defer w.Close()
	var err error
	shelf := p.open()
	if p.producer, err = mirror.Identify(t.Context(), shelf, w, "new", false, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := mirror.Direct(t.Context(), shelf, map[string]mirror.Way{topic: mirror.Forward}); err != nil {
		t.Fatal(err)
	}
	return p
}

// anchor gives each partition a record that compaction keeps: kfake's log start
// would move behind what is compacted away, and Kafka's does not.
func (p *play) anchor() {
	p.Helper()
	cl := p.kgo(p.source)
	for i := range int32(matrixPartitions) {
		r := &kgo.Record{Topic: topic, Partition: i, Key: []byte("anchor"), Value: []byte("a")}
		if err := cl.ProduceSync(p.Context(), r).FirstErr(); err != nil {
			p.Fatal(err)
		}
		p.ever[i][r.Offset] = "anchor=a"
	}
}

func (p *play) openTopic() mirror.Shelf {
	p.Helper()
	client, err := kafka.Open(p.Context(), endpoint.Endpoint{Cluster: "old", Bootstrap: p.source.Bootstrap()}, "")
	if err != nil {
		p.Fatal(err)
	}
	log, err := client.StateLog(p.Context(), kafka.ShelfTopic("m"), kafka.StateLogOptions{Configs: state.ShelfConfigs()})
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() {
		if err := errors.Join(log.Close(), client.Close()); err != nil {
			p.Log(err)
		}
	})
	return state.NewLogShelf(log, log.Where())
}

// within is the state as one process has it, until it is dead or the state away.
type within struct {
	mirror.Shelf
	p *play
	m *member
}

var errAway = errors.New("the state is out of reach")

func (w within) Put(ctx context.Context, values map[string][]byte) error {
	switch {
	case w.m.dead.Load():
		return errors.New("the process is dead")
	case w.p.stateAway.Load():
		return errAway
	}
	return w.Shelf.Put(ctx, values)
}

func (w within) All(ctx context.Context, prefix string) (map[string][]byte, error) {
	if w.p.stateAway.Load() {
		return nil, errAway
	}
	return w.Shelf.All(ctx, prefix)
}

// Claim is what the state has beyond a Shelf: what a dead process has sent, and
// what arrives only now, counts no more.
func (w within) Claim(ctx context.Context, scopes []string, lease func() error) error {
	switch {
	case w.m.dead.Load():
		return errors.New("the process is dead")
	case w.p.stateAway.Load():
		return errAway
	}
	return w.Shelf.(state.Shelf).Claim(ctx, scopes, lease)
}

// client is one whose connections can be cut.
func (p *play) client(c *embedded.Cluster) *wire.Client {
	return wire.New(wire.Options{Bootstrap: c.Bootstrap(), Pool: wire.NewPool(256 << 10), Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			p.mu.Lock()
			p.conns[conn] = true
			p.mu.Unlock()
		}
		return conn, err
	}})
}

const matrixWait = 300 * time.Millisecond // nothing here is under way for longer

// start begins a process of the mirror.
func (p *play) start() {
	p.Helper()
	m := &member{source: p.client(p.source), target: p.client(p.target), ended: make(chan error, 1)}
	shelf := within{p.open(), p, m}
	// All partitions fit an answer: where one is full kfake does not say which of its
	// transactions were aborted.
	limits := mirror.Limits{Fetch: 100 << 10, Partition: 32 << 10, Timeout: 2 * time.Second}
	log := slog.New(slog.DiscardHandler)
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	if p.workers {
		p.mu.Lock()
		p.count++
		id := fmt.Sprint("w", p.count)
		p.mu.Unlock()
		w, err := worker.New(worker.Config{
			ID: id, Source: m.source, Target: m.target, Producer: p.producer, Shelf: shelf, Clock: boottime.Clock{}, Limits: limits, Wait: matrixWait, Log: log,
			Group: worker.Group{Name: "_kplan.m.mirror", At: wire.Options{Bootstrap: p.source.Bootstrap()}, Session: session},
			Survey: func(context.Context) (map[string]worker.Topic, error) {
				return map[string]worker.Topic{topic: {Partitions: matrixPartitions, Ahead: p.compacted}}, nil
			},
		})
		if err != nil {
			p.Fatal(err)
		}
		m.standing = func() []mirror.Standing { return w.Standing().Partitions }
		go func() { m.ended <- w.Run(ctx) }()
	} else {
		keeper := mirror.NewKeeper(shelf)
		assigned, err := keeper.Assignments(p.Context(), p.ids)
		if err != nil {
			p.Fatal(err)
		}
		for id, a := range assigned {
			a.Ahead = p.compacted
			assigned[id] = a
		}
		c, err := mirror.New(mirror.Config{
			Source: m.source, Target: m.target, Producer: p.producer, Partitions: assigned, Store: keeper, Limits: limits, Wait: matrixWait, Log: log,
			Lease: func(wire.Partition) error {
				if m.dead.Load() {
					return errors.New("the process is dead")
				}
				return nil
			},
		})
		if err != nil {
			p.Fatal(err)
		}
		m.standing = c.Status
		go func() { m.ended <- c.Run(ctx) }()
	}
	p.mu.Lock()
	p.members = append(p.members, m)
	p.mu.Unlock()
}

// leave takes a process off the stage.
func (p *play) leave() *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.rand.IntN(len(p.members))
	m := p.members[i]
	p.members = slices.Delete(p.members, i, i+1)
	return m
}

// end waits until a process has ended.
func (p *play) end(m *member) error {
	p.Helper()
	m.stop()
	var err error
	select {
	case err = <-m.ended:
	case <-time.After(2 * time.Minute):
		p.Fatal("a process of the mirror does not end")
	}
	m.source.Close()
	m.target.Close()
	return err
}

// watch fails when something to do is not done for half a minute.
func (p *play) watch(ctx context.Context) {
	for ctx.Err() == nil {
		p.mu.Lock()
		members := slices.Clone(p.members)
		p.mu.Unlock()
		for _, m := range members {
			for _, s := range m.standing() {
				if err := s.Stalled(time.Now(), 30*time.Second); err != nil {
					p.Errorf("the watchdog: %v", err)
					return
				}
				if s.Phase == mirror.Stopped && !m.dead.Load() && ctx.Err() == nil {
					p.Errorf("the watchdog: %s[%d] is stopped: %v", s.Topic, s.Number, s.Why)
					return
				}
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// perform lets so many faults happen under load, and judges.
func (p *play) perform(faults int) {
	p.Helper()
	p.write(50)
	processes := 1
	if p.workers {
		processes = 2
	}
	for range processes {
		p.start()
	}
	watching, unwatch := context.WithCancel(p.Context())
	watched := make(chan struct{})
	go func() { defer close(watched); p.watch(watching) }()
	loading, unload := context.WithCancel(p.Context())
	loaded := make(chan struct{})
	go func() { defer close(loaded); p.load(loading) }()
	all := matrixFaults()
	names := slices.Sorted(maps.Keys(all))
	if !p.compacted {
		names = slices.DeleteFunc(names, func(n string) bool { return n == "the source is compacted" })
	}
	list := drawn(p.rand, names, faults)
	p.Logf("faults: %q", list)
	for _, name := range list {
		all[name](p)
	}
	unload()
	<-loaded
	fault := make(chan struct{})
	go func() { defer close(fault); all[list[0]](p) }() // and once more, for the last records before the source is idle
	<-time.After(50 * time.Millisecond)
	p.write(20)
	<-fault
	p.arrive(list)
	unwatch()
	<-watched
	for len(p.members) > 0 {
		if err := p.end(p.leave()); err != nil {
			p.Errorf("ending a process: %v", err)
		}
	}
	p.compare()
}

func (p *play) kgo(c *embedded.Cluster, more ...kgo.Opt) *kgo.Client {
	p.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Bootstrap()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0)}, more...)...)
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(cl.Close)
	return cl
}
