package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kplan/mirror/wire"
)

// Standing is how far the copy of a partition is.
type Standing struct {
	wire.Partition
	Phase    Phase
	Why      error     // Stopped: the reason; else what is waited for, nil: nothing
	Since    time.Time // since when Why is what it is
	Next     int64     // source offset that is read next
	Heard    time.Time // when the source told Mark and Start last; zero: never, and neither they nor Lag say anything
	Mark     int64     // the source's last stable offset
	Start    int64     // the source's log start
	Copied   int64     // source offset below which all is acknowledged by the target
	Target   int64     // target offset up to which it has acknowledged
	Waiting  int64     // records that are read and not acknowledged
	Moved    time.Time // when it made progress last, or had nothing to do
	Records  int64     // copied by this process
	Bytes    int64
	Flying   int  // requests under way
	Quiet    bool // nothing that nobody waits for can be under way: of an earlier owner, on a broken connection
	Progress Progress
}

// Lag is how many source offsets are not acknowledged yet, by the Mark that was
// heard last: without one (Heard) it is not known, and this number means nothing.
func (s Standing) Lag() int64 { return max(0, s.Mark-s.Next) + s.Waiting }

// Status returns the standing of every partition, by topic and number.
func (c *Copier) Status() []Standing {
	parts, now := c.all(), time.Now()
	throttled := c.throttle.waiting.Load() > 0
	all := make([]Standing, 0, len(parts))
	for _, p := range parts {
		p.mu.Lock()
		if !errors.Is(p.why, errForgotten) { // it has gone meanwhile, and is not stopped for that
			all = append(all, p.standing(c.Limits, now, throttled))
		}
		p.mu.Unlock()
	}
	return all
}

// standing is that of one partition. p.mu is held.
func (p *part) standing(l Limits, now time.Time, throttled bool) Standing {
	s := Standing{
		Partition: p.Partition, Phase: p.phase, Why: p.why, Since: p.since, Next: p.next, Mark: p.mark, Start: p.start,
		Heard: p.heard, Copied: p.copiedTo(), Moved: p.going.moved,
		Flying: len(p.flight), Quiet: !now.Before(p.quiet), Target: p.acked, Waiting: p.planned - p.acked, Records: p.copied.records, Bytes: p.copied.bytes,
		Progress: p.meter.progress(now, p.count()),
	}
	s.Progress.Limit = limiting(held{
		phase: p.phase, why: p.why, short: p.short, throttled: throttled, lag: s.Progress.Lag,
		full: len(p.flight) >= l.InFlight || p.queued >= l.Partition,
	})
	if p.phase == Stopped {
		s.Progress.ETA = eta(s.Progress.Lag, 0, 0)
	}
	return s
}

// count is what the meter observes. p.mu is held.
func (p *part) count() counters {
	return counters{
		records: p.copied.records, bytes: p.copied.bytes, newest: p.latest,
		mark: p.mark, done: max(0, p.next-(p.planned-p.acked)), // as if what is under way were dense
	}
}

// measureAll does so every second, whatever the store does meanwhile.
func (c *Copier) measureAll(ctx context.Context) {
	tick := time.NewTicker(keepInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			c.measure(now)
		}
	}
}

// measure takes the rates of all partitions that are under way.
func (c *Copier) measure(now time.Time) {
	for _, p := range c.all() {
		p.mu.Lock()
		if !p.fresh && !p.heard.IsZero() {
			p.meter.observe(now, p.count())
		}
		p.mu.Unlock()
	}
}

// Drained waits until everything below the given source offsets is on the
// target, and on all its in-sync replicas: the target's log end, by R5, is where
// the map puts the source's (R4). It fails when a partition is stopped, with the
// reason; when one is not assigned (*AssignedError); when ctx ends.
func (c *Copier) Drained(ctx context.Context, ends map[wire.Partition]int64) error {
	tick := time.NewTicker(drainInterval)
	defer tick.Stop()
	for {
		done, err := c.copied(ends)
		if err == nil && done {
			done, err = c.arrived(ctx, ends)
		}
		if err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

const drainInterval = 20 * time.Millisecond

// copied reports whether everything below the ends was acknowledged.
func (c *Copier) copied(ends map[wire.Partition]int64) (bool, error) {
	done := true
	for id, end := range ends {
		p := c.part(id)
		if p == nil {
			return false, &AssignedError{Partition: id}
		}
		p.mu.Lock()
		phase, why := p.phase, p.why
		done = done && phase == Copying && p.copiedTo() >= end // what is written later has time
		p.mu.Unlock()
		if phase == Stopped {
			return false, why
		}
	}
	return done, nil
}

// arrived reports whether the target's logs end where they should. One that ends
// elsewhere is looked into by the resumer.
func (c *Copier) arrived(ctx context.Context, ends map[wire.Partition]int64) (bool, error) {
	var ids []wire.Partition
	for id := range ends {
		ids = append(ids, id)
	}
	logEnds, _, err := c.Target.LogEnds(ctx, ids)
	if err != nil {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		return false, nil // asked again: an outage ends no drain
	}
	all := true
	for id, end := range ends {
		p := c.part(id)
		if p == nil {
			return false, &AssignedError{Partition: id}
		}
		logEnd, settled := logEnds[id]
		p.mu.Lock()
		want, known := p.target(end)
		switch {
		case !settled || !known || p.phase != Copying:
			all = false
		case logEnd < want || logEnd > p.planned:
			p.resume(fmt.Errorf("the target's log ends at %d, and the copy at %d", logEnd, p.planned))
			c.resumeSoon()
			all = false
		}
		p.mu.Unlock()
	}
	return all, nil
}

// target is where the map puts a source offset that was copied. p.mu is held.
func (p *part) target(end int64) (int64, bool) {
	if p.offsets == nil {
		return 0, false
	}
	if end > p.offsets.End().Source {
		return p.planned, p.next >= end // behind it is nothing to copy
	}
	at, err := p.offsets.Place(end)
	return at.Latest, err == nil // that far it is acknowledged, where it is coarse
}
