package kafka_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/kafka"
)

// reads are all that kplan asks of a cluster without changing anything.
func (r *rig) reads(topic string) map[string]func(context.Context) error {
	c, all := r.client, func(string) bool { return true }
	at := tp(topic, 0)
	return map[string]func(context.Context) error{
		"snapshot": func(ctx context.Context) error { return second(c.Snapshot(ctx, all)) },
		"nodes":    func(ctx context.Context) error { return second(c.Nodes(ctx, all)) },
		"rights":   func(ctx context.Context) error { return second(c.Rights(ctx, []string{topic}, []string{"g"})) },
		"groups":   func(ctx context.Context) error { return second(c.GroupNames(ctx)) },
		"group":    func(ctx context.Context) error { return second(c.Group(ctx, "g")) },
		"open": func(ctx context.Context) error {
			opened, err := kafka.Open(ctx, r.ep, "")
			if err != nil {
				return err
			}
			return opened.Close()
		},
		"probe": func(ctx context.Context) error {
			l := kafka.Probe(ctx, r.ep)
			for _, c := range l.Contacts {
				if c.Failed != cluster.NoStage {
					return fmt.Errorf("%s: %s", c.Address, c.Why)
				}
			}
			return nil
		},
		"topics":  func(ctx context.Context) error { return second(c.Topics(ctx, all)) },
		"brokers": func(ctx context.Context) error { return second(c.BrokerIDs(ctx)) },
		"quotas":  func(ctx context.Context) error { return second(c.Quotas(ctx)) },
		"rules":   func(ctx context.Context) error { return second(c.ACLs(ctx)) },
		"ends":    func(ctx context.Context) error { return second(c.LogEnds(ctx, []string{topic})) },
		"commits": func(ctx context.Context) error {
			return second(c.StableCommits(ctx, "g", map[string][]int32{topic: {0}}))
		},
		"transactions": func(ctx context.Context) error { return second(c.OffsetTransactions(ctx, "g")) },
		"look": func(ctx context.Context) error {
			_, _, err := c.FirstRecord(ctx, at, 0, 3)
			return err
		},
	}
}

// Taken out: asking again on a new connection. Whichever request of a read it is
// whose connection a broker closes, the read goes on.
func TestReadsSurviveClosedConnections(t *testing.T) {
	t.Parallel()
	r := onEmbedded(t, embedded.Options{Brokers: 3})
	topic := r.topic(t, 2, nil)
	produce(t, r.another(t, byHand()), tp(topic, 0), 3)
	place := map[cluster.TopicPartition]cluster.Commit{tp(topic, 0): {Offset: 1}}
	if err := r.client.Commit(t.Context(), "g", place); err != nil {
		t.Fatal(err)
	}
	var n, at, cuts atomic.Int64
	r.fake.Fake().Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		r.fake.Fake().KeepControl()
		if n.Add(1) == at.Load() {
			cuts.Add(1)
			return nil, io.ErrUnexpectedEOF, true // closes the connection
		}
		return nil, nil, false
	})
	count := func(cut int64) { at.Store(cut); n.Store(0) }
	for what, read := range r.reads(topic) {
		t.Run(what, func(t *testing.T) {
			if err := read(t.Context()); err != nil {
				t.Fatal(err)
			}
			count(-1)
			if err := read(t.Context()); err != nil {
				t.Fatal(err)
			}
			whole := n.Load()
			if whole == 0 {
				t.Fatal("it asks nothing: the test says nothing")
			}
			for cut := int64(1); cut <= whole; cut += max(1, whole/8) {
				before := cuts.Load()
				count(cut)
				if err := read(t.Context()); err != nil {
					t.Errorf("request %d of %d was cut: %v", cut, whole, err)
				}
				if cuts.Load() == before && cut == 1 {
					t.Error("nothing was cut: the test says nothing")
				}
			}
		})
	}
}

// An answer has an error for each partition: one that Kafka calls retriable is
// waited for, while services stand still for their offsets.
func TestCommitWaitsForItsCoordinator(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.RequestTimedOut} {
		t.Run(code.Message, func(t *testing.T) {
			r := onEmbedded(t, embedded.Options{})
			at := tp(r.topic(t, 1, nil), 0)
			r.fake.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: code, Count: 2})
			if err := r.client.Commit(t.Context(), "g", map[cluster.TopicPartition]cluster.Commit{at: {Offset: 0}}); err != nil {
				t.Fatal(err)
			}
			got, err := r.client.StableCommits(t.Context(), "g", map[string][]int32{at.Topic: {0}})
			if _, placed := got[at]; err != nil || !placed {
				t.Errorf("placed %v, %v", got, err)
			}
		})
	}
}

