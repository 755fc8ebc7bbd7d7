package worker_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

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
	entry := mirror.Entry{ID: "dead", PID: 7, Partitions: partitions, Member: deadMember(t, s, long), Serial: 1, Silence: long, Wait: time.Second}
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

// deadMember joins the workers' group, takes all partitions, and gives no sign of
// life again: a client's would be a heartbeat, some day, and it would join anew.
func deadMember(t *testing.T, s *stage, session time.Duration) string {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.source.Bootstrap()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	metadata := kmsg.NewConsumerMemberMetadata()
	metadata.Topics = []string{topic}
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType = "_kplan.orders.mirror", "consumer"
	join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = int32(session.Milliseconds()), int32(session.Milliseconds())
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = "cooperative-sticky", metadata.AppendTo(nil)
	join.Protocols = append(join.Protocols, protocol)
	joined, err := join.RequestWith(t.Context(), cl)
	if err == nil && joined.ErrorCode == kerr.MemberIDRequired.Code { // KIP-394
		join.MemberID = joined.MemberID
		joined, err = join.RequestWith(t.Context(), cl)
	}
	if err != nil || joined.ErrorCode != 0 {
		t.Fatal(err, kerr.ErrorForCode(joined.ErrorCode))
	}
	of := kmsg.NewConsumerMemberAssignmentTopic()
	of.Topic = topic
	for n := range int32(partitions) {
		of.Partitions = append(of.Partitions, n)
	}
	all := kmsg.NewConsumerMemberAssignment()
	all.Topics = append(all.Topics, of)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.Generation, sync.MemberID = join.Group, joined.Generation, joined.MemberID
	sync.ProtocolType, sync.Protocol = &join.ProtocolType, &protocol.Name
	own := kmsg.NewSyncGroupRequestGroupAssignment()
	own.MemberID, own.MemberAssignment = joined.MemberID, all.AppendTo(nil)
	sync.GroupAssignment = append(sync.GroupAssignment, own)
	synced, err := sync.RequestWith(t.Context(), cl)
	if err != nil || synced.ErrorCode != 0 {
		t.Fatal(err, kerr.ErrorForCode(synced.ErrorCode))
	}
	return joined.MemberID
}
