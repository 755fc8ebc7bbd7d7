package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"sync"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// describeTopics is how many topics one DescribeConfigs asks about: with some
// forty configs a topic an answer stays near a megabyte.
const describeTopics = 500

// configsOf reads every config of the topics, in chunks that the brokers share.
// refuse decides what to do about a topic that the brokers do not describe; nil
// leaves it out.
func (c *Client) configsOf(ctx context.Context, topics []string, refuse func(topic string, err error) error) (map[string]map[string]cluster.Config, error) {
	var (
		mu   sync.Mutex
		all  = make(map[string]map[string]cluster.Config, len(topics))
		seen = newConfigSets()
		todo = chunks(topics, describeTopics)
	)
	err := c.spread(ctx, len(todo), func(b *sarama.Broker, question int) error {
		resp, err := describeConfigs(b, todo[question])
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		for _, r := range resp.Resources {
			if kerr := sarama.KError(r.ErrorCode); !errors.Is(kerr, sarama.ErrNoError) {
				if refuse == nil {
					continue
				}
				if err := refuse(r.Name, kerr); err != nil {
					return err
				}
				continue
			}
			all[r.Name] = seen.set(r.Configs)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func describeConfigs(b *sarama.Broker, topics []string) (*sarama.DescribeConfigsResponse, error) {
	req := &sarama.DescribeConfigsRequest{Version: 4, Resources: make([]*sarama.ConfigResource, 0, len(topics))}
	for _, topic := range topics {
		req.Resources = append(req.Resources, &sarama.ConfigResource{Type: sarama.TopicResource, Name: topic})
	}
	return b.DescribeConfigs(req)
}

// configSets keeps one map for all topics whose configs are the same: of ten
// thousand topics most share a few sets, and each map would cost kilobytes.
type configSets struct {
	words map[string]string
	sets  map[string]map[string]cluster.Config
	key   []byte
}

func newConfigSets() *configSets {
	return &configSets{words: map[string]string{}, sets: map[string]map[string]cluster.Config{}}
}

func (s *configSets) set(entries []*sarama.ConfigEntry) map[string]cluster.Config {
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name < entries[j].Name })
	s.key = s.key[:0]
	for _, e := range entries {
		s.key = binary.AppendUvarint(s.key, uint64(len(e.Name)))
		s.key = append(s.key, e.Name...)
		s.key = binary.AppendUvarint(s.key, uint64(len(e.Value)))
		s.key = append(s.key, e.Value...)
		s.key = append(s.key, byte(e.Source), flag(e.Sensitive), flag(e.ReadOnly))
	}
	if known, ok := s.sets[string(s.key)]; ok {
		return known
	}
	configs := make(map[string]cluster.Config, len(entries))
	for _, e := range entries {
		configs[s.word(e.Name)] = cluster.Config{
			Value: s.word(e.Value), Source: cluster.ConfigSource(e.Source), Sensitive: e.Sensitive, ReadOnly: e.ReadOnly,
		}
	}
	s.sets[string(s.key)] = configs
	return configs
}

func (s *configSets) word(w string) string {
	if known, ok := s.words[w]; ok {
		return known
	}
	s.words[w] = w
	return w
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// defaults finds out what a topic on which nothing is set would inherit, and by
// its keys which configs the cluster knows: from topics that exist, since a
// config that is not set on one of them shows it, and on a cluster without
// topics by asking what a topic would be like that is not created.
func (c *Client) defaults(ctx context.Context, seen view) (map[string]cluster.Config, error) {
	var found map[string]cluster.Config
	note := func(configs map[string]cluster.Config) {
		for name, config := range configs {
			if _, ok := found[name]; ok || config.Source == cluster.SourceTopic {
				continue
			}
			if found == nil {
				found = map[string]cluster.Config{}
			}
			found[name] = config
		}
	}
	for _, t := range seen.topics {
		note(t.Configs)
	}
	// A topic that may not be described is no loss: another one tells the same.
	described, err := c.configsOf(ctx, seen.others[:min(len(seen.others), defaultSamples)], nil)
	if err != nil {
		return nil, fmt.Errorf("reading the config defaults of %s: %w", c.ep.Name(), err)
	}
	for _, configs := range described {
		note(configs)
	}
	if found == nil {
		return c.freshDefaults()
	}
	return found, nil
}

// freshTopic is a name that no topic has.
const freshTopic = cluster.OwnPrefix + "no.such.topic"

// freshDefaults asks with validateOnly: brokers from 2.4 answer with the configs
// that the topic would have (KIP-525). Those that do not tell, because they are
// older, or a right or a policy is in the way, leave the configs unknown.
func (c *Client) freshDefaults() (map[string]cluster.Config, error) {
	b, err := c.controller()
	if err != nil {
		return nil, err
	}
	detail := map[string]*sarama.TopicDetail{freshTopic: {NumPartitions: 1, ReplicationFactor: 1}}
	resp, err := b.CreateTopics(sarama.NewCreateTopicsRequest(c.conf.Version, detail, c.conf.Admin.Timeout, true))
	if err != nil {
		return nil, err
	}
	if e := resp.TopicErrors[freshTopic]; e != nil && retriable(e.Err) {
		return nil, e.Err
	}
	told := resp.TopicResults[freshTopic]
	if told == nil || len(told.Configs) == 0 {
		return nil, nil
	}
	found := make(map[string]cluster.Config, len(told.Configs))
	for name, config := range told.Configs {
		found[name] = cluster.Config{Value: deref(config.Value), Source: cluster.ConfigSource(config.ConfigSource), Sensitive: config.IsSensitive, ReadOnly: config.ReadOnly}
	}
	return found, nil
}
