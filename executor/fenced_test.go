package executor

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kplan/executor/state"
	"kplan/internal/cluster"
)

// restarting is a cluster whose brokers do not answer: what is asked is asked
// again until the caller has had enough.
type restarting struct{ Cluster }

func (restarting) Commit(ctx context.Context, _ string, _ map[cluster.TopicPartition]cluster.Commit) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(90 * time.Second):
		return nil // it has arrived after all
	}
}

// short is a lease that runs out.
type short struct{ lost chan struct{} }

func (s short) Check() error {
	select {
	case <-s.lost:
		return &state.LeaseLostError{Why: "it ran out"}
	default:
		return nil
	}
}

func (s short) Lost() <-chan struct{} { return s.lost }

// Taken out: the end of a change that is asked for again and again while the
// lease runs out. It would arrive when somebody else acts.
func TestChangeUnderWayEndsWithTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fence := short{lost: make(chan struct{})}
		time.AfterFunc(12*time.Second, func() { close(fence.lost) })
		err := fenced{restarting{}, fence}.Commit(context.WithoutCancel(t.Context()), "g", nil)
		var lost *state.LeaseLostError
		if !errors.As(err, &lost) || !fatal(err) {
			t.Errorf("the change ended with %v", err)
		}
	})
}
