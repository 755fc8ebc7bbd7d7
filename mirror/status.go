package mirror

import (
	"context"
	"time"

	"kplan/mirror/wire"
)

// Standing is how far the copy of a partition is.
type Standing struct {
	wire.Partition
	Phase   Phase
	Why     error // Stopped: the reason; else what is waited for, nil: nothing
	Next    int64 // source offset that is read next
	Mark    int64 // the source's last stable offset, as heard last
	Target  int64 // target offset up to which it has acknowledged
	Waiting int64 // records that are read and not acknowledged
	Records int64 // copied by this process
	Bytes   int64
}

// Lag is how many source offsets are not copied yet.
func (s Standing) Lag() int64 { return max(0, s.Mark-s.Next) + s.Waiting }

// Status returns the standing of every partition, by topic and number.
func (c *Copier) Status() []Standing {
	parts := c.all()
	all := make([]Standing, len(parts))
	for i, p := range parts {
		p.mu.Lock()
		all[i] = Standing{
			Partition: p.Partition, Phase: p.phase, Why: p.why, Next: p.next, Mark: p.mark, Target: p.acked,
			Waiting: p.planned - p.acked, Records: p.copied.records, Bytes: p.copied.bytes,
		}
		p.mu.Unlock()
	}
	return all
}

// Drained waits until everything below the given source offsets is on the
// target, or a partition is stopped, or ctx ends.
func (c *Copier) Drained(ctx context.Context, ends map[wire.Partition]int64) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		left := false
		for id, end := range ends {
			p := c.part(id)
			if p == nil {
				return &AssignedError{Partition: id}
			}
			p.mu.Lock()
			phase, why := p.phase, p.why
			left = left || phase != Copying || p.next < end || p.acked < p.planned
			p.mu.Unlock()
			if phase == Stopped {
				return why
			}
		}
		if !left {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
