package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kplan/mirror/wire"
)

const (
	resumePause = 100 * time.Millisecond
	longestTry  = 2 * time.Second // between two looks at a partition that makes no progress
	mostStuck   = 10              // refusals of a sequence at one and the same log end
)

// resumeSoon wakes the resumer, and what begins new copies.
func (c *Copier) resumeSoon() {
	for _, wake := range []chan struct{}{c.wake, c.fresh} {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// resumeAll brings partitions whose log end is not known back to copying, from
// there on (R5).
func (c *Copier) resumeAll(ctx context.Context) { tryAll(ctx, c.wake, c.resumeOnce) }

// tryAll tries again and again while some are left, else when it is woken.
func tryAll(ctx context.Context, wake <-chan struct{}, once func(context.Context) (left bool)) {
	for ctx.Err() == nil {
		if once(ctx) {
			pause(ctx, resumePause)
			continue
		}
		select {
		case <-ctx.Done():
		case <-wake:
		}
	}
}

// resumeOnce tries all that can be; left reports whether some still have to
// wait. What keeps one from going on is in its standing, and it is tried again
// as long as that may pass: an outage stops no partition for good.
func (c *Copier) resumeOnce(ctx context.Context) (left bool) {
	ready, left := c.resumable(time.Now(), true)
	if len(ready) == 0 {
		return left
	}
	if err := c.identify(ctx, ready); err != nil {
		c.hinder(ready, err)
		return true
	}
	looked := time.Now()
	ends, unsettled, err := c.Target.LogEnds(ctx, idsOf(ready))
	if err != nil {
		c.hinder(ready, fmt.Errorf("asking for log ends of the target: %w", err))
		return true
	}
	known := map[*part]int64{}
	for _, p := range ready {
		end, settled := ends[p.Partition]
		switch why := unsettled[p.Partition]; {
		case why != nil:
			c.hinder([]*part{p}, fmt.Errorf("resuming: %w", why))
		case settled && !c.examine(ctx, p, end):
			known[p] = end
		}
	}
	for p := range c.sameHistory(ctx, known) {
		p.goOn(c, known[p], looked)
	}
	for _, p := range ready {
		p.mu.Lock()
		left = left || p.phase == Resuming && !p.looking
		p.mu.Unlock()
	}
	return left
}

func idsOf(parts []*part) []wire.Partition {
	ids := make([]wire.Partition, len(parts))
	for i, p := range parts {
		ids[i] = p.Partition
	}
	return ids
}

// resumable returns those that may be tried now, of those whose copy has begun
// or of the others.
func (c *Copier) resumable(now time.Time, begun bool) (ready []*part, left bool) {
	for _, p := range c.all() {
		var unleased error
		if c.Lease != nil {
			unleased = c.Lease(p.Partition)
		}
		p.mu.Lock()
		switch {
		case p.phase != Resuming || p.leaving || (p.offsets != nil) != begun:
		case unleased != nil:
			p.note(fmt.Errorf("asking for the lease: %w", unleased))
			left = true
		case len(p.flight) > 0, p.looking:
			// Its last answer wakes us.
		case p.busy, now.Before(p.until):
			left = true
		default:
			ready = append(ready, p)
		}
		p.mu.Unlock()
	}
	return ready, left
}

// hinder notes why partitions cannot go on now. They are tried again, less and
// less often.
func (c *Copier) hinder(parts []*part, why error) {
	for _, p := range parts {
		p.mu.Lock()
		if p.phase == Resuming {
			p.note(why)
			p.until = time.Now().Add(p.patience())
			p.tries++
		}
		p.mu.Unlock()
	}
}

// patience is how long to wait after so many tries without progress.
func (p *part) patience() time.Duration {
	if p.tries == 0 {
		return 0
	}
	return min(resumePause<<min(p.tries, 10), longestTry)
}

// goOn goes on from the target's log end. What is there beyond the last
// acknowledgement was looked at (examine): it is the mirror's own, at its place,
// and is planned anew without being sent (R14, R24). Who sent it does not matter:
// this process, one that died, or another mirror that was started by mistake,
// since all of them put the same records there.
func (p *part) goOn(c *Copier, end int64, looked time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase != Resuming || p.leaving {
		return
	}
	known := p.offsets.End().Target
	if end > known && p.ahead {
		p.stop(&UnmappedError{Partition: p.Partition, MapEnd: known, LogEnd: end})
		return
	}
	if end > known && !p.fresh && !p.warned {
		p.warned = true
		c.Log.Warn("the target has more of this mirror's records than it has sent: late ones of its own, or another mirror writes, too",
			"topic", p.Topic, "partition", p.Number, "log end", end, "expected at most", known)
	}
	if end != p.ended {
		p.ended, p.stuck = end, 0
	}
	if at := p.offsets.before(end).Target; at < min(end, known) && p.ahead {
		p.stop(&UnmappedError{Partition: p.Partition, MapEnd: at, LogEnd: end, Coarse: true})
		return
	}
	if err := p.offsets.CutTarget(end); err != nil {
		p.stop(err)
		return
	}
	p.plans++
	p.next, p.planned = p.offsets.End().Source, p.offsets.End().Target
	p.present, p.acked, p.durable = end, p.planned, min(p.durable, p.planned)
	p.kept, p.keptAcked = unkept, unkept // what is planned from here on may be something else, and end at the same place
	p.epochs = p.epochs.below(p.next)
	p.fresh, p.proved, p.doubt, p.looked = false, false, nil, looked
	p.phase = Copying
	if !p.short {
		p.note(nil)
	}
}

// unkept is the end of no map.
var unkept = Point{-1, -1}

// halt stops a partition for a reason that does not pass, and lets it wait for
// any other.
func (c *Copier) halt(p *part, err error) {
	if !ofPartition(err) {
		c.hinder([]*part{p}, err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop(err)
}

// settleDoubt finds out whether the source really lacks what it did not give.
// A broker that follows late, or has not noticed its successor, says so too.
func (c *Copier) settleDoubt(ctx context.Context, p *part, doubt error) error {
	var truncated *TruncatedError
	if errors.As(doubt, &truncated) {
		return truncated
	}
	var gap *GapError
	var surplus *SurplusError
	if !errors.As(doubt, &gap) && !errors.As(doubt, &surplus) {
		return nil
	}
	ids := []wire.Partition{p.Partition}
	starts, failed, err := c.Source.LogStarts(ctx, ids)
	if err = errors.Join(err, failed[p.Partition]); err != nil {
		return fmt.Errorf("asking for the log start of the source: %w", err)
	}
	ends, failed, err := c.Source.LogEnds(ctx, ids)
	if err = errors.Join(err, failed[p.Partition]); err != nil {
		return fmt.Errorf("asking for the log end of the source: %w", err)
	}
	start, end := starts[p.Partition], ends[p.Partition]
	if surplus != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.next >= end {
			return surplus
		}
		return nil // its last records are not stable yet
	}
	if start > gap.Next || end < gap.Next {
		return &GapError{Partition: p.Partition, Next: gap.Next, LogStart: start, LogEnd: end}
	}
	return nil
}
