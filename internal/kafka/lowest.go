package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// LowestCommits returns the lowest position that a group of the cluster has
// committed on each partition of topics, whosever the group is. A partition
// without a commit is absent, and has none: where a right is missing, where a
// broker does not answer, and where groups may have moved while they were read,
// the answer is an error.
func (c *Client) LowestCommits(ctx context.Context, topics []string) (map[cluster.TopicPartition]cluster.LowestCommit, error) {
	if err := c.seesEveryGroup(ctx, topics); err != nil {
		return nil, err
	}
	before, told, err := c.coordinators(nil)
	if err != nil {
		return nil, err
	}
	groups, err := c.groupsReading(ctx, func(topic string) bool { return slices.Contains(topics, topic) })
	if err != nil {
		return nil, err
	}
	after, _, err := c.coordinators(map[int32]bool{told: true})
	if err != nil {
		return nil, err
	}
	if len(after) != len(before) {
		return nil, fmt.Errorf("reading the groups of %s: its topic of offsets has got partitions meanwhile", c.ep.Name())
	}
	for tp, l := range before {
		if after[tp] != l {
			return nil, fmt.Errorf("reading the groups of %s: those of %s have moved to another broker meanwhile", c.ep.Name(), tp)
		}
	}
	lowest := map[cluster.TopicPartition]cluster.LowestCommit{}
	for id, g := range groups {
		for tp, commit := range g.Commits {
			known, ok := lowest[tp]
			if slices.Contains(topics, tp.Topic) && (!ok || commit.Offset < known.Offset || commit.Offset == known.Offset && id < known.Group) {
				lowest[tp] = cluster.LowestCommit{Offset: commit.Offset, Group: id}
			}
		}
	}
	return lowest, nil
}

// seesEveryGroup returns an error unless this principal is shown every group, and
// what they have committed on the topics: brokers leave out, without a word, what
// may not be described.
func (c *Client) seesEveryGroup(ctx context.Context, topics []string) error {
	rights, err := c.Rights(ctx, topics, nil)
	if err != nil {
		return err
	}
	if !rights.Cluster["describe"] {
		return fmt.Errorf("%s does not list every group: kplan's principal lacks Describe on the cluster: %w", c.ep.Name(), cluster.ErrNotAllowed)
	}
	for _, t := range topics {
		if rights.Topics[t] == nil {
			return fmt.Errorf("%s does not show what groups have committed on topic %q: kplan's principal may not describe it: %w", c.ep.Name(), t, cluster.ErrNotAllowed)
		}
	}
	return nil
}

// coordinators are the leaders of the topic in which groups commit; none where
// that was never made. While a partition of it has no leader nobody lists its
// groups. Another broker than those to avoid tells, where there is one.
func (c *Client) coordinators(avoid map[int32]bool) (map[cluster.TopicPartition]leader, int32, error) {
	meta, told, err := c.metadataFrom(avoid, []string{offsetsTopic})
	if err != nil {
		return nil, 0, fmt.Errorf("asking %s who coordinates its groups: %w", c.ep.Name(), err)
	}
	for _, t := range meta.Topics {
		switch {
		case errors.Is(t.Err, sarama.ErrNoError):
			for _, p := range t.Partitions {
				known := slices.ContainsFunc(meta.Brokers, func(b *sarama.Broker) bool { return b.ID() == p.Leader })
				if !known || errors.Is(p.Err, sarama.ErrLeaderNotAvailable) {
					return nil, 0, fmt.Errorf("nobody coordinates some of the groups of %s: %s[%d] has no leader that is there", c.ep.Name(), t.Name, p.ID)
				}
			}
		case errors.Is(t.Err, sarama.ErrUnknownTopicOrPartition):
			return nil, told, nil
		case errors.Is(t.Err, sarama.ErrTopicAuthorizationFailed):
			return nil, 0, fmt.Errorf("%s does not show whether all of its groups are coordinated: kplan's principal may not describe %s: %w", c.ep.Name(), offsetsTopic, cluster.ErrNotAllowed)
		default:
			return nil, 0, fmt.Errorf("asking %s who coordinates its groups: %w", c.ep.Name(), t.Err)
		}
	}
	leaders, err := c.leadersIn(meta)
	return leaders, told, err
}
