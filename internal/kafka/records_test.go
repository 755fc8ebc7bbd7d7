package kafka_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/kafka"
)

// fetches lets answer say what a partition holds, for as many fetches as it
// likes.
func (r *rig) fetches(answer func(n int64, p *kmsg.FetchResponseTopicPartition) bool) *atomic.Int64 {
	var n atomic.Int64
	fake := r.fake.Fake()
	fake.ControlKey(kmsg.Fetch.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		p := kmsg.NewFetchResponseTopicPartition()
		p.RecordBatches = []byte{}
		asked := req.(*kmsg.FetchRequest).Topics[0]
		p.Partition = asked.Partitions[0].Partition
		if !answer(n.Add(1), &p) {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = asked.Topic
		topic.Partitions = append(topic.Partitions, p)
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
	return &n
}

// Taken out: the second question. A leader whose last stable offset is behind
// (deposed and unaware of it, or elected before its followers have fetched)
// answers with nothing and without an error; that is no proof that everything
// before the boundary is read (R7).
func TestAnEmptyAnswerIsNoProof(t *testing.T) {
	t.Parallel()
	r := onEmbedded(t, embedded.Options{})
	at := tp(r.topic(t, 1, nil), 0)
	produce(t, r.another(t, byHand()), at, 10)
	asked := r.fetches(func(n int64, p *kmsg.FetchResponseTopicPartition) bool {
		p.HighWatermark, p.LastStableOffset = 5, 5
		return n == 1
	})
	rec, ok, err := r.client.FirstRecord(t.Context(), at, 5, 10)
	if err != nil || !ok || rec.Offset != 5 || asked.Load() < 2 {
		t.Errorf("the leader was behind once: %+v, %v, %v after %d fetches", rec, ok, err, asked.Load())
	}
	r.fetches(func(_ int64, p *kmsg.FetchResponseTopicPartition) bool {
		p.HighWatermark, p.LastStableOffset = 5, 5
		return true
	})
	if rec, ok, err := r.client.FirstRecord(t.Context(), at, 5, 10); !errors.Is(err, cluster.ErrBehind) || ok {
		t.Errorf("the leader stays behind: %+v, %v, %v", rec, ok, err)
	}
}

// An answer that a quota holds back has no partitions, although there is something
// to read, and it is asked for again.
func TestAnAnswerHeldBackIsAskedForAgain(t *testing.T) {
	r := onEmbedded(t, embedded.Options{})
	at := tp(r.topic(t, 1, nil), 0)
	produce(t, r.another(t, byHand()), at, 3)
	fake, n := r.fake.Fake(), 0
	fake.ControlKey(kmsg.Fetch.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		if n++; n > 2 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		resp.ThrottleMillis = 10
		return resp, nil, true
	})
	if rec, ok, err := r.client.FirstRecord(t.Context(), at, 1, 3); err != nil || !ok || rec.Offset != 1 {
		t.Errorf("%+v, %v, %v", rec, ok, err)
	}
}

// A leader that has more, and answers with nothing, is asked again, but not for
// ever, and nothing is concluded from it.
func TestALeaderThatShowsNothing(t *testing.T) {
	t.Parallel()
	r := onEmbedded(t, embedded.Options{})
	at := tp(r.topic(t, 1, nil), 0)
	produce(t, r.another(t, byHand()), at, 3)
	empty := func(most int64) *atomic.Int64 {
		return r.fetches(func(n int64, p *kmsg.FetchResponseTopicPartition) bool {
			p.HighWatermark, p.LastStableOffset = 3, 3
			return n <= most
		})
	}
	empty(2)
	if rec, ok, err := r.client.FirstRecord(t.Context(), at, 1, 3); err != nil || !ok || rec.Offset != 1 {
		t.Errorf("%+v, %v, %v", rec, ok, err)
	}
	asked := empty(1000)
	if _, ok, err := r.client.FirstRecord(t.Context(), at, 1, 3); err == nil || ok || !strings.Contains(err.Error(), "answered") {
		t.Errorf("%v, %v after %d answers", ok, err, asked.Load())
	}
}

// A log that was cut off behind what was read of it is no drained one.
func TestATruncatedLogIsNotDrained(t *testing.T) {
	t.Parallel()
	r := onEmbedded(t, embedded.Options{})
	at := tp(r.topic(t, 1, nil), 0)
	produce(t, r.another(t, byHand()), at, 3)
	if rec, ok, err := r.client.FirstRecord(t.Context(), at, 7, 10); !errors.Is(err, cluster.ErrBehind) || ok {
		t.Errorf("the log ends at 3, and nothing is said to lie from 7 to 10: %+v, %v, %v", rec, ok, err)
	}
}

// Records of format 0 in the LZ4 frames of old clients are read like others
// (KAFKA-3160), in looks and in samples.
func TestOldFormatsAreRead(t *testing.T) {
	r := onEmbedded(t, embedded.Options{})
	topic := r.topic(t, 1, nil)
	at := tp(topic, 0)
	produce(t, r.another(t, byHand()), at, 2) // so that the ends are those of the answers
	set := append(kafka.MessageBytes(0, 0, []byte("k"), []byte("v")), kafka.MessageBytes(1, 0, []byte("k"), []byte("v"))...)
	r.fetches(func(_ int64, p *kmsg.FetchResponseTopicPartition) bool {
		p.HighWatermark, p.LastStableOffset, p.RecordBatches = 2, 2, kafka.MessageBytes(1, 3, nil, kafka.OldLZ4Bytes(set))
		return true
	})
	if rec, ok, err := r.client.FirstRecord(t.Context(), at, 1, 2); err != nil || !ok || rec != (cluster.Record{Offset: 1, ProducerID: -1, HasKey: true}) {
		t.Errorf("%+v, %v, %v", rec, ok, err)
	}
	snap, err := r.client.Snapshot(t.Context(), func(n string) bool { return n == topic })
	if err != nil || !snap.Keyed[topic] || len(snap.Unread) > 0 {
		t.Errorf("%v %v, %v", snap.Keyed, snap.Unread, err)
	}
}

// One record that cannot be read ends no look at a cluster: the topic is named.
func TestWhatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	r := onEmbedded(t, embedded.Options{})
	topic, other := r.topic(t, 1, nil), r.topic(t, 1, nil)
	w := r.another(t, byHand())
	produce(t, w, tp(topic, 0), 2)
	produce(t, w, tp(other, 0), 2)
	bad := kafka.BatchBytes(0, 1, -1, 0, 0, 1)
	bad[len(bad)-1] ^= 1
	fake := r.fake.Fake()
	fake.ControlKey(kmsg.Fetch.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		for _, asked := range req.(*kmsg.FetchRequest).Topics {
			rt, p := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
			rt.Topic, p.HighWatermark, p.LastStableOffset = asked.Topic, 2, 2
			if p.RecordBatches = kafka.BatchBytes(0, 1, -1, 0, 0, 1); asked.Topic == topic {
				p.RecordBatches = bad
			}
			rt.Partitions = append(rt.Partitions, p)
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
	snap, err := r.client.Snapshot(t.Context(), func(n string) bool { return n == topic || n == other })
	if err != nil || !snap.Keyed[other] || snap.Keyed[topic] || !strings.Contains(snap.Unread[topic], "checksum") || len(snap.Unread) != 1 {
		t.Errorf("keyed %v, unread %v, %v", snap.Keyed, snap.Unread, err)
	}
	if rec, ok, err := r.client.FirstRecord(t.Context(), tp(topic, 0), 0, 2); err != nil || !ok || rec.Offset != 0 || rec.Unread == "" {
		t.Errorf("%+v, %v, %v", rec, ok, err)
	}
}
