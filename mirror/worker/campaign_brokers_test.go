//go:build campaign

package worker_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/executor/state"
	"kplan/internal/kafkatest"
	"kplan/mirror"
	"kplan/mirror/wire"
	"kplan/mirror/worker"
)

// Partitions of a play on real brokers, which have three replicas on both sides
// but for these.
const (
	alone     = 1 // one replica on the source
	lonely    = 2 // one replica on the target
	truncated = 3 // two replicas on the source, which truncates it in the end
	realParts = 4
)

// Listeners of the brokers that are reached through proxies only: brokers
// advertise another address of this machine than they listen on, and the proxies
// are there. The judge has the brokers' own.
const (
	dataListener  kafkatest.Listener = "DATA"
	dataAddress                      = "127.0.0.2"
	stateListener kafkatest.Listener = "STATE"
	stateAddress                     = "127.0.0.3"
)

// behind are the addresses of a listener as its brokers advertise them.
func behind(c *kafkatest.Cluster, l kafkatest.Listener, address string) (all []string) {
	for _, at := range c.Bootstrap(l) {
		_, port, _ := net.SplitHostPort(at)
		all = append(all, net.JoinHostPort(address, port))
	}
	return all
}

// realBrokers is a site of two clusters of three brokers, for many plays, whose
// processes of the mirror are processes.
type realBrokers struct {
	*testing.T
	rand           *rand.Rand
	dir            string
	source, target *kafkatest.Cluster
	admin          map[*kafkatest.Cluster]*kadm.Client
	toSource       []*kafkatest.Proxy // of the mirror's data and questions
	toTarget       []*kafkatest.Proxy
	toState        []*kafkatest.Proxy
	single         map[*kafkatest.Cluster]int32 // that has the partition of one replica
	pair           []int32                      // of the source, that have the partition of two
	plays          []*play
	folders        map[*play]string // of the states in files

	away   atomic.Bool                                  // the state is out of reach
	seen   atomic.Pointer[map[string]kadm.TopicDetails] // by side, what was told last
	born   atomic.Int64
	killed atomic.Int64 // processes
	downed int          // brokers
	cuts   int          // connections

	figures sync.Mutex // guards downed and cuts
}

func newRealBrokers(t *testing.T, version kafkatest.Version, seed uint64) *realBrokers {
	t.Helper()
	start := func(v kafkatest.Version) *kafkatest.Cluster {
		return kafkatest.Start(t, kafkatest.Options{
			Version: v, Brokers: 3, ExtraProperties: map[string]string{"log.cleaner.backoff.ms": "500"},
			Named: []kafkatest.NamedListener{
				{Name: dataListener, Protocol: kafkatest.Plaintext, Advertise: dataAddress},
				{Name: stateListener, Protocol: kafkatest.Plaintext, Advertise: stateAddress},
			},
		})
	}
	b := &realBrokers{
		T: t, rand: rand.New(rand.NewPCG(seed, 20)), dir: t.TempDir(), source: start(version), target: start(kafkatest.V4_3_0),
		admin: map[*kafkatest.Cluster]*kadm.Client{}, single: map[*kafkatest.Cluster]int32{}, folders: map[*play]string{},
	}
	for _, c := range []*kafkatest.Cluster{b.source, b.target} {
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.Bootstrap(kafkatest.Plaintext)...), kgo.MetadataMinAge(100*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		b.admin[c], b.single[c] = kadm.NewClient(cl), 1+b.rand.Int32N(3)
	}
	b.pair = without([]int32{1, 2, 3}, b.single[b.source])
	b.toSource = b.proxies(b.source, dataListener, dataAddress, kafkatest.Faults{})
	b.toTarget = b.proxies(b.target, dataListener, dataAddress, kafkatest.Faults{Stall: 300 * time.Millisecond})
	b.toState = b.proxies(b.source, stateListener, stateAddress, kafkatest.Faults{})
	return b
}

func (b *realBrokers) proxies(c *kafkatest.Cluster, l kafkatest.Listener, address string, f kafkatest.Faults) (all []*kafkatest.Proxy) {
	for i, at := range behind(c, l, address) {
		all = append(all, kafkatest.NewProxyAt(b.T, at, c.Bootstrap(l)[i], f))
	}
	return all
}

