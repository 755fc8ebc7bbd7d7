package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// stateTimeout bounds one request about state: a heartbeat that hangs on a
// frozen broker must leave time for another try.
const stateTimeout = 3 * time.Second

// stateRecordBytes is the largest batch that a topic of ours takes: a selection
// of 50,000 topics with long names.
const stateRecordBytes = 8 << 20

// StateLogOptions say what a state topic is like that does not exist yet.
type StateLogOptions struct {
	ReplicationFactor int               // zero: three, or as many as there are brokers
	Configs           map[string]string // over those that kplan sets
}

// StateLog is the compacted topic with one partition in which executor/state
// keeps the state of a migration. It has connections of its own, so that
// heartbeats do not wait behind other requests. It is safe for concurrent use.
//
// Batches are sent with acks=all and without a producer id: a try whose answer
// was lost may be in the log, and executor/state finds out by reading. The
// topic is made with the first append, and its timestamps are the brokers':
// nothing depends on the clock of this machine.
type StateLog struct {
	c      *Client
	topic  string
	o      StateLogOptions
	client sarama.Client
	logs   *logs        // for reading
	end    atomic.Int64 // where the log ends at least: behind what was acknowledged here

	mu     sync.Mutex // guards what follows, and that the topic is made once
	exists bool
	limit  int // max.message.bytes
}

// StateTopic is the topic that keeps the state of a migration.
func StateTopic(migration string) string { return "_kplan." + migration }

// ShelfTopic is the topic beside it, for the mirror.
func ShelfTopic(migration string) string { return StateTopic(migration) + ".mirror" }

// StateTopicError says why a topic cannot keep state, or cannot take an entry.
type StateTopicError struct {
	Topic   string
	Cluster string
	Why     string
	Err     error // may be nil
}

