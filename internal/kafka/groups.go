package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// dead is Kafka's word for the state of a group that does not exist.
const dead = "Dead"

// Group describes one group with its commits. A group that does not exist is
// an empty one in state Dead, as Kafka says it.
func (c *Client) Group(ctx context.Context, id string) (cluster.Group, error) {
	var group cluster.Group
	err := c.retry(ctx, fmt.Sprintf("describing group %q", id), func() (err error) {
		if group, err = c.groupOnce(id); err != nil {
			_ = c.client.RefreshCoordinator(id) // the next try says if that fails
		}
		return err
	})
	if err != nil {
		return cluster.Group{}, fmt.Errorf("describing group %q of %s: %w", id, c.ep.Name(), err)
	}
	return group, nil
}

// groupOnce asks the group's coordinator, and for nothing but this group where
// the answer tells its type: DescribeGroups calls a group of another protocol
// dead, ConsumerGroupDescribe does not find it.
func (c *Client) groupOnce(id string) (cluster.Group, error) {
	none := cluster.Group{ID: id, Type: cluster.GroupClassic, State: dead, Commits: map[cluster.TopicPartition]cluster.Commit{}}
	coordinator, err := c.client.Coordinator(id)
	if err != nil {
		return none, err
	}
	group, err := one(describeConsumers(coordinator, []string{id}))
	// The group without a name can only be a classic one: the newer protocol has none.
	if errors.Is(err, sarama.ErrGroupIDNotFound) || errors.Is(err, sarama.ErrUnsupportedVersion) || errors.Is(err, sarama.ErrInvalidGroupId) {
		group, err = one(describeClassics(coordinator, []string{id}))
		if errors.Is(err, sarama.ErrGroupIDNotFound) {
			group, err = none, nil
		}
	}
	if err != nil {
		return none, err
	}
	if group.State == dead {
		others, err := listGroups(coordinator)
		if err != nil {
			return none, err
		}
		l, listed := others[id]
		if !listed {
			return none, nil
		}
		if l.kind == cluster.GroupShare || l.kind == cluster.GroupStreams {
			group = cluster.Group{ID: id, Type: l.kind, State: l.state}
		}
	}
	if group.Type == cluster.GroupShare {
		return group, nil // it commits nothing
	}
	group.Commits, err = commits(coordinator, c.conf.Version, id, nil, false)
	return group, err
}

// one takes the only answer out of a batch.
func one(all []described, err error) (cluster.Group, error) {
	switch {
	case err != nil:
		return cluster.Group{}, err
	case len(all) != 1:
		return cluster.Group{}, sarama.ErrIncompleteResponse
	case !errors.Is(all[0].code, sarama.ErrNoError):
		return cluster.Group{}, all[0].code
	}
	return all[0].group, nil
}

// listed is what ListGroups tells of a group.
type listed struct {
	state string
	kind  cluster.GroupType
}

// listGroups asks one broker for the groups that it coordinates.
func listGroups(b *sarama.Broker) (map[string]listed, error) {
	resp, err := b.ListGroups(&sarama.ListGroupsRequest{Version: 5})
	if err != nil {
		return nil, err
	}
	if !errors.Is(resp.Err, sarama.ErrNoError) {
		return nil, resp.Err
	}
	groups := make(map[string]listed, len(resp.Groups))
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
	return groups, nil
}

// described is what a coordinator says about one group, without commits.
type described struct {
	group cluster.Group
	code  sarama.KError
}

func describeClassics(b *sarama.Broker, ids []string) ([]described, error) {
	resp, err := b.DescribeGroups(&sarama.DescribeGroupsRequest{Version: 5, Groups: ids})
	if err != nil {
		return nil, err
	}
	all := make([]described, 0, len(resp.Groups))
	for _, d := range resp.Groups {
		group := cluster.Group{ID: d.GroupId, Type: cluster.GroupClassic, State: d.State}
		for _, m := range d.Members {
			group.Members = append(group.Members, classicMember(m))
		}
		all = append(all, described{group: group, code: d.Err})
	}
	return all, nil
}

func classicMember(m *sarama.GroupMemberDescription) cluster.Member {
	member := cluster.Member{ID: m.MemberId, ClientID: m.ClientId, Host: m.ClientHost, InstanceID: deref(m.GroupInstanceId)}
	// A connector's or another protocol's metadata is not for us to read: such a
	// member is shown without topics.
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
	return member
}

func describeConsumers(b *sarama.Broker, ids []string) ([]described, error) {
	resp, err := b.ConsumerGroupDescribe(&sarama.ConsumerGroupDescribeRequest{GroupIDs: ids})
	if err != nil {
		return nil, err
	}
	all := make([]described, 0, len(resp.Groups))
	for _, d := range resp.Groups {
		group := cluster.Group{ID: d.GroupID, Type: cluster.GroupConsumer, State: d.GroupState}
		for _, m := range d.Members {
			member := cluster.Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost, InstanceID: deref(m.InstanceID), Subscribed: m.SubscribedTopicNames}
			for _, t := range m.Assignment.TopicPartitions {
				for _, p := range t.Partitions {
					member.Assigned = append(member.Assigned, cluster.TopicPartition{Topic: t.TopicName, Partition: p})
				}
			}
			group.Members = append(group.Members, member)
		}
		all = append(all, described{group: group, code: d.ErrorCode})
	}
	return all, nil
}
