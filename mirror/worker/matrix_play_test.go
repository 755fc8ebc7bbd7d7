package worker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// kind is what the source of a play is like.
type kind struct {
	name          string
	configs       map[string]string
	compacted     bool
	transactional bool
}

// site is where a play takes place: embedded brokers in this process, or real
// ones.
type site interface {
	// process begins a process of the mirror.
	process(p *play) (*member, error)
	// healthy says which of a play's partitions nothing keeps from being copied.
	healthy(p *play) map[int32]bool
}

// play is one topic that is copied while things go wrong. What is wrong about its
// copy is in found at the end.
type play struct {
	*testing.T
	kind
	name           string
	topic          string
	ids            []wire.Partition
	workers        bool
	rand           *rand.Rand
	on             site
	source, target []string     // addresses, as others than the mirror know them
	eyes           *wire.Client // the judge's, on the source
	shelf          mirror.Shelf // the state, as another process has it
	producer       mirror.Producer
	pause          time.Duration           // between two that are written under load
	patience       time.Duration           // of the watchdog
	session        time.Duration           // of the workers' group
	tombstones     bool                    // some records are
	spoil          func(int32, *evidence)  // a control's: changes what is judged of a partition
	watched        map[int32]time.Duration // for how long the watchdog had something to watch

	mu      sync.Mutex // guards what follows
	members []*member
	ever    map[int32]map[int64]string // committed to the source, by offset
	over    map[int32]bool             // partitions that have another history on the source by now
	count   int
	unsure  int // writes of which nobody knows whether they are in the log
	copied  int // records that were compared
	gone    int // that compaction has taken from the source
	found   []string
	missed  time.Time // until then a group may take one that was killed for alive
}

// member is one process of the mirror.
type member struct {
	stopped func() map[int32]string // partitions that it has stopped, and why
	stop    func()                  // tells it to end in order
	kill    func()                  // ends it as kill -9 does
	said    func() string           // last, for people
	ended   chan error
}

// plan gives a play its partitions.
func (p *play) plan(partitions int32) {
	p.ever, p.over, p.watched = map[int32]map[int64]string{}, map[int32]bool{}, map[int32]time.Duration{}
	for i := range partitions {
		p.ids = append(p.ids, wire.Partition{Topic: p.topic, Number: i})
		p.ever[i] = map[int64]string{}
	}
	if p.patience == 0 {
		p.patience = 30 * time.Second
	}
}

// wrong notes what is wrong.
func (p *play) wrong(format string, args ...any) {
	p.Logf("%s: FOUND "+format, append([]any{p.name}, args...)...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.found) < 20 {
		p.found = append(p.found, fmt.Sprintf(format, args...))
	}
}

// sound reports whether nothing is wrong so far.
func (p *play) sound() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.found) == 0
}

// begin begins a process.
func (p *play) begin() {
	m, err := p.on.process(p)
	if err != nil {
		p.wrong("beginning a process of the mirror: %v", err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.members = append(p.members, m)
}

// leave takes a process off the stage; nil: there is none.
func (p *play) leave() *member {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.members) == 0 {
		return nil
	}
	i := p.rand.IntN(len(p.members))
	m := p.members[i]
	p.members = slices.Delete(p.members, i, i+1)
	return m
}

// kill ends a process as kill -9 does, and begins another one at once.
func (p *play) kill() {
	if m := p.leave(); m != nil {
		m.kill()
	}
	if p.workers {
		p.mu.Lock()
		p.missed = time.Now().Add(p.session)
		p.mu.Unlock()
	}
	p.begin()
}

// handOver ends a process in order while meanwhile happens.
func (p *play) handOver(meanwhile func()) {
	if m := p.leave(); m != nil {
		m.stop()
		meanwhile()
		if err := p.end(m); err != nil {
			p.Logf("%s: a process that was disturbed while it ended: %v", p.name, err)
		}
	}
	p.begin()
}

// end waits until a process has ended.
func (p *play) end(m *member) error {
	m.stop()
	select {
	case err := <-m.ended:
		return err
	case <-time.After(2 * time.Minute):
		m.kill()
		return fmt.Errorf("it does not end within two minutes; it said last: %s", m.said())
	}
}

// performance is plays on one site, which have the same faults.
type performance struct {
	*testing.T
	plays  []*play
	faults map[string]func()
	list   []string // of faults, in the order in which they happen
	finale func()   // nil: nothing
}

// each does something in all plays at once.
func (f performance) each(do func(*play)) {
	var all sync.WaitGroup
	for _, p := range f.plays {
		all.Go(func() { do(p) })
	}
	all.Wait()
}

// run lets the faults happen under load, the first of them once more while the
// last records are written before the source is idle, and judges.
func (f performance) run() {
	f.each(func(p *play) {
		p.write(50)
		p.begin()
		if p.workers {
			p.begin()
		}
	})
	watching, unwatch := context.WithCancel(f.Context())
	loading, unload := context.WithCancel(f.Context())
	var watched, loaded sync.WaitGroup
	for _, p := range f.plays {
		watched.Go(func() { p.watch(watching) })
		loaded.Go(func() { p.load(loading) })
	}
	for i, name := range f.list {
		began := time.Now()
		f.faults[name]()
		f.Logf("fault %d of %d: %s, %s", i+1, len(f.list), name, time.Since(began).Round(100*time.Millisecond))
		if f.Failed() { // one that does not end
			break
		}
	}
	unload()
	loaded.Wait()
	last := make(chan struct{})
	go func() { defer close(last); f.faults[f.list[0]]() }()
	<-time.After(50 * time.Millisecond)
	f.each(func(p *play) { p.write(20) })
	<-last
	f.each(func(p *play) { p.arrive() })
	if f.finale != nil && !f.Failed() {
		f.finale()
	}
	unwatch()
	watched.Wait()
	f.each(func(p *play) {
		for m := p.leave(); m != nil; m = p.leave() {
			if err := p.end(m); err != nil {
				p.wrong("ending a process: %v", err)
			}
		}
		p.compare()
	})
}

// verdicts fails where something is wrong.
func (f performance) verdicts() {
	f.Helper()
	for _, p := range f.plays {
		for _, text := range p.found {
			f.Errorf("%s: %s", p.name, text)
		}
	}
}

// client is one of others than the mirror.
func (p *play) client(at []string, more ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(at...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0)}, more...)...)
}
