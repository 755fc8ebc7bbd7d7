package kafka

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// RefusedError is a broker's own refusal of a change, with its words.
type RefusedError struct {
	What string // "creating topic \"x\""
	Code string
	Text string
}

func (e *RefusedError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("%s: refused by the brokers: %s", e.What, e.Code)
	}
	return fmt.Sprintf("%s: refused by the brokers: %s", e.What, e.Text)
}

// CreateTopic creates a topic, or with validateOnly asks the brokers whether
// they would. A refusal is a *RefusedError, or cluster.ErrTopicExists.
func (c *Client) CreateTopic(ctx context.Context, spec cluster.TopicSpec, validateOnly bool) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	detail := &sarama.TopicDetail{
		NumPartitions:     int32(spec.Partitions),
		ReplicationFactor: int16(spec.ReplicationFactor),
		ConfigEntries:     map[string]*string{},
	}
	for k, v := range spec.Configs {
		detail.ConfigEntries[k] = &v
	}
	return refused(fmt.Sprintf("creating topic %q", spec.Name), c.admin.CreateTopic(spec.Name, detail, validateOnly))
}

// AlterConfigs sets configs of a topic incrementally, or deletes the ones with
// a nil value (KIP-339), all in one request (R15). A refusal is a
// *RefusedError. It returns when the brokers show what they accepted: with KRaft
// the controller answers before a broker has applied the change.
func (c *Client) AlterConfigs(ctx context.Context, topic string, changes map[string]*string, validateOnly bool) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	what := fmt.Sprintf("altering configs of topic %q", topic)
	var before map[string]string
	if !validateOnly {
		var err error
		if before, err = c.setOn(ctx, topic); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	entries := map[string]sarama.IncrementalAlterConfigsEntry{}
	for k, v := range changes {
		op := sarama.IncrementalAlterConfigsOperationSet
		if v == nil {
			op = sarama.IncrementalAlterConfigsOperationDelete
		}
		entries[k] = sarama.IncrementalAlterConfigsEntry{Operation: op, Value: v}
	}
	err := c.retry(ctx, func() error { // the same values again do no harm
		return c.admin.IncrementalAlterConfig(sarama.TopicResource, topic, entries, validateOnly)
	})
	if err != nil || validateOnly {
		return refused(what, err)
	}
	return c.awaitConfigs(ctx, topic, changes, before)
}

// awaitConfigs waits until a change of configs shows. A broker may write a
// value in another form than it was given, so any other value than before will
// do.
func (c *Client) awaitConfigs(ctx context.Context, topic string, changes map[string]*string, before map[string]string) error {
	for began := time.Now(); ; {
		now, err := c.setOn(ctx, topic)
		if err != nil {
			return fmt.Errorf("reading the configs of topic %q back: %w", topic, err)
		}
		late := ""
		for k, want := range changes {
			was, wasSet := before[k]
			is, isSet := now[k]
			if want == nil && isSet || want != nil && (!isSet || wasSet && is == was && is != strings.TrimSpace(*want)) {
				late = k
			}
		}
		if late == "" {
			return nil
		}
		if time.Since(began) > settleTime {
			return fmt.Errorf("altering configs of topic %q: the brokers accepted it and do not show %s after %s. Look at the controller's log, then apply again", topic, late, settleTime)
		}
		if err := pause(ctx, applyLook); err != nil {
			return err
		}
	}
}

// setOn returns the configs that are set on the topic itself.
func (c *Client) setOn(ctx context.Context, topic string) (map[string]string, error) {
	var described []*sarama.ConfigResourceResult
	err := c.retry(ctx, func() (err error) {
		described, err = c.admin.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic}}, sarama.DescribeConfigsOptions{})
		return err
	})
	if err != nil {
		return nil, err
	}
	set := map[string]string{}
	for _, r := range described {
		if !errors.Is(r.ErrorCode, sarama.ErrNoError) {
			return nil, r.ErrorCode
		}
		for _, e := range r.Configs {
			if cluster.ConfigSource(e.Source) == cluster.SourceTopic {
				set[e.Name] = e.Value
			}
		}
	}
	return set, nil
}

