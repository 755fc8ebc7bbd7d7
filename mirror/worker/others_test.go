package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/mirror"
	"kplan/mirror/worker"
)

// A worker that was killed is a member of the group until its session has run
// out. Where its process is known to have ended, on the same machine, the others
// do not wait for that.
func TestTheDeadLeaveTheGroup(t *testing.T) {
	t.Parallel()
	s := started(t)
	s.write(10)
	const long = 4 * time.Minute
	member := make(chan string, 1)
	dead, err := kgo.NewClient(kgo.SeedBrokers(s.source.Bootstrap()...), kgo.ConsumerGroup("_kplan.orders.mirror"), kgo.ConsumeTopics(topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.SessionTimeout(long), kgo.HeartbeatInterval(long-time.Minute), kgo.RebalanceTimeout(long), kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(func(_ context.Context, c *kgo.Client, _ map[string][]int32) {
			id, _ := c.GroupMetadata()
			select {
			case member <- id:
			default:
			}
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dead.CloseAllowingRebalance)
	entry := mirror.Entry{ID: "dead", PID: 7, Partitions: partitions, Member: <-member, Serial: 1, Silence: long, Wait: time.Second}
	if err := mirror.Enter(t.Context(), s.shelf, entry); err != nil {
		t.Fatal(err)
	}
	w, _ := s.begin(func(c *worker.Config) {
		c.Group.Session, c.Dead = long, func(e mirror.Entry) bool { return e.PID == 7 }
	})
	s.until("it has all partitions", func() bool { return w.Standing().Assigned == partitions })
	s.copied(10 * partitions)
	s.until("the entry is taken away", func() bool {
		all, err := mirror.Entries(t.Context(), s.shelf)
		return err == nil && len(all) == 1
	})
}
