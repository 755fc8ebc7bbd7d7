//go:build campaign

package mirror_test

import (
	"context"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"kplan/internal/kafkatest"
	"kplan/mirror"
)

// truncateSource elects a leader of the source that lacks the newest records,
// which were copied by then, and lets its log grow beyond them: whoever goes on
// stops by name, and copies nothing of the other history.
func truncateSource(t *testing.T, source *kafkatest.Cluster) {
	target := brokers.Shared(t, kafkatest.Stock(kafkatest.V4_3_0))
	least, unclean := "1", "true"
	s := newStage(t, source, target, 1, 1, map[string]*string{"min.insync.replicas": &least, "unclean.leader.election.enable": &unclean})
	admin := kadm.NewClient(client(t, source))
	var req kadm.AlterPartitionAssignmentsReq
	req.Assign(s.topic, 0, []int32{1, 2})
	if resp, err := admin.AlterPartitionAssignments(t.Context(), req); err != nil || resp.Error() != nil {
		t.Fatal(err, resp.Error())
	}
	until(t, "two replicas have the partition", func(ctx context.Context) bool {
		m, err := admin.Metadata(ctx, s.topic)
		if err != nil {
			return false
		}
		d := m.Topics[s.topic].Partitions[0]
		return len(d.Replicas) == 2 && len(d.ISR) == 2
	})
	copied := func() int64 {
		c, end := s.begin(t, false, options(source), options(target))
		s.drained(t, c, s.partitions...)
		end(false)
		return s.ends(t, target)[s.partitions[0]]
	}
	produce := func(n int) {
		var records []*kgo.Record
		for range n {
			records = append(records, &kgo.Record{Topic: s.topic, Value: []byte("v")})
		}
		if err := client(t, source).ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	produce(1000)
	common := copied()
	if err := source.Kill(2); err != nil {
		t.Fatal(err)
	}
	until(t, "broker 1 is alone in sync", func(ctx context.Context) bool {
		isr := inSync(ctx, admin, s.topic, 0)
		return len(isr) == 1 && isr[0] == 1
	})
	produce(500) // these are going to be lost
	all := copied()
	if err := source.Kill(1); err != nil {
		t.Fatal(err)
	}
	if err := source.Restart(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	until(t, "broker 2, which lacks records, leads", func(ctx context.Context) bool { return leaderOf(ctx, admin, s.topic, 0) == 2 })
	if err := source.Restart(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	produce(2000)
	c, end := s.begin(t, false, options(source), options(target))
	defer end(false)
	got := standing(t, c, s.partitions[0], func(s mirror.Standing) bool { return s.Phase == mirror.Stopped })
	var truncated *mirror.TruncatedError
	if !errors.As(got.Why, &truncated) || truncated.Offset != common || truncated.Read != all {
		t.Errorf("it says: %v; want offset %d of %d", got.Why, common, all)
	}
	now := s.ends(t, target)[s.partitions[0]]
	if now != all {
		t.Errorf("%d records of the other history were copied", now-all)
	}
	t.Logf("CAMPAIGN unclean election on the source: %d records that were copied are gone, %d came in their place, %d of these were copied", all-common, 2000, now-all)
}