// The same for the requests whose answers have an error for each object.
func TestWhatIsRetriableIsAskedAgain(t *testing.T) {
	t.Parallel()
	r := onEmbedded(t, embedded.Options{})
	topic := r.topic(t, 1, nil)
	day := "86400000"
	for what, c := range map[string]struct {
		key  kmsg.Key
		err  *kerr.Error
		call func(context.Context) error
	}{
		"offsets":  {kmsg.OffsetFetch, kerr.CoordinatorLoadInProgress, r.reads(topic)["commits"]},
		"unstable": {kmsg.OffsetFetch, kerr.UnstableOffsetCommit, r.reads(topic)["commits"]},
		"ends":     {kmsg.ListOffsets, kerr.KafkaStorageError, r.reads(topic)["ends"]},
		"group":    {kmsg.DescribeGroups, kerr.CoordinatorNotAvailable, r.reads(topic)["group"]},
		"create": {kmsg.CreateTopics, kerr.NetworkException, func(ctx context.Context) error {
			return r.client.CreateTopic(ctx, cluster.TopicSpec{Name: name("t"), Partitions: 1, ReplicationFactor: 1}, false)
		}},
		"alter": {kmsg.IncrementalAlterConfigs, kerr.NotController, func(ctx context.Context) error {
			return r.alter(ctx, topic, map[string]*string{"retention.ms": &day}, false)
		}},
	} {
		t.Run(what, func(t *testing.T) {
			if err := c.call(t.Context()); err != nil {
				t.Fatal(err)
			}
			fault := r.fake.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{c.key}, Err: c.err, Count: 2})
			if err := c.call(t.Context()); err != nil {
				t.Errorf("after %s: %v", c.err.Message, err)
			}
			if fault.Hits() == 0 {
				t.Error("the fault was never met: the test says nothing")
			}
		})
	}
}

// What takes long says what for, with the last reason, and what is quick says
// nothing.
func TestLongWaitsAreTold(t *testing.T) {
	r := onEmbedded(t, embedded.Options{})
	topic := r.topic(t, 1, nil)
	var mu sync.Mutex
	var said []string
	kafka.SayAfter(r.client, 50*time.Millisecond, func(line string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, line)
	})
	lines := func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(said)
	}
	fake := r.fake.Fake()
	var over atomic.Bool
	fake.ControlKey(kmsg.ListOffsets.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if over.Load() || len(lines()) > 0 {
			return nil, nil, false
		}
		fake.KeepControl()
		list := req.(*kmsg.ListOffsetsRequest)
		resp := answer(list, 0)
		resp.Topics[0].Partitions[0].ErrorCode = kerr.OffsetNotAvailable.Code
		resp.ThrottleMillis = 40
		return resp, nil, true
	})
	if _, err := r.client.Patient(time.Minute).LogEnds(t.Context(), []string{topic}); err != nil {
		t.Fatal(err)
	}
	got := lines()
	if len(got) == 0 || !strings.Contains(got[0], `cluster "old"`) || !strings.Contains(got[0], "reading the log ends of 1 topics") || !strings.Contains(got[0], "asked again") || !strings.Contains(got[0], "for up to 40ms each") {
		t.Errorf("said %q", got)
	}
	kafka.SayAfter(r.client, time.Hour, func(string) { t.Error("something was said") })
	over.Store(true)
	if err := second(r.client.LogEnds(t.Context(), []string{topic})); err != nil {
		t.Error(err)
	}
}

// The list is Kafka's own. franz-go keeps one as well, which differs in four
// places (4.3.0): BROKER_NOT_AVAILABLE is not retriable for Kafka, transactions
// that are under way and share sessions are.
func TestRetriableIsKafkasList(t *testing.T) {
	differ := map[int16]bool{}
	for code := int16(1); code < 150; code++ {
		theirs, known := kerr.ErrorForCode(code).(*kerr.Error)
		if known && theirs.Code == code && theirs.Retriable != kafka.Retriable(code) {
			differ[code] = kafka.Retriable(code)
		}
	}
	want := map[int16]bool{8: false, 51: true, 122: true, 123: true}
	if !maps.Equal(differ, want) {
		t.Errorf("differs from franz-go's list in %v, want %v", differ, want)
	}
}