// play makes the topics and the state of a play.
func (b *realBrokers) play(name string, k kind, workers, inTopic bool, seed uint64) *play {
	b.Helper()
	p := &play{
		T: b.T, kind: k, name: name, topic: fmt.Sprintf("play-%d", len(b.plays)), workers: workers, rand: rand.New(rand.NewPCG(seed, 10)), on: b,
		pause: 300 * time.Millisecond, tombstones: k.compacted, session: worker.DefaultSession,
		source: b.source.Bootstrap(kafkatest.Plaintext), target: b.target.Bootstrap(kafkatest.Plaintext),
	}
	p.plan(realParts)
	b.plays = append(b.plays, p)
	kept := map[string]string{"retention.ms": "-1"}
	from := maps.Clone(kept)
	maps.Copy(from, k.configs)
	if k.compacted {
		maps.Copy(from, map[string]string{"segment.ms": "2000", "min.cleanable.dirty.ratio": "0.01"})
	}
	b.make(b.source, p.topic, from, map[int32][]int32{alone: {b.single[b.source]}, truncated: b.pair})
	b.make(b.target, p.topic, kept, map[int32][]int32{lonely: {b.single[b.target]}})
	p.eyes = wire.New(wire.Options{Bootstrap: p.source, Pool: wire.NewPool(1 << 20), Patience: 5 * time.Second})
	b.Cleanup(p.eyes.Close)
	if inTopic {
		shelf, end, err := shelfIn(b.Context(), slog.New(slog.DiscardHandler), p.source, shelfOf(p.topic))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = end() }) // the test is over
		p.shelf = shelf
	} else {
		b.folders[p] = filepath.Join(b.dir, p.topic)
		p.shelf = state.NewFileShelf(b.folders[p])
	}
	w := wire.New(wire.Options{Bootstrap: p.target, Pool: wire.NewPool(1 << 20)})
	defer w.Close()
	if _, err := mirror.Identify(b.Context(), p.shelf, w, clusterName, false, nil); err != nil {
		b.Fatal(err)
	}
	if _, err := mirror.Direct(b.Context(), p.shelf, map[string]mirror.Way{p.topic: mirror.Forward}); err != nil {
		b.Fatal(err)
	}
	return p
}

// make makes a topic, some of whose partitions have other replicas than the rest:
// brokers want as many of all of them when it is made, and not afterwards.
func (b *realBrokers) make(c *kafkatest.Cluster, name string, configs map[string]string, others map[int32][]int32) {
	b.Helper()
	set := map[string]*string{}
	for k, v := range configs {
		set[k] = &v
	}
	resp, err := b.admin[c].CreateTopic(b.Context(), realParts, 3, set, name)
	if err = cmp.Or(err, resp.Err); err != nil {
		b.Fatal(err)
	}
	var req kadm.AlterPartitionAssignmentsReq
	for number, replicas := range others {
		req.Assign(name, number, replicas)
	}
	answer, err := b.admin[c].AlterPartitionAssignments(b.Context(), req)
	if err = cmp.Or(err, answer.Error()); err != nil {
		b.Fatal(err)
	}
	b.until("replicas are where they are to be", c, func(d kadm.PartitionDetail) bool {
		replicas, other := others[d.Partition]
		return d.Topic != name || !other || len(d.Replicas) == len(replicas) && len(d.ISR) == len(replicas) && d.Leader >= 0
	})
}

// observe asks both clusters who leads what, until ctx ends.
func (b *realBrokers) observe(ctx context.Context) {
	for ctx.Err() == nil {
		told := map[string]kadm.TopicDetails{}
		for side, c := range map[string]*kafkatest.Cluster{"source": b.source, "target": b.target} {
			asking, cancel := context.WithTimeout(ctx, 3*time.Second)
			m, err := b.admin[c].Metadata(asking)
			cancel()
			if err == nil {
				told[side] = m.Topics
			}
		}
		b.seen.Store(&told)
		pause(ctx)
	}
}

// healthy are partitions that have leaders on both sides and replicas enough on
// the target, with a state that can be reached. What nobody has told is not.
func (b *realBrokers) healthy(p *play) map[int32]bool {
	all := map[int32]bool{}
	told := b.seen.Load()
	if told == nil || b.away.Load() {
		return all
	}
	for _, id := range p.ids {
		from, known := (*told)["source"][p.topic].Partitions[id.Number]
		to, there := (*told)["target"][p.topic].Partitions[id.Number]
		all[id.Number] = known && there && from.Leader >= 0 && to.Leader >= 0 && len(to.ISR) >= min(2, len(to.Replicas))
	}
	return all
}

// whole waits until a cluster has all replicas of everything in sync.
func (b *realBrokers) whole(c *kafkatest.Cluster) {
	b.until("all replicas are in sync", c, func(d kadm.PartitionDetail) bool { return d.Leader >= 0 && len(d.ISR) == len(d.Replicas) })
}

// until waits for what a cluster tells of each of its partitions. A fault that does
// not end fails the test.
func (b *realBrokers) until(what string, c *kafkatest.Cluster, holds func(kadm.PartitionDetail) bool) {
	ctx, cancel := context.WithTimeout(b.Context(), 3*time.Minute)
	defer cancel()
	var odd []string
	for {
		m, err := b.admin[c].Metadata(ctx)
		if err == nil && len(m.Topics) > 0 {
			odd = nil
			m.Topics.EachPartition(func(d kadm.PartitionDetail) {
				if !holds(d) {
					odd = append(odd, fmt.Sprintf("%s[%d]: leader %d, replicas %v, in sync %v", d.Topic, d.Partition, d.Leader, d.Replicas, d.ISR))
				}
			})
			if len(odd) == 0 {
				return
			}
		}
		if ctx.Err() != nil {
			b.Errorf("waited in vain until %s on %s: %v; %s", what, c.Version(), err, strings.Join(odd, "; "))
			return
		}
		pause(ctx)
	}
}

func without(all []int32, one int32) []int32 {
	return slices.DeleteFunc(slices.Clone(all), func(id int32) bool { return id == one })
}
