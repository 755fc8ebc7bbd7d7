package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"kplan/mirror/wire"
)

// beginAll begins the copies of new partitions, beside the resumer: a store that
// fails is waited for by those that need it.
func (c *Copier) beginAll(ctx context.Context) { tryAll(ctx, c.fresh, c.beginOnce) }

// beginOnce notes where new partitions begin, durably, before anything is sent.
func (c *Copier) beginOnce(ctx context.Context) (left bool) {
	fresh, left := c.resumable(time.Now(), false)
	if len(fresh) == 0 {
		return left
	}
	if err := c.identify(ctx, fresh); err != nil {
		c.hinder(fresh, err)
		return true
	}
	starts, unknown, err := c.begins(ctx, fresh)
	if err != nil {
		c.hinder(fresh, fmt.Errorf("asking where the source begins: %w", err))
		return true
	}
	ends, unsettled, err := c.Target.LogEnds(ctx, idsOf(fresh))
	if err != nil {
		c.hinder(fresh, fmt.Errorf("asking for log ends of the target: %w", err))
		return true
	}
	for _, p := range fresh {
		if why := errors.Join(unknown[p.Partition], unsettled[p.Partition]); why != nil {
			c.hinder([]*part{p}, why)
			continue
		}
		if err := c.beginAt(p, Point{Source: starts[p.Partition], Target: ends[p.Partition]}); err != nil {
			c.hinder([]*part{p}, err)
		}
	}
	c.resumeSoon()
	ready, left := c.resumable(time.Now(), false)
	return left || len(ready) > 0
}

func (c *Copier) beginAt(p *part, at Point) error {
	offsets, err := NewMap(at)
	if err != nil {
		return err
	}
	p.mu.Lock()
	topics := p.topics
	p.mu.Unlock()
	if c.Lease != nil { // asking took its time: somebody else may have begun meanwhile
		if err := c.Lease(p.Partition); err != nil {
			return err
		}
	}
	if err := c.Store.Begin(p.Partition, Beginning{Point: at, Topics: topics}); err != nil {
		return fmt.Errorf("noting where the copy of %s[%d] begins: %w", p.Topic, p.Number, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offsets, p.kept, p.keptAcked = offsets, unkept, unkept
	p.tries, p.until = 0, time.Time{}
	p.next, p.planned, p.acked, p.durable = at.Source, at.Target, at.Target, at.Target
	return nil
}

// begins returns where on the source new partitions begin.
func (c *Copier) begins(ctx context.Context, parts []*part) (map[wire.Partition]int64, map[wire.Partition]error, error) {
	var early, late []wire.Partition
	for _, p := range parts {
		if p.fromEnd {
			late = append(late, p.Partition)
		} else {
			early = append(early, p.Partition)
		}
	}
	starts, failed, err := c.Source.LogStarts(ctx, early)
	if err != nil || len(late) == 0 {
		return starts, failed, err
	}
	marks, unknown, err := c.Source.HighWatermarks(ctx, late)
	maps.Copy(starts, marks)
	maps.Copy(failed, unknown)
	return starts, failed, err
}

// identify compares the ids of the topics with those that are known, and learns
// those that are not. A partition of another topic is stopped. The error is that
// of a cluster.
func (c *Copier) identify(ctx context.Context, parts []*part) error {
	var names []string
	seen := map[string]bool{}
	for _, p := range parts {
		if !seen[p.Topic] {
			seen[p.Topic] = true
			names = append(names, p.Topic)
		}
	}
	source, err := c.Source.Metadata(ctx, names)
	if err != nil {
		return fmt.Errorf("asking the source for its topics: %w", err)
	}
	target, err := c.Target.Metadata(ctx, names)
	if err != nil {
		return fmt.Errorf("asking the target for its topics: %w", err)
	}
	for _, p := range parts {
		p.recognise(Topics{Source: source.Topics[p.Topic].ID, Target: target.Topics[p.Topic].ID})
	}
	return nil
}

// recognise stops a partition whose topic was made anew. A topic that is not
// there now has no id.
func (p *part) recognise(now Topics) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.phase == Stopped {
		return
	}
	for _, side := range []struct {
		name  string
		known *wire.TopicID
		id    wire.TopicID
	}{{"source", &p.topics.Source, now.Source}, {"target", &p.topics.Target, now.Target}} {
		switch zero := (wire.TopicID{}); {
		case side.id == zero:
		case *side.known == zero:
			*side.known = side.id
		case *side.known != side.id:
			p.stop(&RecreatedError{Partition: p.Partition, Side: side.name, Was: *side.known, Is: side.id})
			return
		}
	}
}
