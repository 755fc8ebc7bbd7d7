package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"kplan/mirror/wire"
)

const routeInterval = 10 * time.Second

// routes is who leads what, on both sides, as heard last.
type routes struct {
	source, target map[wire.Partition]wire.Leader
}

// routing is the part of a Copier that knows the leaders.
type routing struct {
	now  atomic.Pointer[routes]
	soon chan struct{}
}

// reads returns the broker that a partition is read from, -1: none.
func (c *Copier) reads(p *part) int32 {
	if r := c.routing.now.Load(); r != nil {
		if l, ok := r.source[p.Partition]; ok {
			return l.Broker
		}
	}
	return -1
}

func (c *Copier) sourceEpoch(p wire.Partition) (int32, bool) {
	r := c.routing.now.Load()
	if r == nil {
		return 0, false
	}
	l, ok := r.source[p]
	return l.Epoch, ok
}

// writes returns the broker that a partition is written to, -1: none.
func (c *Copier) writes(p *part) int32 {
	if r := c.routing.now.Load(); r != nil {
		if l, ok := r.target[p.Partition]; ok {
			return l.Broker
		}
	}
	return -1
}

// forward offers a partition to the sender of its leader.
func (c *Copier) forward(p *part) {
	if broker := c.writes(p); broker >= 0 {
		c.sender(route{broker, p.lane}).offer(p)
	}
}

// reroute asks for the leaders soon.
func (c *Copier) reroute() {
	select {
	case c.routing.soon <- struct{}{}:
	default:
	}
}

// routeAll keeps the leaders known and a reader on each lane.
func (c *Copier) routeAll(ctx context.Context) {
	var failing notice
	for ctx.Err() == nil {
		err := c.routeOnce(ctx)
		if failing.news(err) {
			c.Log.Warn("looking for the leaders", "err", err)
		}
		if err != nil {
			pause(ctx, pauseBroken)
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(routeInterval):
		case <-c.routing.soon:
			pause(ctx, pauseBroken) // one look for many that ask
		}
	}
}

func (c *Copier) routeOnce(ctx context.Context) error {
	topics := map[string]bool{}
	var names []string
	for _, p := range c.all() {
		if !topics[p.Topic] {
			topics[p.Topic] = true
			names = append(names, p.Topic)
		}
	}
	made := &routes{}
	if known := c.routing.now.Load(); known != nil { // a cluster that is away keeps the other one from nothing
		*made = *known
	}
	ids := map[string]Topics{}
	source, sourceErr := c.Source.Metadata(ctx, names)
	if sourceErr != nil {
		sourceErr = fmt.Errorf("asking the source for its topics: %w", sourceErr)
	} else {
		made.source = leadersOf(source)
	}
	target, targetErr := c.Target.Metadata(ctx, names)
	if targetErr != nil {
		targetErr = fmt.Errorf("asking the target for its topics: %w", targetErr)
	} else {
		made.target = leadersOf(target)
	}
	for _, name := range names {
		ids[name] = Topics{Source: source.Topics[name].ID, Target: target.Topics[name].ID}
	}
	c.routing.now.Store(made)
	for _, p := range c.all() {
		p.recognise(ids[p.Topic])
		if broker := c.reads(p); broker >= 0 {
			c.reader(ctx, route{broker, p.lane})
		}
		p.mu.Lock()
		waiting := p.phase == Copying && len(p.queue) > 0
		p.mu.Unlock()
		if waiting {
			c.forward(p)
		}
	}
	return errors.Join(sourceErr, targetErr)
}

// reader makes sure that a lane is read.
func (c *Copier) reader(ctx context.Context, r route) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.readers[r] {
		return
	}
	c.readers[r] = true
	c.group.Go(func() {
		c.read(ctx, r, c.sourceEpoch)
		c.mu.Lock()
		delete(c.readers, r)
		c.mu.Unlock()
		c.reroute() // partitions may have come to the lane while it ended
	})
}

func leadersOf(m wire.Metadata) map[wire.Partition]wire.Leader {
	leaders := map[wire.Partition]wire.Leader{}
	for name, t := range m.Topics {
		for i, l := range t.Leaders {
			leaders[wire.Partition{Topic: name, Number: int32(i)}] = l
		}
	}
	return leaders
}
