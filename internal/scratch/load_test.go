package scratch_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"kplan/internal/endpoint"
	"kplan/internal/kafkatest"
	"kplan/internal/scratch"
)

// A real cluster takes a modest rate, and what it took is what was asked; of a
// rate that nothing bears it tells what it took; an error and an interrupt end
// it; and no topic stays.
func TestLoadOfRealBrokers(t *testing.T) {
	t.Parallel()
	c := brokers.Shared(t, kafkatest.Stock(kafkatest.V4_3_0))
	ep := endpoint.Endpoint{Cluster: "new", Bootstrap: c.Bootstrap(kafkatest.Plaintext)}
	o := scratch.LoadOptions{BytesPerSecond: 1 << 20, RecordSize: 1000, For: 2 * time.Second, Partitions: 3, Replicas: -1}
	got, err := scratch.Load(t.Context(), ep, o)
	if err != nil || got.Failed != "" || got.Left != "" || got.Replicas != 1 || got.Achieved <= 0 || got.Achieved > o.BytesPerSecond || got.Records < 2000 || got.Slowest <= 0 {
		t.Errorf("%+v, %v", got, err)
	}
	t.Logf("%+v", got)
	slow := o
	slow.BytesPerSecond, slow.For = 1<<40, time.Second // as much as it takes
	if got, err = scratch.Load(t.Context(), ep, slow); err != nil || got.Achieved <= 0 || got.Achieved > slow.BytesPerSecond/2 || got.Left != "" {
		t.Errorf("%+v, %v", got, err)
	}
	t.Logf("%+v", got)
	o.Replicas = 3
	if got, err = scratch.Load(t.Context(), ep, o); err != nil || !strings.Contains(got.Failed, "INVALID_REPLICATION_FACTOR") || got.Records != 0 || got.Topic != "" {
		t.Errorf("three replicas on one broker: %+v, %v", got, err)
	}
	o.Replicas, o.For = 1, time.Minute
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(time.Second, func() { cancel(errors.New("interrupted")) })
	if got, err = scratch.Load(ctx, ep, o); err != nil || got.Took > 20*time.Second || got.Left != "" || got.Failed == "" {
		t.Errorf("interrupted: %+v, %v", got, err)
	}
	if left := topics(t, ep.Bootstrap); len(left) > 0 {
		t.Errorf("topics are left: %v", left)
	}
}
