package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// groups are what a source tells of the positions of its groups.
type groups struct {
	mu    sync.Mutex
	at    map[wire.Partition]mirror.Position
	err   error
	asked int
	news  chan struct{} // one for each question, as long as somebody listens
}

func (g *groups) positions(context.Context, []string) (map[wire.Partition]mirror.Position, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	select {
	case g.news <- struct{}{}:
	default:
	}
	return g.at, g.err
}

// set changes what they tell.
func (g *groups) set(at map[wire.Partition]mirror.Position, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.at, g.err = at, err
}

// say changes it, and waits until that was asked for some times.
func (g *groups) say(t *testing.T, at map[wire.Partition]mirror.Position, err error) {
	t.Helper()
	g.set(at, err)
	for range 4 {
		select {
		case <-g.news:
		case <-briefly(t).Done():
			t.Fatal("nobody asks")
		}
	}
}

// small has a copier whose maps are worth asking from the first block on.
func small(t *testing.T, f *faked, g *groups) func(*mirror.Config) {
	return func(conf *mirror.Config) {
		conf.Limits.Maps, conf.Limits.MapsEvery = 1, 20*time.Millisecond
		if g != nil {
			conf.Positions = g.positions
		}
		for p, a := range conf.Partitions {
			if a.Offsets == nil {
				m, err := mirror.NewMap(mirror.Point{})
				if err == nil {
					err = f.store.Begin(p, mirror.Beginning{})
				}
				if err != nil {
					t.Fatal(err)
				}
				a.Offsets = m
			}
			mirror.PackAfter(a.Offsets, 3)
			conf.Partitions[p] = a
		}
	}
}

// transact writes transactions of any length, some of which are aborted.
func (f *faked) transact(t *testing.T, rng *rand.Rand, n int) {
	t.Helper()
	cl := f.client(t, f.source, kgo.TransactionalID(fmt.Sprintf("%s-%d", t.Name(), f.written)))
	for range n {
		if err := cl.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		var records []*kgo.Record
		for range 1 + rng.IntN(20) {
			f.written++
			records = append(records, &kgo.Record{Topic: fakedTopic, Key: []byte("k"), Value: fmt.Appendf(nil, "value-%d", f.written)})
		}
		if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := cl.EndTransaction(t.Context(), kgo.TransactionEndTry(rng.IntN(4) > 0)); err != nil {
			t.Fatal(err)
		}
	}
	cl.Close()
}

// committed copies what consumers of committed records see, with its offsets.
func (f *faked) committed(t *testing.T) (all []*kgo.Record, end int64) {
	t.Helper()
	cl := f.client(t, f.source, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{fakedTopic: {0: kgo.NewOffset().AtStart()}}), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	end = f.ends(t, f.source)[f.partitions[0]]
	for at := int64(0); at < end; {
		fetches := cl.PollFetches(briefly(t))
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if at = r.Offset + 1; !r.Attrs.IsControl() {
				all = append(all, r)
			}
		})
	}
	return all, end
}

// sameCommitted compares the target with what is committed on the source, and each
// position's place in a map with where its next record is.
func (f *faked) sameCommitted(t *testing.T, m *mirror.Map) (rounded int) {
	t.Helper()
	want, end := f.committed(t)
	got := f.values(t, f.target, f.partitions[0])
	if len(got) != len(want) {
		t.Fatalf("%d records on the target, %d are committed on the source", len(got), len(want))
	}
	for i, r := range want {
		if text := string(r.Key) + "=" + string(r.Value); text != got[i] {
			t.Fatalf("record %d is %q, want %q", i, got[i], text)
		}
	}
	next := len(want)
	for position := end; position >= 0; position-- {
		if next > 0 && want[next-1].Offset >= position {
			next--
		}
		place, err := m.Place(position)
		if err != nil || place.Target > int64(next) || place.Latest < int64(next) || place.Repeats() > 0 && position >= mirror.ExactFrom(m).Source {
			t.Fatalf("position %d is at %d, and said to be at %+v: %v", position, next, place, err)
		}
		if place.Target < int64(next) {
			rounded++
		}
	}
	return rounded
}

