package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"kplan/mirror/batch"
	"kplan/mirror/wire"
)

// Assignment is how one partition is copied. The zero value is right for a
// partition that was never copied, from its beginning.
type Assignment struct {
	// Offsets is the map of what was copied so far, which the Copier takes over.
	// nil: the copy begins, and Store.Begin is told where.
	Offsets *Map
	// Acked is how far the target had acknowledged it. nil: not known, as of what
	// an older kplan has kept; then it is taken for all of Offsets, and for none of
	// it where that was kept Ahead.
	Acked *Acked
	// Topics are the ids of the topics that Store.Begin was told; a topic with
	// another id is another topic. Zero: not known.
	Topics Topics
	// MaxBatch is how many bytes a batch may have on the target: its
	// max.message.bytes. 0: not known; batches have Limits.Batch, and what is
	// refused all the same is cut smaller.
	MaxBatch int
	// Ahead makes the map durable (Store.Keep) before the records that it is
	// about are sent. It is needed where the source is compacted: what was read
	// once cannot be read again the same.
	Ahead bool
	// Latest begins at the source's log end instead of its start. Without
	// meaning where there are Offsets.
	Latest bool
	// Settled says that whoever copied the partition before has ended in order,
	// with nothing under way, so that Config.Wait need not be waited out.
	Settled bool
	// Unreadable is why what was kept of the partition cannot be read, an
	// *UnreadableError: it is stopped with that. nil: all of it can.
	Unreadable error
}

// Topics are the ids of a topic on both sides (KIP-516); zero where the brokers
// have none, which are those before 2.8.
type Topics struct {
	Source, Target wire.TopicID
}

// Beginning is where the copy of a partition began, and between which topics.
type Beginning struct {
	Point
	Topics Topics
}

// AssignedError says that a partition is copied already, or is not.
type AssignedError struct {
	Partition wire.Partition
	Assigned  bool
}

func (e *AssignedError) Error() string {
	if e.Assigned {
		return fmt.Sprintf("%s[%d] is copied by this mirror already: remove it before it is added again", e.Partition.Topic, e.Partition.Number)
	}
	return fmt.Sprintf("%s[%d] is not copied by this mirror: add it first, or ask the one that copies it", e.Partition.Topic, e.Partition.Number)
}

// table is which partitions there are. It is not changed, but replaced.
type table struct {
	parts map[wire.Partition]*part
	order []*part // by topic and number
}

func (c *Copier) all() []*part { return c.table.Load().order }

// part returns nil for a partition that is not assigned.
func (c *Copier) part(id wire.Partition) *part { return c.table.Load().parts[id] }

// Add begins to copy partitions, before Run or while it runs. On an error none
// of them was added: an *AssignedError, or a limit that cannot be.
func (c *Copier) Add(partitions map[wire.Partition]Assignment) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.table.Load()
	made := &table{parts: make(map[wire.Partition]*part, len(old.parts)+len(partitions))}
	for id, p := range old.parts {
		made.parts[id] = p
	}
	for id, a := range partitions {
		if made.parts[id] != nil {
			return &AssignedError{Partition: id, Assigned: true}
		}
		p := newPart(id, a, c.Wait)
		if a.MaxBatch == 0 {
			p.limit, p.most = c.Limits.Batch, math.MaxInt32
		}
		if _, err := batch.NewSplicer(batch.Limits{Batch: p.limit, Unpacked: c.Limits.Unpacked}); err != nil {
			return fmt.Errorf("copying %s[%d]: %w", id.Topic, id.Number, err)
		}
		made.parts[id] = p
	}
	made.order = ordered(made.parts)
	c.spread(made.order)
	c.table.Store(made)
	c.reroute()
	c.resumeSoon()
	return nil
}

func ordered(parts map[wire.Partition]*part) []*part {
	var all []*part
	for _, p := range parts {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *part) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Number, b.Number))
	})
	return all
}

// spread gives those that have none the lane with the fewest. A partition keeps
// its lane, so that its requests stay in order on one connection.
func (c *Copier) spread(all []*part) {
	used := make([]int, min(max(leastLanes, (len(all)+perLane-1)/perLane), mostLanes))
	for _, p := range all {
		if p.lane >= len(used) {
			used = append(used, make([]int, p.lane+1-len(used))...) // there were more partitions once
		}
		if p.lane >= 0 {
			used[p.lane]++
		}
	}
	for _, p := range all {
		if p.lane < 0 {
			p.lane = slices.Index(used, slices.Min(used))
			used[p.lane]++
		}
	}
}

// Left is how partitions were left.
type Left struct {
	// Settled are those of which nothing can be under way any more: of this process
	// or an earlier one, on connections that have broken meanwhile, too.
	Settled []wire.Partition
	// Until is from when on nothing of the others can arrive any more that the
	// target would not recognise (R23). Zero: nothing can now.
	Until time.Time
}

