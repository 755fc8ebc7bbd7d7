package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/mirror"
	"kplan/mirror/wire"
)

// What may pass is waited for, with its reason in the standing, while the other
// partitions go on; when it has passed, nothing is lost and nothing is twice.
func TestWhatMayPassIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		key  kmsg.Key
		err  *kerr.Error
		want mirror.Limit
	}{
		{kmsg.Produce, kerr.NotEnoughReplicas, mirror.ByReplicas},
		{kmsg.Produce, kerr.NotEnoughReplicasAfterAppend, mirror.ByReplicas},
		{kmsg.Produce, kerr.KafkaStorageError, mirror.ByTrouble},
		{kmsg.Produce, kerr.PolicyViolation, mirror.ByTrouble},
		{kmsg.Produce, kerr.TopicAuthorizationFailed, mirror.ByTrouble},
		{kmsg.Produce, kerr.UnknownServerError, mirror.ByTrouble},
		{kmsg.Produce, kerr.RequestTimedOut, mirror.ByTrouble},
		{kmsg.Produce, kerr.NotLeaderForPartition, mirror.ByTrouble},
		{kmsg.Fetch, kerr.TopicAuthorizationFailed, mirror.ByTrouble},
		{kmsg.Fetch, kerr.KafkaStorageError, mirror.ByTrouble},
		{kmsg.Fetch, kerr.OffsetOutOfRange, mirror.ByTrouble}, // from a broker that is not right
		{kmsg.ListOffsets, kerr.OffsetNotAvailable, mirror.ByTrouble},
		{kmsg.ListOffsets, kerr.TopicAuthorizationFailed, mirror.ByTrouble},
	} {
		t.Run(one.key.Name()+" "+one.err.Message, func(t *testing.T) {
			t.Parallel()
			f := newFaked(t, 2)
			p := f.partitions
			f.write(t, 50)
			side := f.target
			if one.key == kmsg.Fetch {
				side = f.source
			}
			fault := side.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{one.key}, Topic: fakedTopic, Partitions: []int32{0}, Err: one.err, Count: -1})
			c, _ := f.run(t, nil)
			if one.err == kerr.NotEnoughReplicasAfterAppend || one.err == kerr.RequestTimedOut {
				f.drained(t, c, p...) // they are in the log all the same
				f.write(t, 50)
				f.drained(t, c, p...)
				f.same(t, p...)
				if fault.Hits() < 2 {
					t.Errorf("the fault was hit %d times", fault.Hits())
				}
				return
			}
			if err := fault.Wait(briefly(t), 4); err != nil {
				t.Fatal(err)
			}
			f.drained(t, c, p[1])
			got := standing(t, c, p[0], func(s mirror.Standing) bool { return errors.Is(s.Why, one.err) || gap(s.Why) })
			if got.Phase == mirror.Stopped || got.Progress.Limit != one.want || got.Since.IsZero() {
				t.Errorf("%s, limited by %s, since %s: %v", got.Phase, got.Progress.Limit, got.Since, got.Why)
			}
			fault.Remove()
			f.write(t, 50)
			f.drained(t, c, p...)
			f.same(t, p...)
			standing(t, c, p[0], func(s mirror.Standing) bool { return s.Why == nil && s.Progress.Limit == mirror.ByNothing })
		})
	}
}

// briefly is longer than anything here takes.
func briefly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func gap(err error) bool {
	var e *mirror.GapError
	return errors.As(err, &e)
}

// What does not pass stops its partition by name, and no other.
func TestWhatDoesNotPassIsNamed(t *testing.T) {
	t.Parallel()
	for _, err := range []*kerr.Error{kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.UnsupportedForMessageFormat, kerr.MessageTooLarge, kerr.InvalidProducerEpoch} {
		t.Run(err.Message, func(t *testing.T) {
			t.Parallel()
			f := newFaked(t, 2)
			f.write(t, 20)
			f.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: fakedTopic, Partitions: []int32{0}, Err: err, Count: -1})
			c, _ := f.run(t, nil)
			got := standing(t, c, f.partitions[0], func(s mirror.Standing) bool { return s.Phase == mirror.Stopped })
			var refused *mirror.RefusedError
			switch {
			case !errors.Is(got.Why, err):
				t.Errorf("it says: %v", got.Why)
			case err == kerr.InvalidProducerEpoch:
			case !errors.As(got.Why, &refused) || refused.Source != 0 || refused.Partition != f.partitions[0]:
				t.Errorf("it says: %v", got.Why)
			case err == kerr.MessageTooLarge && refused.Records != 1:
				t.Errorf("it was not cut: %d records", refused.Records)
			}
			f.drained(t, c, f.partitions[1])
			f.same(t, f.partitions[1])
			if err := c.Drained(briefly(t), f.ends(t, f.source)); !errors.Is(err, got.Why) {
				t.Errorf("waiting for it: %v", err)
			}
			named(t, got)
		})
	}
}

