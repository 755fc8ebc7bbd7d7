package wire

import (
	"context"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

const (
	smallestBuffer = 12 // as a power of two
	largestBuffer  = 31
)

// Pool hands out buffers for answers and bounds the memory of all of them, in
// use and kept for later. It is safe for concurrent use.
type Pool struct {
	limit int64

	mu    sync.Mutex
	freed chan struct{} // closed and replaced whenever memory comes back
	held  int64         // bytes of all buffers, free ones included
	short int           // how many wait
	since time.Time     // when the first of them began to
	used  int64         // bytes of those in use
	free  [largestBuffer + 1][]*Buffer
}

// NewPool returns a pool that holds at most limit bytes. A single buffer may be
// larger: it is handed out when nothing else is in use.
func NewPool(limit int64) *Pool {
	return &Pool{limit: limit, freed: make(chan struct{})}
}

// Buffer is a piece of memory that goes back to its pool when the last who
// holds it releases it.
type Buffer struct {
	Bytes []byte

	pool  *Pool
	class int
	refs  atomic.Int32
}

// Get returns a buffer of n bytes with one holder. It waits until the pool has
// room, or ctx ends.
func (p *Pool) Get(ctx context.Context, n int) (*Buffer, error) {
	class := max(bits.Len(uint(max(n, 1)-1)), smallestBuffer)
	waiting := false
	defer func() {
		if waiting {
			p.mu.Lock()
			p.short--
			p.mu.Unlock()
		}
	}()
	for {
		b, wait := p.take(class, n)
		if b != nil {
			return b, nil
		}
		if !waiting {
			waiting = true
			p.mu.Lock()
			if p.short++; p.short == 1 {
				p.since = time.Now()
			}
			p.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-wait:
		}
	}
}

func (p *Pool) take(class, n int) (*Buffer, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := int64(1) << class
	if p.used > 0 && p.used+size > p.limit {
		return nil, p.freed
	}
	var b *Buffer
	for c := class; b == nil && c <= min(class+2, largestBuffer); c++ {
		b = p.pop(c) // a larger one is better than a new one
	}
	if b == nil {
		p.shrink(size)
		b = &Buffer{Bytes: make([]byte, size), pool: p, class: class}
		p.held += size
	}
	p.used += int64(1) << b.class
	b.Bytes = b.Bytes[:n]
	b.refs.Store(1)
	return b, nil
}

func (p *Pool) pop(class int) *Buffer {
	last := len(p.free[class]) - 1
	if last < 0 {
		return nil
	}
	b := p.free[class][last]
	p.free[class][last] = nil
	p.free[class] = p.free[class][:last]
	return b
}

// shrink forgets free buffers until so many bytes more can be held, the large
// ones first.
func (p *Pool) shrink(size int64) {
	for class := largestBuffer; class >= smallestBuffer && p.held+size > p.limit; class-- {
		for p.held+size > p.limit && p.pop(class) != nil {
			p.held -= int64(1) << class
		}
	}
}

// Short returns for how long there has always been somebody who waits for memory;
// 0: nobody does.
func (p *Pool) Short() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.short == 0 {
		return 0
	}
	return time.Since(p.since)
}

// Used returns the bytes in use.
func (p *Pool) Used() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

// Hold adds a holder.
func (b *Buffer) Hold() { b.refs.Add(1) }

// Release takes one holder away. After the last nobody may look at Bytes.
func (b *Buffer) Release() {
	if b.pool == nil { // memory of its own
		return
	}
	switch left := b.refs.Add(-1); {
	case left > 0:
		return
	case left < 0:
		panic("wire: a buffer was released more often than it was held")
	}
	p := b.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used -= int64(1) << b.class
	b.Bytes = b.Bytes[:cap(b.Bytes)]
	if p.held > p.limit {
		p.held -= int64(1) << b.class // larger than the pool: not kept
	} else {
		p.free[b.class] = append(p.free[b.class], b)
	}
	close(p.freed)
	p.freed = make(chan struct{})
}
