package kafka

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// settleTime is for how long a question is asked again while the cluster
	// says "not now": a leader moves, a coordinator loads.
	settleTime = 5 * time.Second
	// reconnectTime is for how long a question is asked again on new connections:
	// brokers close those that were idle, and all of them when they restart. A
	// patient client goes on for longer.
	reconnectTime = 10 * time.Second
	// Between two tries passes a time that grows, with some jitter, from the first
	// to the last of these.
	retryFirst = 100 * time.Millisecond
	retryLast  = 2 * time.Second
	// applyLook is how often is looked whether a broker has applied a change.
	applyLook = 20 * time.Millisecond
)

// Patient returns the client with the patience to ask again for so long when
// connections break, as they do while brokers restart, and when the cluster says
// "not now". It shares the connections; closing one closes both.
func (c *Client) Patient(d time.Duration) *Client {
	patient := *c
	patient.patience = d
	return &patient
}

// retry asks until there is an answer, a refusal, or no patience left. What is
// asked may be asked twice. doing says what it is for those who wait.
func (c *Client) retry(ctx context.Context, doing string, ask func() error) error {
	waiting := c.waits.begin(doing)
	defer c.waits.end(waiting)
	began := time.Now()
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = retryFirst, retryLast
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := ask()
		waited := time.Since(began)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case disconnected(err) && waited < max(reconnectTime, c.patience):
			c.reconnect(err)
		case retriable(err) && waited < max(settleTime, c.patience):
		default:
			return err
		}
		c.waits.failed(waiting, err)
		if err := pause(ctx, wait.NextBackOff()); err != nil {
			return err
		}
	}
}

// reconnect drops the connections that are broken: nobody who finds one open
// notices. The next request opens its own. Those that work are left to whoever
// is asking on them, but which one has timed out nobody can tell.
func (c *Client) reconnect(why error) {
	var network net.Error
	late := errors.As(why, &network) && network.Timeout()
	for _, b := range c.client.Brokers() {
		if ok, err := b.Connected(); late || err != nil || !ok {
			_ = b.Close() // one that is closed already is as wanted
		}
	}
	_ = c.discover() // the next try says if that fails
}

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
