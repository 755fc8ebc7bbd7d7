package mirror_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"kplan/executor/state"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// A partition that another mirror has taken over, and this one still has, keeps no
// other from being kept, sent and left in order.
func TestATakenPartitionHoldsUpNobody(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 3)
	dir := t.TempDir()
	mine, other := mirror.NewKeeper(state.NewFileShelf(dir)), mirror.NewKeeper(state.NewFileShelf(dir))
	assigned, err := mine.Assignments(t.Context(), f.partitions)
	if err != nil {
		t.Fatal(err)
	}
	for p, a := range assigned {
		a.Ahead = true
		assigned[p] = a
	}
	c, _ := f.run(t, func(conf *mirror.Config) { conf.Store, conf.Partitions = mine, assigned })
	f.write(t, 5)
	f.drained(t, c, f.partitions...)
	lost, rest := f.partitions[0], f.partitions[1:]
	if _, err := other.Assignments(t.Context(), []wire.Partition{lost}); err != nil {
		t.Fatal(err)
	}
	f.write(t, 5)
	f.drained(t, c, rest...)
	standing(t, c, lost, func(s mirror.Standing) bool {
		return s.Why != nil && strings.Contains(s.Why.Error(), "another mirror has taken "+fakedTopic+"[0] over")
	})
	if end := f.ends(t, f.target)[lost]; end != 5 {
		t.Errorf("%d records were sent of which the map is not kept", end-5)
	}
	left, err := c.Remove(briefly(t), f.partitions)
	if late := (*mirror.TakenError)(nil); !errors.As(err, &late) || !slices.Equal(late.Partitions, []wire.Partition{lost}) {
		t.Errorf("they were left with %v", err)
	}
	for _, p := range rest {
		if !slices.Contains(left.Settled, p) {
			t.Errorf("%v was not left in order: %+v", p, left)
		}
	}
	if err := mine.Settle(t.Context(), f.partitions); !errors.As(err, new(*mirror.TakenError)) {
		t.Errorf("they are noted as left with %v", err)
	}
	known, err := other.Assignments(t.Context(), f.partitions)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range rest {
		if a := known[p]; !a.Settled || a.Acked == nil || a.Acked.Source != 10 || a.Offsets.End().Source != 10 {
			t.Errorf("of %v is kept %+v", p, a)
		}
	}
	if a := known[lost]; a.Settled || a.Acked != nil && a.Acked.Source > 5 {
		t.Errorf("of %v is kept %+v", lost, a)
	}
}

// contested is a shelf of which another mirror takes one topic with each Put.
type contested struct {
	*shelf
	topics []string
}

func (c *contested) Put(ctx context.Context, values map[string][]byte) error {
	if len(c.topics) == 0 {
		return c.shelf.Put(ctx, values)
	}
	var lost state.SupersededError
	kept := map[string][]byte{}
	for name, value := range values {
		if strings.Contains(name, c.topics[0]) {
			lost.Names = append(lost.Names, name)
		} else {
			kept[name] = value
		}
	}
	c.topics = c.topics[1:]
	return errors.Join(c.shelf.Put(ctx, kept), &lost)
}

// Stretches are kept with two calls. Taken out: what the first one has said. The map
// that was not kept would count as kept, and a compacted source be sent by it.
func TestTwoPartitionsTakenOneAfterTheOther(t *testing.T) {
	one, two := wire.Partition{Topic: "one"}, wire.Partition{Topic: "two"}
	made := func(floor int64) map[wire.Partition]mirror.Kept {
		all := map[wire.Partition]mirror.Kept{}
		for _, p := range []wire.Partition{one, two} {
			m, err := mirror.NewMap(mirror.Point{})
			if err != nil {
				t.Fatal(err)
			}
			mirror.PackAfter(m, 3)
			for i := range int64(40) {
				if err := m.Append(mirror.Segment{Source: m.End().Source + 1 + i%3, Target: m.End().Target, Length: 1 + i%2}); err != nil {
					t.Fatal(err)
				}
			}
			m.Coarsen(floor)
			maps.Copy(all, allAcked(p, m))
		}
		return all
	}
	s := &contested{shelf: newShelf()}
	k := mirror.NewKeeper(s)
	for _, p := range []wire.Partition{one, two} {
		if err := k.Begin(p, mirror.Beginning{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Keep(made(0)); err != nil {
		t.Fatal(err)
	}
	s.topics = []string{"one", "two"}
	var taken *mirror.TakenError
	if err := k.Keep(made(60)); !errors.As(err, &taken) || !slices.Equal(taken.Partitions, []wire.Partition{one, two}) {
		t.Errorf("it ends with %v", err)
	}
}