func (e *StateTopicError) Error() string {
	msg := fmt.Sprintf("topic %q of %s cannot keep the state: %s", e.Topic, e.Cluster, e.Why)
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

func (e *StateTopicError) Unwrap() error { return e.Err }

// Permanent says that trying again is no use.
func (e *StateTopicError) Permanent() bool { return true }

// StateLog opens the state topic of that name, which need not exist. A topic
// that is not compacted or has several partitions is refused with a
// *StateTopicError.
func (c *Client) StateLog(ctx context.Context, topic string, o StateLogOptions) (*StateLog, error) {
	conf := newConfig(c.ep)
	conf.Net.DialTimeout, conf.Net.ReadTimeout, conf.Net.WriteTimeout = stateTimeout, stateTimeout, stateTimeout
	client, err := sarama.NewClient(c.ep.Bootstrap, conf)
	if err != nil {
		return nil, explainOpen(ctx, c.ep, err)
	}
	reading, err := newLogs(c.ep, stateTimeout)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	l := &StateLog{c: c, topic: topic, o: o, client: client, logs: reading}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.find(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close ends the connections.
func (l *StateLog) Close() error {
	l.logs.wire.Close()
	if err := l.client.Close(); err != nil && !errors.Is(err, sarama.ErrClosedClient) {
		return fmt.Errorf("closing the connections to %s: %w", l.c.ep.Name(), err)
	}
	return nil
}

// Where names the topic for people.
func (l *StateLog) Where() string { return fmt.Sprintf("the topic %s of %s", l.topic, l.c.ep.Name()) }

// Identity names the topic for the journal: another cluster by the same address
// is another place.
func (l *StateLog) Identity() string { return fmt.Sprintf("kafka %s/%s", l.c.id, l.topic) }

func (l *StateLog) refuse(why string, err error) error {
	return &StateTopicError{Topic: l.topic, Cluster: l.c.ep.Name(), Why: why, Err: err}
}

// find looks whether the topic is there and fit. It is called with mu held.
func (l *StateLog) find(ctx context.Context) error {
	topics, err := l.c.TopicsNamed(ctx, []string{l.topic})
	if err != nil {
		return fmt.Errorf("looking for the state topic: %w", err)
	}
	t, ok := topics[l.topic]
	if !ok {
		return nil
	}
	if n := len(t.Partitions); n != 1 {
		return l.refuse(fmt.Sprintf("it has %d partitions, and the state needs one order of everything. Delete it if it is not in use, kplan makes it as it must be; or name another migration", n), nil)
	}
	if policy := t.Configs["cleanup.policy"].Value; policy != "compact" {
		return l.refuse(fmt.Sprintf("its cleanup.policy is %q, so parts of the journal may be deleted already. Delete it if it is not in use, kplan makes it as it must be; if it holds the state of a migration, look at that first (kplan state list), then set cleanup.policy=compact", policy), nil)
	}
	if _, err := fmt.Sscan(t.Configs["max.message.bytes"].Value, &l.limit); err != nil {
		return fmt.Errorf("reading max.message.bytes of topic %q: %w", l.topic, err)
	}
	l.exists = true
	return nil
}

// ensure makes the topic, once.
func (l *StateLog) ensure(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.exists {
		return nil
	}
	if err := l.find(ctx); err != nil || l.exists {
		return err
	}
	replicas := l.o.ReplicationFactor
	if replicas == 0 {
		brokers, err := l.c.BrokerIDs(ctx)
		if err != nil {
			return fmt.Errorf("counting the brokers of %s: %w", l.c.ep.Name(), err)
		}
		replicas = min(3, len(brokers))
	}
	configs := map[string]string{
		"cleanup.policy":                 "compact",
		"max.message.bytes":              fmt.Sprint(stateRecordBytes),
		"message.timestamp.type":         "LogAppendTime", // a clock that is an hour ahead is refused else (KIP-937)
		"unclean.leader.election.enable": "false",
		"segment.ms":                     "3600000", // so that old heartbeats can be compacted away
		"min.cleanable.dirty.ratio":      "0.1",
	}
	if replicas >= 3 {
		configs["min.insync.replicas"] = "2"
	}
	for k, v := range l.o.Configs {
		configs[k] = v
	}
	err := l.c.CreateTopic(ctx, cluster.TopicSpec{Name: l.topic, Partitions: 1, ReplicationFactor: replicas, Configs: configs}, false)
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		return l.refuse("it cannot be made. kplan needs the right to create it, or somebody makes it with one partition and cleanup.policy=compact", err)
	case err != nil && !errors.Is(err, cluster.ErrTopicExists):
		return err
	}
	if err := l.find(ctx); err != nil {
		return err
	}
	if !l.exists {
		return fmt.Errorf("topic %q was made and is not shown yet", l.topic)
	}
	return nil
}

// there reports whether the topic exists; it may have been made meanwhile.
func (l *StateLog) there(ctx context.Context) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.exists {
		return true, nil
	}
	err := l.find(ctx)
	return l.exists, err
}

// call runs a request that knows no context. One that is given up ends by its
// own timeout.
func call[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	type result struct {
		got T
		err error
	}
	done := make(chan result, 1)
	go func() {
		got, err := ask()
		done <- result{got, err}
	}()
	select {
	case r := <-done:
		return r.got, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// askLeader asks the leader something. After a failure the next one finds out anew
// who leads, on a new connection.
func askLeader[T any](ctx context.Context, l *StateLog, ask func(b *sarama.Broker) (T, error)) (T, error) {
	return call(ctx, func() (T, error) {
		var none T
		b, err := l.client.Leader(l.topic, 0)
		if err != nil {
			return none, fmt.Errorf("finding the leader of topic %q: %w", l.topic, err)
		}
		got, err := ask(b)
		if err != nil {
			if disconnected(err) {
				_ = b.Close() // it is broken, or will be opened again
			}
			_ = l.client.RefreshMetadata(l.topic) // the next try says if that fails
			return none, fmt.Errorf("asking broker %d: %w", b.ID(), err)
		}
		return got, nil
	})
}
