package mirror_test

import (
	"errors"
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
