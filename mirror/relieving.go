package mirror

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// What is read lies in the answers that it came in, and a single batch that
// cannot be sent keeps the memory of a whole answer from all other partitions.
// So a batch that has waited for something else than its turn (a leader, a
// broker that is silent, a store) is taken out of the answer, into memory of its
// own; what exceeds the partition's share of that is forgotten and read again.
const (
	relievePause = 250 * time.Millisecond
	relieveAfter = time.Second     // that a batch cannot go
	silentAfter  = 2 * time.Second // of a broker, while others wait for memory
	parkedMost   = 32 << 20        // bytes, of all partitions together
	parkedLeast  = 64 << 10        // bytes that each partition may have while there are any left
	parkedRest   = 2 * time.Second // before a partition of which nothing could be kept is read again
)

// relieveAll gives the memory of batches back that cannot be sent.
func (c *Copier) relieveAll(ctx context.Context) {
	tick := time.NewTicker(relievePause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			c.relieve(now, c.Source.Short() > relievePause)
		}
	}
}

// relieve does so once. short says that others wait for memory.
func (c *Copier) relieve(now time.Time, short bool) {
	parts := c.all()
	share := max(parkedLeast, parkedMost/max(1, len(parts)))
	for _, p := range parts {
		var silent time.Duration
		led := c.writes(p)
		if short && led >= 0 {
			silent = c.sender(route{led, p.lane}).silent(now)
		}
		p.mu.Lock()
		if p.phase == Copying && !p.parked && len(p.queue) > 0 && now.Sub(p.head) > relieveAfter &&
			(led < 0 || !p.durably(0) || silent > silentAfter) {
			p.park(c, share, now)
		}
		p.mu.Unlock()
	}
}

// park keeps the first batches of the queue in memory of their own, up to a
// share, and takes the others back. p.mu is held.
func (p *part) park(c *Copier, share int, now time.Time) {
	n, size := 0, 0
	for ; n < len(p.queue); n++ {
		one := &p.queue[n]
		size += len(one.bytes)
		if n > 0 && size > share || c.parked.Load()+int64(len(one.bytes)) > parkedMost {
			break
		}
		if one.held != nil {
			own := &owned{bytes: int64(len(one.bytes)), all: &c.parked}
			c.parked.Add(own.bytes)
			one.bytes = bytes.Clone(one.bytes)
			one.held.Release()
			one.held = own
		}
	}
	if n < len(p.queue) {
		p.unplan(n)
	}
	if p.parked = len(p.queue) > 0; !p.parked {
		p.rest = now.Add(parkedRest)
	}
}

// owned is memory that is a batch's alone.
type owned struct {
	bytes int64
	all   *atomic.Int64
}

func (o *owned) Release() { o.all.Add(-o.bytes) }

// unplan takes back what is planned from the n-th batch of the queue on, as if it
// had not been read. p.mu is held.
func (p *part) unplan(n int) {
	at := p.queue[n].base
	for _, c := range p.queue[n:] {
		p.queued -= len(c.bytes)
		c.release()
	}
	clear(p.queue[n:])
	p.queue = p.queue[:n]
	if err := p.offsets.CutTarget(at); err != nil {
		p.stop(fmt.Errorf("%s[%d]: taking back what was planned: %w", p.Topic, p.Number, err))
		return
	}
	p.plans++ // what the store is told meanwhile is about the plan before
	p.next, p.planned = p.offsets.End().Source, at
	p.durable = min(p.durable, at)
	p.kept, p.keptAcked = unkept, unkept
	p.epochs = p.epochs.below(p.next)
}
