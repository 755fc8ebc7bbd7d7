package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kplan/mirror/batch"
	"kplan/mirror/wire"
)

// inspect reads the headers on the target between two offsets: every batch has
// to be this mirror's, at the place that its sequence names (R23, R24).
func (c *Copier) inspect(ctx context.Context, p *part, from, end int64) error {
	ctx, cancel := context.WithTimeout(ctx, inspectLimit)
	defer cancel()
	r := c.routing.now.Load()
	if r == nil {
		return errNoRoutes
	}
	leader := r.target[p.Partition]
	conn, err := c.Target.Broker(ctx, leader.Broker, inspecting)
	if err != nil {
		return fmt.Errorf("reading the target: %w", err)
	}
	for at := from; at < end; {
		answer, err := conn.Fetch(ctx, wire.Fetch{
			Positions: []wire.Position{{Partition: p.Partition, Offset: at, LeaderEpoch: leader.Epoch, LastEpoch: -1, MaxBytes: int32(c.Limits.Partition)}},
			MinBytes:  1, MaxBytes: int32(c.Limits.Partition), MaxWait: fetchWait,
		})
		if err != nil {
			return err
		}
		next, err := c.inspected(p, answer, at)
		answer.Release()
		if err != nil {
			return err
		}
		if next == at {
			return fmt.Errorf("%s[%d]: the target's log ends at %d and nothing can be read at %d", p.Topic, p.Number, end, at)
		}
		at = next
	}
	return nil
}

const (
	inspecting   = -2              // the lane for reading the target
	inspectLimit = 2 * time.Minute // for one partition: others wait
)

var errNoRoutes = errors.New("the leaders are not known yet")

// inspected judges one answer and says where to go on.
func (c *Copier) inspected(p *part, answer *wire.Answer, at int64) (int64, error) {
	p.mu.Lock()
	start := p.offsets.Start().Target
	p.mu.Unlock()
	for _, f := range answer.Partitions {
		if f.Partition != p.Partition {
			continue
		}
		if f.Err != nil {
			return at, fmt.Errorf("reading the target: %w", f.Err)
		}
		r := batch.NewReader(f.Records)
		for r.Next() {
			b := r.Batch()
			if r.Magic() < 2 || b.ProducerID() != c.Producer.ID {
				return at, &StrangerError{Partition: p.Partition, Offset: b.Offset(), ProducerID: b.ProducerID(), Planned: at}
			}
			if b.LastOffset() < at {
				continue
			}
			if err := batch.CheckStored(b, start, 0); err != nil {
				return at, err
			}
			at = b.NextOffset()
		}
		if err := r.Err(); err != nil {
			return at, fmt.Errorf("reading the target: %w", err)
		}
	}
	return at, nil
}