// named fails unless the reason for which a partition is stopped says which one it
// is: people read it without the standing, among those of others.
func named(t *testing.T, s mirror.Standing) {
	t.Helper()
	if name := fmt.Sprintf("%s[%d]", s.Topic, s.Number); s.Why == nil || strings.Count(s.Why.Error(), name) != 1 {
		t.Errorf("a reason that has to name %s, once: %v", name, s.Why)
	}
}

// A sequence that is refused again and again at one log end is a stop: no
// outage answers so.
func TestASequenceThatIsNeverTaken(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	f.write(t, 20)
	f.target.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: fakedTopic, Err: kerr.OutOfOrderSequenceNumber, Count: -1})
	c, _ := f.run(t, nil)
	got := standing(t, c, f.partitions[0], func(s mirror.Standing) bool { return s.Phase == mirror.Stopped })
	var sequence *mirror.SequenceError
	if !errors.As(got.Why, &sequence) || sequence.Offset != 0 {
		t.Errorf("it says: %v", got.Why)
	}
	named(t, got)
}

// Retention that overtakes the copy is named with both offsets.
func TestRetentionOvertakesTheCopy(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 2)
	f.write(t, 20)
	c, end := f.run(t, nil)
	f.drained(t, c, f.partitions...)
	end()
	f.write(t, 20)
	admin := kadm.NewClient(f.client(t, f.source))
	if _, err := admin.DeleteRecords(t.Context(), kadm.Offsets{fakedTopic: {0: {Topic: fakedTopic, Partition: 0, At: 30}}}); err != nil {
		t.Fatal(err)
	}
	c, _ = f.run(t, nil)
	got := standing(t, c, f.partitions[0], func(s mirror.Standing) bool { return s.Phase == mirror.Stopped })
	var gap *mirror.GapError
	if !errors.As(got.Why, &gap) || gap.Next != 20 || gap.LogStart != 30 {
		t.Errorf("it says: %v", got.Why)
	}
	named(t, got)
	f.drained(t, c, f.partitions[1])
}

// When the target has more of the mirror's records than the source can tell for,
// as after a compaction and with a lost map, that is said. (The map here puts the
// beginning elsewhere, which comes to the same.)
func TestTheTargetHasMoreThanTheSource(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	f.write(t, 50)
	c, end := f.run(t, nil)
	f.drained(t, c, f.partitions...)
	end()
	shifted, err := mirror.NewMap(mirror.Point{Source: 20, Target: 0})
	if err != nil {
		t.Fatal(err)
	}
	c, _ = f.run(t, func(conf *mirror.Config) {
		conf.Partitions = map[wire.Partition]mirror.Assignment{f.partitions[0]: {Offsets: shifted}}
	})
	got := standing(t, c, f.partitions[0], func(s mirror.Standing) bool { return s.Phase == mirror.Stopped })
	var surplus *mirror.SurplusError
	if !errors.As(got.Why, &surplus) || surplus.Target != 30 {
		t.Errorf("it says: %v", got.Why)
	}
	named(t, got)
}

// A topic that was made anew is another one, on either side, while the mirror
// runs and between two runs.
func TestATopicMadeAnew(t *testing.T) {
	t.Parallel()
	for _, side := range []string{"source", "target"} {
		for _, running := range []bool{true, false} {
			name := side + " between two runs"
			if running {
				name = side + " while it runs"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f := newFaked(t, 1)
				f.write(t, 20)
				c, end := f.run(t, nil)
				f.drained(t, c, f.partitions...)
				if !running {
					end()
				}
				cluster := f.source
				if side == "target" {
					cluster = f.target
				}
				admin := kadm.NewClient(f.client(t, cluster))
				if _, err := admin.DeleteTopics(t.Context(), fakedTopic); err != nil {
					t.Fatal(err)
				}
				if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, fakedTopic); err != nil {
					t.Fatal(err)
				}
				f.write(t, 30)
				if !running {
					c, _ = f.run(t, nil)
				}
				got := standing(t, c, f.partitions[0], func(s mirror.Standing) bool { return s.Phase == mirror.Stopped })
				var anew *mirror.RecreatedError
				if !errors.As(got.Why, &anew) || anew.Side != side || anew.Was == anew.Is {
					t.Errorf("it says: %v", got.Why)
				}
			})
		}
	}
}

