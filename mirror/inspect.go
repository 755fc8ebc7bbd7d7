package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kplan/mirror/batch"
	"kplan/mirror/wire"
)

const (
	inspecting   = -2 // the lane for reading the target
	mostInspects = 4  // partitions of which the target is read at a time
	inspectsTurn = 10 * time.Second
)

// examine reports whether a partition has to be looked at before it goes on from
// a log end, and begins to. It takes as long as it takes, a whole log perhaps,
// beside everything else; when it has come to its end the resumer is woken, asks
// for the log end again, and what was looked at need not be looked at again.
func (c *Copier) examine(ctx context.Context, p *part, end int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if least := p.offsets.Start().Target; end < least {
		p.stop(&LostError{Partition: p.Partition, LogEnd: end, Least: least})
		return true
	}
	p.inspected = min(p.inspected, end)
	if p.doubt == nil && end <= max(p.acked, p.inspected) {
		return false
	}
	p.looking = true
	c.group.Go(func() {
		c.look(ctx, p, end)
		p.mu.Lock()
		p.looking = false
		p.mu.Unlock()
		c.resumeSoon()
	})
	return true
}

// look finds out whether a doubt is right, and whether all that the target has up
// to a log end is this mirror's.
func (c *Copier) look(ctx context.Context, p *part, end int64) {
	if !c.mayInspect(ctx, p) {
		return
	}
	defer func() { <-c.inspects }()
	p.mu.Lock()
	doubt, from := p.doubt, max(p.acked, p.inspected)
	p.mu.Unlock()
	if err := c.settleDoubt(ctx, p, doubt); err != nil {
		c.halt(p, err)
		return
	}
	if err := c.inspect(ctx, p, from, end); err != nil {
		c.reroute()
		c.halt(p, err)
		return
	}
	if misplaced(doubt) { // and the log does not show why
		c.halt(p, doubt)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doubt = nil
}

// mayInspect waits for a place among those of which the target is read. That is no
// standstill, however long: those that have one say whether they get on.
func (c *Copier) mayInspect(ctx context.Context, p *part) bool {
	tick := time.NewTicker(inspectsTurn)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case c.inspects <- struct{}{}:
			return true
		case now := <-tick.C:
			p.mu.Lock()
			p.going.moved = now
			p.mu.Unlock()
		}
	}
}

// inspect reads the headers on the target between two offsets: every batch has
// to be this mirror's, at the place that its sequence names (R23, R24).
func (c *Copier) inspect(ctx context.Context, p *part, from, end int64) error {
	for at := from; at < end; {
		r := c.routing.now.Load()
		if r == nil {
			return errNoRoutes
		}
		leader, ok := r.target[p.Partition]
		if !ok || leader.Broker < 0 {
			return errNoRoutes
		}
		conn, err := c.Target.Broker(ctx, leader.Broker, inspecting)
		if err != nil {
			return fmt.Errorf("reading the target: %w", err)
		}
		answer, err := conn.Fetch(ctx, wire.Fetch{
			Positions: []wire.Position{{Partition: p.Partition, Offset: at, LeaderEpoch: leader.Epoch, LastEpoch: -1, MaxBytes: int32(c.Limits.Partition)}},
			MinBytes:  1, MaxBytes: int32(c.Limits.Partition), MaxWait: fetchWait,
		})
		if err != nil {
			return err
		}
		next, err := c.inspected(p, answer, at)
		answer.Release()
		if err != nil {
			return err
		}
		if next == at {
			return fmt.Errorf("%s[%d]: the target's log ends at %d and nothing can be read at %d", p.Topic, p.Number, end, at)
		}
		at = next
		p.mu.Lock()
		p.inspected, p.tries = max(p.inspected, at), 0
		p.going.looked(at, time.Now())
		p.mu.Unlock()
	}
	return nil
}

var errNoRoutes = errors.New("the leaders are not known yet")

// inspected judges one answer and says where to go on.
func (c *Copier) inspected(p *part, answer *wire.Answer, at int64) (int64, error) {
	p.mu.Lock()
	start := p.offsets.Origin().Target
	p.mu.Unlock()
	for _, f := range answer.Partitions {
		if f.Partition != p.Partition {
			continue
		}
		if f.Err != nil {
			return at, fmt.Errorf("reading the target: %w", f.Err)
		}
		r := batch.NewReader(f.Records)
		for r.Next() {
			b := r.Batch()
			if r.Magic() < 2 || b.ProducerID() != c.Producer.ID {
				return at, &StrangerError{Partition: p.Partition, Offset: b.Offset(), ProducerID: b.ProducerID(), Planned: at}
			}
			if b.LastOffset() < at {
				continue
			}
			if err := batch.CheckStored(b, start, 0); err != nil {
				return at, err
			}
			at = b.NextOffset()
		}
		if err := r.Err(); err != nil {
			return at, fmt.Errorf("reading the target: %w", err)
		}
	}
	return at, nil
}
