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
		if c.resumeOnce(ctx) {
			pause(ctx, resumePause)
			continue
		}
		select {
		case <-ctx.Done():
		case <-c.wake:
		}
	}
}

// resumeOnce tries all that can be; left reports whether some still have to
// wait. What keeps one from going on is in its standing, and it is tried again
// as long as that may pass: an outage stops no partition for good.
func (c *Copier) resumeOnce(ctx context.Context) (left bool) {
	ready, left := c.resumable(time.Now())
	if len(ready) == 0 {
		return left
	}
	if err := c.identify(ctx, ready); err != nil {
		c.hinder(ready, err)
		return true
	}
	c.begin(ctx, ready)
	var ids []wire.Partition
	for _, p := range ready {
		if p.begun() {
			ids = append(ids, p.Partition)
		} else {
			left = true
		}
	}
	if len(ids) == 0 {
		return left
	}
	looked := time.Now()
	ends, unsettled, err := c.Target.LogEnds(ctx, ids)
	if err != nil {
		c.hinder(ready, fmt.Errorf("asking for log ends of the target: %w", err))
		return true
	}
	for _, p := range ready {
		end, settled := ends[p.Partition]
		switch why := unsettled[p.Partition]; {
		case why != nil:
			c.hinder([]*part{p}, fmt.Errorf("resuming: %w", why))
		case settled:
			c.resumeAt(ctx, p, end, looked)
		}
		p.mu.Lock()
		left = left || p.phase == Resuming
		p.mu.Unlock()
	}
	return left
}

// resumable returns those that may be tried now.
func (c *Copier) resumable(now time.Time) (ready []*part, left bool) {
	for _, p := range c.all() {
		var unleased error
		if c.Lease != nil {
			unleased = c.Lease(p.Partition)
		}
		p.mu.Lock()
		switch {
		case p.phase != Resuming || p.leaving:
		case unleased != nil:
			p.note(fmt.Errorf("asking for the lease: %w", unleased))
			left = true
		case len(p.flight) > 0:
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

func (p *part) begun() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offsets != nil && p.phase == Resuming
}

func (p *part) unbegun() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.offsets == nil && p.phase == Resuming
}

// resumeAt goes on from the target's log end. What is there beyond the last
// acknowledgement is looked at first: it has to be the mirror's own, at its
// place, and is then planned anew without being sent (R14, R24). Who sent it
// does not matter: this process, one that died, or another mirror that was
// started by mistake, since all of them put the same records there.
func (c *Copier) resumeAt(ctx context.Context, p *part, end int64, looked time.Time) {
	p.mu.Lock()
	start, known, last, doubt := p.offsets.Start().Target, p.offsets.End().Target, p.acked, p.doubt
	p.mu.Unlock()
	if end < start {
		p.mu.Lock()
		p.stop(&LostError{Partition: p.Partition, LogEnd: end, Least: start})
		p.mu.Unlock()
		return
	}
	if err := c.settleDoubt(ctx, p, doubt); err != nil {
		c.halt(p, err)
		return
	}
	if end > last {
		if err := c.inspect(ctx, p, last, end); err != nil {
			c.reroute()
			c.halt(p, err)
			return
		}
	}
	if misplaced(doubt) { // and the log does not show why
		c.halt(p, doubt)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase != Resuming || p.leaving {
		return
	}
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
