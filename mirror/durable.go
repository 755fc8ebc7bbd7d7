package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kplan/mirror/wire"
)

// version is what the store is to keep of a partition.
type version struct {
	Kept
	part  *part
	plans int
}

// changed returns what the store does not have: of a partition that is copied
// ahead the map of all that is planned, of others that of what has arrived, so
// that a process that begins with it looks at the rest; and how far it is
// acknowledged. p.mu is held.
func (p *part) changed() (version, bool) {
	if p.offsets == nil || p.fresh {
		return version{}, false
	}
	acked := p.ackedPoint()
	p.offsets.Trim(min(p.start, acked.Source))
	end := acked
	if p.ahead {
		end = p.plannedPoint()
	}
	if end == p.kept && acked == p.keptAcked && p.offsets.coarse == p.keptCoarse {
		return version{}, false
	}
	m, err := p.upTo(end)
	if err != nil {
		p.stop(fmt.Errorf("keeping the offset map: %w", err))
		return version{}, false
	}
	return version{Kept{m, Acked{Point: acked, Start: p.start, Epochs: p.epochs.below(end.Source)}}, p, p.plans}, true
}

// keep hands that to the store which has changed. With a *TakenError that of all
// other partitions is kept.
func (c *Copier) keep(parts []*part) error {
	c.keeping.Lock()
	defer c.keeping.Unlock()
	var versions []version
	changed := map[wire.Partition]Kept{}
	for _, p := range parts {
		if c.Lease != nil && c.Lease(p.Partition) != nil {
			continue // whoever has it now keeps its map
		}
		p.mu.Lock()
		if v, ok := p.changed(); ok {
			versions, changed[p.Partition] = append(versions, v), v.Kept
		}
		p.mu.Unlock()
	}
	if len(changed) == 0 {
		return nil
	}
	err := c.Store.Keep(changed)
	if err != nil {
		err = fmt.Errorf("%w: %w", errStore, err)
	}
	for _, v := range versions {
		if takenOf(err, v.part.Partition) != nil {
			continue
		}
		v.part.mu.Lock()
		if v.part.plans == v.plans { // else it is planned anew, and may end at the same place
			v.part.kept, v.part.keptAcked, v.part.keptCoarse = v.Offsets.End(), v.Acked.Point, v.Offsets.coarse
			v.part.durable = v.Offsets.End().Target
		}
		v.part.mu.Unlock()
	}
	return err
}

// errStore says that it is the store that is waited for.
var errStore = errors.New("keeping the offset maps")

// keepAhead makes the maps durable that batches wait for, many with one call,
// and lets the batches go. When the store fails they wait, and it is tried
// again.
func (c *Copier) keepAhead(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.planned:
		}
		var waiting []*part
		for _, p := range c.all() {
			p.mu.Lock()
			if p.ahead && p.phase == Copying && p.durable < p.planned {
				waiting = append(waiting, p)
			}
			p.mu.Unlock()
		}
		err := c.keep(waiting)
		for _, p := range waiting {
			p.mu.Lock()
			if why := takenOf(err, p.Partition); why != nil && p.phase == Copying {
				p.note(why)
			} else if errors.Is(p.why, errStore) {
				p.note(nil)
			}
			p.mu.Unlock()
			c.forward(p)
		}
		switch {
		case errors.As(err, new(*TakenError)): // the others need not wait
			time.AfterFunc(pauseBroken, c.keepSoon)
		case err != nil:
			pause(ctx, pauseBroken)
			c.keepSoon()
		}
	}
}

// keepSoon wakes keepAhead.
func (c *Copier) keepSoon() {
	select {
	case c.planned <- struct{}{}:
	default:
	}
}