// Remove ends the copy of partitions: nothing more is read and sent, what is
// under way comes to its end, the maps are kept, and the Copier forgets them.
// When ctx ends first they are forgotten at once, and the maps are not kept:
// somebody else may have them by then. The error is an *AssignedError before
// anything was done, or that of the store, or ctx's cause. With a *TakenError,
// which has partitions that somebody else has by now, the others were left as
// without one.
func (c *Copier) Remove(ctx context.Context, partitions []wire.Partition) (Left, error) {
	var leaving []*part
	for _, id := range partitions {
		p := c.part(id)
		if p == nil {
			return Left{}, &AssignedError{Partition: id}
		}
		leaving = append(leaving, p)
	}
	for _, p := range leaving {
		p.mu.Lock()
		p.leaving = true
		p.drop()
		p.mu.Unlock()
	}
	err := awaitLanding(ctx, leaving)
	if err == nil {
		err = c.keepWithin(ctx, leaving)
	}
	return c.forget(leaving), err
}

// keepWithin keeps maps for as long as ctx lasts: a store that cannot be reached is
// patient for longer than the group waits for partitions that it wants back. What
// arrives there later counts no more once the next owner has claimed them. Other
// partitions are kept only after it, and lose nothing by that: what it waits for is
// the store, which they need as well, and it ends as soon as that answers.
func (c *Copier) keepWithin(ctx context.Context, parts []*part) error {
	kept := make(chan error, 1)
	go func() { kept <- c.keep(parts) }()
	select {
	case err := <-kept:
		return err
	case <-ctx.Done():
		return fmt.Errorf("keeping the offset maps: %w", context.Cause(ctx))
	}
}

// left adds how a partition is left now: not before, since what was under way
// may have been lost until the last moment. p.mu is held.
func (p *part) left(c *Copier, now time.Time, sum *Left) {
	until := p.quiet
	unknown := p.ahead || p.lostOld || p.latest > 0 && c.forgotten(p.latest, now)
	if len(p.flight) > 0 {
		until, unknown = now.Add(c.Wait), true
	}
	switch {
	case !now.Before(until):
		sum.Settled = append(sum.Settled, p.Partition)
	case unknown && until.After(sum.Until):
		sum.Until = until
	}
}

// awaitLanding waits until nothing of the partitions is under way.
func awaitLanding(ctx context.Context, parts []*part) error {
	tick := time.NewTicker(settleInterval)
	defer tick.Stop()
	for {
		if !flying(parts) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for requests under way: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func flying(parts []*part) bool {
	for _, p := range parts {
		p.mu.Lock()
		n := len(p.flight)
		p.mu.Unlock()
		if n > 0 {
			return true
		}
	}
	return false
}

func (c *Copier) forget(parts []*part) (sum Left) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.table.Load()
	made := &table{parts: make(map[wire.Partition]*part, len(old.parts))}
	for id, p := range old.parts {
		if !slices.Contains(parts, p) {
			made.parts[id] = p
		}
	}
	made.order = ordered(made.parts)
	c.table.Store(made)
	now := time.Now()
	for _, p := range parts {
		p.mu.Lock()
		p.left(c, now, &sum)
		p.stop(errForgotten)
		p.mu.Unlock()
	}
	return sum
}

// errForgotten is the reason of partitions that nobody sees any more: answers
// that still come do nothing to them.
var errForgotten = errors.New("the mirror was told to leave the partition")

// Map returns what is known to be on the target, as a copy: it ends where the
// target's acknowledgements do. false: the partition is not assigned, or where
// the target's log ends is not known yet.
func (c *Copier) Map(id wire.Partition) (*Map, bool) {
	p := c.part(id)
	if p == nil {
		return nil, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.offsets == nil || p.fresh {
		return nil, false
	}
	m, err := p.landed()
	return m, err == nil
}

// landed is the map of what the target has acknowledged. p.mu is held.
func (p *part) landed() (*Map, error) { return p.upTo(p.ackedPoint()) }

// upTo is the map up to a place. p.mu is held.
func (p *part) upTo(end Point) (*Map, error) {
	m := p.offsets.Clone()
	if err := m.CutTarget(end.Target); err != nil {
		return nil, err
	}
	return m, m.Cover(end)
}

// ackedPoint is up to where the target has acknowledged everything. What was read
// and holds nothing to copy is known, too. p.mu is held.
func (p *part) ackedPoint() Point {
	if p.phase == Copying && p.acked >= p.planned {
		return Point{p.next, p.planned}
	}
	return p.offsets.before(p.acked)
}

// plannedPoint is up to where everything has its place. p.mu is held.
func (p *part) plannedPoint() Point {
	if p.phase == Copying {
		return Point{p.next, p.planned}
	}
	return p.offsets.End()
}
