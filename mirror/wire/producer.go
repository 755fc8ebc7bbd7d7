package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// producerIDLimit is how long a cluster may take to find itself able to give out
// producer ids: a young one is still at its start.
const producerIDLimit = time.Minute

// ProducerID asks for a producer id that nobody has (KIP-98), again while the
// brokers say that they are not ready.
func (c *Client) ProducerID(ctx context.Context) (int64, error) {
	id, err := backoff.Retry(ctx, func() (int64, error) {
		id, err := c.producerID(ctx)
		if e := (*kerr.Error)(nil); errors.As(err, &e) && !e.Retriable {
			err = backoff.Permanent(err)
		}
		return id, err
	}, backoff.WithMaxElapsedTime(producerIDLimit))
	if err != nil {
		return 0, fmt.Errorf("asking for a producer id: %w", err)
	}
	return id, nil
}

func (c *Client) producerID(ctx context.Context) (int64, error) {
	conn, err := c.Any(ctx)
	if err != nil {
		return 0, err
	}
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionTimeoutMillis = 60_000 // of no use without a transactional id, and wanted
	req.ProducerID, req.ProducerEpoch = -1, -1
	resp, err := conn.Request(ctx, req)
	if err != nil {
		return 0, err
	}
	answer := resp.(*kmsg.InitProducerIDResponse)
	return answer.ProducerID, Code(answer.ErrorCode)
}
