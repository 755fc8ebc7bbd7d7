package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kplan/mirror/wire"
)

const (
	fetchWait    = 500 * time.Millisecond
	pauseBriefly = 5 * time.Millisecond   // while nothing has room
	pauseBroken  = 200 * time.Millisecond // after a failure
)

// read is the loop of one lane to one broker of the source: it asks for all
// partitions of the lane that have room, and plans what comes.
func (c *Copier) read(ctx context.Context, r route, epochs func(wire.Partition) (int32, bool)) {
	first := 0
	for ctx.Err() == nil {
		parts, positions := c.positions(r, first, epochs)
		if parts == nil {
			return // the lane has no partitions any more
		}
		first++
		if len(positions) == 0 {
			pause(ctx, pauseBriefly)
			continue
		}
		answer, err := c.ask(ctx, r, positions)
		if err != nil {
			c.unread(parts, err)
			pause(ctx, pauseBroken)
			continue
		}
		c.plan(parts, answer)
		bytes := answer.Size()
		answer.Release()
		c.throttle.pay(ctx, bytes)
	}
}

// positions marks the partitions of a lane that have room as busy. Those that
// got no whole batch the last time come first, the others take turns. It returns
// nil when the lane is empty.
func (c *Copier) positions(r route, first int, epochs func(wire.Partition) (int32, bool)) (map[wire.Partition]*part, []wire.Position) {
	var mine []*part
	for _, p := range c.all() {
		if p.lane == r.lane && c.reads(p) == r.broker {
			mine = append(mine, p)
		}
	}
	if len(mine) == 0 {
		return nil, nil
	}
	parts := map[wire.Partition]*part{}
	var hungry, others []wire.Position
	for i := range mine {
		p := mine[(first+i)%len(mine)]
		epoch, ok := epochs(p.Partition)
		if !ok {
			continue
		}
		p.mu.Lock()
		if p.wants(c.Limits.Partition) {
			p.busy, p.asked = true, p.next
			parts[p.Partition] = p
			at := wire.Position{Partition: p.Partition, Offset: p.next, LeaderEpoch: epoch, LastEpoch: p.epochs.at(p.next), MaxBytes: int32(c.Limits.Partition)}
			if p.starved {
				hungry = append(hungry, at)
			} else {
				others = append(others, at)
			}
		}
		p.mu.Unlock()
	}
	return parts, append(hungry, others...)
}

func (c *Copier) ask(ctx context.Context, r route, positions []wire.Position) (*wire.Answer, error) {
	conn, err := c.Source.Broker(ctx, r.broker, r.lane)
	if err != nil {
		return nil, err
	}
	return conn.Fetch(ctx, wire.Fetch{
		Positions: positions, MaxWait: fetchWait, MinBytes: 1, MaxBytes: int32(c.throttle.most(c.Limits.Fetch)), ReadCommitted: true,
	})
}

// unread makes partitions ready to be asked for again.
func (c *Copier) unread(parts map[wire.Partition]*part, err error) {
	for _, p := range parts {
		p.mu.Lock()
		p.busy = false
		p.unread(err)
		p.mu.Unlock()
	}
	c.reroute()
}

// plan plans what came, and offers it to the senders.
func (c *Copier) plan(parts map[wire.Partition]*part, answer *wire.Answer) {
	for _, f := range answer.Partitions {
		p := parts[f.Partition]
		if p == nil {
			continue
		}
		delete(parts, f.Partition)
		p.mu.Lock()
		p.busy = false
		if p.phase == Copying && p.asked == p.next { // else it was taken back meanwhile, and is asked again
			p.hear(c, answer, f)
		}
		ready := p.phase == Copying && len(p.queue) > 0
		p.mu.Unlock()
		if ready {
			c.forward(p)
		}
	}
	if len(parts) > 0 {
		c.unread(parts, errUnanswered)
	}
}

// hear takes what the source says about a partition. p.mu is held.
func (p *part) hear(c *Copier, answer *wire.Answer, f wire.Fetched) {
	switch {
	case errors.Is(f.Err, wire.ErrOffsetOutOfRange):
		p.suspect(c, &GapError{Partition: p.Partition, Next: p.next, LogStart: f.LogStart, LogEnd: f.HighWatermark})
		return
	case f.DivergingAt >= 0:
		p.suspect(c, &TruncatedError{Partition: p.Partition, Side: "source", Offset: f.DivergingAt, Epoch: p.epochs.at(p.next), Read: p.next})
		return
	case f.Err != nil && wire.Retriable(f.Err):
		p.unread(f.Err)
		c.reroute()
		return
	case f.Err != nil:
		p.stop(fmt.Errorf("%s[%d]: the source does not let it be read: %w", p.Topic, p.Number, f.Err))
		return
	}
	if p.muted {
		p.muted = false
		p.note(nil)
	}
	if p.short && p.planned == p.acked && len(f.Records) == 0 { // nothing is left to be acknowledged
		p.short = false
		p.note(nil)
	}
	p.mark, p.start, p.heard = f.LastStable, f.LogStart, time.Now()
	if p.mark < 0 {
		p.mark = f.HighWatermark
	}
	switch err := p.take(c, answer, f); {
	case errors.Is(err, errUnderWay):
		p.resume(err)
		p.until = p.quiet
		c.resumeSoon()
	case err != nil:
		p.stop(fmt.Errorf("%s[%d]: %w", p.Topic, p.Number, err))
	}
	if p.ahead && p.durable < p.planned {
		c.keepSoon()
	}
	p.going.read(p, p.heard)
	if p.phase == Copying && p.planned < p.present && p.next >= p.mark && len(f.Records) == 0 {
		p.suspect(c, &SurplusError{Target: p.planned})
	}
}

// unread notes why the source cannot be read now. p.mu is held.
func (p *part) unread(err error) {
	if p.phase == Copying {
		p.muted = true
		p.rest = time.Now().Add(pauseBroken) // the others of its lane need not ask with it all the time
		p.note(fmt.Errorf("reading the source: %w", err))
	}
}

// suspect has the resumer look into what would end the copy. p.mu is held.
func (p *part) suspect(c *Copier, doubt error) {
	p.resume(doubt)
	p.doubt = doubt
	p.until = time.Now().Add(p.patience())
	p.tries++
	c.resumeSoon()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
