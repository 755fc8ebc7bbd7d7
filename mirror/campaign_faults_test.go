//go:build campaign

package mirror_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"kplan/internal/kafkatest"
)

// aged gives year old records the wait that they need.
func aged(e *errand) { e.MaxAge, e.Wait = time.Hour, outwait }

// TestFaultCampaignOnRealBrokers is the long form of TestConnectionsCutOnRealBrokers, and more:
// a part of make campaign-mirror.
func TestFaultCampaignOnRealBrokers(t *testing.T) {
	t.Run("connections cut", func(t *testing.T) { cutConnections(t, 40) })
	t.Run("brokers restarted", restartBrokers)
	t.Run("three brokers", func(t *testing.T) {
		target := kafkatest.Start(t, kafkatest.Options{
			Version: kafkatest.V4_3_0, Brokers: 3, ExtraProperties: map[string]string{"producer.id.expiration.check.interval.ms": "300"},
		})
		t.Run("leaders moved", func(t *testing.T) { moveLeaders(t, target, false) })
		t.Run("leaders moved, year old records", func(t *testing.T) { moveLeaders(t, target, true) })
		t.Run("too few in sync", func(t *testing.T) { loseReplicas(t, target) })
		t.Run("unclean election", func(t *testing.T) { electUncleanly(t, target) })
		t.Run("unclean election on the source", func(t *testing.T) { truncateSource(t, target) })
	})
	t.Run("frozen beyond its lease", func(t *testing.T) {
		freeze(t, false, 8)
		freeze(t, true, 4)
	})
	t.Run("broker frozen", freezeBroker)
	t.Run("two mirrors", func(t *testing.T) { double(t, 6) })
}

// Brokers of both sides are killed and stopped, and come back.
func restartBrokers(t *testing.T) {
	for _, way := range [][2]kafkatest.Version{{kafkatest.V2_8_2, kafkatest.V4_3_0}, {kafkatest.V4_3_0, kafkatest.V2_8_2}} {
		source, target := kafkatest.Start(t, kafkatest.Options{Version: way[0]}), kafkatest.Start(t, kafkatest.Options{Version: way[1]})
		s := newScene(t, source, target, 1, nil, slow, kafkatest.Faults{Stall: stall})
		s.endure(t, fmt.Sprintf("brokers restarted, %s to %s", way[0], way[1]), nil, func(*child) int {
			for i := range 8 {
				lapse(time.Duration(s.rand.IntN(2000)) * time.Millisecond)
				c, end := []*kafkatest.Cluster{target, source}[i%2], (*kafkatest.Cluster).Kill
				if i%4 > 1 {
					end = (*kafkatest.Cluster).Stop
				}
				if err := end(c, 1); err != nil {
					t.Fatal(err)
				}
				if err := c.Restart(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
			}
			return 8
		})
	}
}

// The target's broker stands still until the mirror has given up on its
// connections, and then finds their requests in its sockets; the records are so
// old that it does not recognise them.
func freezeBroker(t *testing.T) {
	source := brokers.Shared(t, kafkatest.Stock(kafkatest.V2_8_2))
	target := kafkatest.Start(t, kafkatest.Options{
		Version: kafkatest.V4_3_0, ExtraProperties: map[string]string{"producer.id.expiration.check.interval.ms": "300"},
	})
	s := newScene(t, source, target, 1, nil, slow, kafkatest.Faults{})
	s.old = true
	impatient := func(e *errand) {
		aged(e)
		e.Patience = time.Second
	}
	s.endure(t, "broker frozen, year old records", impatient, func(*child) int {
		for range 6 {
			lapse(outwait + time.Duration(s.rand.IntN(1000))*time.Millisecond)
			if err := target.Pause(1); err != nil {
				t.Fatal(err)
			}
			lapse(2*outwait + time.Duration(s.rand.IntN(1000))*time.Millisecond)
			if err := target.Resume(1); err != nil {
				t.Fatal(err)
			}
		}
		return 6
	})
}

// lead makes a broker of three the leader of a partition, as an operator does:
// its place in the replicas, and the election of the preferred one.
func lead(t *testing.T, admin *kadm.Client, topic string, partition, broker int32) {
	t.Helper()
	replicas := []int32{broker, broker%3 + 1, (broker+1)%3 + 1}
	var req kadm.AlterPartitionAssignmentsReq
	req.Assign(topic, partition, replicas)
	if resp, err := admin.AlterPartitionAssignments(t.Context(), req); err != nil || resp.Error() != nil {
		t.Fatal(err, resp.Error())
	}
	var who kadm.TopicsSet
	who.Add(topic, partition)
	until(t, "the leader is elected", func(ctx context.Context) bool {
		if _, err := admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, who); err != nil {
			return false
		}
		return leaderOf(ctx, admin, topic, partition) == broker
	})
}

