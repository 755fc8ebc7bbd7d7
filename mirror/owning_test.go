package mirror_test

import (
	"errors"
	"testing"

	"kplan/executor/state"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// Whoever has taken a partition over is the one that keeps its map, and whoever
// has taken the lock gives the directions: what an earlier one still sends counts
// for nobody, and it is told.
func TestAnEarlierOwnerKeepsNothing(t *testing.T) {
	dir := t.TempDir()
	p := wire.Partition{Topic: "orders"}
	open := func() (*state.FileShelf, *mirror.Keeper) {
		s := state.NewFileShelf(dir)
		return s, mirror.NewKeeper(s)
	}
	kept := func(target int64) map[wire.Partition]mirror.Kept {
		m, err := mirror.NewMap(mirror.Point{})
		if err == nil {
			err = m.Append(mirror.Segment{Source: 0, Target: 0, Length: target})
		}
		if err != nil {
			t.Fatal(err)
		}
		return map[wire.Partition]mirror.Kept{p: {Offsets: m, Acked: mirror.Acked{Point: m.End()}}}
	}
	take := func(k *mirror.Keeper) {
		t.Helper()
		if _, err := k.Assignments(t.Context(), []wire.Partition{p}); err != nil {
			t.Fatal(err)
		}
	}
	superseded := func(err error) {
		t.Helper()
		if late := (*state.SupersededError)(nil); !errors.As(err, &late) {
			t.Errorf("an earlier owner was told %v", err)
		}
	}
	shelfA, a := open()
	shelfB, b := open()
	take(a)
	if err := errors.Join(a.Begin(p, mirror.Beginning{}), a.Keep(kept(5))); err != nil {
		t.Fatal(err)
	}
	take(b)
	superseded(a.Keep(kept(9)))
	superseded(a.Settle(t.Context(), []wire.Partition{p}))
	if copied, _, err := b.Load(t.Context(), []wire.Partition{p}); err != nil || copied[p] == nil || copied[p].End().Target != 5 {
		t.Errorf("the map is %v, %v", copied[p], err)
	}
	if err := b.Keep(kept(7)); err != nil {
		t.Error(err)
	}
	if err := b.Forget(t.Context(), []string{"orders"}); err != nil {
		t.Error(err)
	}

	held := func() error { return nil }
	if err := mirror.Govern(t.Context(), shelfA, held); err != nil {
		t.Fatal(err)
	}
	if _, err := mirror.Direct(t.Context(), shelfA, map[string]mirror.Way{"orders": mirror.Forward}); err != nil {
		t.Fatal(err)
	}
	if err := mirror.Govern(t.Context(), shelfB, held); err != nil {
		t.Fatal(err)
	}
	_, err := mirror.Direct(t.Context(), shelfA, map[string]mirror.Way{"orders": mirror.Halted})
	superseded(err)
	superseded(mirror.SetRate(t.Context(), shelfA, 1))
	if d, err := mirror.ReadDirections(t.Context(), shelfB); err != nil || d.Of("orders") != mirror.Forward {
		t.Errorf("the directions are %+v, %v", d, err)
	}
}
