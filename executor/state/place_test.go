package state_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"path/filepath"
	"testing"
	"time"

	"kplan/executor/state"
	"kplan/internal/embedded"
	"kplan/internal/endpoint"
	"kplan/internal/kafka"
	"kplan/internal/kafkatest"
)

var brokers kafkatest.Pool

// opener opens one more backend of the same place, as another process would.
type opener func(opts ...state.Option) recorder

// recorder is a backend that shows its records.
type recorder interface {
	state.Backend
	Records(ctx context.Context) ([]state.Record, error)
}

// places are what the conformance suite runs on; each call is a new, empty one.
func places() map[string]func(t *testing.T) opener {
	return map[string]func(t *testing.T) opener{
		"file":     inDirectory,
		"embedded": onEmbedded,
	}
}

func realPlaces() map[string]func(t *testing.T) opener {
	return map[string]func(t *testing.T) opener{
		"4.3.0": func(t *testing.T) opener { return onReal(t, kafkatest.V4_3_0) },
		"2.8.2": func(t *testing.T) opener { return onReal(t, kafkatest.V2_8_2) },
	}
}

func inDirectory(t *testing.T) opener {
	dir := filepath.Join(t.TempDir(), "orders")
	return func(opts ...state.Option) recorder { return state.NewFile(dir, clock, opts...) }
}

func onEmbedded(t *testing.T) opener {
	t.Helper()
	c, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return inTopic(t, c.Bootstrap(), "_kplan.orders", 30*time.Second, nil)
}

func onReal(t *testing.T, v kafkatest.Version) opener {
	t.Helper()
	c := brokers.Shared(t, kafkatest.Stock(v))
	return inTopic(t, c.Bootstrap(kafkatest.Plaintext), fmt.Sprintf("_kplan.orders-%08x", rand.Uint32()), 30*time.Second, nil)
}

// inTopic opens backends of a topic, each with connections of its own.
func inTopic(t *testing.T, bootstrap []string, topic string, ttl time.Duration, configs map[string]string) opener {
	return func(opts ...state.Option) recorder {
		t.Helper()
		log := topicLog(t, bootstrap, topic, configs)
		b := state.NewKafka(log, log.Where(), log.Identity(), clock, append([]state.Option{state.TTL(ttl)}, opts...)...)
		t.Cleanup(func() { closed(t, b.Close()) })
		return b
	}
}

// topicLog opens a state topic with connections of its own. The backend that
// gets it closes it.
func topicLog(t *testing.T, bootstrap []string, topic string, configs map[string]string) *kafka.StateLog {
	t.Helper()
	client, err := kafka.Open(t.Context(), endpoint.Endpoint{Cluster: "old", Bootstrap: bootstrap}, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, client.Close()) })
	log, err := client.StateLog(t.Context(), topic, kafka.StateLogOptions{Configs: configs})
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func closed(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func isKafka(b state.Backend) bool { _, ok := b.(*state.Kafka); return ok }

// elsewhere is a holder on another machine: whether it lives only its
// heartbeats can tell.
func elsewhere(who string) state.Holder {
	return state.Holder{ID: who, Who: who, Host: "there", PID: 4711, Space: "the machine of " + who, Since: clock().Add(-time.Minute)}
}

func acquire(t *testing.T, b state.Backend, h state.Holder) state.Session {
	t.Helper()
	s, err := b.Acquire(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, s.Release()) })
	return s
}

func appendAll(t *testing.T, s state.Session, records ...state.Record) {
	t.Helper()
	if _, err := s.Append(records...); err != nil {
		t.Fatal(err)
	}
}

func readState(t *testing.T, b state.Backend) state.State {
	t.Helper()
	st, err := b.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func as[E error](t *testing.T, err error) E {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want a %T", err, e)
	}
	return e
}
