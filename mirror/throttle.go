package mirror

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// throttle holds the reading of the source back to a rate. What was read is
// paid for afterwards, since nobody knows before how much comes.
type throttle struct {
	limiter *rate.Limiter
	waiting atomic.Int32 // lanes that are held back now

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when the rate changes
}

func newThrottle() *throttle {
	return &throttle{limiter: rate.NewLimiter(rate.Inf, 0), changed: make(chan struct{})}
}

// burst is for how long the rate may be exceeded after a pause.
const burst = 100 * time.Millisecond

// SetThrottle bounds how many bytes a second are read from the source, by all
// partitions together; 0 or less: no bound. It may be called at any time, and
// is felt at once.
func (c *Copier) SetThrottle(bytesPerSecond int64) {
	t := c.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	if bytesPerSecond <= 0 {
		t.limiter.SetLimit(rate.Inf)
	} else {
		t.limiter.SetBurst(max(1, int(float64(bytesPerSecond)*burst.Seconds())))
		t.limiter.SetLimit(rate.Limit(bytesPerSecond))
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

// pay takes what was read off the rate, and waits while that is in debt.
func (t *throttle) pay(ctx context.Context, bytes int) {
	if t.limiter.Limit() == rate.Inf {
		return
	}
	for now, most := time.Now(), t.limiter.Burst(); bytes > 0 && most > 0; bytes -= most {
		t.limiter.ReserveN(now, min(bytes, most))
	}
	t.waiting.Add(1)
	defer t.waiting.Add(-1)
	for ctx.Err() == nil {
		t.mu.Lock()
		changed := t.changed
		t.mu.Unlock()
		per, debt := t.limiter.Limit(), -t.limiter.Tokens()
		if per == rate.Inf || debt <= 0 {
			return
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-time.After(time.Duration(debt / float64(per) * float64(time.Second))):
		}
	}
}

// most is how many bytes are asked for at once: not so many that a slow rate
// comes in jolts.
func (t *throttle) most(limit int) int {
	if per := t.limiter.Limit(); per != rate.Inf {
		return min(limit, max(leastAsked, int(float64(per)*burst.Seconds())))
	}
	return limit
}

const leastAsked = 16 << 10