// A stranger's records on the target are named with offset and producer id, and
// the partition is not written to any more (R14).
func TestAStrangerIsNamed(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{true, false} {
		name := "between two runs"
		if running {
			name = "while it runs"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFaked(t, 2)
			f.write(t, 20)
			c, end := f.run(t, nil)
			f.drained(t, c, f.partitions...)
			if !running {
				end()
			}
			stranger := f.client(t, f.target)
			if err := stranger.ProduceSync(t.Context(), &kgo.Record{Topic: fakedTopic, Partition: 0, Value: []byte("strange")}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			id, _, err := stranger.ProducerID(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !running {
				c, _ = f.run(t, nil)
			}
			f.write(t, 20)
			got := standing(t, c, f.partitions[0], func(s mirror.Standing) bool { return s.Phase == mirror.Stopped })
			var named *mirror.StrangerError
			if !errors.As(got.Why, &named) || named.Offset != 20 || named.ProducerID != id {
				t.Errorf("it says: %v (the stranger has %d)", got.Why, id)
			}
			f.drained(t, c, f.partitions[1])
			f.same(t, f.partitions[1])
			before := f.ends(t, f.target)[f.partitions[0]]
			f.write(t, 20)
			f.drained(t, c, f.partitions[1])
			if end := f.ends(t, f.target)[f.partitions[0]]; end != before || !running && end != 21 {
				t.Errorf("%d records were written behind the stranger's, and %d after it was named", before-21, end-before)
			}
		})
	}
}

// A stranger is found by the drain too, when nothing is left to be copied: the
// log end is not where the map puts the source's (R4).
func TestDrainComparesTheLogEnd(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	f.write(t, 20)
	c, _ := f.run(t, nil)
	f.drained(t, c, f.partitions...)
	if err := f.client(t, f.target).ProduceSync(t.Context(), &kgo.Record{Topic: fakedTopic, Value: []byte("strange")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	var named *mirror.StrangerError
	if err := c.Drained(briefly(t), f.ends(t, f.source)); !errors.As(err, &named) || named.Offset != 20 {
		t.Errorf("it says: %v", err)
	}
}

// What was there is drained when it is acknowledged, though more is under way.
func TestDrainDoesNotWaitForMore(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	f.write(t, 20)
	c, end := f.run(t, func(conf *mirror.Config) { conf.Limits.Timeout = time.Second })
	f.drained(t, c, f.partitions...)
	arrived := make(chan struct{})
	f.target.Fake().ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(arrived)
		return nil, nil, true // no answer
	})
	f.write(t, 20)
	<-arrived
	if err := c.Drained(briefly(t), map[wire.Partition]int64{f.partitions[0]: 20}); err != nil {
		t.Errorf("%v: %+v", err, c.Status())
	}
	if got := c.Status()[0]; got.Copied != 20 || got.Lag() != 20 {
		t.Errorf("%+v", got)
	}
	end()
}

// Records that the target has acknowledged and lost, as by an unclean election,
// are sent again from its log end: nothing is missing, nothing is twice.
func TestWhatTheTargetLosesIsSentAgain(t *testing.T) {
	t.Parallel()
	f := newFaked(t, 1)
	f.write(t, 20)
	c, _ := f.run(t, nil)
	f.drained(t, c, f.partitions...)
	end := f.ends(t, f.target)[f.partitions[0]]
	fake, lost := f.target.Fake(), make(chan struct{})
	fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		close(lost) // once: it is taken away when it has answered
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic = fakedTopic
		part := kmsg.NewProduceResponseTopicPartition()
		part.BaseOffset = end
		topic.Partitions = append(topic.Partitions, part)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	f.write(t, 20)
	<-lost
	f.write(t, 20)
	f.drained(t, c, f.partitions...)
	f.same(t, f.partitions...)
	if m, ok := c.Map(f.partitions[0]); !ok || m.Records() != 60 || m.End() != (mirror.Point{Source: 60, Target: 60}) {
		t.Errorf("the map has %d records up to %+v", m.Records(), m.End())
	}
}
