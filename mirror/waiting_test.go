package mirror_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// sent notes when which sequences reached the target.
type sent struct {
	mu        sync.Mutex
	at        []time.Time
	sequences []int32 // the first of each batch
}

func (s *sent) note(req kmsg.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range req.(*kmsg.ProduceRequest).Topics {
		for _, p := range t.Partitions {
			s.at = append(s.at, time.Now())
			s.sequences = append(s.sequences, int32(binary.BigEndian.Uint32(p.Records[53:])))
		}
	}
	return true
}

// Whoever takes a partition over from a mirror that may have died waits until
// its requests have ended, where the target would not recognise them: with old
// records, and with a compacted source. Others lose no time (R23).
func TestOldRecordsWaitForTheDead(t *testing.T) {
	t.Parallel()
	const short = 1500 * time.Millisecond // what is waited out here
	old, young := time.Now().AddDate(-1, 0, 0), time.Now()
	for _, one := range []struct {
		name  string
		stamp time.Time
		first bool // nobody has copied it before
		how   mirror.Assignment
		waits bool
	}{
		{name: "old records", stamp: old, waits: true},
		{name: "old records, the one before ended in order", stamp: old, how: mirror.Assignment{Settled: true}},
		{name: "old records, nobody before", stamp: old, first: true},
		{name: "young records", stamp: young},
		{name: "young records of a compacted source", stamp: young, how: mirror.Assignment{Ahead: true}, waits: true},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			f := newFaked(t, 1)
			produce := func() {
				r := &kgo.Record{Topic: fakedTopic, Key: []byte("k"), Value: []byte("v"), Timestamp: one.stamp}
				if err := f.client(t, f.source).ProduceSync(t.Context(), r).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			if !one.first {
				c, end := f.run(t, nil)
				produce()
				f.drained(t, c, f.partitions...)
				end()
			}
			produce()
			var seen sent
			f.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Observe: true, Count: -1, When: seen.note})
			wait := time.Hour // longer than the test lasts
			if one.waits {
				wait = short
			}
			began := time.Now()
			c, _ := f.run(t, func(conf *mirror.Config) {
				conf.MaxAge, conf.Wait = 24*time.Hour, wait
				a := conf.Partitions[f.partitions[0]]
				a.Ahead, a.Settled = one.how.Ahead, one.how.Settled
				conf.Partitions[f.partitions[0]] = a
			})
			f.drained(t, c, f.partitions...)
			f.same(t, f.partitions...)
			seen.mu.Lock()
			defer seen.mu.Unlock()
			if len(seen.at) == 0 {
				t.Fatal("nothing was sent")
			}
			if took := seen.at[0].Sub(began); one.waits && took < wait {
				t.Errorf("it sent after %s; waiting takes %s", took, wait)
			}
		})
	}
}

// After a refusal the first batch goes alone: a broker that has forgotten the
// producer would take the next one in its place (R23).
func TestTheFirstBatchGoesAlone(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	for range 10 {
		f.write(t, 1) // a batch each
	}
	var refused sent
	fault := f.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1, When: refused.note})
	c, _ := f.run(t, func(conf *mirror.Config) { conf.Limits.Apart = true })
	if err := fault.Wait(briefly(t), 4); err != nil {
		t.Fatal(err)
	}
	fault.Remove()
	f.drained(t, c, f.partitions...)
	f.same(t, f.partitions...)
	refused.mu.Lock()
	defer refused.mu.Unlock()
	if slices.ContainsFunc(refused.sequences, func(s int32) bool { return s != 0 }) {
		t.Errorf("sequences %v were sent while the first was refused", refused.sequences)
	}
}

// Remove does not wait longer than it is told, and then keeps no map: somebody
// else may have the partition by then.
func TestRemoveAtOnce(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	f.write(t, 20)
	arrived := make(chan struct{})
	f.target.Fake().ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(arrived)
		return nil, nil, true // no answer
	})
	c, _ := f.run(t, func(conf *mirror.Config) { conf.Limits.Timeout = time.Second })
	<-arrived
	why := errors.New("the partition is gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := c.Remove(ctx, f.partitions); !errors.Is(err, why) {
		t.Errorf("it says: %v", err)
	}
	if got := c.Status(); len(got) != 0 {
		t.Errorf("it is still there: %+v", got)
	}
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	if k, ok := f.store.kept[f.partitions[0]]; ok && k.Offsets.Records() > 0 {
		t.Errorf("a map of %d records was kept", k.Offsets.Records())
	}
}

