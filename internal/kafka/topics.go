package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// Topics describes the topics of the cluster for which want says yes, with
// every config and its source. It reads the metadata of the whole cluster;
// whoever knows the names asks TopicsNamed. Topics whose configs are the same
// share one map, which must not be changed.
func (c *Client) Topics(ctx context.Context, want func(name string) bool) (map[string]cluster.Topic, error) {
	var seen view
	err := c.retry(ctx, "describing its topics", func() (err error) {
		seen, err = c.view(ctx, nil, want)
		return err
	})
	return seen.topics, err
}

// TopicsNamed describes topics by name, like Topics. Those that the cluster
// does not have are absent, and none is created.
func (c *Client) TopicsNamed(ctx context.Context, names []string) (map[string]cluster.Topic, error) {
	if len(names) == 0 {
		return map[string]cluster.Topic{}, nil
	}
	var seen view
	err := c.retry(ctx, fmt.Sprintf("describing %d topics", len(names)), func() (err error) {
		seen, err = c.view(ctx, names, func(string) bool { return true })
		return err
	})
	return seen.topics, err
}

// view is what one look at the metadata and the configs shows.
type view struct {
	topics     map[string]cluster.Topic
	leaders    map[cluster.TopicPartition]leader // of those topics, as far as there are any
	others     []string                          // topics that were not wanted
	brokers    []cluster.Broker
	replicas   map[int32]int // by broker, of every topic that was listed
	controller int32
	told       int32 // the broker that was asked for the metadata
}

// defaultSamples is how many other topics are looked at for defaults.
const defaultSamples = 10

// view describes the named topics, or all where names is nil, as far as they
// are wanted.
func (c *Client) view(ctx context.Context, names []string, want func(name string) bool) (view, error) {
	if ctx.Err() != nil {
		return view{}, context.Cause(ctx)
	}
	meta, told, err := c.metadataFrom(nil, names)
	if err != nil {
		return view{}, fmt.Errorf("listing the topics of %s: %w", c.ep.Name(), err)
	}
	seen := view{topics: map[string]cluster.Topic{}, leaders: map[cluster.TopicPartition]leader{}, replicas: map[int32]int{}, controller: meta.ControllerID, told: told}
	for _, b := range meta.Brokers {
		seen.brokers = append(seen.brokers, brokerOf(b))
	}
	for _, t := range meta.Topics {
		for _, p := range t.Partitions {
			for _, broker := range p.Replicas {
				seen.replicas[broker]++
			}
		}
		switch {
		case !want(t.Name):
			seen.others = append(seen.others, t.Name)
			continue
		case errors.Is(t.Err, sarama.ErrUnknownTopicOrPartition):
			continue
		case !errors.Is(t.Err, sarama.ErrNoError):
			return view{}, fmt.Errorf("describing topic %q of %s: %w", t.Name, c.ep.Name(), t.Err)
		}
		topic := topicOf(t)
		seen.topics[t.Name] = topic
		for _, p := range topic.Partitions {
			seen.leaders[cluster.TopicPartition{Topic: t.Name, Partition: p.ID}] = leader{id: p.Leader, epoch: p.LeaderEpoch}
		}
	}
	described, err := c.configsOf(ctx, slices.Sorted(maps.Keys(seen.topics)), func(topic string, err error) error {
		return fmt.Errorf("reading the configs of topic %q of %s: %w", topic, c.ep.Name(), err)
	})
	if err != nil {
		return view{}, fmt.Errorf("reading the topic configs of %s: %w", c.ep.Name(), err)
	}
	for name, t := range seen.topics {
		configs, ok := described[name]
		if !ok {
			return view{}, fmt.Errorf("reading the configs of topic %q of %s: %w", name, c.ep.Name(), sarama.ErrIncompleteResponse)
		}
		t.Configs = configs
		seen.topics[name] = t
	}
	return seen, nil
}

func topicOf(t *sarama.TopicMetadata) cluster.Topic {
	out := cluster.Topic{
		Name: t.Name, Internal: t.IsInternal,
		Partitions: make([]cluster.Partition, 0, len(t.Partitions)),
	}
	if t.Uuid != (sarama.Uuid{}) {
		out.ID = t.Uuid.String()
	}
	for _, p := range t.Partitions {
		out.Partitions = append(out.Partitions, cluster.Partition{
			ID: p.ID, Leader: p.Leader, LeaderEpoch: p.LeaderEpoch, Replicas: p.Replicas, ISR: p.Isr,
		})
	}
	sort.Slice(out.Partitions, func(i, j int) bool { return out.Partitions[i].ID < out.Partitions[j].ID })
	return out
}

// leaveInternal puts topics that the brokers call internal among the others,
// whatever a pattern says: each cluster keeps its own.
func (v *view) leaveInternal() {
	for name, t := range v.topics {
		if !t.Internal {
			continue
		}
		delete(v.topics, name)
		v.others = append(v.others, name)
		for _, p := range t.Partitions {
			delete(v.leaders, cluster.TopicPartition{Topic: name, Partition: p.ID})
		}
	}
}

// wants is want without the topics that are among the others.
func (v view) wants(want func(name string) bool) func(string) bool {
	others := make(map[string]bool, len(v.others))
	for _, name := range v.others {
		others[name] = true
	}
	return func(name string) bool { return !others[name] && want(name) }
}
