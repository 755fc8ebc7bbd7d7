package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kplan/internal/cluster"
	"kplan/internal/embedded"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
)

func (r *rig) stateLog(t *testing.T, topic string, o kafka.StateLogOptions) *kafka.StateLog {
	t.Helper()
	l, err := r.client.StateLog(t.Context(), topic, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func readLog(t *testing.T, l *kafka.StateLog, from int64) (entries []string, next int64) {
	t.Helper()
	next, err := l.Read(t.Context(), from, func(offset int64, key string, value []byte) error {
		text := "-"
		if value != nil {
			text = string(value)
		}
		entries = append(entries, fmt.Sprintf("%d %s=%s", offset, key, text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries, next
}

func TestStateLog(t *testing.T) {
	stateLogs(t, map[string]func(t *testing.T) *rig{
		"embedded": func(t *testing.T) *rig { return onEmbedded(t, embedded.Options{}) },
	})
}

func TestStateLogOnRealBrokers(t *testing.T) {
	stateLogs(t, map[string]func(t *testing.T) *rig{
		"4.3.0": func(t *testing.T) *rig { return onReal(t, kafkatest.V4_3_0, kafkatest.SASLTLS) },
		"2.8.2": func(t *testing.T) *rig { return onReal(t, kafkatest.V2_8_2, kafkatest.SASLTLS) },
	})
}

func stateLogs(t *testing.T, places map[string]func(t *testing.T) *rig) {
	for what, on := range places {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := on(t)
			topic := kafka.StateTopic(name("orders"))
			l := r.stateLog(t, topic, kafka.StateLogOptions{})
			if entries, next := readLog(t, l, 0); next != 0 || len(entries) != 0 {
				t.Errorf("a topic that is not there: %v, %d", entries, next)
			}
			if topics, err := r.client.TopicsNamed(t.Context(), []string{topic}); err != nil || len(topics) != 0 {
				t.Errorf("looking made it: %v, %v", topics, err)
			}
			add := func(want int64, keys []string, values ...[]byte) {
				t.Helper()
				if last, err := l.Append(t.Context(), keys, values); err != nil || last != want {
					t.Fatalf("offset %d, %v, want %d", last, err, want)
				}
			}
			add(0, []string{"a"}, []byte("1"))
			add(3, []string{"b", "c", "a"}, []byte("2"), []byte("3"), nil)
			large := strings.Repeat("x", 5<<20)
			add(4, []string{"large"}, []byte(large))
			add(5, []string{"d"}, []byte("4"))
			other := r.stateLog(t, topic, kafka.StateLogOptions{})
			got, next := readLog(t, other, 0)
			if d := cmp.Diff([]string{"0 a=1", "1 b=2", "2 c=3", "3 a=-", "4 large=" + large, "5 d=4"}, got); d != "" || next != 6 {
				t.Errorf("read up to %d (-want +got):\n%.500s", next, d)
			}
			if got, next := readLog(t, other, 2); len(got) != 4 || next != 6 {
				t.Errorf("from the middle of a batch: %d entries, up to %d", len(got), next)
			}
			if got, next := readLog(t, other, 6); len(got) != 0 || next != 6 {
				t.Errorf("from the end: %v, %d", got, next)
			}
			if l.Identity() != "kafka "+r.client.ClusterID()+"/"+topic || !strings.Contains(l.Where(), topic) {
				t.Errorf("%q, %q", l.Identity(), l.Where())
			}
			topics, err := r.client.TopicsNamed(t.Context(), []string{topic})
			if err != nil {
				t.Fatal(err)
			}
			for k, want := range map[string]string{"cleanup.policy": "compact", "max.message.bytes": "8388608", "message.timestamp.type": "LogAppendTime", "unclean.leader.election.enable": "false"} {
				if got := topics[topic].Configs[k].Value; got != want {
					t.Errorf("%s is %q, want %q", k, got, want)
				}
			}
			_, err = l.Append(t.Context(), []string{"huge"}, [][]byte{make([]byte, 9<<20)})
			refusedState(t, err, "max.message.bytes")
			if _, next := readLog(t, other, 6); next != 6 {
				t.Errorf("a refused record is there: up to %d", next)
			}
			_, err = other.Read(t.Context(), 100, nil)
			refusedState(t, err, "nothing at offset 100")
		})
	}
}

func refusedState(t *testing.T, err error, says string) {
	t.Helper()
	var refused *kafka.StateTopicError
	if !errors.As(err, &refused) || !refused.Permanent() || !strings.Contains(err.Error(), says) {
		t.Errorf("error %v, want %q", err, says)
	}
}

// With three brokers or more a record is on two of them when it counts.
func TestStateLogReplicas(t *testing.T) {
	r := onEmbedded(t, embedded.Options{Brokers: 4})
	for replicas, want := range map[int]int{0: 3, 1: 1, 4: 4} {
		topic := kafka.StateTopic(fmt.Sprint("orders", replicas))
		l := r.stateLog(t, topic, kafka.StateLogOptions{ReplicationFactor: replicas, Configs: map[string]string{"segment.ms": "60000"}})
		if _, err := l.Append(t.Context(), []string{"a"}, [][]byte{[]byte("1")}); err != nil {
			t.Fatal(err)
		}
		topics, err := r.client.TopicsNamed(t.Context(), []string{topic})
		if err != nil {
			t.Fatal(err)
		}
		got := topics[topic]
		if set := got.Configs["min.insync.replicas"]; got.ReplicationFactor() != want || (set.Source == cluster.SourceTopic && set.Value == "2") != (want >= 3) || got.Configs["segment.ms"].Value != "60000" {
			t.Errorf("%d replicas asked for: %d, min.insync.replicas %+v", replicas, got.ReplicationFactor(), set)
		}
	}
}

// A topic in which the journal could lose records, or its order, is refused.
func TestStateLogRefusesTopics(t *testing.T) {
	r := onEmbedded(t, embedded.Options{})
	for says, spec := range map[string]cluster.TopicSpec{
		"cleanup.policy is \"delete\"":         {Partitions: 1, Configs: map[string]string{"cleanup.policy": "delete"}},
		"cleanup.policy is \"compact,delete\"": {Partitions: 1, Configs: map[string]string{"cleanup.policy": "compact,delete"}},
		"2 partitions":                         {Partitions: 2, Configs: map[string]string{"cleanup.policy": "compact"}},
	} {
		spec.Name, spec.ReplicationFactor = name("_kplan.x"), 1
		if err := r.client.CreateTopic(t.Context(), spec, false); err != nil {
			t.Fatal(err)
		}
		_, err := r.client.StateLog(t.Context(), spec.Name, kafka.StateLogOptions{})
		refusedState(t, err, says)
	}
}

// Two who make the topic at once both go on, and a connection that breaks is
// replaced by the next try.
func TestStateLogTrouble(t *testing.T) {
	r := onEmbedded(t, embedded.Options{})
	a, b := r.stateLog(t, "_kplan.orders", kafka.StateLogOptions{}), r.stateLog(t, "_kplan.orders", kafka.StateLogOptions{})
	done := make(chan error, 2)
	for _, l := range []*kafka.StateLog{a, b} {
		go func() {
			_, err := l.Append(t.Context(), []string{"k"}, [][]byte{[]byte("v")})
			done <- err
		}()
	}
	if err := errors.Join(<-done, <-done); err != nil {
		t.Fatal(err)
	}
	r.fake.Fake().ControlKey(kmsg.Produce.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		return nil, io.ErrUnexpectedEOF, true // cuts the connection
	})
	_, err := a.Append(t.Context(), []string{"k"}, [][]byte{[]byte("v")})
	if permanent := (*kafka.StateTopicError)(nil); err == nil || errors.As(err, &permanent) {
		t.Errorf("the first try: %v", err)
	}
	if last, err := a.Append(t.Context(), []string{"k"}, [][]byte{[]byte("v")}); err != nil || last != 2 {
		t.Errorf("the second try: %d, %v", last, err)
	}
	stop := errors.New("interrupted")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, stop)
	defer cancel()
	hang := make(chan struct{})
	defer close(hang)
	r.fake.Fake().ControlKey(kmsg.Produce.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		r.fake.Fake().SleepControl(func() { <-hang })
		return nil, nil, false
	})
	if _, err := a.Append(ctx, []string{"k"}, [][]byte{[]byte("v")}); !errors.Is(err, stop) {
		t.Errorf("a broker that does not answer: %v", err)
	}
}

// answerFetches lets a test answer the fetches of a cluster, until it says no.
func (r *rig) answerFetches(answer func() (*kmsg.FetchResponse, bool)) {
	r.fake.Fake().ControlKey(kmsg.Fetch.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		resp, more := answer()
		if !more {
			return nil, nil, false
		}
		r.fake.Fake().KeepControl()
		resp.SetVersion(req.GetVersion())
		return resp, nil, true
	})
}

