package mirror_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// aheadOf has a copier copy partitions ahead, and keep on a shelf.
func aheadOf(t *testing.T, f *faked, s *shelf, ids ...wire.Partition) func(*mirror.Config) {
	return func(conf *mirror.Config) {
		k := mirror.NewKeeper(s)
		all, err := k.Assignments(t.Context(), f.partitions)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			a := all[id]
			a.Ahead = true
			all[id] = a
		}
		conf.Store, conf.Partitions = k, all
	}
}

// What is planned of a compacted source is kept before it is sent, and whoever
// reads the state is not told that it is copied: not by the map, not by the
// acknowledged offset, not by the standing.
func TestPlannedIsNotCopied(t *testing.T) {
	t.Parallel()
	f, s := newFaked(t, 1), newShelf()
	p := f.partitions[0]
	f.write(t, 20)
	fault := f.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	c, end := f.run(t, aheadOf(t, f, s, p))
	if err := fault.Wait(briefly(t), 2); err != nil {
		t.Fatal(err)
	}
	end()
	look := func(want int64) {
		t.Helper()
		k := mirror.NewKeeper(s)
		acked, err := k.Acked(t.Context(), []string{fakedTopic})
		if err != nil || acked[p].Point != (mirror.Point{Source: want, Target: want}) {
			t.Errorf("acknowledged: %+v, %v; want %d", acked, err, want)
		}
		copied, unproven, err := k.Load(t.Context(), f.partitions)
		if err != nil || len(unproven) != 0 || copied[p].End().Source != want || copied[p].Records() != want {
			t.Errorf("copied: %+v, unproven %v, %v; want %d", copied[p], unproven, err, want)
		}
	}
	look(0)
	if got := c.Status()[0]; got.Copied != 0 || got.Lag() != 20 {
		t.Errorf("the standing says %d copied, and a lag of %d", got.Copied, got.Lag())
	}
	whole, err := mirror.NewKeeper(s).Assignments(t.Context(), f.partitions)
	if err != nil || whole[p].Offsets.End().Source != 20 {
		t.Fatalf("what was planned is not kept: %+v, %v", whole[p], err)
	}
	fault.Remove()
	c, end = f.run(t, aheadOf(t, f, s, p))
	f.drained(t, c, p)
	end()
	look(20)
	f.same(t, p)
}

// A map that was kept without what is acknowledged, as kplan once did, is not
// taken for copied; one that has only begun is known to be empty.
func TestOldMapsAreUnproven(t *testing.T) {
	s := newShelf()
	p, q := partition("t", 0), partition("t", 1)
	k := mirror.NewKeeper(s)
	m, err := mirror.NewMap(mirror.Point{})
	if err == nil {
		err = errors.Join(m.Append(mirror.Segment{Length: 20}), k.Begin(p, mirror.Beginning{}), k.Begin(q, mirror.Beginning{}), k.Keep(allAcked(p, m)))
	}
	if err != nil {
		t.Fatal(err)
	}
	delete(s.values, "acked/t/0")
	acked, err := k.Acked(t.Context(), []string{"t", "u"})
	if err != nil || len(acked) != 0 {
		t.Errorf("acknowledged: %+v, %v", acked, err)
	}
	copied, unproven, err := k.Load(t.Context(), []wire.Partition{p, q})
	if err != nil || copied[p] != nil || unproven[p] == nil || unproven[q] != nil || copied[q].End() != (mirror.Point{}) {
		t.Errorf("copied %v, unproven %v, %v", copied, unproven, err)
	}
	all, err := k.Assignments(t.Context(), []wire.Partition{p})
	if err != nil || all[p].Acked != nil || all[p].Offsets.End().Source != 20 {
		t.Errorf("%+v, %v", all[p], err)
	}
}

// What is acknowledged is kept with the source's log start and epochs, and read
// as it was; a partition of another topic is not asked for.
func TestAckedIsReadAsKept(t *testing.T) {
	s := newShelf()
	k := mirror.NewKeeper(s)
	p := partition("a.b", 7)
	want := mirror.Acked{Point: mirror.Point{Source: 11, Target: 10}, Start: 3, Epochs: []mirror.Epoch{{Number: 2, From: 0}, {Number: 5, From: 9}}}
	m, err := mirror.NewMap(mirror.Point{})
	if err == nil {
		err = errors.Join(m.Append(mirror.Segment{Length: 10}), m.Cover(want.Point), k.Begin(p, mirror.Beginning{}), k.Keep(map[wire.Partition]mirror.Kept{p: {Offsets: m, Acked: want}}))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, topics := range [][]string{{"a.b"}, {"other", "a.b"}} {
		got, err := k.Acked(t.Context(), topics)
		if d := cmp.Diff(map[wire.Partition]mirror.Acked{p: want}, got); err != nil || d != "" {
			t.Errorf("%v: %v (-want +got):\n%s", topics, err, d)
		}
	}
	if got, err := k.Acked(t.Context(), []string{"other"}); err != nil || len(got) != 0 {
		t.Errorf("of another topic: %+v, %v", got, err)
	}
	if err := k.Forget(t.Context(), []string{"a.b"}); err != nil || len(s.values) != 0 {
		t.Errorf("left after it was forgotten: %v, %v", s.values, err)
	}
	s.values["acked/a.b/7"] = json.RawMessage("{")
	if got, err := k.Acked(t.Context(), []string{"a.b"}); err != nil || len(got) != 0 {
		t.Errorf("what cannot be read is taken for %+v, %v", got, err)
	}
}

// One refusal of all that an idle source has: the copy goes on by itself, ahead
// or not; and so does the next owner, after an end in order with nothing on the
// target.
func TestOneRefusalOfAnIdleSource(t *testing.T) {
	t.Parallel()
	for _, ahead := range []bool{false, true} {
		for _, next := range []bool{false, true} {
			t.Run(name("ahead", ahead)+", "+name("the next owner", next), func(t *testing.T) {
				t.Parallel()
				f, s := newFaked(t, 1), newShelf()
				f.write(t, 20)
				var ids []wire.Partition
				if ahead {
					ids = f.partitions
				}
				count := 1
				if next {
					count = -1
				}
				fault := f.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: count})
				c, end := f.run(t, aheadOf(t, f, s, ids...))
				if err := fault.Wait(briefly(t), 1); err != nil {
					t.Fatal(err)
				}
				if next {
					end()
					fault.Remove()
					c, _ = f.run(t, aheadOf(t, f, s, ids...))
				}
				f.drained(t, c, f.partitions...)
				f.same(t, f.partitions...)
			})
		}
	}
}

func name(what string, is bool) string {
	if is {
		return what
	}
	return "not " + what
}

// What is planned again after a refusal is kept again, though it ends where it
// ended before: a compacted source may have given other records.
func TestWhatIsPlannedAgainIsKeptAgain(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	f.write(t, 20)
	fault := f.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: 1})
	seen := &noting{Store: f.store}
	c, _ := f.run(t, func(conf *mirror.Config) {
		conf.Store, conf.Partitions = seen, map[wire.Partition]mirror.Assignment{f.partitions[0]: {Ahead: true}}
	})
	if err := fault.Wait(briefly(t), 1); err != nil {
		t.Fatal(err)
	}
	f.drained(t, c, f.partitions...)
	seen.mu.Lock()
	defer seen.mu.Unlock()
	planned := 0
	for _, k := range seen.kept {
		if k.Offsets.End().Target == 20 && k.Acked.Target == 0 {
			planned++
		}
	}
	if planned < 2 {
		t.Errorf("before it was acknowledged the plan was kept %d times; want once before each sending: %+v", planned, seen.kept)
	}
}
