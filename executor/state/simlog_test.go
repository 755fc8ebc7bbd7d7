package state_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// simLog is the state topic of the model: one log, compacted now and then.
type simLog struct {
	mu      sync.Mutex // guards what follows; never held while time passes
	rnd     *rand.Rand
	entries []simEntry
	next    int64
	calm    bool // no replica lags any more
}

type simEntry struct {
	offset int64
	key    string
	value  []byte
}

func (l *simLog) intn(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rnd.IntN(n)
}

// upTo draws a duration.
func (l *simLog) upTo(d time.Duration) time.Duration { return time.Duration(l.intn(int(d)) + 1) }

// one in n times it says yes.
func (l *simLog) one(n int) bool { return l.intn(n) == 0 }

func (l *simLog) append(keys []string, values [][]byte) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, k := range keys {
		l.entries = append(l.entries, simEntry{l.next, k, values[i]})
		l.next++
	}
	return l.next - 1
}

// compact removes entries that a later one with the same key replaces, but not
// the last few, which are in the active segment.
func (l *simLog) compact(active int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = compacted(l.entries, active)
}

// drop makes it as if entries had never come.
func (l *simLog) drop(keys []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = slices.DeleteFunc(l.entries, func(e simEntry) bool { return slices.Contains(keys, e.key) })
}

// living are the keys that have a value.
func (l *simLog) living() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []string
	for _, e := range l.entries {
		if e.value != nil {
			keys = append(keys, e.key)
		}
	}
	return keys
}

func compacted(entries []simEntry, active int) []simEntry {
	last := map[string]int64{}
	closed := max(0, len(entries)-active)
	for _, e := range entries[:closed] {
		last[e.key] = e.offset
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e simEntry) bool {
		newest, ok := last[e.key]
		return ok && e.offset < newest
	})
}

func (l *simLog) from(offset int64, behind int) ([]simEntry, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calm {
		behind = 0
	}
	end := max(offset, l.next-int64(behind))
	var out []simEntry
	for _, e := range l.entries {
		if e.offset >= offset && e.offset < end {
			out = append(out, e)
		}
	}
	return out, end
}

// simReader reads a log at rest.
type simReader []simEntry

func (r simReader) Append(context.Context, []string, [][]byte) (int64, error) {
	return 0, errors.New("a reader does not write")
}

func (r simReader) Read(_ context.Context, from int64, each func(int64, string, []byte) error) (int64, error) {
	next := from
	for _, e := range r {
		if e.offset >= from {
			if err := each(e.offset, e.key, e.value); err != nil {
				return next, err
			}
			next = e.offset + 1
		}
	}
	return next, nil
}

// simConn is the way of one process to the log. The process stands still, is
// cut off or dies at any point of it.
type simConn struct {
	log *simLog

	mu     sync.Mutex // guards what follows
	frozen chan struct{}
	cut    bool
	dead   bool
}

var errCut = errors.New("the brokers cannot be reached")

func (c *simConn) freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frozen == nil {
		c.frozen = make(chan struct{})
	}
}

func (c *simConn) thaw() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frozen != nil {
		close(c.frozen)
		c.frozen = nil
	}
}

func (c *simConn) setCut(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
}

func (c *simConn) die() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
}

func (c *simConn) isDead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dead
}

// alive returns when the process runs, and false when it is cut off or dead.
func (c *simConn) alive() bool {
	for {
		c.mu.Lock()
		frozen, ok := c.frozen, !c.cut && !c.dead
		c.mu.Unlock()
		if frozen == nil {
			return ok
		}
		<-frozen
	}
}

// travel is the time that a packet takes; false: the caller has given up.
func (c *simConn) travel(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(c.log.upTo(d))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Append may fail before the log has the entries, after it, or long before they
// arrive there all the same.
func (c *simConn) Append(ctx context.Context, keys []string, values [][]byte) (int64, error) {
	if !c.alive() {
		if !c.isDead() && c.log.one(3) {
			c.later(keys, values)
		}
		c.travel(ctx, time.Second)
		return 0, errCut
	}
	if !c.travel(ctx, 40*time.Millisecond) {
		return 0, ctx.Err()
	}
	if c.log.one(25) {
		c.later(keys, values)
		<-ctx.Done()
		return 0, ctx.Err()
	}
	last := c.log.append(keys, values)
	if c.log.one(25) || !c.travel(ctx, 40*time.Millisecond) || !c.alive() {
		return 0, errCut // the answer is lost
	}
	return last, nil
}

// later lets a request lie in some buffer.
func (c *simConn) later(keys []string, values [][]byte) {
	go func() {
		time.Sleep(c.log.upTo(40 * time.Second))
		c.log.append(keys, values)
	}()
}

func (c *simConn) Read(ctx context.Context, from int64, each func(int64, string, []byte) error) (int64, error) {
	if !c.alive() || !c.travel(ctx, 20*time.Millisecond) {
		return from, errCut
	}
	behind := 0
	if c.log.one(20) {
		behind = c.log.intn(4) // a replica that lags
	}
	entries, next := c.log.from(from, behind)
	if !c.travel(ctx, 20*time.Millisecond) || !c.alive() {
		return from, errCut
	}
	for _, e := range entries {
		if err := each(e.offset, e.key, e.value); err != nil {
			return from, err
		}
	}
	return next, nil
}
