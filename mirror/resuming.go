package mirror

import (
	"context"
	"fmt"
	"maps"
	"time"

	"kplan/mirror/wire"
)

const (
	resumePause = 100 * time.Millisecond
	mostTries   = 20 // resumes of a partition without any progress
)

// resumeSoon wakes the resumer.
func (c *Copier) resumeSoon() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// resumeAll brings partitions whose log end is not known back to copying, from
// there on (R5).
func (c *Copier) resumeAll(ctx context.Context) {
	for ctx.Err() == nil {
		left, err := c.resumeOnce(ctx)
		if err != nil {
			c.Log.Warn("asking for log ends", "err", err)
		}
		if left || err != nil {
			pause(ctx, resumePause)
			continue
		}
		select {
		case <-ctx.Done():
		case <-c.wake:
		}
	}
}

// resumeOnce tries all that can be; left reports whether some still have to wait.
func (c *Copier) resumeOnce(ctx context.Context) (left bool, err error) {
	var ids []wire.Partition
	for _, p := range c.all() {
		p.mu.Lock()
		switch {
		case p.phase != Resuming || p.leaving:
		case c.Lease != nil && c.Lease(p.Partition) != nil:
			left = true
		case len(p.flight) > 0:
			// Its last answer wakes us.
		case p.busy, time.Now().Before(p.until):
			left = true
		default:
			ids = append(ids, p.Partition)
		}
		p.mu.Unlock()
	}
	if len(ids) == 0 {
		return left, nil
	}
	if err := c.beginAll(ctx, ids); err != nil {
		return true, err
	}
	ends, unsettled, err := c.Target.LogEnds(ctx, ids)
	if err != nil {
		return true, err
	}
	for id, why := range unsettled {
		if p := c.part(id); p != nil {
			p.mu.Lock()
			p.why = why
			p.mu.Unlock()
		}
		left = true
	}
	for id, end := range ends {
		p := c.part(id)
		if p == nil {
			continue
		}
		if p.offsets == nil {
			left = true
			continue
		}
		if err := c.resumeAt(ctx, p, end); err != nil {
			return true, err
		}
	}
	return left, nil
}

// beginAll notes where new partitions begin, durably.
func (c *Copier) beginAll(ctx context.Context, ids []wire.Partition) error {
	var fresh []wire.Partition
	for _, id := range ids {
		if p := c.part(id); p != nil && p.offsets == nil {
			fresh = append(fresh, id)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	starts, _, err := c.begins(ctx, fresh)
	if err != nil {
		return err
	}
	ends, _, err := c.Target.LogEnds(ctx, fresh)
	if err != nil {
		return err
	}
	for _, id := range fresh {
		start, ok := starts[id]
		end, settled := ends[id]
		if !ok || !settled {
			continue // again later
		}
		begin := Point{Source: start, Target: end}
		offsets, err := NewMap(begin)
		if err != nil {
			return err
		}
		if err := c.Store.Begin(id, Beginning{Point: begin}); err != nil {
			return fmt.Errorf("noting where the copy of %s[%d] begins: %w", id.Topic, id.Number, err)
		}
		p := c.part(id)
		if p == nil {
			continue
		}
		p.mu.Lock()
		p.offsets, p.kept = offsets, Point{-1, -1}
		p.mu.Unlock()
	}
	return nil
}

// begins returns where on the source new partitions begin.
func (c *Copier) begins(ctx context.Context, ids []wire.Partition) (map[wire.Partition]int64, map[wire.Partition]error, error) {
	var early, late []wire.Partition
	for _, id := range ids {
		if p := c.part(id); p != nil && p.latest {
			late = append(late, id)
		} else {
			early = append(early, id)
		}
	}
	starts, failed, err := c.Source.LogStarts(ctx, early)
	if err != nil || len(late) == 0 {
		return starts, failed, err
	}
	marks, unknown, err := c.Source.HighWatermarks(ctx, late)
	maps.Copy(starts, marks)
	maps.Copy(failed, unknown)
	return starts, failed, err
}

// resumeAt goes on from the target's log end. A process that begins may find
// more there than it remembers: that is its own, sent before it died, and is
// planned anew without being sent, when every batch bears its mark. One that
// runs knows what it has sent.
func (c *Copier) resumeAt(ctx context.Context, p *part, end int64) error {
	p.mu.Lock()
	from, fresh := p.offsets.End().Target, p.fresh
	p.mu.Unlock()
	if end > from && fresh {
		if err := c.inspect(ctx, p, from, end); err != nil {
			return c.halt(p, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tries++
	switch {
	case end < p.offsets.Start().Target:
		p.stop(&LostError{Partition: p.Partition, LogEnd: end, Least: p.offsets.Start().Target})
		return nil
	case end > from && !fresh:
		p.stop(&StrangerError{Partition: p.Partition, Offset: from, ProducerID: -1, Planned: from})
		return nil
	case p.tries > mostTries:
		p.stop(fmt.Errorf("no progress in %d tries, the last failure: %w", mostTries, p.why))
		return nil
	}
	if err := p.offsets.CutTarget(end); err != nil {
		p.stop(err)
		return nil
	}
	p.next, p.planned = p.offsets.End().Source, p.offsets.End().Target
	p.present, p.acked = end, p.planned
	p.epoch, p.fresh = -1, false
	p.phase, p.why = Copying, nil
	return nil
}

// halt stops a partition for a reason of its own, and passes on what is none.
func (c *Copier) halt(p *part, err error) error {
	if !ofPartition(err) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop(err)
	return nil
}
