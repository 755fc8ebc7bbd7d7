package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// Snapshot observes the selected topics, every group of the cluster that reads
// any of them (R11: a reader outside the plan counts too), and the brokers.
func (c *Client) Snapshot(ctx context.Context, want func(topic string) bool) (cluster.Snapshot, error) {
	snap := cluster.Snapshot{ClusterID: c.id, At: time.Now()}
	topics, meta, err := c.topics(ctx, want)
	if err != nil {
		return snap, err
	}
	snap.Topics = topics
	snap.Controller = meta.ControllerID
	for _, b := range meta.Brokers {
		snap.Brokers = append(snap.Brokers, brokerOf(b))
	}
	if snap.Defaults, err = c.defaults(meta, topics); err != nil {
		return snap, err
	}
	names := make([]string, 0, len(topics))
	for name := range topics {
		names = append(names, name)
	}
	// Positions first: under load a position read after the log's end could lie
	// beyond it.
	if snap.Groups, err = c.groupsReading(ctx, want); err != nil {
		return snap, err
	}
	if snap.LogEnds, err = c.LogEnds(ctx, names); err != nil {
		return snap, err
	}
	if snap.Keyed, err = c.keyed(ctx, snap.LogEnds); err != nil {
		return snap, fmt.Errorf("looking whether records carry keys: %w", err)
	}
	return snap, nil
}

// defaultSamples is how many other topics are looked at for defaults.
const defaultSamples = 10

// defaults finds out what a topic on which nothing is set would inherit, from
// topics that exist: a config that is not set on one of them shows it. A
// cluster without topics does not tell.
func (c *Client) defaults(meta *sarama.MetadataResponse, topics map[string]cluster.Topic) (map[string]cluster.Config, error) {
	var others []*sarama.ConfigResource
	for _, t := range meta.Topics {
		if _, known := topics[t.Name]; !known && len(others) < defaultSamples {
			others = append(others, &sarama.ConfigResource{Type: sarama.TopicResource, Name: t.Name})
		}
	}
	var found map[string]cluster.Config
	note := func(name string, config cluster.Config) {
		if found == nil {
			found = map[string]cluster.Config{}
		}
		if _, ok := found[name]; !ok && config.Source != cluster.SourceTopic {
			found[name] = config
		}
	}
	for _, t := range topics {
		for name, config := range t.Configs {
			note(name, config)
		}
	}
	described, err := c.admin.DescribeConfigs(others, sarama.DescribeConfigsOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading the config defaults of %s: %w", c.ep.Name(), err)
	}
	for _, r := range described {
		// A topic that may not be described is no loss: another one tells the same.
		for _, e := range r.Configs {
			note(e.Name, configOf(e))
		}
	}
	return found, nil
}