// An answer that a client quota holds back has no partitions: that is no broken
// answer, and what is there is read when the time has come.
func TestStateLogIsHeldBack(t *testing.T) {
	r := onEmbedded(t, embedded.Options{})
	l := r.stateLog(t, "_kplan.orders", kafka.StateLogOptions{})
	if _, err := l.Append(t.Context(), []string{"k"}, [][]byte{[]byte("v")}); err != nil {
		t.Fatal(err)
	}
	var held atomic.Int64
	r.answerFetches(func() (*kmsg.FetchResponse, bool) {
		resp := kmsg.NewPtrFetchResponse()
		resp.ThrottleMillis = 1
		return resp, held.Add(1) < 3
	})
	if entries, next := readLog(t, l, 0); next != 1 || len(entries) != 1 || held.Load() < 3 {
		t.Errorf("%q, up to %d, after %d answers that were held back", entries, next, held.Load())
	}
}

// A broker that was deposed and has not noticed lacks what was acknowledged by its
// successor: its end is not that of the log, and the next try asks who leads.
func TestStateLogOfADeposedLeader(t *testing.T) {
	r := onEmbedded(t, embedded.Options{})
	l := r.stateLog(t, "_kplan.orders", kafka.StateLogOptions{})
	for range 2 {
		if _, err := l.Append(t.Context(), []string{"k"}, [][]byte{[]byte("v")}); err != nil {
			t.Fatal(err)
		}
	}
	readLog(t, l, 0)
	var asked, told atomic.Int64
	r.fake.Fake().ControlKey(kmsg.Metadata.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		r.fake.Fake().KeepControl()
		asked.Add(1)
		return nil, nil, false
	})
	r.answerFetches(func() (*kmsg.FetchResponse, bool) {
		resp, topic, one := kmsg.NewPtrFetchResponse(), kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
		one.HighWatermark, one.LastStableOffset = 1, 1
		topic.Topic, topic.Partitions = "_kplan.orders", append(topic.Partitions, one)
		resp.Topics = append(resp.Topics, topic)
		return resp, told.Add(1) < 2
	})
	nothing := func(int64, string, []byte) error { return nil }
	if next, err := l.Read(t.Context(), 1, nothing); err == nil {
		t.Errorf("it is said to end at %d", next)
	}
	before := asked.Load()
	if _, next := readLog(t, l, 1); next != 2 || asked.Load() == before {
		t.Errorf("read up to %d, and who leads was asked for %d times", next, asked.Load()-before)
	}
}
