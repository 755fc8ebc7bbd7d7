package kafka

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/IBM/sarama"
	"github.com/cenkalti/backoff/v5"
)

const (
	// settleTime is for how long a question is asked again while the cluster
	// says "not now": a leader moves, a coordinator loads.
	settleTime = 5 * time.Second
	// Between two tries passes a time that grows, with some jitter, from the first
	// to the last of these.
	retryFirst = 100 * time.Millisecond
	retryLast  = 2 * time.Second
	// applyLook is how often is looked whether a broker has applied a change.
	applyLook = 20 * time.Millisecond
)

// Patient returns the client with the patience to ask again for so long when
// connections break, as they do while brokers restart. It shares the
// connections; closing one closes both.
func (c *Client) Patient(d time.Duration) *Client {
	patient := *c
	patient.patience = d
	return &patient
}

// retry asks until there is an answer, a refusal, or no patience left. What is
// asked may be asked twice.
func (c *Client) retry(ctx context.Context, ask func() error) error {
	began := time.Now()
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = retryFirst, retryLast
	for tries := 0; ; tries++ {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := ask()
		waited := time.Since(began)
		switch {
		case err == nil:
			return nil
		case disconnected(err) && waited < c.patience, errors.Is(err, io.EOF) && tries == 0:
			c.reconnect() // brokers close connections that were idle: once is no sign of trouble
		case retriable(err) && waited < max(settleTime, c.patience):
		default:
			return err
		}
		if err := pause(ctx, wait.NextBackOff()); err != nil {
			return err
		}
	}
}

// reconnect drops every connection: a broken one is not noticed by those who
// find it open. The next request opens its own.
func (c *Client) reconnect() {
	for _, b := range c.client.Brokers() {
		_ = b.Close() // one that is closed already is as wanted
	}
	_ = c.discover() // the next try says if that fails
}

// disconnected reports whether the error is that of a connection, so that
// nothing is known about the question.
func disconnected(err error) bool {
	var network net.Error
	var operation *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &network) || errors.As(err, &operation) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, sarama.ErrOutOfBrokers) || errors.Is(err, sarama.ErrNotConnected) || errors.Is(err, sarama.ErrBrokerNotAvailable)
}

// retriable reports whether the cluster said "not now".
func retriable(err error) bool {
	if errors.Is(err, errLeaderMoved) {
		return true
	}
	var kerr sarama.KError
	if !errors.As(err, &kerr) {
		return false
	}
	switch kerr {
	case sarama.ErrNotLeaderForPartition, sarama.ErrLeaderNotAvailable, sarama.ErrFencedLeaderEpoch,
		sarama.ErrUnknownLeaderEpoch, sarama.ErrOffsetNotAvailable, sarama.ErrReplicaNotAvailable,
		sarama.ErrOffsetsLoadInProgress, sarama.ErrNotCoordinatorForConsumer, sarama.ErrConsumerCoordinatorNotAvailable,
		sarama.ErrUnstableOffsetCommit, sarama.ErrRequestTimedOut, sarama.ErrNotController, sarama.ErrThrottlingQuotaExceeded,
		sarama.ErrUnknownTopicOrPartition: // just created: not every broker has heard of it
		return true
	}
	return false
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
