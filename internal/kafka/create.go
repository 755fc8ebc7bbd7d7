package kafka

import (
	"context"
	"maps"
	"slices"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// CreateTopic is CreateTopics of one topic. A refusal is a *RefusedError, or
// cluster.ErrTopicExists.
func (c *Client) CreateTopic(ctx context.Context, spec cluster.TopicSpec, validateOnly bool) error {
	errs, err := c.CreateTopics(ctx, []cluster.TopicSpec{spec}, validateOnly)
	if err != nil {
		return err
	}
	return errs[spec.Name]
}

// CreateTopics creates topics, many to a request, or with validateOnly asks the
// brokers whether they would. The map holds the topics that were refused, each
// with a *RefusedError or cluster.ErrTopicExists. It returns when every broker
// that can be asked shows the topics with a leader for each partition.
//
// The error is that of a whole request. The topics of earlier requests then
// exist, and those of this one may: ask TopicsNamed. Where an answer was lost,
// a topic that then exists with the wanted partitions and configs is taken for
// the one that was asked for.
func (c *Client) CreateTopics(ctx context.Context, specs []cluster.TopicSpec, validateOnly bool) (map[string]error, error) {
	wanted := make(map[string]cluster.TopicSpec, len(specs))
	for _, s := range specs {
		wanted[s.Name] = s
	}
	errs := map[string]error{}
	for _, names := range batches(slices.Collect(maps.Keys(wanted)), func(n string) int { return 1 + max(wanted[n].Partitions, 1) + len(wanted[n].Configs) }) {
		b := newRequest(names, "creating", validateOnly, func(topics []string) (map[string]answer, error) {
			return c.sendCreate(topics, wanted, validateOnly)
		})
		err := c.run(ctx, b, func(topic string) (bool, error) { return c.isThere(ctx, wanted[topic]) })
		maps.Copy(errs, b.errs)
		if err != nil {
			return errs, err
		}
		if validateOnly {
			continue
		}
		made := map[string]int{}
		for topic := range b.done {
			made[topic] = wanted[topic].Partitions
		}
		if err := c.awaitTopics(ctx, made); err != nil {
			return errs, err
		}
	}
	return errs, nil
}

func (c *Client) sendCreate(topics []string, wanted map[string]cluster.TopicSpec, validateOnly bool) (map[string]answer, error) {
	details := make(map[string]*sarama.TopicDetail, len(topics))
	for _, topic := range topics {
		spec := wanted[topic]
		detail := &sarama.TopicDetail{
			NumPartitions: int32(spec.Partitions), ReplicationFactor: int16(spec.ReplicationFactor),
			ConfigEntries: make(map[string]*string, len(spec.Configs)),
		}
		for k, v := range spec.Configs {
			detail.ConfigEntries[k] = &v
		}
		details[topic] = detail
	}
	b, err := c.controller()
	if err != nil {
		return nil, err
	}
	resp, err := b.CreateTopics(sarama.NewCreateTopicsRequest(c.conf.Version, details, c.conf.Admin.Timeout, validateOnly))
	if err != nil {
		return nil, err
	}
	answers := make(map[string]answer, len(resp.TopicErrors))
	for topic, e := range resp.TopicErrors {
		answers[topic] = answer{code: e.Err, text: deref(e.ErrMsg)}
	}
	return answers, nil
}

// isThere reports whether the topic exists as it is wanted.
func (c *Client) isThere(ctx context.Context, want cluster.TopicSpec) (bool, error) {
	topics, err := c.TopicsNamed(ctx, []string{want.Name})
	if err != nil {
		return false, err
	}
	t, ok := topics[want.Name]
	if !ok || want.Partitions > 0 && len(t.Partitions) != want.Partitions || want.ReplicationFactor > 0 && t.ReplicationFactor() != want.ReplicationFactor {
		return false, nil
	}
	for k, v := range want.Configs {
		if got := t.Configs[k]; got.Source != cluster.SourceTopic || got.Value != v && !got.Sensitive {
			return false, nil
		}
	}
	return true, nil
}

// GrowTopics raises the numbers of partitions to the totals, many topics to a
// request. The map holds the topics that were refused, each with a
// *RefusedError. It returns when the brokers show the partitions with leaders.
// The error is that of a whole request.
func (c *Client) GrowTopics(ctx context.Context, totals map[string]int, validateOnly bool) (map[string]error, error) {
	errs := map[string]error{}
	for _, names := range batches(slices.Collect(maps.Keys(totals)), func(n string) int { return totals[n] }) {
		b := newRequest(names, "adding partitions to", validateOnly, func(topics []string) (map[string]answer, error) {
			return c.sendGrow(topics, totals, validateOnly)
		})
		err := c.run(ctx, b, func(topic string) (bool, error) {
			topics, err := c.TopicsNamed(ctx, []string{topic})
			return len(topics[topic].Partitions) == totals[topic], err
		})
		maps.Copy(errs, b.errs)
		if err != nil {
			return errs, err
		}
		if validateOnly {
			continue
		}
		grown := map[string]int{}
		for topic := range b.done {
			grown[topic] = totals[topic]
		}
		if err := c.awaitTopics(ctx, grown); err != nil {
			return errs, err
		}
	}
	return errs, nil
}

func (c *Client) sendGrow(topics []string, totals map[string]int, validateOnly bool) (map[string]answer, error) {
	req := &sarama.CreatePartitionsRequest{
		Version: 3, TopicPartitions: make(map[string]*sarama.TopicPartition, len(topics)),
		Timeout: c.conf.Admin.Timeout, ValidateOnly: validateOnly,
	}
	for _, topic := range topics {
		req.TopicPartitions[topic] = &sarama.TopicPartition{Count: int32(totals[topic])}
	}
	b, err := c.controller()
	if err != nil {
		return nil, err
	}
	resp, err := b.CreatePartitions(req)
	if err != nil {
		return nil, err
	}
	answers := make(map[string]answer, len(resp.TopicPartitionErrors))
	for topic, e := range resp.TopicPartitionErrors {
		answers[topic] = answer{code: e.Err, text: deref(e.ErrMsg)}
	}
	return answers, nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
