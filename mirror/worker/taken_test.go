package worker_test

import (
	"context"
	"testing"

	"kplan/executor/state"
	"kplan/mirror"
	"kplan/mirror/wire"
)

// contested is a shelf on which another worker claims a partition's names just
// when this one does, for the first times.
type contested struct {
	state.Shelf
	times int
}

func (c *contested) Claim(ctx context.Context, scopes []string, lease func() error) error {
	if err := c.Shelf.Claim(ctx, scopes, lease); err != nil || len(scopes) == 1 || c.times == 0 {
		return err
	}
	c.times--
	return &state.SupersededError{Names: []string{"acked/" + topic + "/0"}}
}

// A partition that others claim at the same moment is taken as soon as it can be,
// and keeps no other waiting.
func TestAContestedPartitionHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := started(t)
	s.write(10)
	s.shelf = &contested{Shelf: s.shelf, times: 4}
	w, _ := s.begin(nil)
	s.until("it has the others", func() bool { return len(w.Standing().Partitions) == partitions-1 })
	s.copied(10 * partitions)
}

// A worker that has lost a partition to another one leaves the others in order, and
// takes its entry away: nothing of it is under way.
func TestTheOthersOfATakenPartitionAreLeftInOrder(t *testing.T) {
	t.Parallel()
	s, dir := newStage(t), t.TempDir()
	s.shelf = state.NewFileShelf(dir)
	s.direct(mirror.Forward)
	s.write(10)
	_, end := s.begin(nil)
	s.copied(10 * partitions)
	if _, err := mirror.NewKeeper(state.NewFileShelf(dir)).Assignments(t.Context(), []wire.Partition{{Topic: topic}}); err != nil {
		t.Fatal(err)
	}
	s.write(10)
	s.copied(20 * partitions)
	if err := end(); err != nil {
		t.Error(err)
	}
	if all, err := s.shelf.All(t.Context(), "settled/"); err != nil || len(all) != partitions-1 {
		t.Errorf("noted as left in order: %v, %v", all, err)
	}
	if all, err := mirror.Entries(t.Context(), s.shelf); err != nil || len(all) > 0 {
		t.Errorf("entries of workers that have left: %v, %v", all, err)
	}
}
