package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"

	"kplan/internal/cluster"
)

// parallelGroups bounds how many groups are asked about at once.
const parallelGroups = 16

// listed is what ListGroups tells of a group.
type listed struct {
	state string
	kind  cluster.GroupType
}

// listGroups asks every broker, for each knows only the groups that it
// coordinates. One broker that does not answer makes the list incomplete, and
// that is an error.
func (c *Client) listGroups(ctx context.Context) (map[string]listed, error) {
	meta, err := c.metadata([]string{})
	if err != nil {
		return nil, fmt.Errorf("asking %s for its brokers: %w", c.ep.Name(), err)
	}
	groups := map[string]listed{}
	for _, m := range meta.Brokers {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		b, err := c.broker(m.ID())
		if err != nil {
			return nil, fmt.Errorf("listing the groups of %s: %w", c.ep.Name(), err)
		}
		resp, err := b.ListGroups(&sarama.ListGroupsRequest{Version: 5})
		if err != nil {
			return nil, fmt.Errorf("listing the groups of broker %d of %s: %w", m.ID(), c.ep.Name(), err)
		}
		if !errors.Is(resp.Err, sarama.ErrNoError) {
			return nil, fmt.Errorf("listing the groups of broker %d of %s: %w", m.ID(), c.ep.Name(), resp.Err)
		}
		for id := range resp.Groups {
			l := listed{kind: cluster.GroupClassic}
			if d, ok := resp.GroupsData[id]; ok {
				l.state = d.GroupState
				if d.GroupType != "" {
					l.kind = cluster.GroupType(strings.ToLower(d.GroupType))
				}
			}
			groups[id] = l
		}
	}
	return groups, nil
}

// groupsReading returns every group that has a commit, an assignment or a
// subscription on a selected topic, and every share group.
func (c *Client) groupsReading(ctx context.Context, want func(topic string) bool) (map[string]cluster.Group, error) {
	all, err := c.listGroups(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	groups := map[string]cluster.Group{}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelGroups)
	for id, l := range all {
		g.Go(func() error {
			group, err := c.describe(ctx, id, l.kind)
			if err != nil {
				return err
			}
			reads := l.kind == cluster.GroupShare // nobody can tell what it reads
			for topic := range group.Topics() {
				reads = reads || want(topic)
			}
			if reads {
				mu.Lock()
				groups[id] = group
				mu.Unlock()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return groups, nil
}

// Group describes one group with its commits. A group that does not exist is
// an empty one in state Dead, as Kafka says it.
func (c *Client) Group(ctx context.Context, id string) (cluster.Group, error) {
	var all map[string]listed
	err := c.retry(ctx, func() (err error) {
		all, err = c.listGroups(ctx)
		return err
	})
	if err != nil {
		return cluster.Group{}, err
	}
	l, ok := all[id]
	if !ok {
		return cluster.Group{ID: id, Type: cluster.GroupClassic, State: "Dead", Commits: map[cluster.TopicPartition]cluster.Commit{}}, nil
	}
	return c.describe(ctx, id, l.kind)
}

func (c *Client) describe(ctx context.Context, id string, kind cluster.GroupType) (cluster.Group, error) {
	var group cluster.Group
	err := c.retry(ctx, func() (err error) {
		if group, err = c.describeOnce(id, kind); err != nil {
			_ = c.client.RefreshCoordinator(id) // the next try says if that fails
		}
		return err
	})
	if err != nil {
		return cluster.Group{}, fmt.Errorf("describing group %q of %s: %w", id, c.ep.Name(), err)
	}
	return group, nil
}

func (c *Client) describeOnce(id string, kind cluster.GroupType) (cluster.Group, error) {
	group := cluster.Group{ID: id, Type: kind}
	coordinator, err := c.client.Coordinator(id)
	if err != nil {
		return group, err
	}
	switch kind {
	case cluster.GroupConsumer:
		err = describeConsumer(coordinator, &group)
	case cluster.GroupClassic:
		err = describeClassic(coordinator, &group)
	case cluster.GroupStreams:
		// Its members have a request of their own; what it reads is in its commits.
	default:
		return group, nil // a share group commits nothing: its name and type are all there is
	}
	if err != nil {
		return group, err
	}
	group.Commits, err = commits(coordinator, c.conf.Version, id, nil, false)
	return group, err
}

func describeClassic(b *sarama.Broker, group *cluster.Group) error {
	resp, err := b.DescribeGroups(&sarama.DescribeGroupsRequest{Version: 5, Groups: []string{group.ID}})
	if err != nil {
		return err
	}
	for _, d := range resp.Groups {
		if !errors.Is(d.Err, sarama.ErrNoError) {
			return d.Err
		}
		group.State = d.State
		for _, m := range d.Members {
			member := cluster.Member{ID: m.MemberId, ClientID: m.ClientId, Host: m.ClientHost}
			if m.GroupInstanceId != nil {
				member.InstanceID = *m.GroupInstanceId
			}
			// A connector's or another protocol's metadata is not for us to read:
			// such a member is shown without topics.
			if meta, err := m.GetMemberMetadata(); err == nil && meta != nil {
				member.Subscribed = meta.Topics
			}
			if a, err := m.GetMemberAssignment(); err == nil && a != nil {
				for topic, ps := range a.Topics {
					for _, p := range ps {
						member.Assigned = append(member.Assigned, cluster.TopicPartition{Topic: topic, Partition: p})
					}
				}
			}
			group.Members = append(group.Members, member)
		}
	}
	return nil
}

func describeConsumer(b *sarama.Broker, group *cluster.Group) error {
	resp, err := b.ConsumerGroupDescribe(&sarama.ConsumerGroupDescribeRequest{GroupIDs: []string{group.ID}})
	if err != nil {
		return err
	}
	for _, d := range resp.Groups {
		if !errors.Is(d.ErrorCode, sarama.ErrNoError) {
			return d.ErrorCode
		}
		group.State = d.GroupState
		for _, m := range d.Members {
			member := cluster.Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost, Subscribed: m.SubscribedTopicNames}
			if m.InstanceID != nil {
				member.InstanceID = *m.InstanceID
			}
			for _, t := range m.Assignment.TopicPartitions {
				for _, p := range t.Partitions {
					member.Assigned = append(member.Assigned, cluster.TopicPartition{Topic: t.TopicName, Partition: p})
				}
			}
			group.Members = append(group.Members, member)
		}
	}
	return nil
}
