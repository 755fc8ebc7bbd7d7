package mirror

import (
	"context"
	"errors"
	"fmt"

	"kplan/mirror/wire"
)

// sameHistory returns those partitions, with their log ends on the target, whose
// source still has what was read of it: its log may have been truncated and have
// grown again, to any length, and only the leader epochs tell (KIP-101). One
// whose log is another one is stopped; one that cannot be asked about waits.
func (c *Copier) sameHistory(ctx context.Context, known map[*part]int64) map[*part]bool {
	same := map[*part]bool{}
	epochs, next := map[wire.Partition]int32{}, map[wire.Partition]int64{}
	for p, end := range known {
		p.mu.Lock()
		at := p.offsets.before(end).Source
		epoch := p.epochs.at(at)
		p.mu.Unlock()
		if epoch < 0 { // nothing was read, or nothing that bears one
			same[p] = true
			continue
		}
		epochs[p.Partition], next[p.Partition] = epoch, at
	}
	if len(epochs) == 0 {
		return same
	}
	told, failed, err := c.Source.EpochEnds(ctx, epochs)
	for p := range known {
		if same[p] {
			continue
		}
		id := p.Partition
		switch why := errors.Join(err, failed[id]); {
		case errors.As(why, new(*wire.UnsupportedError)): // before 2.3: nobody can know
			same[p] = true
		case why != nil:
			c.hinder([]*part{p}, fmt.Errorf("asking the source where its leader epoch %d ends: %w", epochs[id], why))
		default:
			if at, parted := partsAt(told[id], epochs[id], next[id]); parted {
				p.mu.Lock()
				p.stop(&TruncatedError{Partition: id, Side: "source", Offset: at, Epoch: epochs[id], Read: next[id]})
				p.mu.Unlock()
				continue
			}
			same[p] = true
		}
	}
	return same
}

// partsAt reports whether a log is another one than that of which everything up
// to next was read, the last of it under epoch; at is from where on, -1: nobody
// knows. It is the broker's own rule for followers (KIP-595), save that an epoch
// of which the leader knows nothing parts from it only when it is a later one.
func partsAt(told wire.EpochEnd, epoch int32, next int64) (at int64, parted bool) {
	if told.Epoch < 0 || told.End < 0 {
		return -1, told.Leader >= 0 && epoch > told.Leader
	}
	return min(told.End, next), told.Epoch < epoch || told.End < next
}
