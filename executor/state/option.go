package state

import (
	"context"
	"time"

	"kplan/internal/boottime"
)

// Option changes how a backend works.
type Option func(*options)

type options struct {
	hooks  hooks
	onWait func(h Holder, left time.Duration)
	clock  Boottime
	ttl    time.Duration
	alive  func(pid int) bool
}

func optionsOf(opts []Option) options {
	o := options{clock: boottime.Clock{}, ttl: defaultTTL, alive: processLives}
	for _, set := range opts {
		set(&o)
	}
	return o
}

// OnAppend has f called after each record that is durable, with how many the
// session has written.
func OnAppend(f func(records int)) Option { return func(o *options) { o.hooks.after = f } }

// BeforeAppend has f called before each record is written, with the number that
// the record will have among those of the session.
func BeforeAppend(f func(records int)) Option { return func(o *options) { o.hooks.before = f } }

// OnWait has f called when Acquire begins to wait for the lease of a holder that
// gives no sign of life, with the time after which it is free.
func OnWait(f func(h Holder, left time.Duration)) Option { return func(o *options) { o.onWait = f } }

// Clock replaces the clock by which a lease runs.
func Clock(c Boottime) Option { return func(o *options) { o.clock = c } }

// hooks are told of records; either may be nil.
type hooks struct{ before, after func(records int) }

func (h hooks) about(wrote, n int) {
	for i := range n {
		if h.before != nil {
			h.before(wrote + i + 1)
		}
	}
}

func (h hooks) done(wrote, n int) {
	for i := range n {
		if h.after != nil {
			h.after(wrote + i + 1)
		}
	}
}

// pause returns after d, or with the cause when ctx has ended before.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