// What every group has read, and what no group reads, becomes coarse, in memory
// and in the store, while it is copied and when nothing is; what a group has not
// read stays as it is, and so does all of it while that is not known.
func TestWhatIsReadBecomesCoarse(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	p := f.partitions[0]
	rng := rand.New(rand.NewPCG(5, 1))
	f.transact(t, rng, 60)
	g := &groups{err: errors.New("broker 2 does not answer"), news: make(chan struct{})}
	c, end := f.run(t, small(t, f, g))
	f.drained(t, c, p)
	whole := func() *mirror.Map {
		t.Helper()
		m, ok := c.Map(p)
		if !ok {
			t.Fatal("no map")
		}
		return m
	}
	g.say(t, nil, g.err)
	var unasked *mirror.UnaskedError
	if m, is := whole(), c.Maps(); mirror.ExactFrom(m) != (mirror.Point{}) || !errors.As(is.Whole, &unasked) || !errors.Is(is.Whole, g.err) || is.Bytes == 0 {
		t.Errorf("positions are not known, and it is exact from %+v on: %+v", mirror.ExactFrom(m), is)
	}
	half := whole().End().Source / 2
	g.say(t, map[wire.Partition]mirror.Position{p: {Offset: half, Group: "slow"}}, nil)
	var held *mirror.HeldError
	if from, is := mirror.ExactFrom(whole()), c.Maps(); from.Source <= 0 || from.Source > half || !errors.As(is.Whole, &held) || held.Group != "slow" || held.Partitions != 1 {
		t.Errorf("with a group at %d it is exact from %+v on: %+v", half, from, is)
	}
	if f.sameCommitted(t, whole()) == 0 {
		t.Error("no place is rounded: this has tried nothing")
	}
	g.say(t, nil, errors.New("again"))
	if from := mirror.ExactFrom(whole()); from.Source > half {
		t.Errorf("positions are not known again, and it is exact from %+v on", from)
	}
	until(t, "all of it is kept", func(context.Context) bool {
		f.store.mu.Lock()
		defer f.store.mu.Unlock()
		kept := f.store.kept[p].Offsets
		return kept != nil && kept.End() == whole().End()
	})
	g.set(map[wire.Partition]mirror.Position{}, nil)
	until(t, "what no group reads is coarse", func(context.Context) bool {
		m := whole()
		return m.Len() <= 12 && mirror.ExactFrom(m).Source > half && c.Maps().Whole == nil
	})
	until(t, "that is kept, though nothing is copied", func(context.Context) bool {
		f.store.mu.Lock()
		defer f.store.mu.Unlock()
		kept := f.store.kept[p].Offsets
		return kept != nil && mirror.ExactFrom(kept) == mirror.ExactFrom(whole())
	})
	end()
	f.transact(t, rng, 20)
	c, _ = f.run(t, small(t, f, g))
	f.drained(t, c, p)
	f.sameCommitted(t, whole())
}

// A copier whose source cannot be asked about groups, or does not answer, goes on,
// and ends when it is told to.
func TestPositionsHoldUpNobody(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	asked := make(chan struct{}, 1)
	c, end := f.run(t, func(conf *mirror.Config) {
		small(t, f, nil)(conf)
		conf.Positions = func(context.Context, []string) (map[wire.Partition]mirror.Position, error) {
			select {
			case asked <- struct{}{}:
			default:
			}
			<-t.Context().Done() // whatever it is told
			return nil, nil
		}
	})
	rng := rand.New(rand.NewPCG(5, 2))
	f.transact(t, rng, 30)
	f.drained(t, c, f.partitions...)
	<-asked
	f.transact(t, rng, 5)
	f.drained(t, c, f.partitions...)
	m, _ := c.Map(f.partitions[0])
	f.sameCommitted(t, m)
	end()
}

// Where the target has lost records of which the map keeps stretches only, the
// source is read again from the beginning of one, and what is there is not sent
// again; of a compacted source that cannot be, and the partition is stopped.
func TestTheTargetLosesWhatIsCoarse(t *testing.T) {
	t.Parallel()
	for _, ahead := range []bool{false, true} {
		t.Run(fmt.Sprintf("ahead %t", ahead), func(t *testing.T) {
			t.Parallel()
			f, before := newFaked(t, 1), newFaked(t, 1)
			p := f.partitions[0]
			before.source = f.source
			rng := rand.New(rand.NewPCG(5, 3))
			f.transact(t, rng, 40)
			c, end := before.run(t, func(conf *mirror.Config) { conf.Producer.ID = f.id })
			before.drained(t, c, p)
			end()
			f.transact(t, rng, 30)
			g := &groups{at: map[wire.Partition]mirror.Position{}, news: make(chan struct{})}
			c, end = f.run(t, small(t, f, g))
			f.drained(t, c, p)
			lost := f.ends(t, before.target)[p]
			until(t, "it is coarse behind what the target will have lost", func(context.Context) bool {
				m, ok := c.Map(p)
				return ok && mirror.ExactFrom(m).Target > lost
			})
			end()
			f.target = before.target // the one that has less
			c, _ = f.run(t, func(conf *mirror.Config) {
				a := conf.Partitions[p]
				a.Topics, a.Ahead = mirror.Topics{}, ahead
				conf.Partitions[p] = a
			})
			if ahead {
				got := standing(t, c, p, func(s mirror.Standing) bool { return s.Phase == mirror.Stopped })
				var unmapped *mirror.UnmappedError
				if !errors.As(got.Why, &unmapped) || !unmapped.Coarse || unmapped.LogEnd != lost || unmapped.MapEnd > lost {
					t.Errorf("it says: %v", got.Why)
				}
				return
			}
			f.drained(t, c, p)
			m, _ := c.Map(p)
			f.sameCommitted(t, m)
		})
	}
}