func leaderOf(ctx context.Context, admin *kadm.Client, topic string, partition int32) int32 {
	m, err := admin.Metadata(ctx, topic)
	if err != nil {
		return -1
	}
	return m.Topics[topic].Partitions[partition].Leader
}

// inSync are the in-sync replicas of a partition.
func inSync(ctx context.Context, admin *kadm.Client, topic string, partition int32) []int32 {
	m, err := admin.Metadata(ctx, topic)
	if err != nil {
		return nil
	}
	return m.Topics[topic].Partitions[partition].ISR
}

func moveLeaders(t *testing.T, target *kafkatest.Cluster, old bool) {
	source := brokers.Shared(t, kafkatest.Stock(kafkatest.V2_8_2))
	s := newScene(t, source, target, 3, map[string]string{"min.insync.replicas": "2"}, slow, kafkatest.Faults{Stall: stall})
	s.old = old
	name := "leaders moved"
	if old {
		name += ", year old records"
	}
	admin := kadm.NewClient(client(t, target))
	s.endure(t, name, aged, func(*child) int {
		for i := range 18 {
			lapse(time.Duration(s.rand.IntN(500)) * time.Millisecond)
			lead(t, admin, s.topic, int32(i%3), 1+s.rand.Int32N(3))
		}
		for id := 1; id <= 3; id++ {
			end := target.Kill
			if id == 2 {
				end = target.Stop
			}
			if err := end(id); err != nil {
				t.Fatal(err)
			}
			lapse(time.Second)
			if err := target.Restart(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			until(t, "all replicas are in sync", func(ctx context.Context) bool { return len(inSync(ctx, admin, s.topic, 0)) == 3 })
		}
		return 21
	})
}

// Two of three brokers are down: nothing is acknowledged, and the copy waits
// until they are back.
func loseReplicas(t *testing.T, target *kafkatest.Cluster) {
	source := brokers.Shared(t, kafkatest.Stock(kafkatest.V4_3_0))
	s := newScene(t, source, target, 3, map[string]string{"min.insync.replicas": "2"}, slow, kafkatest.Faults{Stall: stall})
	admin := kadm.NewClient(client(t, target))
	s.endure(t, "too few replicas in sync", nil, func(*child) int {
		for round := range 2 {
			down := []int{1 + round, 2 + round}
			for _, id := range down {
				if err := target.Kill(id); err != nil {
					t.Fatal(err)
				}
			}
			lapse(15 * time.Second)
			for _, id := range down {
				if err := target.Restart(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			until(t, "all replicas are in sync", func(ctx context.Context) bool { return len(inSync(ctx, admin, s.topic, 0)) == 3 })
		}
		return 2
	})
}

// A replica that lacks records becomes the leader: what was acknowledged is
// gone, and is sent again.
func electUncleanly(t *testing.T, target *kafkatest.Cluster) {
	source := brokers.Shared(t, kafkatest.Stock(kafkatest.V4_3_0))
	s := newScene(t, source, target, 3, map[string]string{"min.insync.replicas": "1", "unclean.leader.election.enable": "true"}, slow, kafkatest.Faults{})
	admin := kadm.NewClient(client(t, target))
	for p := range int32(3) {
		var req kadm.AlterPartitionAssignmentsReq
		req.Assign(s.topic, p, []int32{1, 2})
		if resp, err := admin.AlterPartitionAssignments(t.Context(), req); err != nil || resp.Error() != nil {
			t.Fatal(err, resp.Error())
		}
		until(t, "two replicas have the partition", func(ctx context.Context) bool {
			m, err := admin.Metadata(ctx, s.topic)
			if err != nil {
				return false
			}
			d := m.Topics[s.topic].Partitions[p]
			return len(d.Replicas) == 2 && len(d.ISR) == 2
		})
	}
	truncated := int64(0)
	s.endure(t, "unclean elections", nil, func(*child) int {
		for round := range 3 {
			keeper, loser := 1+round%2, 2-round%2
			if err := target.Kill(loser); err != nil {
				t.Fatal(err)
			}
			until(t, "the other one is alone in sync", func(ctx context.Context) bool {
				isr := inSync(ctx, admin, s.topic, 0)
				return len(isr) == 1 && isr[0] == int32(keeper)
			})
			before := s.heights(t)
			lapse(2 * time.Second) // these records are going to be lost
			after := s.heights(t)
			if err := target.Kill(keeper); err != nil {
				t.Fatal(err)
			}
			if err := target.Restart(t.Context(), loser); err != nil {
				t.Fatal(err)
			}
			until(t, "the one that lacks records leads", func(ctx context.Context) bool { return leaderOf(ctx, admin, s.topic, 0) == int32(loser) })
			truncated += after - before
			lapse(time.Second)
			if err := target.Restart(t.Context(), keeper); err != nil {
				t.Fatal(err)
			}
			until(t, "both are in sync", func(ctx context.Context) bool { return len(inSync(ctx, admin, s.topic, 0)) == 2 })
		}
		return 3
	})
	t.Logf("CAMPAIGN unclean elections: about %d acknowledged records were truncated and sent again", truncated)
	if truncated == 0 {
		t.Error("nothing was truncated: this has tried nothing")
	}
}

// heights is the sum of the target's log ends.
func (s *scene) heights(t *testing.T) int64 {
	sum := int64(0)
	for _, end := range s.ends(t, s.target) {
		sum += end
	}
	return sum
}

// freeze stops a mirror for longer than its lease, has another one take over,
// and lets the first go on.
func freeze(t *testing.T, old bool, rounds int) {
	source := brokers.Shared(t, kafkatest.Stock(kafkatest.V2_8_2))
	target := brokers.Shared(t, kafkatest.Options{
		Version: kafkatest.V4_3_0, ExtraProperties: map[string]string{"producer.id.expiration.check.interval.ms": "300"},
	})
	s := newScene(t, source, target, 1, nil, slow, kafkatest.Faults{Stall: stall})
	s.old = old
	s.fill(t, 20_000)
	end := s.trickle(t)
	change := func(string) func(*errand) { return nil }
	name := "frozen, another one begun, thawed; no lease"
	if old {
		name = "frozen beyond its lease, another one begun, thawed; year old records"
		change = func(owner string) func(*errand) {
			return func(e *errand) {
				aged(e)
				e.Owner = owner
			}
		}
	}
	m := s.start(t, change("mirror 0"))
	m.await(t, saysMoving)
	for i := range rounds {
		lapse(time.Duration(s.rand.IntN(500)) * time.Millisecond)
		m.signal(t, syscall.SIGSTOP)
		lapse(time.Second)
		next := s.start(t, change(fmt.Sprintf("mirror %d", i+1)))
		next.await(t, saysMoving)
		m.signal(t, syscall.SIGCONT)
		lapse(time.Second) // both are at work
		m.kill(t)
		m = next
	}
	end()
	stopped := ""
	if err := s.drain(t, m); err != nil {
		stopped = err.Error()
	}
	s.settled(t, name, rounds, stopped)
}

// double runs two mirrors of the same partitions at once, on one store.
func double(t *testing.T, rounds int) {
	source := brokers.Shared(t, kafkatest.Stock(kafkatest.V2_8_2))
	target := brokers.Shared(t, kafkatest.Stock(kafkatest.V4_3_0))
	s := newScene(t, source, target, 1, nil, slow, kafkatest.Faults{Stall: stall})
	s.fill(t, 20_000)
	end := s.trickle(t)
	m := s.start(t, nil)
	m.await(t, saysMoving)
	stopped := ""
	for range rounds {
		second := s.start(t, nil)
		second.await(t, saysCopying)
		lapse(time.Duration(s.rand.IntN(2000)) * time.Millisecond)
		stopped += m.whyStopped()
		m.kill(t)
		m = second
	}
	end()
	if err := s.drain(t, m); err != nil {
		stopped += err.Error()
	}
	s.settled(t, "two mirrors at once", rounds, stopped)
}

func (m *child) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := m.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}