// A copy that begins at the end has what is written from then on.
func TestBeginAtTheEnd(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	f.write(t, 20)
	c, _ := f.run(t, func(conf *mirror.Config) {
		conf.Partitions = map[wire.Partition]mirror.Assignment{f.partitions[0]: {Latest: true}}
	})
	standing(t, c, f.partitions[0], func(s mirror.Standing) bool { return s.Phase == mirror.Copying })
	f.write(t, 20)
	f.drained(t, c, f.partitions...)
	if d := cmp.Diff(f.values(t, f.source, f.partitions[0])[20:], f.values(t, f.target, f.partitions[0])); d != "" {
		t.Errorf("(-source +target):\n%s", d)
	}
	if m, ok := c.Map(f.partitions[0]); !ok || m.Start() != (mirror.Point{Source: 20, Target: 0}) {
		t.Error(fmt.Sprint("the map begins at ", m.Start()))
	}
}

// While the store fails, a partition that is copied ahead sends nothing; the
// others go on. Whatever is sent is in the map that was kept last, each record at
// its place, also when it is planned again after a refusal.
func TestAheadMeansKeptBeforeSent(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 2)
	broken := &refusing{Store: f.store, err: errors.New("the disk is full")}
	broken.set(true)
	var mu sync.Mutex
	var early []int64
	sent := 0
	f.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: fakedTopic, Partitions: []int32{0}, Observe: true, Count: -1, When: func(req kmsg.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		for _, topic := range req.(*kmsg.ProduceRequest).Topics {
			for _, p := range topic.Partitions {
				if p.Partition != 0 {
					continue
				}
				first := int64(binary.BigEndian.Uint32(p.Records[53:])) // its sequence is its place, since the copy began at 0
				last := first + int64(binary.BigEndian.Uint32(p.Records[57:]))
				sent++
				f.store.mu.Lock()
				if kept, ok := f.store.kept[f.partitions[0]]; !ok || kept.Offsets.End().Target < last {
					early = append(early, first)
				}
				f.store.mu.Unlock()
			}
		}
		return true
	}})
	c, _ := f.run(t, func(conf *mirror.Config) {
		conf.Store = broken
		conf.Partitions[f.partitions[0]] = mirror.Assignment{Ahead: true}
	})
	f.write(t, 20)
	f.drained(t, c, f.partitions[1])
	standing(t, c, f.partitions[0], func(s mirror.Standing) bool { return errors.Is(s.Why, broken.err) })
	if end := f.ends(t, f.target)[f.partitions[0]]; end != 0 {
		t.Errorf("%d records were sent", end)
	}
	broken.set(false)
	f.drained(t, c, f.partitions...)
	for range 5 {
		f.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: fakedTopic, Partitions: []int32{0}, Err: kerr.NotLeaderForPartition, Count: 1})
		f.write(t, 20)
		f.drained(t, c, f.partitions...)
	}
	f.same(t, f.partitions...)
	standing(t, c, f.partitions[0], func(s mirror.Standing) bool { return s.Why == nil })
	mu.Lock()
	defer mu.Unlock()
	if sent < 10 || len(early) > 0 {
		t.Errorf("of %d batches those from %v on were sent before they were in the map that is kept", sent, early)
	}
}

// refusing is a store that can fail to keep.
type refusing struct {
	mirror.Store
	err error

	mu   sync.Mutex
	fail bool
}

func (r *refusing) set(fail bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = fail
}

func (r *refusing) Keep(kept map[wire.Partition]mirror.Kept) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail {
		return r.err
	}
	return r.Store.Keep(kept)
}

// noting is a store that remembers all that it was given.
type noting struct {
	mirror.Store

	mu   sync.Mutex
	kept []mirror.Kept
}

func (n *noting) Keep(kept map[wire.Partition]mirror.Kept) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range kept {
		n.kept = append(n.kept, one)
	}
	return n.Store.Keep(kept)
}
