package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// The bounds of one fetch for a look: it begins small, and grows where a single
// batch has no room in it.
const (
	fetchBytes     = 64 << 10
	mostFetchBytes = 64 << 20
	// mostNothing is how often a leader that has more may answer with nothing, as
	// one does whose records lie in a remote tier that is slow (KIP-405). Nothing
	// is known then.
	mostNothing = 40
)

// FirstRecord returns the first data record at or after from and before the
// offset before, as a read_committed consumer would see it: transaction
// markers, aborted records, compaction holes and what retention has deleted do
// not count (R7). ok is false where there is none. A batch that cannot be read
// counts as a record at its place, for nothing says that it holds none: see
// cluster.Record.Unread.
//
// before must not lie beyond the last stable offset that was read from the
// partition. A leader that shows less is behind the one that told it: it is
// asked again, and whoever leads by then, and if that does not help the error is
// cluster.ErrBehind. An empty answer is never taken for the end.
func (c *Client) FirstRecord(ctx context.Context, tp cluster.TopicPartition, from, before int64) (rec cluster.Record, ok bool, err error) {
	looking := c.waits.begin(fmt.Sprintf("looking for records in %s", tp))
	defer c.waits.end(looking)
	size, nothing := int32(fetchBytes), 0
	for from < before {
		var page page
		err := c.retry(ctx, fmt.Sprintf("looking for records in %s from offset %d on", tp, from), func() (err error) {
			if page, err = c.logs.page(ctx, tp, from, size); err == nil && page.nothing && page.lastStable <= from {
				err = fmt.Errorf("%w: its last stable offset is %d", cluster.ErrBehind, page.lastStable)
			}
			if err != nil && !errors.Is(err, errHeldBack) {
				c.logs.forget(tp) // the next try finds out anew who leads
			}
			return err
		})
		if errors.Is(err, errHeldBack) {
			continue
		}
		if errors.Is(err, sarama.ErrOffsetOutOfRange) {
			var start int64
			if start, err = c.rangeOf(ctx, tp, from); err == nil {
				from = start
				continue
			}
		}
		if err != nil {
			return cluster.Record{}, false, fmt.Errorf("looking for records in %s from offset %d to %d: %w", tp, from, before, err)
		}
		switch {
		case page.first != nil:
			return *page.first, page.first.Offset < before, nil
		case page.next > from:
			from, nothing = page.next, 0
		case page.nothing:
			if nothing++; nothing > mostNothing {
				return cluster.Record{}, false, fmt.Errorf("looking for records in %s from offset %d: its leader has more, by its last stable offset %d, and answered %d times with nothing", tp, from, page.lastStable, nothing)
			}
			if err := pause(ctx, retryFirst); err != nil {
				return cluster.Record{}, false, err
			}
		case size >= mostFetchBytes:
			return cluster.Record{}, false, fmt.Errorf("looking for records in %s from offset %d: nothing readable in %d bytes", tp, from, size)
		default:
			size *= 2
		}
	}
	return cluster.Record{}, false, nil
}

// rangeOf is for an offset that the leader does not have: where the log begins
// now if retention has deleted what was before, else cluster.ErrBehind.
func (c *Client) rangeOf(ctx context.Context, tp cluster.TopicPartition, from int64) (int64, error) {
	ends, err := c.LogEnds(ctx, []string{tp.Topic})
	if err != nil {
		return 0, err
	}
	if e := ends[tp]; from >= e.LogStart {
		return 0, fmt.Errorf("%w: its log ends at %d", cluster.ErrBehind, e.LogEnd)
	}
	return ends[tp].LogStart, nil
}
