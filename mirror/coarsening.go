package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"kplan/mirror/wire"
)

// Position is the lowest that a group has committed on a partition of the source.
type Position struct {
	Offset int64
	Group  string
}

// Positions returns, of all groups of the source, the lowest positions on the
// partitions of topics; those on which no group has committed are absent. Where
// something could not be asked, or may be missing, it is an error, and no answer.
type Positions func(ctx context.Context, topics []string) (map[wire.Partition]Position, error)

// Maps is what the offset maps take in memory, and what keeps them from becoming
// small.
type Maps struct {
	Bytes int64
	// Whole is why all of them stays: an *UnaskedError, or a *HeldError. nil: they
	// are small, or become so.
	Whole error
}

// UnaskedError says why nothing of the offset maps is made coarse.
type UnaskedError struct{ Cause error }

func (e *UnaskedError) Error() string {
	return fmt.Sprintf("the offset maps are kept record by record, since it is not known what the source's groups have read: %v", e.Cause)
}

func (e *UnaskedError) Unwrap() error { return e.Cause }

// HeldError says which group keeps offset maps from becoming coarse.
type HeldError struct {
	Group      string // that keeps the most
	Partitions int    // for it
	Bytes      int64  // for it
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("the offset maps of %d partitions are kept record by record, %.1f MB, since group %q has not read further there. If it reads no more, delete it", e.Partitions, float64(e.Bytes)/1e6, e.Group)
}

const (
	coarsenEvery = time.Minute
	coarsenLimit = 30 * time.Second // for the groups of the source
)

var errNobodyToAsk = errors.New("nobody is there to ask them")

// Maps says how large the offset maps are, as of the last look at them.
func (c *Copier) Maps() Maps {
	if m := c.sizes.Load(); m != nil {
		return *m
	}
	return Maps{}
}

// coarsenAll makes the maps coarse that every group has read, until ctx ends.
func (c *Copier) coarsenAll(ctx context.Context) {
	tick := time.NewTicker(c.Limits.MapsEvery)
	defer tick.Stop()
	told := "" // what was said last
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := c.coarsen(ctx)
		if ctx.Err() != nil {
			return
		}
		c.sizes.Store(&now)
		var unasked *UnaskedError
		why := ""
		if errors.As(now.Whole, &unasked) {
			why = unasked.Error()
		}
		if why != "" && why != told {
			c.Log.Warn("the copy goes on, and its offset maps grow", "bytes", now.Bytes, "err", unasked)
		}
		told = why
	}
}

// coarsen looks how large the maps are, and where that is worth it asks how far
// the groups are.
func (c *Copier) coarsen(ctx context.Context) Maps {
	parts := c.all()
	all, blocks := sizesOf(parts)
	if blocks <= c.Limits.Maps {
		for _, p := range parts {
			p.coarsen(nil)
		}
		return Maps{Bytes: int64(all)}
	}
	positions, err := c.askPositions(ctx, parts)
	if err != nil {
		return Maps{Bytes: int64(all), Whole: &UnaskedError{Cause: err}}
	}
	held := map[string]*HeldError{}
	for _, p := range parts {
		left := p.coarsen(positions)
		if at, ok := positions[p.Partition]; ok && left > 0 {
			one := held[at.Group]
			if one == nil {
				one = &HeldError{Group: at.Group}
				held[at.Group] = one
			}
			one.Partitions++
			one.Bytes += int64(left)
		}
	}
	all, blocks = sizesOf(parts)
	now := Maps{Bytes: int64(all)}
	if len(held) > 0 && blocks > c.Limits.Maps {
		now.Whole = slices.MaxFunc(slices.Collect(maps.Values(held)), func(a, b *HeldError) int {
			return cmp.Or(cmp.Compare(a.Bytes, b.Bytes), -cmp.Compare(a.Group, b.Group))
		})
	}
	return now
}

// askPositions asks how far the groups are that read what is copied. An answer
// that is late is waited for by nobody.
func (c *Copier) askPositions(ctx context.Context, parts []*part) (map[wire.Partition]Position, error) {
	if c.Positions == nil {
		return nil, errNobodyToAsk
	}
	topics := map[string]bool{}
	for _, p := range parts {
		topics[p.Topic] = true
	}
	ctx, cancel := context.WithTimeout(ctx, coarsenLimit)
	defer cancel()
	type answer struct {
		positions map[wire.Partition]Position
		err       error
	}
	told := make(chan answer, 1)
	go func() {
		positions, err := c.Positions(ctx, slices.Sorted(maps.Keys(topics)))
		told <- answer{positions, err}
	}()
	select {
	case a := <-told:
		return a.positions, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("no answer for %s: %w", coarsenLimit, context.Cause(ctx))
	}
}

func sizesOf(parts []*part) (all, blocks int) {
	for _, p := range parts {
		p.mu.Lock()
		if p.offsets != nil {
			a, b := p.offsets.Size()
			all, blocks = all+a, blocks+b
		}
		p.mu.Unlock()
	}
	return all, blocks
}

// coarsen makes the map coarse below the lowest position, and below what was
// acknowledged a look ago: what the target has only just taken it may lose, and
// then the source is read again from the place that the map knows. It returns how
// many bytes of what is acknowledged a position holds back. nil: nothing is known
// of positions, and nothing becomes coarse.
func (p *part) coarsen(positions map[wire.Partition]Position) (held int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.offsets == nil || p.fresh || p.phase != Copying {
		p.steady = 0
		return 0
	}
	acked := p.ackedPoint().Source
	floor := min(p.steady, acked)
	p.steady = acked
	if positions == nil {
		return 0
	}
	before := floor
	if at, ok := positions[p.Partition]; ok {
		floor = min(floor, at.Offset)
	}
	p.offsets.Coarsen(floor)
	return p.offsets.below(before)
}