// CreatePartitions raises the number of partitions of a topic to total. A
// refusal is a *RefusedError.
func (c *Client) CreatePartitions(ctx context.Context, topic string, total int, validateOnly bool) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return refused(fmt.Sprintf("adding partitions to topic %q", topic), c.admin.CreatePartitions(topic, int32(total), nil, validateOnly))
}

func refused(what string, err error) error {
	if err == nil {
		return nil
	}
	var partErr *sarama.TopicPartitionError
	if errors.As(err, &partErr) {
		text := partErr.Err.Error()
		if partErr.ErrMsg != nil {
			text = *partErr.ErrMsg
		}
		return &RefusedError{What: what, Code: partErr.Err.Error(), Text: text}
	}
	var topicErr *sarama.TopicError
	if errors.As(err, &topicErr) {
		if errors.Is(topicErr.Err, sarama.ErrTopicAlreadyExists) {
			return fmt.Errorf("%s: %w", what, cluster.ErrTopicExists)
		}
		text := topicErr.Err.Error()
		if topicErr.ErrMsg != nil {
			text = *topicErr.ErrMsg
		}
		return &RefusedError{What: what, Code: topicErr.Err.Error(), Text: text}
	}
	var kerr sarama.KError
	if errors.As(err, &kerr) {
		return &RefusedError{What: what, Code: kerr.Error(), Text: err.Error()}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Topics describes the topics of the cluster for which want says yes, with
// every config and its source.
func (c *Client) Topics(ctx context.Context, want func(name string) bool) (map[string]cluster.Topic, error) {
	var topics map[string]cluster.Topic
	err := c.retry(ctx, func() (err error) {
		topics, _, err = c.topics(ctx, want)
		return err
	})
	return topics, err
}

func (c *Client) topics(ctx context.Context, want func(name string) bool) (map[string]cluster.Topic, *sarama.MetadataResponse, error) {
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	meta, err := c.metadata(nil)
	if err != nil {
		return nil, nil, fmt.Errorf("listing the topics of %s: %w", c.ep.Name(), err)
	}
	topics := map[string]cluster.Topic{}
	var resources []*sarama.ConfigResource
	for _, t := range meta.Topics {
		if !want(t.Name) || errors.Is(t.Err, sarama.ErrUnknownTopicOrPartition) {
			continue
		}
		if !errors.Is(t.Err, sarama.ErrNoError) {
			return nil, nil, fmt.Errorf("describing topic %q of %s: %w", t.Name, c.ep.Name(), t.Err)
		}
		topics[t.Name] = topicOf(t)
		resources = append(resources, &sarama.ConfigResource{Type: sarama.TopicResource, Name: t.Name})
	}
	described, err := c.admin.DescribeConfigs(resources, sarama.DescribeConfigsOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the topic configs of %s: %w", c.ep.Name(), err)
	}
	for _, r := range described {
		if !errors.Is(r.ErrorCode, sarama.ErrNoError) {
			return nil, nil, fmt.Errorf("reading the configs of topic %q of %s: %w", r.Name, c.ep.Name(), r.ErrorCode)
		}
		for _, e := range r.Configs {
			topics[r.Name].Configs[e.Name] = configOf(e)
		}
	}
	return topics, meta, nil
}

func configOf(e sarama.ConfigEntry) cluster.Config {
	return cluster.Config{Value: e.Value, Source: cluster.ConfigSource(e.Source), Sensitive: e.Sensitive, ReadOnly: e.ReadOnly}
}

func topicOf(t *sarama.TopicMetadata) cluster.Topic {
	out := cluster.Topic{Name: t.Name, Internal: t.IsInternal, Configs: map[string]cluster.Config{}}
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
