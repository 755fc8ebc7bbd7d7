package mirror

import (
	"sync"
	"time"

	"kplan/mirror/batch"
)

// The sizes below which waiting batches are merged: where a request costs the
// broker more than the bytes do, and, far away, where the round trip does.
const (
	smallPlain  = 32 << 10
	smallPacked = 2 << 10
	smallFar    = 64 << 10 // bytes
	farPacked   = 16 << 10 // unpacking and packing costs ten times as much as moving
	far         = 10 * time.Millisecond
	merged      = 512 << 10 // bytes, before packing
	backlog     = 4         // batches that wait
	alone       = 64        // batches after one that could not be merged
)

// merge takes the first batch of the queue, with those behind it where they are
// small and many.
func (p *part) merge(s *sender) cut {
	n := 1
	first := p.queue[0]
	b, err := header(first.bytes)
	if p.apart > 0 {
		p.apart--
	} else if small := limit(b, time.Duration(s.quickest.Load())); err == nil && !s.copier.Limits.Apart && len(first.bytes) < small && len(p.queue) >= backlog {
		for size := len(first.bytes); n < len(p.queue); n++ {
			if size += len(p.queue[n].bytes); size > min(merged, p.limit) || !p.durably(n) {
				break
			}
		}
	}
	if n > 1 {
		if c, took := p.spliced(s.copier, n); took > 0 {
			p.shift(took)
			return c
		}
		p.apart = alone
	}
	p.queued -= len(first.bytes)
	p.queue = p.queue[1:]
	p.parked = p.parked && len(p.queue) > 0
	return first
}

func limit(b batch.Batch, trip time.Duration) int {
	plain := b.Codec() == batch.None
	switch {
	case trip > far && plain:
		return smallFar
	case trip > far:
		return farPacked
	case plain:
		return smallPlain
	default:
		return smallPacked
	}
}

// shift takes the first n batches off the queue and gives their memory back.
func (p *part) shift(n int) {
	for _, c := range p.queue[:n] {
		p.queued -= len(c.bytes)
		c.release()
	}
	p.queue = p.queue[n:]
	p.parked = p.parked && len(p.queue) > 0
}

// spliced puts up to n waiting batches into one; it says how many. Batches that
// cannot be merged are sent as they are.
func (p *part) spliced(c *Copier, n int) (cut, int) {
	s := c.splicer(p)
	defer c.splicers.Put(s)
	all := cut{base: p.queue[0].base}
	took := 0
	for _, one := range p.queue[:n] {
		b, err := header(one.bytes)
		if err != nil || s.Open(b, 0, batch.All) != nil {
			break
		}
		before := s.Len()
		rest, err := s.Take()
		if err != nil || rest {
			if s.Len() != before { // a part of it is in already
				return cut{}, 0
			}
			break
		}
		all.count += one.count
		all.time = max(all.time, one.time)
		took++
	}
	if took < 2 {
		return cut{}, 0
	}
	stamp, err := p.stamp(c, all.base)
	if err != nil {
		return cut{}, 0
	}
	made := c.loan()
	if made.bytes, _, err = s.Finish(made.bytes[:0], stamp); err != nil {
		made.Release()
		return cut{}, 0
	}
	all.bytes, all.held = made.bytes, made
	return all, took
}

// loan is memory that is used again and again: merged batches come by the
// thousand.
type loan struct {
	bytes []byte
	pool  *sync.Pool
}

func (l *loan) Release() { l.pool.Put(l) }

func (c *Copier) loan() *loan {
	if l, ok := c.loans.Get().(*loan); ok {
		return l
	}
	return &loan{pool: &c.loans}
}
